//! The way of the usual webhook: one turn of the worker reads it, and one, once the others that are ready have been read
//! and answered as well (`gathered`), sends its answer; or the first refuses it, where too many wait (`turns`).
//!
//! Nothing is kept for a connection between its requests: what arrives is read into one of the worker's buffers and
//! answered there, and only what isn't whole yet is put aside.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::answering::{self, Turn};
use super::gathered::{self, Answered, Place};
use super::rewound::Rewound;
use super::room::{Output, Read};
use super::{Progress, Shared, response};
use crate::webhook::{BodyError, Endpoint, Peer, ToolWork};

/// How much room there is for each reading of what isn't whole.
const MORE_BYTES: usize = 4 << 10;

/// How the fast path ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// With the connection.
    Closed,
    /// At a request that is hyper's.
    Unusual,
}

/// A connection on the fast path.
pub struct FastPath<'a, S> {
    stream: S,
    peer: Peer,
    shared: &'a Arc<Shared>,
    progress: &'a Progress,
    /// That of what was read and isn't answered yet, or not sent.
    place: Option<Place>,
    /// What was read and doesn't wait to be answered.
    unread: BytesMut,
    /// What is answered and wasn't taken yet.
    unsent: Option<Vec<u8>>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> FastPath<'a, S> {
    /// A new connection's.
    pub fn new(stream: S, peer: Peer, shared: &'a Arc<Shared>, progress: &'a Progress) -> Self {
        Self { stream, peer, shared, progress, place: None, unread: BytesMut::new(), unsent: None }
    }

    /// The connection for hyper.
    pub fn into_rewound(self) -> Rewound<S> {
        Rewound::new(self.unread, self.stream)
    }

    /// Answers until the connection ends, or a request isn't a usual one. An idle connection ends when `idle_closes` does.
    pub async fn serve(&mut self, idle_closes: &mut (impl Future<Output = ()> + Unpin)) -> io::Result<Ended> {
        loop {
            let turn = poll_fn(|context| match self.poll_turn(context) {
                // Not when a request has been read.
                Poll::Pending if self.place.is_none() => {
                    pin!(&mut *idle_closes).poll(context).map(|()| Ok(None))
                }
                turn => turn,
            })
            .await?;
            if let Some(unsent) = self.unsent.take() {
                self.send(&unsent).await?;
            }
            match turn {
                Some(Turn::Answered { last: false }) => {}
                Some(Turn::Head) => self.read_more().await?,
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
                Some(Turn::Failed) => return Err(io::Error::other("answering a request failed")),
                Some(Turn::Answered { last: true }) | None => break,
            }
        }
        self.stream.shutdown().await?;
        Ok(Ended::Closed)
    }

    /// Reads what has come, or goes on with what had, and later sends the answer to the first request of it. `None`: the
    /// client has closed.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Turn>>> {
        if let Some(place) = &mut self.place {
            let Some(Answered { read, taken, turn, output }) = place.answered(self.shared) else {
                return Poll::Pending;
            };
            self.place = None;
            match turn {
                Turn::Head => self.progress.step_back(),
                _ => self.progress.step(),
            }
            self.unread = read.rest(taken);
            self.send_now(&output, context);
            return Poll::Ready(Ok(Some(turn)));
        }
        let read = if self.unread.is_empty() {
            let mut read = Read::new(gathered::begun());
            if ready!(pin!(read.read(&mut self.stream)).poll(context))? == 0 {
                return Poll::Ready(Ok(None));
            }
            read
        } else {
            // Others first: a client may send many requests at once.
            Read::again(std::mem::take(&mut self.unread))
        };
        let waiting = &self.shared.webhooks.metrics.requests_waiting;
        match gathered::enter(read, self.peer, self.shared.lag.max(), context.waker(), waiting) {
            Ok(place) => {
                // Worked on from now on, so that nobody takes it for silent.
                self.progress.step();
                self.place = Some(place);
                Poll::Pending
            }
            Err(read) => Poll::Ready(Ok(Some(self.refuse(read, context)))),
        }
    }

    /// Says that there is no time, on a connection that stays open if there is time for that.
    fn refuse(&mut self, read: Read, context: &mut Context<'_>) -> Turn {
        let (mut output, begun) = (Output::new(), read.begun());
        let last = !gathered::has_time_to_refuse();
        let (taken, turn) = answering::overloaded(self.shared, &read, last, &mut output);
        self.unread = read.rest(taken);
        self.send_now(&output, context);
        if let Some(begun) = begun {
            gathered::refused(begun.elapsed());
        }
        turn
    }

    /// Sends what the socket takes now; the rest is for who waits.
    fn send_now(&mut self, output: &[u8], context: &mut Context<'_>) {
        if output.is_empty() {
            return;
        }
        // A socket that is full, or broken: that is for who waits to find out.
        let sent = match pin!(self.stream.write(output)).poll(context) {
            Poll::Ready(Ok(count)) => count,
            _ => 0,
        };
        let flushed = matches!(pin!(self.stream.flush()).poll(context), Poll::Ready(Ok(())));
        if sent < output.len() || !flushed {
            self.unsent = Some(output[sent..].to_vec());
        }
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

    /// Waits for an answer and sends it. Says whether it is the connection's last.
    async fn wait(&mut self, endpoint: &Endpoint, work: Box<ToolWork>, last: bool) -> io::Result<bool> {
        self.progress.step();
        let answer = self.shared.webhooks.finish(endpoint, work).await;
        self.progress.step();
        let mut output = Vec::new();
        let last = answering::write(self.shared, &answer, last, SystemTime::now(), &mut output);
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
        response::write(&answer, true, SystemTime::now(), &mut output);
        self.send(&output).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared_by_tests as shared;
    use super::*;

    #[tokio::test]
    async fn what_was_read_when_idle_connections_close_is_answered() {
        let shared = shared::nobodys();
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
        let progress = Progress::default();
        let mut connection = FastPath::new(server, shared::PEER, &shared, &progress);
        let ended = connection.serve(&mut pin!(shared.closing.idle_closes())).await.unwrap();
        assert_eq!(ended, Ended::Closed);
        drop(connection);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("connection: close"), "{answer}");
    }
}
