//! A provider for tests, on 127.0.0.1 in the test's own runtime: says byte by byte what a test wants said, one answer
//! for each connection.
//!
//! Time is paused, and passes by the millisecond only while nobody waits for bytes: from where a client has read all
//! that it is going to get, to its next connection. So waits take no time, and no timeout comes too early.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What is said on one connection.
#[derive(Clone, Debug)]
pub struct Answer {
    bytes: Vec<u8>,
    /// Whether the connection is then left open until the client closes it.
    hangs: bool,
}

impl Answer {
    /// A whole answer. `headers` are lines.
    pub fn whole(status: u16, headers: &str, body: &str) -> Self {
        Self::begun(status, headers, body, body.len())
    }

    /// An answer that ends early: of `whole` bytes the body has these.
    pub fn begun(status: u16, headers: &str, body: &str, whole: usize) -> Self {
        let head = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {whole}\r\n{headers}\r\n{body}"
        );
        Self { bytes: head.into_bytes(), hangs: false }
    }

    /// These bytes, and the connection is closed.
    pub fn cut(bytes: &str) -> Self {
        Self { bytes: bytes.as_bytes().to_vec(), hangs: false }
    }

    /// No answer: the connection is closed.
    pub fn none() -> Self {
        Self::cut("")
    }

    /// This, and then nothing more for as long as the client waits.
    pub fn hanging(self) -> Self {
        Self { hangs: true, ..self }
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Line and headers.
    pub head: String,
    pub body: String,
    pub at: Instant,
}

pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// As long as this is there, time doesn't pass by itself.
    _standstill: mpsc::Sender<()>,
}

#[derive(Default)]
struct Clock {
    /// Connections on which bytes are waited for.
    busy: AtomicUsize,
    idle: Notify,
}

impl Server {
    /// A server that says these, in order; who asks for more is told 500. Wants a runtime whose time is paused.
    pub async fn start(answers: Vec<Answer>) -> Self {
        let (standstill, end) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || end.recv());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, clock) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<Clock>::default());
        tokio::spawn(pass(Arc::clone(&clock)));
        let all = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                clock.busy.fetch_add(1, Ordering::Relaxed);
                let answer = answers.next().unwrap_or_else(|| Answer::whole(500, "", "no more answers"));
                tokio::spawn(serve(stream, answer, Arc::clone(&all), Arc::clone(&clock)));
            }
        });
        Self { address, seen, _standstill: standstill }
    }

    /// What came so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, all: Arc<Mutex<Vec<Seen>>>, clock: Arc<Clock>) {
    if let Some(seen) = read(&mut stream).await {
        all.lock().unwrap().push(seen);
    }
    // A client that has seen enough closes earlier.
    let _ = stream.write_all(&answer.bytes).await;
    if answer.hangs {
        clock.leave();
        let _ = stream.read(&mut [0]).await;
    } else {
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut [0]).await;
        clock.leave();
    }
}

/// Reads a request; `None` when there is none, as where TLS is spoken.
async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_len = loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        let is_tls = bytes.first() == Some(&0x16);
        if is_tls || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_len].to_vec()).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_len + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    let body = String::from_utf8(bytes.split_off(head_len)).unwrap();
    Some(Seen { head, body, at: Instant::now() })
}

impl Clock {
    fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
        self.idle.notify_one();
    }
}

async fn pass(clock: Arc<Clock>) {
    loop {
        if clock.busy.load(Ordering::Relaxed) == 0 {
            tokio::time::advance(Duration::from_millis(1)).await;
        } else {
            clock.idle.notified().await;
        }
    }
}
