//! A client that keeps connections busy: each sends its next request when the answer to the last is there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::histogram::Histogram;

/// What was done.
pub struct Done {
    /// Requests answered.
    pub count: u64,
    /// In so many seconds.
    pub seconds: f64,
    /// How long each took, in microseconds; empty of a client that doesn't ask.
    pub latencies_us: Histogram,
}

/// Sends requests on `connections` for `duration`. Each answer has to be 200; the first of each connection has to
/// contain `expected`.
///
/// # Errors
/// At the first answer that isn't so.
pub fn keep_busy(
    address: SocketAddr,
    requests: &Arc<[Vec<u8>]>,
    expected: &'static str,
    connections: usize,
    duration: Duration,
) -> Result<Done, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let started = Instant::now();
        let mut busy = JoinSet::new();
        let latencies_us = Arc::new(Mutex::new(Histogram::default()));
        for index in 0..connections {
            let (requests, latencies_us) = (Arc::clone(requests), Arc::clone(&latencies_us));
            let first = requests.len() / connections * index;
            busy.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut count = 0;
                let mut now = started.elapsed();
                while now < duration {
                    let body = connection.ask(&requests[(first + count) % requests.len()]).await?;
                    if count == 0 && !body.contains(expected) {
                        return Err(format!("wanted an answer with {expected}, got: {body}"));
                    }
                    count += 1;
                    let sent = std::mem::replace(&mut now, started.elapsed());
                    let us = u64::try_from((now - sent).as_micros()).unwrap_or(u64::MAX);
                    latencies_us.lock().unwrap_or_else(PoisonError::into_inner).record(us);
                }
                Ok(count as u64)
            });
        }
        let mut count = 0;
        while let Some(done) = busy.join_next().await {
            count += done.map_err(|error| error.to_string())??;
        }
        let seconds = started.elapsed().as_secs_f64();
        let latencies_us = std::mem::take(&mut *latencies_us.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Done { count, seconds, latencies_us })
    })
}

/// One connection.
pub struct Connection<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self::new(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Over a stream that is open.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: vec![0; 16 << 10] }
    }

    /// Sends a request and returns its answer's body, which has to come with status 200, or none with 204.
    ///
    /// # Errors
    /// When it doesn't.
    pub async fn ask(&mut self, request: &[u8]) -> Result<&str, String> {
        self.stream.write_all(request).await.map_err(|error| format!("send: {error}"))?;
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self
                .stream
                .read(&mut self.buffer[filled..])
                .await
                .map_err(|error| format!("read: {error}"))?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            filled += read;
            if let Some(body) = whole(&self.buffer[..filled])? {
                return std::str::from_utf8(&self.buffer[body..filled]).map_err(|error| error.to_string());
            }
        }
    }
}

/// Where the body begins, once it is whole.
fn whole(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..head]).map_err(|error| error.to_string())?;
    if !["HTTP/1.1 200", "HTTP/1.1 204"].iter().any(|wanted| text.starts_with(wanted)) {
        return Err(format!("wanted status 200 or 204, got: {}", String::from_utf8_lossy(bytes)));
    }
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let body = head + 4;
    Ok((bytes.len() >= body + length.unwrap_or(0)).then_some(body))
}
