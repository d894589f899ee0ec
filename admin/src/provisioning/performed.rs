//! What performing a step came to.

use dialplane_common::rest::Fault;
use uuid::Uuid;

use super::workflow::Outcome;
use crate::store::WriteTx;
use crate::store::jobs::Note;

/// A step that was performed: what it changed is in a transaction that is still open.
pub struct Performed {
    /// With what it changed.
    pub tx: WriteTx,
    /// What came of it.
    pub outcome: Outcome,
    /// What is noted of it.
    pub note: Note,
}

impl Performed {
    /// A step that came to this.
    #[must_use]
    pub fn new(tx: WriteTx, outcome: Outcome) -> Self {
        let note = Note { outcome: label(&outcome), ..Note::default() };
        let note = match &outcome {
            Outcome::Fault(fault) => Note { code: Some(code(fault)), detail: Some(said(fault)), ..note },
            _ => note,
        };
        Self { tx, outcome, note }
    }

    /// At this account.
    #[must_use]
    pub fn at(mut self, account: Uuid) -> Self {
        self.note.account = Some(account);
        self
    }

    /// With something to say for people.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.note.detail = Some(detail.into());
        self
    }

    /// With something to say for programs and people.
    #[must_use]
    pub fn because(mut self, code: &str, detail: impl Into<String>) -> Self {
        self.note.code = Some(code.to_owned());
        self.saying(detail)
    }
}

fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Reserved => "reserved",
        Outcome::Recorded(_) => "recorded",
        Outcome::Costs => "costs",
        Outcome::Nothing | Outcome::Exhausted => "nothing",
        Outcome::Pending => "pending",
        Outcome::Person => "person",
        Outcome::Absent => "absent",
        Outcome::Fault(fault) => fault.label(),
    }
}

/// A fault's code: the provider's, else ours.
#[must_use]
pub fn code(fault: &Fault) -> String {
    match fault {
        Fault::Elsewhere { code, .. } | Fault::Stop { code, .. } => code.clone(),
        Fault::Retry { .. } | Fault::Unclear { .. } | Fault::Gone { .. } => fault.label().to_owned(),
    }
}

/// What a fault says, without its code.
#[must_use]
pub fn said(fault: &Fault) -> String {
    match fault {
        Fault::Retry { reason, .. }
        | Fault::Unclear { reason }
        | Fault::Gone { reason }
        | Fault::Elsewhere { reason, .. }
        | Fault::Stop { reason, .. } => reason.clone(),
    }
}
