//! One webhook being answered: what it says, whose call it is, what is done.

use std::borrow::Cow;

use dialplane_common::call::{self, InboundCall};
use dialplane_common::calls::event::{Decided, What};
use dialplane_common::calls::report::{Progress, Report};
use dialplane_common::e164::E164;
use dialplane_common::feed::record::AgentRecord;
use dialplane_common::ids::{AccountId, TenantId};
use dialplane_common::live::CallKey;
use dialplane_common::location::{Location, MessageAnswer, StoredPlace};
use dialplane_common::provider::event::{Event, StepEnd};
use dialplane_common::provider::reply::{Action, Refusal, Reply};
use dialplane_common::provider::request::WebhookRequest;
use dialplane_common::route::{Decision, Dialable, Facts, LiveCalls, Step, decide};
use dialplane_common::time::UnixMillis;

use super::after::Remainder;
use super::step::Taken;
use super::{Endpoint, Reaction, Webhooks};
use crate::events::text;
use crate::live::{Limited, Reached};
use crate::outcome::{Answer, Outcome};
use crate::snapshot::{Account, Number, Snapshot, Tenant};

/// One webhook being answered.
pub struct Webhook<'a> {
    pub router: &'a Webhooks,
    pub snapshot: &'a Snapshot,
    pub endpoint: &'a Endpoint,
    pub request: &'a WebhookRequest<'a>,
    pub now: UnixMillis,
}

/// Whose call it is.
pub struct Owner<'a> {
    pub tenant_id: TenantId,
    pub tenant: &'a Tenant,
    /// The called number, when it is one.
    pub called: Option<E164>,
    /// What is known of it; absent when nobody has it and the tenant takes such calls.
    pub number: Option<Number<'a>>,
    /// What is said of its place.
    pub place: Option<StoredPlace<'a>>,
}

impl<'a> Owner<'a> {
    fn new(
        (tenant_id, tenant): (TenantId, &'a Tenant),
        called: Option<E164>,
        number: Option<Number<'a>>,
    ) -> Self {
        Self { tenant_id, tenant, called, number, place: number.and_then(Number::place) }
    }

    /// The call with the number that was called, where the provider gave nothing but its own name of that.
    pub(super) fn complete<'c>(&self, call: &'c InboundCall<'c>) -> Cow<'c, InboundCall<'c>> {
        match self.called.filter(|_| call.to.is_empty()) {
            Some(number) => Cow::Owned(InboundCall { to: number.to_string().into(), ..call.clone() }),
            None => Cow::Borrowed(call),
        }
    }

    fn limited(&self) -> Limited {
        Limited::of(self.tenant_id, self.tenant, self.number)
    }
}

impl<'a> Webhook<'a> {
    pub fn react(&self) -> Result<Reaction, Answer> {
        let (account_id, account) = self.authenticate()?;
        let source = Source { account_id, account };
        let event = self.endpoint.provider.event(self.endpoint.kind, self.request)?;
        let answer = match event {
            Event::Tools(request) => return self.tools(&source, &request),
            event => self.answer(&source, event),
        };
        // What a refusal wants said to the provider's API has to be said as well.
        let (Ok(decided) | Err(decided)) = &answer;
        self.send(&source, decided);
        answer.map(Reaction::Now)
    }

    fn answer(&self, source: &Source<'a>, event: Event<'_>) -> Result<Answer, Answer> {
        Ok(match event {
            Event::Call(call) => self
                .route(source, &call)
                .inspect_err(|refused| self.tell_refused(source, &call, refused.outcome))?,
            Event::After(end) => self.continue_route(source, &end)?,
            Event::Transfer(call) => self.transfer(source, &call)?,
            Event::Status { call, status, report } => self.status(source, call.as_ref(), status, &report),
            Event::Message(message) => self.answer_message(source, &message),
            Event::Continued { call, rendered, report } => {
                let known = self.owner(source, &call);
                if let Some(report) = &report {
                    self.tell(source, known.as_ref().ok(), &call, What::Reported(text::report(report)));
                }
                let outcome = known.err().map_or(Outcome::Answered, |refused| refused.outcome);
                Answer::document(outcome, rendered)
            }
            Event::Token => match source.account.verifier.token(self.now) {
                Some(token) => Answer::document(Outcome::Answered, token),
                None => Answer::refusal(Outcome::UnknownAccount, "this account has no such tokens\n"),
            },
            // Its calls may wait for the tenant's own server.
            Event::Tools(request) => self.acknowledge(source, Some(&request.call)),
        })
    }

    fn route(&self, source: &Source<'a>, call: &InboundCall<'_>) -> Result<Answer, Answer> {
        let owner = self.active_owner(source, call)?;
        let call = &*owner.complete(call);
        let decision = self.decide_and_count(source, &owner, call);
        let Taken { answer, decided } = self.take_step(source, &owner, call, decision.chain)?;
        let is_closed = decision.open.is_some_and(|state| !state.open);
        let decided = Decided { is_closed, is_over_limit: decision.is_over_limit, ..decided };
        self.tell(source, Some(&owner), call, What::Offered(decided));
        Ok(answer)
    }

    /// What is done with a call, which counts from now on when it takes a place of those that are limited. One that is
    /// turned away isn't under way: counted, a caller who tries again and again would keep the line busy. Nor does one
    /// count that was one too many and is served otherwise: else places would stay taken that nobody has.
    fn decide_and_count(
        &self,
        source: &Source<'a>,
        owner: &Owner<'a>,
        call: &InboundCall<'_>,
    ) -> Decision<'a> {
        let limited = owner.limited();
        if !limited.is_any() {
            return self.decide(owner, call, &());
        }
        let live = &self.router.live;
        let key = self.key(source, owner, call);
        let decision = self.decide(owner, call, &live.limits(limited, Some(key)));
        let taken = || decision.chain.iter().find(|step| self.resolve(owner, call, step).is_some());
        if decision.is_over_limit || matches!(taken(), None | Some(Step::Reject { .. })) {
            return decision;
        }
        let whose = (owner.tenant_id, owner.number.map(Number::id));
        if live.begin(key, whose, limited, self.now) {
            decision
        } else {
            // Another call took the last place between the decision and now.
            self.decide(owner, call, &Reached(limited))
        }
    }

    /// The name under which a call counts. A call that its carrier handed to an agent's provider is asked about by both:
    /// it is counted as the carrier's, once.
    fn key(&self, source: &Source<'a>, owner: &Owner<'a>, call: &InboundCall<'_>) -> CallKey {
        let own = CallKey::of(source.account_id, &call.call_id);
        let live = &self.router.live;
        let Some(id) = call.carrier_call_id.as_deref().filter(|_| live.counted(own).is_none()) else {
            return own;
        };
        let mut legs =
            owner.number.into_iter().flat_map(Number::accounts).map(|account| CallKey::of(account, id));
        legs.find(|leg| live.counted(*leg).is_some()).unwrap_or(own)
    }

    /// Where a running call goes whose caller wants a person: where its location says, else where its rule forwards
    /// calls to.
    fn transfer(&self, source: &Source<'a>, call: &InboundCall<'_>) -> Result<Answer, Answer> {
        let owner = self.active_owner(source, call)?;
        let location = self.location(&owner, owner.number.and_then(Number::agent));
        // The call is under way: no limit is in its way.
        let to = location.transfer_to().or_else(|| first_dialable(self.decide(&owner, call, &()).chain));
        let to = to.ok_or_else(|| self.refuse(call, Refusal::NoRoute))?;
        let action = Action::Dial { to: std::slice::from_ref(to), timeout_s: TRANSFER_TIMEOUT_S };
        let reply = Reply { call, location: &location, action, after: None, fallback: None };
        Ok(Answer::document(Outcome::Answered, self.endpoint.provider.render(&reply)))
    }

    fn decide(&self, owner: &Owner<'a>, call: &InboundCall<'_>, live: &dyn LiveCalls) -> Decision<'a> {
        let subject = self.snapshot.subject(owner.number, owner.tenant);
        let facts = Facts { caller: call.caller(), call_id: &call.call_id, now: self.now.seconds(), live };
        decide(&subject, &facts)
    }

    /// Whose number was called, when its calls are routed.
    pub(super) fn active_owner(
        &self,
        source: &Source<'a>,
        call: &InboundCall<'_>,
    ) -> Result<Owner<'a>, Answer> {
        let owner = self.owner(source, call)?;
        if owner.tenant.suspended {
            return Err(self.refuse(call, Refusal::SuspendedTenant));
        }
        if owner.number.is_some_and(|number| !number.active()) {
            return Err(self.refuse(call, Refusal::InactiveNumber));
        }
        Ok(owner)
    }

    /// Whose number was called. Only numbers that are bound to the account count: an account proves who it is, not
    /// that it may speak of everybody's numbers.
    pub(super) fn owner(&self, source: &Source<'_>, call: &InboundCall<'_>) -> Result<Owner<'a>, Answer> {
        let called = self.called(source, call);
        let known = called.and_then(|number| self.snapshot.number(number));
        let number = known.filter(|number| number.is_bound_to(source.account_id));
        let tenant = match number {
            Some(number) => number.tenant(),
            // Numbers that nobody has may go to one tenant, but never from another tenant's own account. A number
            // that somebody has isn't one of them only because this account may not speak of it.
            None => self
                .snapshot
                .unknown_numbers()
                .filter(|_| known.is_none())
                .filter(|tenant| source.account.record.tenant_id.is_none_or(|owner| owner == *tenant))
                .map(|id| Some((id, self.snapshot.tenant(id)?)))
                .ok_or_else(|| self.refuse(call, Refusal::UnknownNumber))?,
        };
        let tenant = tenant.ok_or_else(|| self.refuse(call, Refusal::NoRoute))?;
        Ok(Owner::new(tenant, called, number))
    }

    /// The called number: by the provider's own name of it, as it stands, or as a national one.
    fn called(&self, source: &Source<'_>, call: &InboundCall<'_>) -> Option<E164> {
        let named =
            call.number_id.as_deref().and_then(|id| self.snapshot.number_named(source.account_id, id));
        let code = source.account.record.calling_code;
        named.or_else(|| call.called()).or_else(|| call::national(&call.to, code?))
    }

    /// The next step, when the one before failed; else the call ends.
    fn continue_route(&self, source: &Source<'a>, end: &StepEnd<'_>) -> Result<Answer, Answer> {
        let call = &end.call;
        let opened = end.state.as_deref().and_then(|s| Remainder::open(s, &call.call_id, &self.router.keys));
        let remainder =
            opened.filter(|remainder| remainder.account == source.account_id).ok_or_else(|| {
                let reason =
                    "parameter s is missing, or was made for another call or with another FEED_KEY\n";
                Answer::refusal(Outcome::Malformed, reason)
            })?;
        let number = remainder.number.and_then(|number| self.snapshot.number(number));
        let number = number.filter(|number| number.tenant_id() == remainder.tenant);
        let tenant =
            self.snapshot.tenant(remainder.tenant).ok_or_else(|| self.refuse(call, Refusal::NoRoute))?;
        let owner = Owner::new((remainder.tenant, tenant), remainder.number, number);
        self.refresh(source, call);
        if let Some(report) = &end.report {
            self.tell(source, Some(&owner), call, What::Reported(text::report(report)));
        }
        let is_due = !tenant.suspended && remainder.is_next_due(end.result, self.now.seconds());
        let due = if is_due { &*remainder.rest } else { &[] };
        // A call that was answered can't be rejected any more: where nothing can be done, it ends.
        let doable =
            |step: &Step| !matches!(step, Step::Reject { .. }) && self.resolve(&owner, call, step).is_some();
        match due.iter().position(doable) {
            Some(first) => {
                let Taken { answer, decided } = self.take_step(source, &owner, call, &due[first..])?;
                self.tell(source, Some(&owner), call, What::Continued(Some(decided)));
                Ok(answer)
            }
            None => {
                if is_due {
                    self.tell(source, Some(&owner), call, What::Continued(None));
                }
                let location = self.location(&owner, None);
                let reply =
                    Reply { call, location: &location, action: Action::Hangup, after: None, fallback: None };
                Ok(Answer::document(Outcome::Answered, self.endpoint.provider.render(&reply)))
            }
        }
    }

    /// A location as it stands now.
    pub(super) fn location<'o>(
        &'o self,
        owner: &'o Owner<'a>,
        agent: Option<&'o AgentRecord>,
    ) -> Location<'o> {
        let (tenant, number) = ((owner.tenant_id, owner.tenant), (owner.number, owner.place.as_ref()));
        self.snapshot.location(owner.called, number, tenant, agent, self.now.seconds())
    }

    fn status(
        &self,
        source: &Source<'a>,
        call: Option<&InboundCall<'_>>,
        status: &'static str,
        report: &Report<'_>,
    ) -> Answer {
        let labels = [self.endpoint.provider.name(), status];
        self.router.metrics.call_statuses.with_label_values(&labels).inc();
        let owner = call.filter(|call| call.names_number()).map(|call| self.owner(source, call));
        let known = owner.as_ref().and_then(|owner| owner.as_ref().ok());
        // A conversation's every word would be an event otherwise.
        if let Some(call) = call.filter(|_| !report.is_idle()) {
            self.tell(source, known, call, What::Reported(text::report(report)));
        }
        match (call, report.progress) {
            // The end of a leg that was dialled for a call isn't the call's.
            (Some(call), Progress::Ended(_)) if !report.is_outbound => self.end(source, known, call),
            (Some(call), _) => self.refresh(source, call),
            (None, _) => {}
        }
        self.acknowledged(owner.and_then(Result::err))
    }

    /// The end of a call, whichever router counts it.
    fn end(&self, source: &Source<'a>, owner: Option<&Owner<'_>>, call: &InboundCall<'_>) {
        let live = &self.router.live;
        let has_limit = owner.is_some_and(|owner| owner.limited().is_any());
        if has_limit || !live.is_empty() {
            live.end(CallKey::of(source.account_id, &call.call_id), has_limit, self.now);
        }
    }

    /// A sign of life of a call, which counts on if it is counted.
    fn refresh(&self, source: &Source<'a>, call: &InboundCall<'_>) {
        if !self.router.live.is_empty() {
            self.router.live.refresh(CallKey::of(source.account_id, &call.call_id), self.now);
        }
    }

    /// A text message: what its location says is sent back and passed on, where its calls are routed.
    fn answer_message(&self, source: &Source<'a>, message: &InboundCall<'_>) -> Answer {
        let (provider, kind) = (self.endpoint.provider, self.endpoint.kind);
        let owner = self.active_owner(source, message);
        self.tell(source, owner.as_ref().ok(), message, What::Message);
        let owner = match owner {
            Ok(owner) => owner,
            Err(refused) => return Answer::document(refused.outcome, provider.acknowledge(kind)),
        };
        let own = owner.number.and_then(Number::sms);
        let platform = self.snapshot.platform().map(|platform| &platform.sms);
        let scopes = [own.as_ref(), Some(&owner.tenant.about.sms), platform];
        let is_open = self.location(&owner, None).open().open;
        let message = &*owner.complete(message);
        let answer = MessageAnswer::of(scopes, is_open, message);
        Answer::document(Outcome::Answered, provider.answer_message(kind, message, &answer))
    }

    /// An event: nothing is decided, so the answer is the same whether the number is known or not; the outcome tells.
    /// One that doesn't say which number was called is about no unknown one.
    fn acknowledge(&self, source: &Source<'a>, call: Option<&InboundCall<'_>>) -> Answer {
        let call = call.filter(|call| call.names_number());
        self.acknowledged(call.and_then(|call| self.owner(source, call).err()))
    }

    fn acknowledged(&self, refused: Option<Answer>) -> Answer {
        let outcome = refused.map_or(Outcome::Answered, |refused| refused.outcome);
        Answer::document(outcome, self.endpoint.provider.acknowledge(self.endpoint.kind))
    }

    /// Sends what the provider wants said to its API instead of in the answer.
    fn send(&self, source: &Source<'a>, answer: &Answer) {
        if answer.rendered.commands.is_empty() {
            return;
        }
        if let (Some(api), Some(authorization)) =
            (self.endpoint.provider.api(), source.account.verifier.authorization())
        {
            self.router.outbound.send(&api, authorization, answer.rendered.commands.clone());
        }
    }

    pub(super) fn refuse(&self, call: &InboundCall<'_>, refusal: Refusal) -> Answer {
        let rendered = self.endpoint.provider.refuse(self.endpoint.kind, call, refusal);
        Answer::document(refusal.into(), rendered)
    }
}

/// How long a person may take to answer a transferred call.
const TRANSFER_TIMEOUT_S: u16 = 30;

/// The account whose webhook it is.
pub struct Source<'a> {
    pub account_id: AccountId,
    pub account: &'a Account,
}

/// The first address that a chain rings.
pub fn first_dialable(chain: &[Step]) -> Option<&Dialable> {
    chain.iter().find_map(|step| match step {
        Step::Forward { to, .. } => Some(to),
        Step::Ring { to, .. } => to.first(),
        _ => None,
    })
}
