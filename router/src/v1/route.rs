//! `POST /v1/route`: what is to be done with a call, the whole chain at once.
//!
//! ```text
//! {"to": "+12125550001", "from": "+15105550198", "call_id": "a84b4c76e66710"}
//! {"outcome": "answered", "call_id": …, "tenant_id": …, "phone_number_id": …, "revision": 42,
//!  "rule": {"scope": "number", "index": 0},
//!  "route": [{"action": "agent", "agent_id": …, "agent": {"target": {"type": "sip", "uri": "sip:…"}, …}},
//!            {"action": "forward", "to": "+12025550147", "timeout_seconds": 20}]}
//! ```
//!
//! A call that isn't routed has an outcome that says why, and a route that rejects it.

use dialplane_common::call::{self, Caller};
use dialplane_common::calls::event::{CallEvent, Decided, OWN_API, What};
use dialplane_common::feed::record::TokenHolder;
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use dialplane_common::provider::reply::Refusal;
use dialplane_common::route::{Decision, Facts, Step, choose, decide};
use dialplane_common::time::UnixMillis;
use dialplane_common::wire::StepView;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::sees;
use crate::events::{Events, text};
use crate::live::{Limited, LiveCallCounts};
use crate::outcome::Outcome;
use crate::snapshot::{Number, Snapshot, Tenant};
use crate::webhook::tell;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    to: String,
    #[serde(default)]
    from: Option<String>,
    call_id: String,
}

#[derive(Serialize)]
struct Response<'a> {
    outcome: &'static str,
    call_id: &'a str,
    tenant_id: Option<TenantId>,
    phone_number_id: Option<PhoneNumberId>,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleView>,
    route: Vec<StepView<'a>>,
}

#[derive(Serialize)]
struct RuleView {
    scope: &'static str,
    index: Option<usize>,
}

pub(super) fn answer(
    (live, events): (&LiveCallCounts, &Events),
    snapshot: &Snapshot,
    asker: TokenHolder,
    body: &[u8],
    now: UnixMillis,
) -> Result<Vec<u8>, Problem> {
    if matches!(asker, TokenHolder::Agent(..)) {
        return Err(Problem::Forbidden);
    }
    let request: Request = serde_json::from_slice(body).map_err(|error| {
        Problem::Malformed(format!("wanted {{\"to\", \"from\", \"call_id\"}} as JSON: {error}"))
    })?;
    for (name, text) in [("to", &request.to), ("call_id", &request.call_id)] {
        if text.is_empty() || text.len() > 512 {
            return Err(Problem::Malformed(format!("{name}: wanted 1 to 512 bytes")));
        }
    }
    let mut response = Response {
        outcome: Outcome::Answered.label(),
        call_id: &request.call_id,
        tenant_id: None,
        phone_number_id: None,
        revision: snapshot.revision().0,
        rule: None,
        route: Vec::new(),
    };
    let what = match owner(snapshot, asker, &request.to) {
        Ok((tenant_id, tenant, number)) => {
            response.tenant_id = Some(tenant_id);
            response.phone_number_id = number.map(Number::id);
            let limited = Limited::of(tenant_id, tenant, number);
            let facts = Facts {
                caller: Caller::from_text(request.from.as_deref().unwrap_or_default()),
                call_id: &request.call_id,
                now: now.seconds(),
                live: &live.limits(limited, None),
            };
            let decision = decide(&snapshot.subject(number, tenant), &facts);
            response.rule = Some(RuleView { scope: decision.scope.name(), index: decision.rule });
            let own = number.and_then(Number::agent_id);
            let view = |step| view(snapshot, tenant_id, own, &request.call_id, step);
            response.route = decision.chain.iter().filter_map(view).map(|(view, _)| view).collect();
            let first = decision.chain.iter().find_map(|step| Some((step, view(step)?.1)));
            match first {
                Some((step, agent)) => Some(offered(&decision, step, agent)),
                None => response.refuse(Refusal::NoRoute),
            }
        }
        Err(refusal) => response.refuse(refusal),
    };
    if let Some(what) = what {
        tell(events, &request, &response, asker, now, what);
    }
    serde_json::to_vec(&response).map_err(|error| Problem::Malformed(error.to_string()))
}

impl Response<'_> {
    /// Rejects the call, and says what is told of that.
    fn refuse(&mut self, refusal: Refusal) -> Option<What<'static>> {
        let outcome = Outcome::from(refusal);
        self.outcome = outcome.label();
        self.route = vec![StepView::reject(refusal.is_busy())];
        tell::refused(outcome).map(What::Refused)
    }
}

fn offered(decision: &Decision<'_>, step: &Step, agent: Option<AgentId>) -> What<'static> {
    let is_closed = decision.open.is_some_and(|state| !state.open);
    let is_over_limit = decision.is_over_limit;
    What::Offered(Decided { is_closed, is_over_limit, ..tell::decided(step, agent) })
}

/// Tells the admin plane of the call. Whoever asked is its account: call ids of different tenants stay apart.
fn tell(
    events: &Events,
    request: &Request,
    response: &Response<'_>,
    asker: TokenHolder,
    now: UnixMillis,
    what: What<'_>,
) {
    let account = match asker {
        TokenHolder::Operator => AccountId(uuid::Uuid::nil()),
        TokenHolder::Tenant(tenant) | TokenHolder::Agent(tenant, _) => AccountId(tenant.0),
    };
    events.offer(&CallEvent {
        at_ms: now.0,
        provider: OWN_API.into(),
        account,
        tenant: response.tenant_id,
        number: response.phone_number_id,
        call_id: text::call_id(&request.call_id),
        carrier_call_id: None,
        to: text::called(&request.to, call::address(&request.to)),
        from: text::caller(request.from.as_deref().unwrap_or_default()),
        what,
    });
}

/// Whose number it is, among those that whoever asks may know of.
fn owner<'s>(
    snapshot: &'s Snapshot,
    asker: TokenHolder,
    to: &str,
) -> Result<(TenantId, &'s Tenant, Option<Number<'s>>), Refusal> {
    let known = call::address(to).and_then(|number| snapshot.number(number));
    let tenant_id = match known {
        Some(number) => number.tenant_id(),
        None => snapshot.unknown_numbers().ok_or(Refusal::UnknownNumber)?,
    };
    if !sees(asker, tenant_id) {
        return Err(Refusal::UnknownNumber);
    }
    let tenant = snapshot.tenant(tenant_id).ok_or(Refusal::NoRoute)?;
    if tenant.suspended {
        return Err(Refusal::SuspendedTenant);
    }
    if known.is_some_and(|number| !number.active()) {
        return Err(Refusal::InactiveNumber);
    }
    Ok((tenant_id, tenant, known))
}

/// A step with its agent found, and who that is; `None` when it has none.
fn view<'s>(
    snapshot: &'s Snapshot,
    tenant: TenantId,
    own: Option<AgentId>,
    call_id: &str,
    step: &'s Step,
) -> Option<(StepView<'s>, Option<AgentId>)> {
    let (id, version) = match step {
        Step::Agent { agent } => (agent.or(own)?, None),
        Step::Split { agents } => {
            let share = choose(agents, call_id)?;
            (share.agent, share.version.as_deref())
        }
        other => return Some((StepView::of(other), None)),
    };
    Some((StepView::agent(id, snapshot.agent(tenant, id)?, version), Some(id)))
}
