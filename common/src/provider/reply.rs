//! What a provider is asked to render.

use std::borrow::Cow;

use crate::call::InboundCall;
use crate::feed::record::HostedAgent;
use crate::location::Location;
use crate::route::{Dialable, Prompt};

/// The answer to a call, before it is written in a provider's words.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The call.
    pub call: &'a InboundCall<'a>,
    /// Whose call it is and what its agent is told.
    pub location: &'a Location<'a>,
    /// What is done.
    pub action: Action<'a>,
    /// How the provider asks what follows. Present whenever something does, and where
    /// [`Provider::asks_within`](super::Provider::asks_within) says so.
    pub after: Option<After>,
    /// Whom to call when the agent fails, for providers that want to know that beforehand: the first of what follows.
    pub fallback: Option<&'a Dialable>,
}

impl Reply<'_> {
    /// The URL by which the provider asks what follows.
    #[must_use]
    pub fn after_url(&self) -> Option<&str> {
        self.after.as_ref().map(|after| after.url.as_str())
    }
}

/// How a provider asks what follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct After {
    /// The URL of its webhook of kind `after`, [state](After::state) included.
    pub url: String,
    /// What the webhook has to bring back, for protocols that have a field for it: URL-safe ASCII, sealed.
    pub state: String,
}

impl After {
    /// The URL of the account's webhook of another kind.
    #[must_use]
    pub fn webhook(&self, kind: &str) -> Option<String> {
        let (path, _) = self.url.split_once('?')?;
        let (rest, account) = path.rsplit_once('/')?;
        let (webhooks, _) = rest.rsplit_once('/')?;
        Some(format!("{webhooks}/{kind}/{account}"))
    }
}

/// A step with everything in it that a document needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action<'a> {
    /// A voice agent answers over a WebSocket that takes the call's audio: an absolute `wss` URL.
    Stream(&'a str),
    /// A voice agent answers at a SIP URI. Rings as long as the provider finds right.
    AgentSip(&'a str),
    /// A voice agent of this very provider answers.
    Hosted {
        /// Which.
        agent: &'a HostedAgent,
        /// Which version of it; absent: the one that the provider chooses.
        version: Option<&'a str>,
    },
    /// One address, or several at once, ring.
    Dial {
        /// The addresses.
        to: &'a [Dialable],
        /// How long, in seconds.
        timeout_s: u16,
    },
    /// The caller leaves a message.
    Voicemail {
        /// What the caller hears first.
        prompt: &'a Prompt,
        /// How long the message may be, in seconds.
        length_max_s: u16,
    },
    /// The caller hears something and the call ends.
    Message(&'a Prompt),
    /// The call isn't answered.
    Reject {
        /// The busy tone, instead of "not in service".
        busy: bool,
    },
    /// Somebody else's server says what to do.
    Redirect(&'a str),
    /// The call ends.
    Hangup,
}

/// Why a call that is well-formed and proven isn't routed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Nobody has the number, or it isn't bound to this account.
    UnknownNumber,
    /// The number isn't active.
    InactiveNumber,
    /// Its tenant is suspended.
    SuspendedTenant,
    /// No rule holds, or nothing in the chain can be done.
    NoRoute,
}

impl Refusal {
    /// What a caller is told where a provider speaks and can't play a tone.
    #[must_use]
    pub const fn spoken(self) -> &'static str {
        match self {
            Self::UnknownNumber | Self::InactiveNumber => "This number is not in service.",
            Self::SuspendedTenant | Self::NoRoute => "Nobody can take your call at the moment.",
        }
    }

    /// Whether the caller hears the busy tone, as the number may be back; else that it isn't in service.
    #[must_use]
    pub const fn is_busy(self) -> bool {
        matches!(self, Self::SuspendedTenant | Self::NoRoute)
    }
}

/// A response's body and what it is; and what is to be done besides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// HTTP status.
    pub status: u16,
    /// The body's media type; absent for an empty body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Cow<'static, [u8]>,
    /// Requests to the provider's API, sent in this order once the response is on its way.
    pub commands: Vec<Command>,
}

/// A request to the provider's API: a `POST` of JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The path below the API's base URL, beginning with a slash.
    pub path: String,
    /// The body. Says itself that it is to be done once, however often it arrives.
    pub body: Vec<u8>,
}

impl Rendered {
    /// A document.
    #[must_use]
    pub fn document(content_type: &'static str, body: impl Into<Cow<'static, str>>) -> Self {
        let body = match body.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self { status: 200, content_type: Some(content_type), body, commands: Vec::new() }
    }

    /// A JSON document with status 200.
    #[must_use]
    pub fn json(value: &impl serde::Serialize) -> Self {
        // Writing to memory fails for maps whose keys aren't text only, and no document has one.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { status: 200, content_type: Some(JSON), body: Cow::Owned(body), commands: Vec::new() }
    }

    /// No body.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, content_type: None, body: Cow::Borrowed(&[]), commands: Vec::new() }
    }
}

/// JSON's media type.
pub const JSON: &str = "application/json";
