//! All that the simulated providers know.

mod accounts;
mod numbers;
mod things;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::draw::Draw;
use crate::ledger::{Entry, Line};
use crate::money::Money;
use crate::number::Number;
use crate::stock::Stock;
use crate::thing::Thing;
pub use numbers::Unaffordable;

/// All of it. What is serialized is kept in the state file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct World {
    /// Who buys.
    pub accounts: Vec<Account>,
    /// What they have.
    pub numbers: Vec<Number>,
    /// What else they made.
    pub things: Vec<Thing>,
    /// What happened.
    pub ledger: Vec<Entry>,
    /// Where names come from.
    pub draw: Draw,
    /// What the simulator was started with.
    #[serde(skip)]
    pub terms: Terms,
    /// The request that is being done.
    #[serde(skip)]
    pub turn: Context,
    /// Whether the state file is older than this.
    #[serde(skip)]
    pub changed: bool,
}

/// What the simulator was started with.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Accounts that aren't declared don't exist.
    pub strict: bool,
    /// How long what providers do by and by takes.
    pub settle: Duration,
    /// What numbers are to be had.
    pub stock: Stock,
}

/// The request that is being done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    /// When.
    pub now: Timestamp,
    /// Which, counted from the start.
    pub request: u64,
    /// The fault that it meets.
    pub fault: Option<&'static str>,
}

impl World {
    /// When the provider will be done with what is begun now.
    pub fn settled(&self) -> Timestamp {
        self.turn.now.checked_add(self.terms.settle).unwrap_or(self.turn.now)
    }

    /// Writes into the ledger.
    pub fn write(&mut self, line: Line<'_>) {
        self.changed = true;
        self.ledger.push(Entry {
            seq: self.ledger.last().map_or(1, |entry| entry.seq + 1),
            at: self.turn.now,
            provider: line.provider.to_owned(),
            account: line.account.to_owned(),
            action: line.action.to_owned(),
            what: line.what.to_owned(),
            subject: line.subject.to_owned(),
            id: line.id.to_owned(),
            tag: line.tag.to_owned(),
            upfront: line.upfront,
            monthly: line.monthly,
            currency: line.currency.to_owned(),
            fault: self.turn.fault.map(str::to_owned),
            request: self.turn.request,
        });
    }

    /// Writes that a thing was made or done away with.
    pub fn note(&mut self, provider: &str, account: &str, action: &str, what: &str, id: &str, tag: &str) {
        let (upfront, monthly) = (Money::ZERO, Money::ZERO);
        let subject = id;
        self.write(Line {
            provider,
            account,
            action,
            what,
            subject,
            id,
            tag,
            upfront,
            monthly,
            currency: "",
        });
    }
}
