//! What remains of a route, carried in the URL by which the provider asks what follows.
//!
//! Sealed with the feed's key for the one call that it belongs to. So any router goes on with it, whatever revision
//! it holds, and nobody else can read or make one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dialplane_common::e164::E164;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::ids::{AccountId, TenantId};
use dialplane_common::provider::event::StepResult;
use dialplane_common::route::Step;
use dialplane_common::time::UnixSeconds;
use serde::{Deserialize, Serialize};

/// The query parameter that carries it.
pub const PARAMETER: &str = "s";

/// No step takes longer. What is asked later comes from somebody who kept the URL.
const STEP_S_MAX: i64 = 24 * 60 * 60;

/// A stream that ends sooner than this never was a conversation.
const STREAM_FAILED_S: i64 = 5;

/// What remains of a route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Remainder {
    /// The account whose webhook began it.
    pub account: AccountId,
    /// Whose call it is.
    pub tenant: TenantId,
    /// The called number; absent when nobody has it.
    pub number: Option<E164>,
    /// When the step before was sent.
    pub asked_at: UnixSeconds,
    /// The steps that are left.
    pub rest: Vec<Step>,
}

impl Remainder {
    /// The parameter's value; `None` when the system has no randomness to seal with.
    #[must_use]
    pub fn seal(&self, call_id: &str, keys: &Keyring) -> Option<String> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).ok()?;
        let plain = postcard::to_stdvec(self).ok()?;
        Some(URL_SAFE_NO_PAD.encode(keys.seal(nonce, call_id.as_bytes(), &plain)))
    }

    /// Reads the parameter's value; `None` when it was made for another call or by somebody else.
    #[must_use]
    pub fn open(value: &str, call_id: &str, keys: &Keyring) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let plain = keys.open(call_id.as_bytes(), &sealed).ok()?;
        postcard::from_bytes(plain.expose()).ok()
    }

    /// Whether the next step is due. Where the provider doesn't say how a step ended, it has failed when it ended at
    /// once.
    #[must_use]
    pub const fn is_next_due(&self, result: StepResult, now: UnixSeconds) -> bool {
        match result {
            StepResult::Done => false,
            StepResult::Failed => now.0 - self.asked_at.0 < STEP_S_MAX,
            StepResult::Unknown => now.0 - self.asked_at.0 < STREAM_FAILED_S,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn remainder() -> Remainder {
        Remainder {
            account: AccountId(Uuid::from_u128(1)),
            tenant: TenantId(Uuid::from_u128(2)),
            number: "+12125550001".parse().ok(),
            asked_at: UnixSeconds(1_000),
            rest: vec![Step::Reject { busy: true }],
        }
    }

    #[test]
    fn opens_for_its_own_call_only() {
        let keys = Keyring::feed("a-feed-key-of-some-length").unwrap();
        let value = remainder().seal("CA1", &keys).unwrap();
        assert_eq!(Remainder::open(&value, "CA1", &keys), Some(remainder()));
        assert_eq!(Remainder::open(&value, "CA2", &keys), None);
        assert_eq!(Remainder::open(&value[1..], "CA1", &keys), None);
        assert_eq!(Remainder::open("", "CA1", &keys), None);
        assert!(value.len() < 300, "{} bytes in a URL", value.len());
    }

    #[test]
    fn next_is_due_after_a_failure_or_a_stream_that_ended_at_once() {
        let due = |result, now| remainder().is_next_due(result, UnixSeconds(now));
        assert!(due(StepResult::Failed, 9_000));
        assert!(!due(StepResult::Failed, 1_000 + STEP_S_MAX));
        assert!(!due(StepResult::Done, 1_000));
        assert!(due(StepResult::Unknown, 1_004));
        assert!(!due(StepResult::Unknown, 1_005));
    }
}
