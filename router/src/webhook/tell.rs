//! What the admin plane is told of a call: put into a buffer and forgotten.

use std::borrow::Cow;

use dialplane_common::call::InboundCall;
use dialplane_common::calls::event::{Action, CallEvent, Decided, Refused, What};
use dialplane_common::ids::AgentId;
use dialplane_common::route::Step;

use super::call::{Owner, Source, Webhook};
use crate::events::text;
use crate::outcome::Outcome;
use crate::snapshot::Number;

impl Webhook<'_> {
    /// Tells of a call. `owner` is absent when nobody has its number.
    pub(super) fn tell(
        &self,
        source: &Source<'_>,
        owner: Option<&Owner<'_>>,
        call: &InboundCall<'_>,
        what: What<'_>,
    ) {
        if !self.router.events.is_on() {
            return;
        }
        let called = owner.map_or_else(|| call.called(), |owner| owner.called);
        self.router.events.offer(&CallEvent {
            at_ms: self.now.0,
            provider: Cow::Borrowed(self.endpoint.provider.name()),
            account: source.account_id,
            tenant: owner.map(|owner| owner.tenant_id),
            number: owner.and_then(|owner| owner.number).map(Number::id),
            call_id: text::call_id(&call.call_id),
            carrier_call_id: call.carrier_call_id.as_deref().map(text::call_id),
            to: text::called(&call.to, called),
            from: text::caller(&call.from),
            what,
        });
    }

    /// Tells of a call that isn't routed, and why.
    pub(super) fn tell_refused(&self, source: &Source<'_>, call: &InboundCall<'_>, outcome: Outcome) {
        let Some(refused) = refused(outcome).filter(|_| self.router.events.is_on()) else { return };
        self.tell(source, self.owner(source, call).ok().as_ref(), call, What::Refused(refused));
    }
}

/// Why a call isn't routed that ended so; `None` for an end that isn't about the call.
pub fn refused(outcome: Outcome) -> Option<Refused> {
    Some(match outcome {
        Outcome::UnknownNumber => Refused::UnknownNumber,
        Outcome::InactiveNumber => Refused::InactiveNumber,
        Outcome::SuspendedTenant => Refused::SuspendedTenant,
        Outcome::NoRoute => Refused::NoRoute,
        _ => return None,
    })
}

/// What a step is for a call's record, with the agent that takes it.
pub const fn decided(step: &Step, agent: Option<AgentId>) -> Decided {
    let action = match step {
        Step::Agent { .. } | Step::Split { .. } => Action::Agent,
        Step::Forward { .. } => Action::Forward,
        Step::Ring { .. } => Action::Ring,
        Step::Voicemail { .. } => Action::Voicemail,
        Step::Message { .. } => Action::Message,
        Step::Reject { .. } => Action::Reject,
        Step::Redirect { .. } => Action::Redirect,
    };
    Decided { action, agent, is_closed: false, is_over_limit: false }
}
