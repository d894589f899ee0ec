//! Requests that come at a rate of their own, whether or not those before are answered.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// How often arrivals are sent that are due.
const TICK: Duration = Duration::from_millis(1);

/// How long a client waits whose connection was closed, and which was told to come again in a second.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What became of the requests.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How long each answer took, from its sending.
    pub answered_ms: Vec<f64>,
    /// How long each refusal took.
    pub refused_ms: Vec<f64>,
    /// Requests for which no connection was free.
    pub unsent: u64,
    /// Connections that ended without a word.
    pub reset: u64,
    /// The time in which they came.
    pub seconds: f64,
    /// The first answer that was neither a document nor a refusal.
    pub wrong: Option<String>,
}

impl Outcome {
    /// Requests that came.
    pub fn offered_per_s(&self) -> f64 {
        self.answered_per_s() + self.refused_per_s() + self.unsent as f64 / self.seconds
    }

    /// Requests that were answered.
    pub fn answered_per_s(&self) -> f64 {
        self.answered_ms.len() as f64 / self.seconds
    }

    /// Requests that were refused, in words or without.
    pub fn refused_per_s(&self) -> f64 {
        (self.refused_ms.len() as u64 + self.reset) as f64 / self.seconds
    }
}

/// Connections that have nothing to do: the last that came free is the first that is used.
type Free = Rc<RefCell<Vec<oneshot::Sender<usize>>>>;

/// Opens the connections, then sends `rate` requests a second over those that are free.
///
/// # Errors
/// When not all connections can be opened, or an answer is neither the document nor a refusal.
pub fn send(
    address: SocketAddr,
    requests: &Arc<[Vec<u8>]>,
    connections: usize,
    rate: f64,
    duration: Duration,
) -> Result<Outcome, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let (free, outcome) = (Free::default(), Rc::new(RefCell::new(Outcome::default())));
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
            let client = Client {
                address,
                requests: Arc::clone(requests),
                free: Rc::clone(&free),
                outcome: Rc::clone(&outcome),
            };
            tokio::task::spawn_local(client.run(stream));
        }
        tokio::task::yield_now().await;
        let (started, mut sent) = (Instant::now(), 0_usize);
        while started.elapsed() < duration {
            let due = (started.elapsed().as_secs_f64() * rate) as usize;
            while sent < due {
                let client = free.borrow_mut().pop();
                if client.is_none_or(|client| client.send(sent).is_err()) {
                    outcome.borrow_mut().unsent += 1;
                }
                sent += 1;
            }
            tokio::time::sleep(TICK).await;
        }
        outcome.borrow_mut().seconds = started.elapsed().as_secs_f64();
        Ok::<_, String>(())
    })?;
    drop(tasks);
    let outcome = outcome.take();
    match outcome.wrong {
        Some(wrong) => Err(format!("wanted an answer or a refusal, got: {wrong}")),
        None => Ok(outcome),
    }
}

struct Client {
    address: SocketAddr,
    requests: Arc<[Vec<u8>]>,
    free: Free,
    outcome: Rc<RefCell<Outcome>>,
}

impl Client {
    async fn run(self, mut stream: TcpStream) {
        let mut buffer = vec![0; 4 << 10];
        loop {
            let _ = stream.set_nodelay(true);
            let (sender, wanted) = oneshot::channel();
            self.free.borrow_mut().push(sender);
            let Ok(index) = wanted.await else { return };
            let started = Instant::now();
            let answer = ask(&mut stream, &self.requests[index % self.requests.len()], &mut buffer).await;
            let took_ms = started.elapsed().as_secs_f64() * 1e3;
            {
                let mut outcome = self.outcome.borrow_mut();
                match answer {
                    Ok(answer) if answer.starts_with("HTTP/1.1 200") => {
                        outcome.answered_ms.push(took_ms);
                        continue;
                    }
                    Ok(answer) if answer.starts_with("HTTP/1.1 503") => {
                        outcome.refused_ms.push(took_ms);
                        if !answer.contains("\r\nconnection: close\r\n") {
                            continue;
                        }
                    }
                    Ok(answer) => outcome.wrong = Some(answer),
                    Err(_) => outcome.reset += 1,
                }
            }
            stream = loop {
                tokio::time::sleep(RETRY_AFTER).await;
                match TcpStream::connect(self.address).await {
                    Ok(stream) => break stream,
                    Err(_) => self.outcome.borrow_mut().reset += 1,
                }
            };
        }
    }
}

/// Sends a request; its whole answer, or why there is none. Answers have less than the buffer's length.
async fn ask(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8]) -> std::io::Result<String> {
    stream.write_all(request).await?;
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let bytes = &buffer[..filled];
        // The documents end so, and refusals are a line.
        if bytes.ends_with(b"</Response>") || (bytes.starts_with(b"HTTP/1.1 5") && bytes.ends_with(b"d\n")) {
            return Ok(String::from_utf8_lossy(bytes).into_owned());
        }
    }
}
