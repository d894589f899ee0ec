//! Events to try things with.

use dialplane_common::calls::event::{Action, CallEvent, Decided, Refused, What};
use dialplane_common::calls::report::{Cost, End, Progress, Report};
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use uuid::Uuid;

/// Noon of some day.
pub const NOON: i64 = 1_800_000_000_000;
pub const TENANT: Uuid = Uuid::from_u128(1);
pub const CARRIER: Uuid = Uuid::from_u128(10);
pub const AGENTS: Uuid = Uuid::from_u128(11);

/// The carrier's leg of a call, so many seconds after noon.
pub fn event(seconds: i64, call_id: &'static str, what: What<'static>) -> CallEvent<'static> {
    CallEvent {
        at_ms: NOON + seconds * 1_000,
        provider: "twilio".into(),
        account: AccountId(CARRIER),
        tenant: Some(TenantId(TENANT)),
        number: Some(PhoneNumberId(Uuid::from_u128(20))),
        call_id: call_id.into(),
        carrier_call_id: None,
        to: "+12125550001".into(),
        from: "+15105550198".into(),
        what,
    }
}

/// The agent's leg of the carrier's call `carrier`.
pub fn of_agent(
    seconds: i64,
    call_id: &'static str,
    carrier: Option<&'static str>,
    what: What<'static>,
) -> CallEvent<'static> {
    CallEvent {
        provider: "vapi".into(),
        account: AccountId(AGENTS),
        carrier_call_id: carrier.map(Into::into),
        ..event(seconds, call_id, what)
    }
}

pub fn offered(action: Action) -> What<'static> {
    let agent = (action == Action::Agent).then_some(AgentId(Uuid::from_u128(30)));
    What::Offered(Decided { action, agent, is_closed: false, is_over_limit: false })
}

pub fn progress(progress: Progress) -> What<'static> {
    What::Reported(Report::of(progress))
}

pub fn ended(end: End, duration_ms: Option<i64>) -> What<'static> {
    What::Reported(Report { duration_ms, ..Report::of(Progress::Ended(end)) })
}

pub fn cost(amount: &'static str) -> What<'static> {
    let stages = vec![("llm".into(), amount.into())];
    let cost = Some(Cost { amount: amount.into(), currency: "USD".into(), stages });
    What::Reported(Report { cost, ..Report::default() })
}

/// What happens to a few calls: one with an agent's leg that is known by the carrier's id only later, one that is put
/// through to a person, one that nobody has the number of, one that contradicts itself, a text message.
pub fn day() -> Vec<CallEvent<'static>> {
    let child = |seconds, what: Report<'static>| CallEvent {
        carrier_call_id: Some("CA2".into()),
        ..event(seconds, "CA2-child", What::Reported(Report { is_outbound: true, ..what }))
    };
    let unknown = |mut event: CallEvent<'static>| {
        (event.tenant, event.number) = (None, None);
        event
    };
    vec![
        event(0, "CA1", offered(Action::Agent)),
        event(1, "CA1", progress(Progress::Answered)),
        of_agent(2, "v1", None, progress(Progress::Answered)),
        of_agent(58, "v1", Some("CA1"), ended(End::Completed, Some(56_000))),
        of_agent(58, "v1", Some("CA1"), cost("0.12")),
        event(60, "CA1", ended(End::Completed, Some(59_000))),
        event(61, "CA1", progress(Progress::Ringing)),
        event(5, "CA2", offered(Action::Forward)),
        child(9, Report::of(Progress::Ringing)),
        child(30, Report::of(Progress::Ended(End::NoAnswer))),
        event(33, "CA2", ended(End::Completed, Some(28_000))),
        unknown(event(7, "CA3", What::Refused(Refused::UnknownNumber))),
        event(8, "CA4", offered(Action::Agent)),
        event(20, "CA4", ended(End::Completed, Some(-5))),
        event(21, "CA4", ended(End::Busy, Some(11_000))),
        event(9, "SM1", What::Message),
    ]
}

/// A sequence of numbers that looks like chance, the same for a seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}
