//! The open-loop client: sends each request when it is due, and measures from then on.
//!
//! A request that finds all connections taken waits, and its waiting counts: a server that stalls can't make the client
//! ask less of it ("coordinated omission"). The client never sleeps: a timer's delay would count as the server's. It
//! gives its core away for a moment whenever it has nothing to do, for whoever else has to run there.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use super::arrivals::Arrivals;
use crate::histogram::Histogram;

/// A server that lags so far behind the arrivals can't keep up at all.
const LAG_MAX: Duration = Duration::from_secs(5);

/// How many answers are taken at a time before the clock is asked for what is due.
const ANSWERS_AT_A_TIME: usize = 16;

/// What came of a run.
pub struct Done {
    /// From when a request was due to its whole answer, in nanoseconds.
    pub latency_ns: Histogram,
    /// Until the last answer.
    pub seconds: f64,
}

impl Done {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.latency_ns.count() as f64 / self.seconds
    }
}

/// A client with its connections open.
pub struct Client<'a> {
    requests: std::iter::Cycle<std::slice::Iter<'a, Vec<u8>>>,
    connections: Vec<Connection>,
    /// Those that have nothing to do, by their place.
    idle: VecDeque<usize>,
    /// Tells which connections have something to read.
    ready: OwnedFd,
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    filled: usize,
    /// When the request was due that it waits for, in nanoseconds from the run's beginning; the end of time while it is idle.
    due_ns: u64,
}

impl<'a> Client<'a> {
    /// Opens connections. Requests go out on the one that has been idle longest.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(address: SocketAddr, requests: &'a [Vec<u8>], connections: usize) -> Result<Self, String> {
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| format!("epoll: {error}"))?;
        let open = |place: usize| {
            let connection = Connection::open(address)?;
            let data = epoll::EventData::new_u64(place as u64);
            epoll::add(&ready, &connection.stream, data, epoll::EventFlags::IN)
                .map_err(|error| format!("epoll: {error}"))?;
            Ok(connection)
        };
        let idle = (0..connections).collect();
        let connections = (0..connections).map(open).collect::<Result<_, String>>()?;
        Ok(Self { requests: requests.iter().cycle(), connections, idle, ready })
    }

    /// Sends what arrives and waits for all answers. What is due before `counted_from` is sent, but not counted.
    ///
    /// # Errors
    /// At the first answer that isn't 200, and when an answer lags behind for too long.
    pub fn run(&mut self, mut arrivals: Arrivals, counted_from: Duration) -> Result<Done, String> {
        let started = Instant::now();
        let counted_from_ns = counted_from.as_nanos() as u64;
        let mut latency_ns = Histogram::default();
        loop {
            let sent = self.send_due(&mut arrivals, started)?;
            if arrivals.is_over() && self.idle.len() == self.connections.len() {
                return Ok(Done { latency_ns, seconds: started.elapsed().as_secs_f64() });
            }
            let mut events = [MaybeUninit::uninit(); ANSWERS_AT_A_TIME];
            let (answered, _) = epoll::wait(&self.ready, &mut events, Some(&Timespec::default()))
                .map_err(|error| format!("look for answers: {error}"))?;
            if sent == 0 && answered.is_empty() {
                self.check_lag(since(started))?;
                std::thread::yield_now();
            }
            for event in answered {
                let place = event.data.u64() as usize;
                let Some(connection) = self.connections.get_mut(place) else { continue };
                if connection.is_answered()? {
                    if connection.due_ns >= counted_from_ns {
                        latency_ns.record(since(started).saturating_sub(connection.due_ns));
                    }
                    connection.due_ns = u64::MAX;
                    self.idle.push_back(place);
                }
            }
        }
    }

    /// Sends what is due, as far as connections are free. Says how many requests.
    fn send_due(&mut self, arrivals: &mut Arrivals, started: Instant) -> Result<usize, String> {
        let mut sent = 0;
        while let Some(&place) = self.idle.front() {
            let Some(due_ns) = arrivals.due(since(started)) else { break };
            self.idle.pop_front();
            let request = self.requests.next().ok_or("no requests to send")?;
            self.connections.get_mut(place).ok_or("no such connection")?.ask(request, due_ns)?;
            sent += 1;
        }
        Ok(sent)
    }

    fn check_lag(&self, now_ns: u64) -> Result<(), String> {
        let oldest_ns = self.connections.iter().map(|connection| connection.due_ns).min().unwrap_or(u64::MAX);
        if now_ns.saturating_sub(oldest_ns) < LAG_MAX.as_nanos() as u64 {
            return Ok(());
        }
        Err(format!("answers are {LAG_MAX:?} behind: not a rate that the server can keep up with"))
    }
}

fn since(started: Instant) -> u64 {
    started.elapsed().as_nanos() as u64
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Self, String> {
        let open = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        let stream = open().map_err(|error: std::io::Error| format!("connect: {error}"))?;
        Ok(Self { stream, answer: vec![0; 16 << 10], filled: 0, due_ns: u64::MAX })
    }

    fn ask(&mut self, request: &[u8], due_ns: u64) -> Result<(), String> {
        // An idle connection's send buffer is empty, and many times larger than a request.
        self.stream.write_all(request).map_err(|error| format!("send: {error}"))?;
        (self.due_ns, self.filled) = (due_ns, 0);
        Ok(())
    }

    /// Reads what is there; whether the answer is whole.
    fn is_answered(&mut self) -> Result<bool, String> {
        let free = self.answer.get_mut(self.filled..).unwrap_or_default();
        match self.stream.read(free) {
            Ok(0) => Err("the server closed the connection, or answers more than a document".into()),
            Ok(read) => {
                self.filled += read;
                is_whole(self.answer.get(..self.filled).unwrap_or_default())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(format!("read: {error}")),
        }
    }
}

/// Whether the bytes are an answer with its whole body.
///
/// Errors: when its status isn't 200, or it doesn't hold a document.
fn is_whole(bytes: &[u8]) -> Result<bool, String> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(false) };
    let (head, body) = bytes.split_at(head + 4);
    let text = std::str::from_utf8(head).map_err(|error| error.to_string())?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let length = length.unwrap_or(0);
    if body.len() < length {
        return Ok(false);
    }
    if !text.starts_with("HTTP/1.1 200") || !body.windows(9).any(|window| window == b"<Response") {
        return Err(format!("wanted status 200 and a document, got: {}", String::from_utf8_lossy(bytes)));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::latency::arrivals::Pattern;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n<Response/>";
    const STALL: Duration = Duration::from_millis(100);

    /// Answers so many requests of four bytes on one connection, after having stalled once.
    fn stalling_server(requests: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for index in 0..requests {
                stream.read_exact(&mut [0; 4]).unwrap();
                if index == 0 {
                    std::thread::sleep(STALL);
                }
                stream.write_all(ANSWER).unwrap();
            }
        });
        address
    }

    #[test]
    fn what_a_stall_keeps_waiting_counts_from_when_it_was_due() {
        let requests = [b"ask\n".to_vec()];
        let mut client = Client::open(stalling_server(100), &requests, 1).unwrap();
        let done = client.run(Arrivals::new(Pattern::Constant, 1_000.0, STALL, 1), Duration::ZERO).unwrap();
        assert_eq!(done.latency_ns.count(), 100);
        // All hundred are due while the first is stalled. A client that asked one after the other would have seen one
        // long answer, and 99 short ones.
        let half = STALL.as_nanos() as u64 / 2;
        assert!(done.latency_ns.percentile(0.5) >= half && done.latency_ns.max() >= 2 * half);
    }

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        for length in 0..ANSWER.len() {
            assert_eq!(is_whole(&ANSWER[..length]), Ok(false), "{length}");
        }
        assert_eq!(is_whole(ANSWER), Ok(true));
        assert!(is_whole(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno").is_err());
    }
}
