//! Conversations with a provider's REST API, for tests: each request is compared, each reply is given.
//!
//! ```ignore
//! talk(numbers.buy(&account, &order))
//!     .sends_once("POST /Numbers").with_form(&[("Number", "+12125550001")])
//!     .gets(201, r#"{"sid":"PN1"}"#)
//!     .done()
//! ```

use std::fmt::Debug;
use std::time::Duration;

use serde_json::Value;

use super::{Effect, Exchange, Fault, Reply, Request, Step};

/// Replies to anything that say nothing of what was asked: none is to be taken for a success, nor for a refusal.
pub const MEANINGLESS: &[(u16, &str)] = &[
    (502, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
    (500, ""),
    (200, "<html>maintenance</html>"),
    (200, "{\"data\":"),
    (200, "null"),
    (200, "7"),
];

/// An exchange that is under way.
pub struct Talk<T> {
    state: State<T>,
    wait: Option<Duration>,
    is_compared: bool,
}

enum State<T> {
    Asks(Exchange<T>),
    Ended(Result<T, Fault>),
}

/// Begins a conversation.
pub fn talk<T: Debug + 'static>(exchange: Result<Exchange<T>, Fault>) -> Talk<T> {
    let state = exchange.map_or_else(|fault| State::Ended(Err(fault)), State::Asks);
    Talk { state, wait: None, is_compared: false }
}

impl<T: Debug + 'static> Talk<T> {
    /// A request that may be repeated is sent: method and target, `GET /numbers?page=2`.
    #[track_caller]
    pub fn sends(self, line: &str) -> Self {
        self.sends_with(Effect::Repeatable, line)
    }

    /// A request that may not be repeated is sent.
    #[track_caller]
    pub fn sends_once(self, line: &str) -> Self {
        self.sends_with(Effect::Once, line)
    }

    /// Its body is a form of these parameters, in this order.
    #[track_caller]
    pub fn with_form(self, parameters: &[(&str, &str)]) -> Self {
        let body = self.body("application/x-www-form-urlencoded");
        let sent: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
        let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(sent, parameters);
        Self { is_compared: true, ..self }
    }

    /// Its body is this JSON.
    #[track_caller]
    pub fn with_json(self, expected: Value) -> Self {
        let sent: Value = serde_json::from_slice(&self.body("application/json")).unwrap();
        assert_eq!(sent, expected);
        Self { is_compared: true, ..self }
    }

    /// Its body is this XML, to the letter.
    #[track_caller]
    pub fn with_xml(self, expected: &str) -> Self {
        assert_eq!(String::from_utf8(self.body("application/xml")).unwrap(), expected);
        Self { is_compared: true, ..self }
    }

    /// It has this header.
    #[track_caller]
    pub fn with_header(self, name: &str, value: &str) -> Self {
        let headers = &self.request().headers;
        let sent = headers.iter().find(|(sent, _)| *sent == name).map(|(_, value)| value.expose());
        assert_eq!(sent, Some(value.as_bytes()), "{name}");
        self
    }

    /// The provider answers so.
    #[track_caller]
    pub fn gets(self, status: u16, body: &str) -> Self {
        self.gets_reply(Reply::new(status, body))
    }

    /// The provider answers with JSON.
    #[track_caller]
    pub fn gets_json(self, status: u16, body: Value) -> Self {
        self.gets_reply(Reply::new(status, body.to_string()))
    }

    /// The provider answers so, headers included.
    #[track_caller]
    pub fn gets_reply(self, reply: Reply) -> Self {
        let request = self.request();
        assert!(self.is_compared || request.body.is_none(), "nobody compared the body of {request:?}");
        let State::Asks(exchange) = self.state else { unreachable!() };
        let (state, wait) = match exchange.read(reply) {
            Ok(Step::Done(value)) => (State::Ended(Ok(value)), None),
            Ok(Step::Next(next)) => (State::Asks(next), None),
            Ok(Step::Later(wait, next)) => (State::Asks(next), Some(wait)),
            Err(fault) => (State::Ended(Err(fault)), None),
        };
        Self { state, wait, is_compared: false }
    }

    /// What follows is sent after this time.
    #[track_caller]
    pub fn waits(self, seconds: u64) -> Self {
        assert_eq!(self.wait, Some(Duration::from_secs(seconds)));
        Self { wait: None, ..self }
    }

    /// It ends with a value.
    #[track_caller]
    pub fn done(self) -> T {
        match self.state {
            State::Ended(Ok(value)) => value,
            State::Ended(Err(fault)) => panic!("wanted a value, got {}: {fault}", fault.label()),
            State::Asks(exchange) => panic!("wanted a value, got {:?}", exchange.request),
        }
    }

    /// It ends with a fault.
    #[track_caller]
    pub fn fault(self) -> Fault {
        match self.state {
            State::Ended(Err(fault)) => fault,
            State::Ended(Ok(value)) => panic!("wanted a fault, got {value:?}"),
            State::Asks(exchange) => panic!("wanted a fault, got {:?}", exchange.request),
        }
    }

    /// What is sent now.
    #[track_caller]
    pub fn request(&self) -> &Request {
        match &self.state {
            State::Asks(exchange) => &exchange.request,
            State::Ended(end) => panic!("wanted a request, got {end:?}"),
        }
    }

    /// Where it is, in a word: `sends`, `waits`, `done`, or a fault's label.
    pub fn label(&self) -> &'static str {
        match (&self.state, self.wait) {
            (State::Asks(_), None) => "sends",
            (State::Asks(_), Some(_)) => "waits",
            (State::Ended(Ok(_)), _) => "done",
            (State::Ended(Err(fault)), _) => fault.label(),
        }
    }

    #[track_caller]
    fn sends_with(self, effect: Effect, line: &str) -> Self {
        assert_eq!(self.wait, None, "it is sent after a while");
        let request = self.request();
        assert_eq!(format!("{} {}", request.method, request.target), line);
        assert_eq!(request.effect, effect, "{line}");
        self
    }

    #[track_caller]
    fn body(&self, media_type: &str) -> Vec<u8> {
        let (sent, body) = self.request().body.as_ref().expect("a body");
        assert_eq!(*sent, media_type);
        body.clone()
    }
}

/// Begins an exchange once for each reply, gives it to the first request, and compares where that leads: see
/// [`Talk::label`].
#[track_caller]
pub fn check_replies<T: Debug + 'static>(
    begin: impl Fn() -> Result<Exchange<T>, Fault>,
    replies: &[(u16, &str, &str)],
) {
    for (status, body, expected) in replies {
        let talk = Talk { is_compared: true, ..talk(begin()) };
        let line = format!("{:?}", talk.request());
        assert_eq!(talk.gets(*status, body).label(), *expected, "{line}: {status} {body}");
    }
}

/// [`check_replies`] with those that say nothing: [`Fault::Unclear`] each.
#[track_caller]
pub fn check_meaningless<T: Debug + 'static>(begin: impl Fn() -> Result<Exchange<T>, Fault>) {
    let replies: Vec<_> = MEANINGLESS.iter().map(|(status, body)| (*status, *body, "unclear")).collect();
    check_replies(begin, &replies);
}
