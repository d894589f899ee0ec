//! Calls under way, as routers tell each other of them, so that limits of calls at a time hold across routers.
//!
//! What is known of a call is one value, a [`State`], and of two values the greater holds. So whoever has heard the same
//! values knows the same, in whatever order they came and however often. That a call has ended is greater than anything
//! else: a beginning that arrives late revives nothing.
//!
//! In Redis lies a hash, `{namespace}:live`: a call's [`CallKey`] to a signed [`entry`] while it is counted. Beside it go
//! [`changes`], on a channel: who misses one finds the same in the hash.

pub mod changes;
pub mod entry;

use serde::{Deserialize, Serialize};

use crate::calls::batch::WriterId;
use crate::ids::{AccountId, PhoneNumberId, TenantId};
use crate::time::UnixSeconds;

/// The field of the hash that says which life of Redis this is: drawn by whoever finds none. Another one than before means
/// that Redis has forgotten all. No call's key is so short.
pub const LIFE_FIELD: &str = "life";

/// The longest that providers let a call last, in seconds: nothing is counted for longer without a sign of life.
pub const CALL_S_MAX: i64 = 4 * 60 * 60;

/// A call's name at all routers: a hash of its account and the provider's name for it. So who proves to be one account
/// can't end or take over another's calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallKey(pub u128);

impl CallKey {
    /// The key of a call: the first half of a BLAKE3 hash, the same whatever program computes it.
    #[must_use]
    pub fn of(account: AccountId, call_id: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(account.as_bytes()).update(call_id.as_bytes());
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(u128::from_be_bytes(bytes))
    }

    /// Its bytes, as fields of the hash are named.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

/// What is known of a call. The order is what decides between two: see the [module](self).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum State {
    /// It is under way.
    Counted(Counted),
    /// It is over.
    Ended(Ended),
}

/// A call that is under way. Of two, the one that was noted later holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// When this was noted, by the clock of who did: milliseconds since 1970.
    pub noted_ms: i64,
    /// When it is forgotten, unless there is a sign of life.
    pub until: UnixSeconds,
    /// The router that noted it.
    pub router: WriterId,
    /// Whose call it is.
    pub tenant: TenantId,
    /// The called number, when it is one of the tenant's.
    pub number: Option<PhoneNumberId>,
}

/// A call that is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// How long that is remembered.
    pub until: UnixSeconds,
    /// The router that was told.
    pub router: WriterId,
}

impl State {
    /// When it is forgotten.
    #[must_use]
    pub const fn until(&self) -> UnixSeconds {
        match self {
            Self::Counted(call) => call.until,
            Self::Ended(end) => end.until,
        }
    }

    /// The call, while it counts.
    #[must_use]
    pub const fn counted(&self) -> Option<&Counted> {
        match self {
            Self::Counted(call) => Some(call),
            Self::Ended(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_calls_key_depends_on_its_account_and_its_name() {
        let [one, other] = [1, 2].map(|id| AccountId(Uuid::from_u128(id)));
        assert_eq!(CallKey::of(one, "CA1"), CallKey::of(one, "CA1"));
        assert_ne!(CallKey::of(one, "CA1"), CallKey::of(other, "CA1"));
        assert_ne!(CallKey::of(one, "CA1"), CallKey::of(one, "CA2"));
    }

    #[test]
    fn the_end_of_a_call_holds_whatever_else_is_said_of_it() {
        let router = WriterId(Uuid::from_u128(1));
        let counted = |noted_ms| {
            let (until, tenant) = (UnixSeconds(i64::MAX), TenantId(Uuid::from_u128(2)));
            State::Counted(Counted { noted_ms, until, router, tenant, number: None })
        };
        let ended = State::Ended(Ended { until: UnixSeconds(0), router });
        assert!(ended > counted(i64::MAX) && counted(2) > counted(1));
    }
}
