//! What a router says of itself, to the admin plane and to operators.

use serde::{Deserialize, Serialize};

use super::{Digest, Epoch, Revision};

/// A router that hasn't reported for this long isn't waited for.
pub const LIVE_MS: u64 = 3_000;

/// A router that hasn't reported for this long is forgotten.
pub const FORGET_MS: u64 = 3_600_000;

/// One router's state, as JSON in Redis.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouterReport {
    /// The router's name, the same after a restart.
    pub id: String,
    /// The program's version.
    pub version: String,
    /// The newest feed version that it reads ([`super::FEED_VERSION`]).
    pub feed_version: u8,
    /// The state that it serves; absent while it holds none.
    pub serving: Option<Serving>,
    /// From commit (by the admin machine's clock) to serving, of the last delta, in microseconds.
    pub delay_us: Option<u64>,
    /// Records that it can't read; it keeps serving their last good state.
    pub unreadable_records: u64,
    /// It can't go on from where it is with what lies in Redis: a newer checkpoint is wanted.
    pub wants_checkpoint: bool,
    /// Its digest differs from the feed's again after a reload.
    pub digest_alarm: bool,
    /// Events of calls that it lost since it started; absent while it keeps none, and from routers that don't say.
    #[serde(default)]
    pub events_dropped: Option<u64>,
}

/// A state that a router serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Serving {
    /// Whose revision it is.
    pub epoch: Epoch,
    /// The state's number.
    pub revision: Revision,
    /// What its records add up to.
    pub digest: Digest,
}
