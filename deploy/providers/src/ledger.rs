//! The ledger: what happened that costs money, or would be missed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::money::Money;

/// One line of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its place, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub provider: String,
    /// Whose.
    pub account: String,
    /// What was done: `buy`, `release`, `import`, `forget`, `create`, `delete`, `port`.
    pub action: String,
    /// To what: `number`, `agent`, `application`, `subaccount`, `trunk`.
    pub what: String,
    /// The number, or the thing's name at the provider.
    pub subject: String,
    /// The provider's id of it.
    pub id: String,
    /// What its owner calls it: the purchase's tag.
    pub tag: String,
    /// What it cost at once.
    pub upfront: Money,
    /// What it costs each month.
    pub monthly: Money,
    /// ISO 4217.
    pub currency: String,
    /// The fault that the request met; the effect is there all the same.
    pub fault: Option<String>,
    /// Which request did it, counted from the start.
    pub request: u64,
}

/// What is written into the ledger, but for what the world knows itself.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Where.
    pub provider: &'a str,
    /// Whose.
    pub account: &'a str,
    /// What was done.
    pub action: &'a str,
    /// To what.
    pub what: &'a str,
    /// The number, or the thing's name.
    pub subject: &'a str,
    /// The provider's id of it.
    pub id: &'a str,
    /// What its owner calls it.
    pub tag: &'a str,
    /// What it cost at once.
    pub upfront: Money,
    /// What it costs each month.
    pub monthly: Money,
    /// ISO 4217.
    pub currency: &'a str,
}
