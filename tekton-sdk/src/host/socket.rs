//! A Unix socket that answers HTTP/1.1 with a [`Handler`](crate::transport::Handler).

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::server::{Listener, Open, ServerLimits, Serving};
use crate::{
    config::HostConfig,
    error::{Error, Result},
    time::SharedClock,
    transport::{Endpoint, Handler},
};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// Whoever runs as the same user may connect, and nobody else.
const MODE: u32 = 0o600;

/// A listening Unix socket and its connections. Dropping it closes all of them and removes the socket's file.
#[derive(Debug)]
#[must_use = "dropping the server closes its connections"]
pub struct UnixServer {
    endpoint: Endpoint,
    open: Open,
}

impl UnixServer {
    /// Listens on a socket at this absolute path. Only the same user may connect. The file that a dead process left is replaced.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) naming the path, if another process listens there, if a file is there that is no
    /// socket, or if it cannot be listened on.
    pub async fn bind(path: &str, handler: Arc<dyn Handler>, limits: ServerLimits, clock: SharedClock) -> Result<Self> {
        Self::serve(path, Serving::new(handler, limits, &HostConfig::default(), clock)).await
    }

    pub(super) async fn serve(path: &str, serving: Serving) -> Result<Self> {
        let endpoint = Endpoint::parse(&format!("unix:{path}"))
            .map_err(|e| Error::config(format!("cannot listen on {path:?}")).with_source(e))?;
        let path = endpoint.socket().unwrap_or(Path::new(path)).to_owned();
        let refused = |error| Error::config(format!("cannot listen on {}", path.display())).with_source(error);
        let file = match listen(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                make_room(&path).await?;
                listen(&path)
            }
            listening => listening,
        };
        Ok(Self { endpoint, open: Open::start(file.map_err(refused)?, serving) })
    }

    /// The endpoint that is listened on, as `unix:/run/engram.sock`.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Stops listening and removes the file, lets running requests finish until `limit`, then closes what is left. Tells whether
    /// all finished.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.open.shutdown(limit).await
    }

    pub(super) const fn open(&self) -> &Open {
        &self.open
    }
}

/// A socket that is listened on, and its file.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number, so that the file of a successor is not taken for this one.
    id: Option<(u64, u64)>,
}

/// Nobody is let in before the file's mode is right.
fn listen(path: &Path) -> io::Result<Socket> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let id = identity(path);
    let listening = fs::set_permissions(path, fs::Permissions::from_mode(MODE)).and_then(|()| socket.listen(BACKLOG));
    match listening {
        Ok(listener) => Ok(Socket { listener, path: path.to_owned(), id }),
        Err(error) => {
            remove(path, id);
            Err(error)
        }
    }
}

/// Removes what a dead process left at this path.
async fn make_room(path: &Path) -> Result<()> {
    let shown = path.display();
    let found = fs::symlink_metadata(path);
    if found.as_ref().is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(Error::config(format!("{shown} is a file that is no socket; choose another path")));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|e| Error::config(format!("the dead socket {shown} cannot be replaced")).with_source(e)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(Error::config(format!("another process listens on {shown}; stop it, or choose another path"))),
        Err(error) => {
            Err(Error::config(format!("it cannot be told whether somebody listens on {shown}")).with_source(error))
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Removes the file of a socket, if it is still the same.
fn remove(path: &Path, id: Option<(u64, u64)>) {
    if id.is_some() && identity(path) == id {
        // Another may have been quicker; then there is nothing left to do.
        let _ = fs::remove_file(path);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        remove(&self.path, self.id);
    }
}

impl Listener for Socket {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        self.listener.accept().await.map(|(stream, _)| (stream, None))
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use http::StatusCode;

    use super::*;
    use crate::transport::{Body, Inbound, Response};

    #[derive(Debug)]
    struct Fine;

    #[async_trait]
    impl Handler for Fine {
        async fn handle(&self, _request: Inbound) -> Response {
            Response::new(StatusCode::OK, Body::empty())
        }
    }

    /// A folder of its own, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tekton-socket-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn path(&self) -> PathBuf {
            self.0.join("x.sock")
        }

        async fn bind(&self) -> Result<UnixServer> {
            let limits = ServerLimits::default();
            UnixServer::bind(&self.path().display().to_string(), Arc::new(Fine), limits, SharedClock::default()).await
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[tokio::test]
    async fn a_socket_is_its_users_alone_and_gone_after_the_shutdown() {
        let folder = Folder::new("own");
        let server = folder.bind().await.unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(server.endpoint().socket(), Some(&*folder.path()));
        assert!(UnixStream::connect(folder.path()).await.is_ok());
        server.shutdown(Duration::from_secs(1)).await;
        assert!(!folder.path().exists());
    }

    #[tokio::test]
    async fn what_a_dead_process_left_is_replaced_and_a_live_one_is_not() {
        let folder = Folder::new("left");
        // std removes no file when it drops a listener, as a killed process does not.
        drop(std::os::unix::net::UnixListener::bind(folder.path()).unwrap());
        let server = folder.bind().await.unwrap();
        let second = folder.bind().await.unwrap_err().to_string();
        assert!(second.starts_with("another process listens on /") && second.contains("x.sock"), "{second}");
        assert!(UnixStream::connect(folder.path()).await.is_ok(), "the first goes on");
        drop(server);
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = Folder::new("file");
        fs::write(folder.path(), "text").unwrap();
        let error = folder.bind().await.unwrap_err().to_string();
        assert!(error.contains("is a file that is no socket"), "{error}");
        assert_eq!(fs::read(folder.path()).unwrap(), b"text");
    }

    #[tokio::test]
    async fn the_file_of_a_successor_is_not_removed() {
        let folder = Folder::new("next");
        let first = folder.bind().await.unwrap();
        fs::remove_file(folder.path()).unwrap();
        let second = folder.bind().await.unwrap();
        first.shutdown(Duration::from_secs(1)).await;
        assert!(UnixStream::connect(folder.path()).await.is_ok());
        second.shutdown(Duration::from_secs(1)).await;
        assert!(!folder.path().exists());
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_one_is_refused_with_a_sentence() {
        for (path, why) in [("x.sock", "absolute"), ("/", "a folder"), ("/nowhere/at/all/x.sock", "cannot listen on")] {
            let limits = ServerLimits::default();
            let error = UnixServer::bind(path, Arc::new(Fine), limits, SharedClock::default()).await.unwrap_err();
            assert!(error.report().contains(why), "{}", error.report());
        }
    }
}
