//! Something that happened to a call, as a router tells the admin plane.
//!
//! An event is a frame of its own: `length u32 · postcard`, little-endian, so that a router appends it to what waits
//! without asking what is there, and a reader passes over one that it can't read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::report::Report;
use crate::ids::{AccountId, AgentId, PhoneNumberId, TenantId};

/// No event is longer: texts of calls are cut to [`TEXT_BYTES_MAX`].
pub const EVENT_BYTES_MAX: usize = 4 << 10;

/// No text of an event is longer, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// The provider of a call that was asked about over the router's own API, `/v1/route`.
pub const OWN_API: &str = "api";

const LENGTH_BYTES: usize = 4;

/// Something that happened to a call, or to a text message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallEvent<'a> {
    /// When the router got to know it, by its clock: milliseconds since 1970.
    pub at_ms: i64,
    /// Whose webhook it was: the provider's name; [`OWN_API`] for a request of the router's own API.
    #[serde(borrow)]
    pub provider: Cow<'a, str>,
    /// The account that proved to have sent it. Where a token of the router's own API proved it instead, its tenant's id, or
    /// nothing but zeros for an operator's: call ids of different tenants stay apart.
    pub account: AccountId,
    /// Whose call it is; absent when nobody has the number, or the webhook doesn't say which was called.
    pub tenant: Option<TenantId>,
    /// The called number, when it is one of the tenant's.
    pub number: Option<PhoneNumberId>,
    /// The provider's name of the call, or of the message. One longer than [`TEXT_BYTES_MAX`] is replaced by its hash.
    #[serde(borrow)]
    pub call_id: Cow<'a, str>,
    /// The carrier's name of the same call, where an agent's provider tells it: what joins the legs of one call.
    #[serde(borrow)]
    pub carrier_call_id: Option<Cow<'a, str>>,
    /// The called address; E.164 where it is a number. Empty where the webhook doesn't say.
    #[serde(borrow)]
    pub to: Cow<'a, str>,
    /// The calling address, likewise.
    #[serde(borrow)]
    pub from: Cow<'a, str>,
    /// What happened.
    #[serde(borrow)]
    pub what: What<'a>,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum What<'a> {
    /// A call came in and this was decided. The same call may ask again.
    Offered(Decided),
    /// A step had failed and the next one of its chain was taken; no step when none was left.
    Continued(Option<Decided>),
    /// What the provider tells.
    Reported(#[serde(borrow)] Report<'a>),
    /// A text message came in.
    Message,
    /// A call that is well-formed and proven wasn't routed.
    Refused(Refused),
}

/// What was decided about a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decided {
    /// What is done.
    pub action: Action,
    /// The agent that it goes to.
    pub agent: Option<AgentId>,
    /// A rule asked whether the location is open, and it isn't.
    pub is_closed: bool,
    /// A limit of calls at a time was reached.
    pub is_over_limit: bool,
}

/// What is done with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Action {
    /// An agent takes it.
    Agent,
    /// It is put through to a person.
    Forward,
    /// Several people's telephones ring.
    Ring,
    /// The caller may leave a message.
    Voicemail,
    /// The caller hears a message.
    Message,
    /// It is rejected.
    Reject,
    /// Another server decides.
    Redirect,
}

/// Why a call wasn't routed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Refused {
    /// Nobody has the number, or it isn't bound to the account.
    UnknownNumber,
    /// The number isn't active.
    InactiveNumber,
    /// Its tenant is suspended.
    SuspendedTenant,
    /// No rule holds, or nothing that the rule wants can be done.
    NoRoute,
}

impl<'a> CallEvent<'a> {
    /// Appends the event's frame. Says whether it did: one that is longer than [`EVENT_BYTES_MAX`] is left out, which no
    /// event is whose texts are within [`TEXT_BYTES_MAX`].
    pub fn write(&self, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        if postcard::serialize_with_flavor(self, Tail(out)).is_err() {
            return false;
        }
        let length = out.len() - start - LENGTH_BYTES;
        if length > EVENT_BYTES_MAX {
            out.truncate(start);
            return false;
        }
        // Never cut: the limit is far below.
        let prefix = u32::try_from(length).unwrap_or_default().to_le_bytes();
        out[start..start + LENGTH_BYTES].copy_from_slice(&prefix);
        true
    }

    /// The events of frames that stand one behind the other. One that can't be read is [`Unreadable`]; where lengths make
    /// no sense, that is the last.
    pub fn read_all(frames: &'a [u8]) -> impl Iterator<Item = Result<Self, Unreadable>> {
        let mut rest = frames;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let Some((frame, behind)) = split_frame(rest) else {
                rest = &[];
                return Some(Err(Unreadable));
            };
            rest = behind;
            Some(postcard::from_bytes(frame).map_err(|_| Unreadable))
        })
    }
}

/// An event that can't be read: a later version's, or damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an event that this version can't read")]
pub struct Unreadable;

/// How many bytes the first of several frames takes; `None` where there is none, or its length makes no sense.
#[must_use]
pub fn first_frame_bytes(frames: &[u8]) -> Option<usize> {
    split_frame(frames).map(|(frame, _)| LENGTH_BYTES + frame.len())
}

fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// Appends to somebody's bytes, texts and ids whole: what comes with the library goes by each byte.
struct Tail<'v>(&'v mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Tail<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::report::{Cost, End, Progress};
    use uuid::Uuid;

    fn event(call_id: &str) -> CallEvent<'_> {
        CallEvent {
            at_ms: 1_800_000_000_123,
            provider: "vapi".into(),
            account: AccountId(Uuid::from_u128(1)),
            tenant: Some(TenantId(Uuid::from_u128(2))),
            number: None,
            call_id: call_id.into(),
            carrier_call_id: Some("CA1".into()),
            to: "+12125550001".into(),
            from: "+15105550198".into(),
            what: What::Reported(Report {
                progress: Progress::Ended(End::Completed),
                duration_ms: Some(-1),
                cost: Some(Cost {
                    amount: "0.12".into(),
                    currency: "USD".into(),
                    stages: vec![("llm".into(), "0.02".into())],
                }),
                ..Report::default()
            }),
        }
    }

    #[test]
    fn events_are_read_as_they_were_written() {
        let mut frames = Vec::new();
        assert!(event("a").write(&mut frames) && event("b").write(&mut frames));
        let read: Vec<_> = CallEvent::read_all(&frames).collect();
        assert_eq!(read, [Ok(event("a")), Ok(event("b"))]);
        let first = first_frame_bytes(&frames).unwrap();
        assert_eq!(CallEvent::read_all(&frames[first..]).next(), Some(Ok(event("b"))));
        assert_eq!(first_frame_bytes(&frames[..first - 1]), None);
    }

    #[test]
    fn one_that_is_too_long_leaves_nothing() {
        let mut frames = vec![7];
        assert!(!event(&"x".repeat(EVENT_BYTES_MAX)).write(&mut frames));
        assert_eq!(frames, [7]);
    }

    #[test]
    fn what_cant_be_read_is_passed_over() {
        let mut frames = Vec::new();
        event("a").write(&mut frames);
        let damaged = [&3_u32.to_le_bytes()[..], &[0xff; 3], &frames, &[9, 0, 0, 0, 1]].concat();
        let read: Vec<_> = CallEvent::read_all(&damaged).collect();
        assert_eq!(read, [Err(Unreadable), Ok(event("a")), Err(Unreadable)]);
        for length in 0..frames.len() {
            CallEvent::read_all(&frames[..length]).for_each(drop);
        }
    }
}
