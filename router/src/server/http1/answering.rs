//! From the bytes that a connection has read to those that it sends, and what it does next. Knows nothing of sockets.

use std::time::SystemTime;

use dialplane_common::provider::headers::Headers;
use hyper::Method;

use super::request::{self, Found, HEADERS_MAX, Request};
use super::{Shared, response};
use crate::outcome::{Answer, Outcome};
use crate::snapshot::Snapshot;
use crate::webhook::{Endpoint, Peer, Reaction, Received, ToolWork, endpoint};

/// What the first bytes lead to.
pub enum Turn {
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
    /// Nothing, by a mistake of this program.
    Failed,
}

/// What answers the requests of one worker, one after the other.
pub struct Answering<'a> {
    shared: &'a Shared,
    snapshot: Option<&'a Snapshot>,
    /// When the last answer was ready. The next one's time begins there, so that each costs one look at the clock.
    clock: SystemTime,
}

impl<'a> Answering<'a> {
    /// From this snapshot; `None`: nothing is known yet.
    pub fn new(shared: &'a Shared, snapshot: Option<&'a Snapshot>) -> Self {
        Self { shared, snapshot, clock: SystemTime::now() }
    }

    /// Answers the request that `bytes` begin with. Says how many bytes it took.
    pub fn answer(&mut self, bytes: &[u8], peer: Peer, output: &mut Vec<u8>) -> (usize, Turn) {
        take(bytes, |endpoint, request| {
            if self.shared.lag.excessive() {
                return refuse(self.shared, &endpoint, true, output);
            }
            self.answer_request(endpoint, request, peer, output)
        })
    }

    fn answer_request(
        &mut self,
        endpoint: Endpoint,
        request: &Request<'_>,
        peer: Peer,
        output: &mut Vec<u8>,
    ) -> Turn {
        let Request { method, target, headers, body, last, .. } = request;
        let received =
            Received { method, authority: None, target, headers: Headers::List(headers), body, peer };
        let last = *last;
        match self.shared.webhooks.begin(&endpoint, &received, self.snapshot, &mut self.clock) {
            Reaction::Now(answer) => {
                Turn::Answered { last: write(self.shared, &answer, last, self.clock, output) }
            }
            Reaction::Later(work) => Turn::Wait { endpoint, work, last },
        }
    }
}

/// Says to the request that `bytes` begin with that there is no time; `last`: and that its connection ends. Says how many bytes
/// it took.
pub fn overloaded(shared: &Shared, bytes: &[u8], last: bool, output: &mut Vec<u8>) -> (usize, Turn) {
    take(bytes, |endpoint, request| refuse(shared, &endpoint, last || request.last, output))
}

fn take(bytes: &[u8], with: impl FnOnce(Endpoint, &Request<'_>) -> Turn) -> (usize, Turn) {
    let mut headers = [("", &b""[..]); HEADERS_MAX];
    match request::read(bytes, &mut headers) {
        Found::Request(request) => match endpoint_of(request.target, &request.method) {
            Some(endpoint) => (request.length, with(endpoint, &request)),
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

fn refuse(shared: &Shared, endpoint: &Endpoint, last: bool, output: &mut Vec<u8>) -> Turn {
    shared.webhooks.ended(endpoint, Outcome::Overloaded);
    let last = last || shared.closing.announced();
    output.extend_from_slice(response::overloaded(last));
    Turn::Answered { last }
}

/// Writes an answer, the connection's last when it asked for that or when the worker ends. Says whether it is.
pub fn write(shared: &Shared, answer: &Answer, last: bool, now: SystemTime, output: &mut Vec<u8>) -> bool {
    let last = last || shared.closing.announced();
    response::write(answer, last, now, output);
    last
}

/// The webhook at a target, if it takes the method.
fn endpoint_of(target: &str, method: &Method) -> Option<Endpoint> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    endpoint(path).filter(|endpoint| endpoint.takes(method))
}
