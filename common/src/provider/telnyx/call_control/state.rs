//! What travels with a leg, as its `client_state`: where its step stands, and what has to be known to go on.
//!
//! It needs no seal of its own: Telnyx signs the webhooks that bring it back, and only who holds the account's API key
//! sets it. What remains of the route is in it as the router sealed it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::command::Context;
use crate::call::InboundCall;

/// What travels with a leg.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct State {
    /// The caller's leg, which commands go to.
    pub call_id: String,
    /// The called address: events later in a call don't say it.
    pub to: String,
    /// The calling address.
    pub from: String,
    /// Whether the caller's leg was answered: then it can't be answered again, or rejected.
    pub is_answered: bool,
    /// What the router wants back when the step has ended; absent where nothing follows.
    pub after: Option<String>,
    /// Where the step stands.
    pub phase: Phase,
}

/// Where a step stands: what the leg's next event leads to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is waited for on this leg.
    Idle,
    /// It is being answered, for this.
    Answering(Task),
    /// An agent is on.
    Streaming,
    /// The caller hears something; then this.
    Speaking(Then),
    /// The caller leaves a message.
    Recording,
    /// This leg was dialled for the caller's.
    Ringing {
        /// Who is called when nobody answers here.
        rest: Vec<String>,
        /// How long each of them rings, in seconds.
        timeout_s: u16,
    },
}

/// What is done once a call is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// An agent takes the audio.
    Stream {
        /// Its URL.
        url: String,
        /// What it is told besides the call: names and values.
        parameters: Vec<(String, String)>,
    },
    /// Text is spoken.
    Speak {
        /// The text.
        text: String,
        /// Its language, a BCP 47 tag.
        language: Option<String>,
        /// What follows.
        then: Then,
    },
    /// A recording is played.
    Play {
        /// Its URL.
        url: String,
        /// What follows.
        then: Then,
    },
}

/// What follows when the caller has heard something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The call ends.
    Hangup,
    /// The caller leaves a message.
    Record {
        /// How long it may be, in seconds.
        length_max_s: u16,
    },
}

impl State {
    /// Reads a `client_state`; `None` when it isn't one of ours.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
    }

    /// As a `client_state`.
    pub fn write(&self) -> String {
        // Writing to memory fails for maps whose keys aren't text only, and there is none.
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The call, as the event of this id leaves it.
    pub fn into_call<'r>(self, event_id: &str) -> InboundCall<'r> {
        let context = Context { event_id, is_answered: self.is_answered };
        InboundCall {
            call_id: Cow::Owned(self.call_id),
            to: Cow::Owned(self.to),
            from: Cow::Owned(self.from),
            number_id: None,
            carrier_call_id: None,
            context: Cow::Owned(context.to_string()),
        }
    }
}
