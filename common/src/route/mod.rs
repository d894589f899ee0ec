//! What is done with a call: rules as the admin plane compiled them.
//!
//! A rule is a condition and a chain of steps: the first step is tried, each later one is what follows when the one
//! before failed. The first rule whose condition holds decides. Where a number has no rules its tenant's hold,
//! then the platform's; a list replaces a list.

mod callers;
mod decide;
mod hours;
mod share;
mod time_range;

pub use callers::Callers;
pub use decide::{Decision, Facts, LiveCalls, Part, Scope, Subject, decide, failing};
pub use hours::{
    Date, Forced, Holiday, Hours, Interval, LOOK_AHEAD_DAYS, OpenReason, OpenState, Openings, Weekly,
    next_closing, next_opening, open_at, openings_on,
};
use serde::{Deserialize, Serialize};
pub use share::{AgentShare, Share, choose};
pub use time_range::TimeRange;

use crate::e164::E164;
use crate::ids::AgentId;

/// The most rules a list may have.
pub const RULES_MAX: usize = 100;

/// The most steps a chain may have.
pub const CHAIN_MAX: usize = 8;

/// One rule. Never has an empty chain: whoever compiles it refuses that.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// When the rule holds.
    pub when: Condition,
    /// What is done then: a step and what follows when it fails.
    pub then: Vec<Step>,
}

/// When a rule holds: every part that is set has to. An empty condition always holds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Condition {
    /// The location is open, or isn't.
    pub open: Option<bool>,
    /// The location's local date is one of its holidays, or isn't.
    pub holiday: Option<bool>,
    /// The caller is one of these.
    pub caller: Option<Box<Callers>>,
    /// The caller is none of these.
    pub not_caller: Option<Box<Callers>>,
    /// The location's wall time lies in this range.
    pub time: Option<TimeRange>,
    /// The call is one of this share of all calls.
    pub share: Option<Box<Share>>,
    /// More calls than its limit allows are already under way.
    pub over_limit: Option<LimitScope>,
}

/// Whose limit of calls at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LimitScope {
    /// The number's, which is also its location's.
    Number,
    /// The tenant's.
    Tenant,
    /// Either.
    Any,
}

/// One thing that can be done with a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    /// A voice agent answers: this one, or the number's own.
    Agent {
        /// Absent: the number's own.
        agent: Option<AgentId>,
    },
    /// One of several agents answers: each has its share of the calls. Never empty, and the weights add up to 100.
    Split {
        /// The agents.
        agents: Vec<AgentShare>,
    },
    /// The call goes to one address.
    Forward {
        /// Where to.
        to: Dialable,
        /// How long it rings, in seconds.
        timeout_s: u16,
    },
    /// Several addresses ring at once; the first to answer has the call.
    Ring {
        /// Where to.
        to: Vec<Dialable>,
        /// How long they ring, in seconds.
        timeout_s: u16,
    },
    /// The caller leaves a message.
    Voicemail {
        /// What the caller hears first.
        prompt: Prompt,
        /// How long the message may be, in seconds.
        length_max_s: u16,
    },
    /// The caller hears something and the call ends.
    Message {
        /// What the caller hears.
        prompt: Prompt,
    },
    /// The call isn't answered.
    Reject {
        /// The caller hears the busy tone, instead of "not in service".
        busy: bool,
    },
    /// Somebody else's server says what to do.
    Redirect {
        /// An absolute `https` URL.
        url: String,
    },
}

/// An address that can be dialled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Dialable {
    /// A telephone number.
    Number(E164),
    /// A SIP URI.
    Sip(String),
}

/// Something to hear.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Prompt {
    /// Text, spoken by the provider.
    Say {
        /// What is said.
        text: String,
        /// Its language as a BCP 47 tag; absent: the provider's default.
        language: Option<String>,
    },
    /// A recording.
    Play {
        /// An absolute URL.
        url: String,
    },
}
