//! The way of the usual webhook: one turn of the worker reads it and one, once the others that are ready have been read
//! as well (`gathered`), answers it and sends the answer; or the first refuses it, where too many wait (`turns`).
//!
//! Nothing is kept for a connection between its requests: what arrives is read into one of the worker's buffers and
//! answered there, and only what isn't whole yet is put aside.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use dialplane_common::provider::headers::Headers;
use hyper::Method;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::gathered::{self, Read, When};
use super::request::{self, Found, HEADERS_MAX, Request};
use super::rewound::Rewound;
use super::{Progress, Shared, response};
use crate::outcome::{Answer, Outcome};
use crate::webhook::{BodyError, Endpoint, Peer, Reaction, Received, ToolWork, endpoint};

/// How much room there is for each reading of what isn't whole.
const MORE_BYTES: usize = 4 << 10;

thread_local! {
    /// What a turn writes its answer to; empty between turns.
    static OUTPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// How the fast path ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// With the connection.
    Closed,
    /// At a request that is hyper's.
    Unusual,
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is answered.
    Admitted,
    /// It is told that there is no time.
    Refused,
}

/// What the next bytes lead to.
enum Turn {
    /// An answer that has been written; the connection's last, or not.
    Answered { last: bool },
    /// More of a head has to come.
    Head,
    /// More of a body has to come, until this many bytes are there.
    Body { endpoint: Endpoint, length: usize },
    /// An answer that has to be waited for.
    Wait { endpoint: Endpoint, work: Box<ToolWork>, last: bool },
    /// Something for hyper.
    Unusual,
}

/// A connection on the fast path.
pub struct FastPath<'a, S> {
    stream: S,
    peer: Peer,
    shared: &'a Arc<Shared>,
    progress: &'a Progress,
    /// What was read in this turn and is answered together with what others have read.
    gathered: Option<Read>,
    /// What was read and isn't answered yet.
    unread: BytesMut,
    /// What is answered and wasn't taken yet.
    unsent: Option<Vec<u8>>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> FastPath<'a, S> {
    /// A new connection's.
    pub fn new(stream: S, peer: Peer, shared: &'a Arc<Shared>, progress: &'a Progress) -> Self {
        Self { stream, peer, shared, progress, gathered: None, unread: BytesMut::new(), unsent: None }
    }

    /// The connection for hyper.
    pub fn into_rewound(self) -> Rewound<S> {
        Rewound::new(self.unread, self.stream)
    }

    /// Answers until the connection ends, or a request isn't a usual one. An idle connection ends when `idle_closes` does.
    pub async fn serve(&mut self, idle_closes: &mut (impl Future<Output = ()> + Unpin)) -> io::Result<Ended> {
        loop {
            let turn = if self.unread.is_empty() {
                poll_fn(|context| match self.poll_turn(context) {
                    // Not when a request has been read.
                    Poll::Pending if self.gathered.is_none() => {
                        pin!(&mut *idle_closes).poll(context).map(|()| Ok(None))
                    }
                    turn => turn,
                })
                .await?
            } else {
                Some(self.go_on().await?)
            };
            if let Some(unsent) = self.unsent.take() {
                self.send(&unsent).await?;
            }
            match turn {
                Some(Turn::Answered { last: false } | Turn::Head) => {}
                Some(Turn::Body { endpoint, length }) => {
                    if self.read_body(&endpoint, length).await? {
                        break;
                    }
                }
                Some(Turn::Wait { endpoint, work, last }) => {
                    if self.wait(&endpoint, work, last).await? {
                        break;
                    }
                }
                Some(Turn::Unusual) => return Ok(Ended::Unusual),
                Some(Turn::Answered { last: true }) | None => break,
            }
        }
        self.stream.shutdown().await?;
        Ok(Ended::Closed)
    }

    /// The usual turn: reads what has come, answers the first request of it and sends the answer. `None`: the client has
    /// closed.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Turn>>> {
        if let Some(read) = self.gathered.take() {
            self.progress.step();
            return Poll::Ready(Ok(Some(self.take_turn(&read, Fate::Admitted, context))));
        }
        let mut read = Read::new();
        if ready!(pin!(read.read(&mut self.stream)).poll(context))? == 0 {
            return Poll::Ready(Ok(None));
        }
        let webhooks = &self.shared.webhooks;
        match read.enter(self.shared.lag.max(), context.waker(), &webhooks.metrics.requests_waiting) {
            When::Next | When::Later => {
                // Worked on from now on, so that nobody takes it for silent.
                self.progress.step();
                self.gathered = Some(read);
                Poll::Pending
            }
            When::Never => {
                let turn = self.take_turn(&read, Fate::Refused, context);
                if let Some(begun) = read.begun() {
                    gathered::refused(begun.elapsed());
                }
                Poll::Ready(Ok(Some(turn)))
            }
        }
    }

    fn take_turn(&mut self, input: &[u8], fate: Fate, context: &mut Context<'_>) -> Turn {
        if fate == Fate::Admitted {
            gathered::fetch(&self.shared.webhooks.store);
        }
        let mut output = OUTPUT.take();
        let (taken, turn) = self.answer(input, fate, &mut output);
        self.unread.extend_from_slice(&input[taken..]);
        if !output.is_empty() {
            // A socket that is full, or broken: that is for who waits to find out.
            let sent = match pin!(self.stream.write(&output)).poll(context) {
                Poll::Ready(Ok(count)) => count,
                _ => 0,
            };
            let flushed = matches!(pin!(self.stream.flush()).poll(context), Poll::Ready(Ok(())));
            if sent < output.len() || !flushed {
                self.unsent = Some(output[sent..].to_vec());
            }
        }
        output.clear();
        OUTPUT.set(output);
        turn
    }

    /// The turn after one that left something: reads until there is a whole request, and answers it.
    async fn go_on(&mut self) -> io::Result<Turn> {
        loop {
            let fate = self.turn_comes().await;
            let begun = Instant::now();
            let mut output = Vec::new();
            let (taken, turn) = self.answer(&self.unread, fate, &mut output);
            if fate == Fate::Refused {
                gathered::refused(begun.elapsed());
            }
            self.unread.advance(taken);
            if self.unread.is_empty() {
                self.unread = BytesMut::new();
            }
            self.send(&output).await?;
            if !matches!(turn, Turn::Head) {
                return Ok(turn);
            }
            self.read_more().await?;
        }
    }

    /// Others first: a client may send many requests at once.
    async fn turn_comes(&self) -> Fate {
        let (webhooks, mut entered) = (&self.shared.webhooks, false);
        poll_fn(|context| {
            if std::mem::replace(&mut entered, true) {
                gathered::fetch(&webhooks.store);
                return Poll::Ready(Fate::Admitted);
            }
            let waiting = &webhooks.metrics.requests_waiting;
            match gathered::enter(&self.unread, self.shared.lag.max(), context.waker(), waiting) {
                When::Next | When::Later => Poll::Pending,
                When::Never => Poll::Ready(Fate::Refused),
            }
        })
        .await
    }

    async fn read_more(&mut self) -> io::Result<()> {
        self.unread.reserve(MORE_BYTES);
        if self.stream.read_buf(&mut self.unread).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    async fn send(&mut self, output: &[u8]) -> io::Result<()> {
        self.stream.write_all(output).await?;
        self.stream.flush().await
    }

    /// Answers the request that `bytes` begin with. Says how many bytes it took.
    fn answer(&self, bytes: &[u8], fate: Fate, output: &mut Vec<u8>) -> (usize, Turn) {
        let mut headers = [("", &b""[..]); HEADERS_MAX];
        match request::read(bytes, &mut headers) {
            Found::Request(request) => match endpoint_of(request.target, &request.method) {
                Some(endpoint) => (request.length, self.answer_request(endpoint, &request, fate, output)),
                None => (0, Turn::Unusual),
            },
            Found::Head => (0, Turn::Head),
            Found::Body { target, length } => {
                let turn = |endpoint| Turn::Body { endpoint, length };
                (0, endpoint_of(target, &Method::POST).map_or(Turn::Unusual, turn))
            }
            Found::Other => (0, Turn::Unusual),
        }
    }

    fn answer_request(
        &self,
        endpoint: Endpoint,
        request: &Request<'_>,
        fate: Fate,
        output: &mut Vec<u8>,
    ) -> Turn {
        let webhooks = &self.shared.webhooks;
        let late = self.shared.lag.excessive();
        if late || fate == Fate::Refused {
            webhooks.ended(&endpoint, Outcome::Overloaded);
            let last =
                late || request.last || self.shared.closing.announced() || !gathered::has_time_to_refuse();
            output.extend_from_slice(response::overloaded(last));
            return Turn::Answered { last };
        }
        self.progress.step();
        let Request { method, target, headers, body, last, .. } = request;
        let (headers, peer) = (Headers::List(headers), self.peer);
        let received = Received { method, authority: None, target, headers, body, peer };
        let (reaction, last) = (webhooks.begin(&endpoint, &received), *last);
        self.progress.step();
        match reaction {
            Reaction::Now(answer) => Turn::Answered { last: self.write(&answer, last, output) },
            Reaction::Later(work) => Turn::Wait { endpoint, work, last },
        }
    }

    /// Writes an answer, the connection's last when it asked for that or when the worker ends. Says whether it is.
    fn write(&self, answer: &Answer, last: bool, output: &mut Vec<u8>) -> bool {
        let last = last || self.shared.closing.announced();
        response::write(answer, last, output);
        last
    }

    /// Waits for an answer and sends it. Says whether it is the connection's last.
    async fn wait(&mut self, endpoint: &Endpoint, work: Box<ToolWork>, last: bool) -> io::Result<bool> {
        self.progress.step();
        let answer = self.shared.webhooks.finish(endpoint, work).await;
        self.progress.step();
        let mut output = Vec::new();
        let last = self.write(&answer, last, &mut output);
        self.send(&output).await?;
        Ok(last)
    }

    /// Reads until `length` bytes are there. Too late, it says so to the client, and that is the connection's last answer.
    /// Says whether it was.
    async fn read_body(&mut self, endpoint: &Endpoint, length: usize) -> io::Result<bool> {
        self.progress.step();
        let whole = tokio::time::timeout(self.shared.webhooks.body_timeout, async {
            while self.unread.len() < length {
                self.read_more().await?;
            }
            Ok(())
        });
        let read = whole.await;
        self.progress.step();
        if let Ok(read) = read {
            return read.map(|()| false);
        }
        let mut output = Vec::new();
        let answer = self.shared.webhooks.refused(endpoint, BodyError::Incomplete);
        response::write(&answer, true, &mut output);
        self.send(&output).await?;
        Ok(true)
    }
}

/// The webhook at a target, if it takes the method.
fn endpoint_of(target: &str, method: &Method) -> Option<Endpoint> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    endpoint(path).filter(|endpoint| endpoint.takes(method))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use dialplane_common::feed::keyring::Keyring;

    use super::*;
    use crate::outbound::Outbound;
    use crate::server::closing::Closing;
    use crate::server::lag::Lag;
    use crate::webhook::{Origins, Webhooks};

    fn shared() -> Arc<Shared> {
        let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
        let timeout = Duration::from_secs(5);
        let webhooks = Webhooks::new(keys, Origins::default(), timeout, Outbound::default()).unwrap();
        Arc::new(Shared {
            webhooks: Arc::new(webhooks),
            silence_max: timeout,
            lag: Lag::new(timeout),
            closing: Closing::default(),
        })
    }

    #[tokio::test]
    async fn what_was_read_when_idle_connections_close_is_answered() {
        let shared = shared();
        shared.closing.announce();
        shared.closing.close_idle();
        let (mut client, server) = tokio::io::duplex(4096);
        let body = "CallSid=CA1&From=%2B15105550198&To=%2B12125550001";
        let request = format!(
            "POST /webhooks/twilio/voice HTTP/1.1\r\nHost: a.example\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let (peer, progress) =
            (Peer { address: Ipv4Addr::LOCALHOST.into(), tls: false }, Progress::default());
        let mut connection = FastPath::new(server, peer, &shared, &progress);
        let ended = connection.serve(&mut pin!(shared.closing.idle_closes())).await.unwrap();
        assert_eq!(ended, Ended::Closed);
        drop(connection);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("connection: close"), "{answer}");
    }
}
