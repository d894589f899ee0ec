//! What a provider is asked to render.

use std::borrow::Cow;

use crate::call::InboundCall;
use crate::feed::record::AgentTarget;
use crate::ids::{PhoneNumberId, TenantId};
use crate::route::{Dialable, Prompt};

/// The answer to a call, before it is written in a provider's words.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The call.
    pub call: &'a InboundCall<'a>,
    /// Whose call it is.
    pub tenant_id: TenantId,
    /// For which of its numbers; absent when the number is unknown and the tenant takes such calls.
    pub phone_number_id: Option<PhoneNumberId>,
    /// What is done.
    pub action: Action<'a>,
    /// Where the provider asks what follows. Present whenever something does, and for [`Action::Voicemail`].
    pub after_url: Option<String>,
}

/// A step with everything in it that a document needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action<'a> {
    /// A voice agent answers.
    Agent(&'a AgentTarget),
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

/// A response's body and what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// HTTP status.
    pub status: u16,
    /// The body's media type; absent for an empty body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Cow<'static, [u8]>,
}
