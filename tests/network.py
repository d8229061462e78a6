"""What the tests in Python share: a network whose connections break."""
import socket
import threading


class Network:
    """Forwards connections to a host, and breaks each of them after so many bytes of its answers."""

    def __init__(self, host, breaks_after):
        self.host, self.breaks_after, self.connections = host, breaks_after, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            self.connections += 1
            name, port = self.host.split(":")
            far = socket.create_connection((name, int(port)))
            threading.Thread(target=self.forward, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self.forward, args=(far, near, self.breaks_after), daemon=True).start()

    @staticmethod
    def forward(come, go, left):
        try:
            while left is None or left > 0:
                bytes_ = come.recv(4096 if left is None else left)
                if not bytes_:
                    break
                go.sendall(bytes_)
                left = None if left is None else left - len(bytes_)
            if left is not None:
                for end in (come, go):
                    end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
