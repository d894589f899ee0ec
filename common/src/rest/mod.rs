//! Providers' REST APIs, as values: what to send, and how what comes back is read.
//!
//! A provider's folder says in these terms how its numbers are bought and its agents made ([`numbers`], [`agents`]). It
//! does no I/O: an [`Exchange`] is a request and a function over the reply, which leads to a value or to the next request,
//! so that a test holds a conversation with plain bytes, and whoever sends (the admin plane) deals with time, limits
//! and repetition for all providers alike.

pub mod agents;
pub mod application;
pub mod base;
pub mod fault;
pub mod incoming_phone_numbers;
pub mod numbers;
pub mod porting;
pub mod reply;
pub mod request;
pub mod subaccounts;

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub mod samples;
#[cfg(test)]
pub mod script;

use std::fmt;
use std::time::Duration;

pub use fault::Fault;
pub use reply::Reply;
pub use request::{Effect, Request};

use crate::ids::AccountId;
use crate::time::UnixSeconds;
use serde_json::{Map, Value};

/// One account at a provider, as its REST API wants to know it.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    /// Our id of it, which stands in the paths of its webhooks.
    pub id: AccountId,
    /// Its credentials, checked by [`Provider::credentials`](crate::provider::Provider::credentials), secrets as well.
    pub credentials: &'a Map<String, Value>,
    /// The time at which it is asked, for providers that want tokens which hold for a while.
    pub now: UnixSeconds,
}

impl Account<'_> {
    /// A field of the credentials.
    ///
    /// # Errors
    /// [`Fault::Stop`] when it isn't set: a person has to.
    pub fn wanted(&self, field: &'static str) -> Result<&str, Fault> {
        self.field(field).ok_or_else(|| {
            let reason =
                format!("the account's credentials have no {field}, which the provider's REST API wants");
            Fault::stop("credentials_incomplete", reason)
        })
    }

    /// A field of the credentials that may be absent.
    #[must_use]
    pub fn field(&self, field: &str) -> Option<&str> {
        self.credentials.get(field).and_then(Value::as_str)
    }
}

impl Account<'_> {
    /// This account, for a later request of an exchange.
    #[must_use]
    pub fn keep(&self) -> KeptAccount {
        KeptAccount { id: self.id, credentials: self.credentials.clone(), now: self.now }
    }
}

/// An account that a later request of an exchange is made with.
#[derive(Clone)]
pub struct KeptAccount {
    id: AccountId,
    credentials: Map<String, Value>,
    now: UnixSeconds,
}

impl KeptAccount {
    /// The account.
    #[must_use]
    pub const fn account(&self) -> Account<'_> {
        Account { id: self.id, credentials: &self.credentials, now: self.now }
    }
}

impl fmt::Debug for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for KeptAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.account().fmt(f)
    }
}

/// A request and how its reply is read: to the end, or to the next request.
pub struct Exchange<T> {
    /// What is sent.
    pub request: Request,
    read: Box<dyn FnOnce(Reply) -> Result<Step<T>, Fault> + Send>,
}

impl<T> fmt::Debug for Exchange<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Where an exchange has got to.
#[derive(Debug)]
pub enum Step<T> {
    /// To its end.
    Done(T),
    /// To the next request.
    Next(Exchange<T>),
    /// To a request that is to be sent after a while: the provider isn't done yet.
    Later(Duration, Exchange<T>),
}

impl<T: 'static> Exchange<T> {
    /// `request`, whose reply is read by `read`.
    pub fn new(
        request: Request,
        read: impl FnOnce(Reply) -> Result<Step<T>, Fault> + Send + 'static,
    ) -> Self {
        Self { request, read: Box::new(read) }
    }

    /// `request`, whose reply is the end.
    pub fn last(request: Request, read: impl FnOnce(Reply) -> Result<T, Fault> + Send + 'static) -> Self {
        Self::new(request, |reply| read(reply).map(Step::Done))
    }

    /// Reads the reply to the request.
    ///
    /// # Errors
    /// [`Fault`]: why what was asked for isn't done, and what may help.
    pub fn read(self, reply: Reply) -> Result<Step<T>, Fault> {
        (self.read)(reply)
    }

    /// This exchange, whose end leads on as `then` says.
    pub fn then<U: 'static>(
        self,
        then: impl FnOnce(T) -> Result<Step<U>, Fault> + Send + 'static,
    ) -> Exchange<U> {
        let read = self.read;
        Exchange::new(self.request, move |reply| match read(reply)? {
            Step::Done(value) => then(value),
            Step::Next(next) => Ok(Step::Next(next.then(then))),
            Step::Later(wait, next) => Ok(Step::Later(wait, next.then(then))),
        })
    }

    /// This exchange, which asked for what is so already where the thing isn't there: a release, say.
    pub fn or_gone(self, value: T) -> Self
    where
        T: Send,
    {
        let read = self.read;
        Exchange::new(self.request, move |reply| match read(reply) {
            Ok(Step::Next(next)) => Ok(Step::Next(next.or_gone(value))),
            Ok(Step::Later(wait, next)) => Ok(Step::Later(wait, next.or_gone(value))),
            Err(Fault::Gone { .. }) => Ok(Step::Done(value)),
            done => done,
        })
    }

    /// This exchange, whose value becomes another.
    pub fn map<U: 'static>(self, map: impl FnOnce(T) -> U + Send + 'static) -> Exchange<U> {
        self.then(|value| Ok(Step::Done(map(value))))
    }
}
