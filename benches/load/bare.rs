//! The limit: sockets, and a loop that writes a ready frame to each.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::{
    process::{answer, number},
    wire,
};

/// Has it quiet for a moment.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures ambient time")]
pub(crate) fn settle() -> String {
    thread::sleep(Duration::from_millis(1500));
    String::new()
}

pub(crate) fn run() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    println!("{}", listener.local_addr().expect("a bound listener has an address"));
    let sockets = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&sockets);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = upgraded(stream.expect("a client comes"));
            taken.lock().expect("nobody panics").push(stream);
        }
    });
    answer(|words| match words[0] {
        "broadcast" => {
            let data = wire::data(number(words, 1));
            // As long as an event of the host.
            let text = format!(
                r#"{{"jsonrpc":"2.0","method":"event","params":{{"subscription":1,"cursor":"0123456789abcdef-1234","time":"2026-01-01T00:00:00.123456789Z","topic":"load.all","source":"crier","data":{data}}}}}"#
            );
            let frame = wire::frame(&text);
            for mut socket in sockets.lock().expect("nobody panics").iter() {
                socket.write_all(&frame).expect("the client reads");
            }
            String::new()
        }
        _ => settle(),
    });
}

/// Takes any request for an upgrade.
fn upgraded(mut stream: TcpStream) -> TcpStream {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut buffer).expect("the client asks");
        head.extend(&buffer[..read]);
    }
    stream.set_nodelay(true).expect("it is a socket");
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").expect("the client reads");
    stream
}
