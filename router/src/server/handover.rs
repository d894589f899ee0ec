//! Listening sockets go from a router to the one that replaces it, so that a restart refuses and resets nothing.
//!
//! A router with `ROUTER_HANDOVER_SOCKET` listens at that path. The next one that starts with the same path asks there
//! first: it is sent the listening sockets themselves (`SCM_RIGHTS`, unix(7)), so that both have the one queue of
//! waiting connections. It says [`READY`] once it serves, and then the first one drains and ends. If it fails before,
//! nothing has happened. Whoever may open the path may take the port over: its directory is the router's own.
//!
//! Refused: sockets that share a port, as closing one resets the connections in its queue.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::AsyncReadExt;

/// What the new router says when it serves.
const READY: u8 = b'!';

/// The most sockets that are handed over.
const SOCKETS_MAX: usize = 8;

/// The most bytes of their names.
const NAMES_BYTES_MAX: usize = 1 << 10;

/// How long a router may take to hand over. It does so at once, unless another one is being started.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// A listening socket and the setting that it is for.
pub type Named<'a> = (&'a str, &'a TcpListener);

/// The router that runs already.
#[derive(Debug)]
pub struct Predecessor {
    stream: UnixStream,
    sockets: Vec<(String, TcpListener)>,
}

impl Predecessor {
    /// Asks the router at a path for its sockets. `None` when there is none.
    ///
    /// # Errors
    /// When there is one that doesn't hand over.
    pub fn ask(path: &Path) -> io::Result<Option<Self>> {
        use io::ErrorKind::{ConnectionRefused, NotFound};
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream.set_read_timeout(Some(ASK_TIMEOUT))?;
                let sockets = receive(&stream)?;
                stream.set_read_timeout(None)?;
                Ok(Some(Self { stream, sockets }))
            }
            // What a router that was killed leaves behind refuses.
            Err(error) if matches!(error.kind(), ConnectionRefused | NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its socket for a setting, if it is bound where the setting says. Port 0 is any.
    pub fn take(&mut self, setting: &str, address: SocketAddr) -> Option<TcpListener> {
        let place = self.sockets.iter().position(|(name, socket)| {
            let bound = socket.local_addr().ok();
            name == setting
                && bound.is_some_and(|bound| {
                    bound == address || (address.port() == 0 && bound.ip() == address.ip())
                })
        })?;
        Some(self.sockets.swap_remove(place).1)
    }

    /// Says that this router serves, so that the other one ends.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn relieve(&mut self) -> io::Result<()> {
        self.stream.write_all(&[READY])
    }

    /// Waits until the other one has ended.
    pub fn gone(mut self) {
        // Nothing more is ever said: what comes is the end, however it comes.
        let _ = self.stream.read(&mut [0]);
    }
}

/// The router that replaces this one. As long as this is held, it knows that this one hasn't ended.
#[derive(Debug)]
pub struct Successor {
    _stream: tokio::net::UnixStream,
}

/// Listens at a path, in place of whoever did so before.
///
/// # Errors
/// When the path can't be used.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    // Beside and renamed, so that there always is somebody at the path.
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let _ = fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside)?;
    fs::rename(&beside, path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Hands the sockets over to whoever asks, until one of them says that it serves.
///
/// # Errors
/// When the system can't wait for anybody.
pub async fn relieved(listener: UnixListener, sockets: &[Named<'_>]) -> io::Result<Successor> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        if let Err(error) = send(&stream, sockets) {
            tracing::warn!(%error, "hand over the sockets");
            continue;
        }
        tracing::info!("handed over the sockets; serving on until the other router is ready");
        if stream.read_u8().await.is_ok_and(|said| said == READY) {
            return Ok(Successor { _stream: stream });
        }
        tracing::warn!("the router that asked for the sockets has ended before it served; serving on");
    }
}

/// Sends the sockets with their names in one message, which a new connection's buffer always takes.
fn send(stream: impl AsFd, sockets: &[Named<'_>]) -> io::Result<()> {
    let names = sockets.iter().map(|(name, _)| *name).collect::<Vec<_>>().join("\n");
    let descriptors: Vec<BorrowedFd<'_>> = sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if names.len() > NAMES_BYTES_MAX || !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("too many sockets"));
    }
    sendmsg(stream, &[IoSlice::new(names.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(stream: &UnixStream) -> io::Result<Vec<(String, TcpListener)>> {
    let mut names = [0; NAMES_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(stream, &mut [IoSliceMut::new(&mut names)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptors: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    let names = String::from_utf8_lossy(&names[..received.bytes]).into_owned();
    let names: Vec<&str> = names.split('\n').collect();
    if descriptors.is_empty() || names.len() != descriptors.len() {
        return Err(io::Error::other("the router there ended, or is no router of this kind"));
    }
    Ok(names.into_iter().map(str::to_owned).zip(descriptors.into_iter().map(TcpListener::from)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    /// A path of this test's own, in the system's folder for such.
    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("dialplane-{name}-{}", std::process::id()))
    }

    #[test]
    fn the_successor_accepts_from_the_same_queue_and_one_that_fails_changes_nothing() {
        let (path, webhooks, ops) = (path("handover"), socket(), socket());
        assert!(Predecessor::ask(&path).unwrap().is_none(), "nobody yet");
        let (address, ops_address) = (webhooks.local_addr().unwrap(), ops.local_addr().unwrap());
        let listener = listen(&path).unwrap();
        let old = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(relieved(listener, &[("A", &webhooks), ("B", &ops)])).unwrap()
        });
        drop(Predecessor::ask(&path).unwrap().unwrap());

        let waiting = TcpStream::connect(address).unwrap();
        let mut predecessor = Predecessor::ask(&path).unwrap().unwrap();
        assert!(predecessor.take("B", address).is_none(), "bound elsewhere");
        assert_eq!(predecessor.take("B", ops_address).unwrap().local_addr().unwrap(), ops_address);
        let taken = predecessor.take("A", "127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(predecessor.take("A", address).is_none(), "taken");
        predecessor.relieve().unwrap();
        let successor = old.join().unwrap();
        assert_eq!(taken.accept().unwrap().1, waiting.local_addr().unwrap());

        drop(successor);
        predecessor.gone();
        assert!(Predecessor::ask(&path).unwrap().is_none(), "what is left behind refuses");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn who_says_nothing_is_no_router() {
        let path = path("silent");
        let listener = UnixListener::bind(&path).unwrap();
        let asked = std::thread::spawn({
            let path = path.clone();
            move || Predecessor::ask(&path).map(|_| ()).unwrap_err().to_string()
        });
        drop(listener.accept().unwrap());
        assert!(asked.join().unwrap().contains("no router of this kind"));
        fs::remove_file(&path).unwrap();
    }
}
