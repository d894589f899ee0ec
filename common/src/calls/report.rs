//! What a provider says of a call after it came in.
//!
//! Values are as the provider wrote them: an absurd duration or a clock that is days off is for the reader to judge.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What a provider says of a call.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Report<'a> {
    /// How far the call is.
    pub progress: Progress,
    /// When, by the provider's clock: milliseconds since 1970. Absent where it doesn't say.
    pub at_ms: Option<i64>,
    /// How long the call lasted, or the part of it that the provider counts, in milliseconds: with the call's end.
    pub duration_ms: Option<i64>,
    /// Why it ended, in the provider's own words (`customer-ended-call`).
    #[serde(borrow)]
    pub reason: Option<Cow<'a, str>>,
    /// What the provider wants for the call.
    #[serde(borrow)]
    pub cost: Option<Cost<'a>>,
    /// Whether the call was made by us: not one that came in.
    pub is_outbound: bool,
}

/// How far a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Progress {
    /// The report tells something else of it: a recording is there, a conversation is analysed.
    #[default]
    Other,
    /// It rings.
    Ringing,
    /// Somebody, or an agent, took it.
    Answered,
    /// It was handed over to a person.
    Transferred,
    /// The caller left a message.
    Voicemail,
    /// It is over.
    Ended(End),
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum End {
    /// After a conversation.
    Completed,
    /// The called party was busy, or the call was rejected.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// The caller hung up before anybody answered.
    Canceled,
    /// It couldn't be carried on.
    Failed,
}

/// What a provider wants for a call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cost<'a> {
    /// The amount as the provider wrote it: a decimal number.
    #[serde(borrow)]
    pub amount: Cow<'a, str>,
    /// ISO 4217, in capitals.
    #[serde(borrow)]
    pub currency: Cow<'a, str>,
    /// What of it is for what (`transport`, `stt`, `llm`, `tts`, `platform`): decimal numbers. Empty where the provider
    /// gives one amount alone.
    #[serde(borrow)]
    pub stages: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl Report<'_> {
    /// Whether it tells nothing of the call but that it goes on: what was said in it just now, say.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let has_facts = self.duration_ms.is_some() || self.reason.is_some() || self.cost.is_some();
        self.progress == Progress::Other && !has_facts
    }

    /// A report that says how far the call is and nothing else.
    #[must_use]
    pub fn of(progress: Progress) -> Self {
        Self { progress, ..Self::default() }
    }
}
