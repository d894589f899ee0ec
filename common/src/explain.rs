//! Why a call goes where it goes, without a call. Whoever asks brings what is known: the router its snapshot, the admin
//! plane the records that it last wrote.

use serde::Serialize;
use serde_json::{Value, json};

use crate::call::Caller;
use crate::feed::record::AgentRecord;
use crate::feed::{Epoch, Revision};
use crate::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use crate::route::{
    Decision, Facts, LiveCalls, OpenReason, Part, Scope, Step, Subject, choose, decide, failing,
};
use crate::time::UnixSeconds;
use crate::wire::{AgentView, StepView};

/// A call that nobody makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The called address.
    pub to: String,
    /// The caller; absent: one who withholds the number.
    pub from: Option<String>,
    /// When.
    pub at: UnixSeconds,
    /// The provider's name of the call, on which shares of the calls depend.
    pub call_id: Option<String>,
}

/// What is known of the called number.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The number; absent when nobody has it.
    pub number: Option<KnownNumber<'a>>,
    /// Whose call it is; absent: nobody's.
    pub tenant: Option<KnownTenant<'a>>,
    /// The agents of the tenant.
    pub agent: &'a dyn Fn(AgentId) -> Option<&'a AgentRecord>,
    /// The calls under way.
    pub live: &'a dyn LiveCalls,
}

/// What is known of a number.
#[derive(Clone, Copy, Debug)]
pub struct KnownNumber<'a> {
    /// Its id.
    pub id: PhoneNumberId,
    /// The location's name.
    pub display_name: &'a str,
    /// Whether its calls are routed.
    pub active: bool,
    /// Its own time zone.
    pub timezone: Option<&'a str>,
    /// Whoever answers where a rule names nobody.
    pub agent_id: Option<AgentId>,
    /// The accounts whose webhooks may speak of it.
    pub accounts: &'a [AccountId],
}

/// What is known of a tenant, and what decides about its calls.
#[derive(Clone, Copy, Debug)]
pub struct KnownTenant<'a> {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: &'a str,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Its time zone.
    pub timezone: &'a str,
    /// What decides.
    pub subject: Subject<'a>,
}

/// The explanation.
#[derive(Debug, Serialize)]
pub struct Explanation {
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    to: String,
    from: String,
    at: String,
    outcome: &'static str,
    why: String,
    phone_number: Value,
    tenant: Value,
    open: Value,
    rule: Value,
    rules_before: Vec<Value>,
    /// A limit of calls at a time is reached.
    is_over_limit: bool,
    steps: Vec<Value>,
}

/// Explains what is done with a call. A carrier may lack a way for a step; that is the carrier's page's to say.
#[must_use]
pub fn explain(known: &Known<'_>, question: &Question) -> Explanation {
    let mut explanation = Explanation::of(question);
    explanation.phone_number = known.number.map_or(Value::Null, describe_number);
    let Some(tenant) = known.tenant else {
        return match known.number {
            None => explanation.end("unknown_number", "nobody has this number"),
            Some(_) => explanation.end("no_route", "the number's tenant isn't known"),
        };
    };
    explanation.tenant = json!({
        "id": tenant.id,
        "name": tenant.name,
        "suspended": tenant.suspended,
        "timezone": tenant.timezone,
    });
    if tenant.suspended {
        return explanation.end("suspended_tenant", "the tenant is suspended");
    }
    if known.number.is_some_and(|number| !number.active) {
        return explanation.end("inactive_number", "the number isn't active");
    }
    let caller = Caller::from_text(question.from.as_deref().unwrap_or_default());
    let call_id = question.call_id.as_deref().unwrap_or_default();
    let facts = Facts { caller, call_id, now: question.at, live: known.live };
    let decision = decide(&tenant.subject, &facts);
    explanation.decided(&tenant.subject, &facts, &decision);
    let own = known.number.and_then(|number| number.agent_id);
    let reached = |step: &Step| match step {
        Step::Agent { agent } => Some(agent.or(own)),
        Step::Split { agents } => Some(choose(agents, call_id).map(|share| share.agent)),
        _ => None,
    };
    let mut any_possible = false;
    for step in decision.chain {
        let agent = reached(step).map(|id| id.and_then(|id| Some((id, (known.agent)(id)?))));
        let possible = agent.is_none_or(|agent| agent.is_some());
        any_possible |= possible;
        let agent = agent.flatten().map(|(id, record)| AgentView::of(id, record));
        explanation.steps.push(json!({ "step": StepView::of(step), "possible": possible, "agent": agent }));
    }
    if any_possible {
        explanation
    } else if decision.chain.is_empty() {
        explanation.end("no_route", "no rule holds")
    } else {
        explanation.end("no_route", "the rule wants an agent, and there is none")
    }
}

fn describe_number(number: KnownNumber<'_>) -> Value {
    json!({
        "id": number.id,
        "display_name": number.display_name,
        "active": number.active,
        "timezone": number.timezone,
        "agent_id": number.agent_id,
        "account_ids": number.accounts,
    })
}

impl Explanation {
    /// Says from which state of the routing data it is, and of which life of the feed, where that is known.
    #[must_use]
    pub fn at_revision(mut self, revision: Revision, epoch: Option<Epoch>) -> Self {
        self.revision = revision.0;
        self.epoch = epoch.map(|epoch| epoch.to_string());
        self
    }

    fn of(question: &Question) -> Self {
        Self {
            revision: 0,
            epoch: None,
            to: question.to.clone(),
            from: question.from.clone().unwrap_or_else(|| "withheld".into()),
            at: jiff::Timestamp::from_second(question.at.0).map(|at| at.to_string()).unwrap_or_default(),
            outcome: "answered",
            why: String::new(),
            phone_number: Value::Null,
            tenant: Value::Null,
            open: Value::Null,
            rule: Value::Null,
            rules_before: Vec::new(),
            is_over_limit: false,
            steps: Vec::new(),
        }
    }

    fn end(mut self, outcome: &'static str, why: &str) -> Self {
        self.outcome = outcome;
        why.clone_into(&mut self.why);
        self
    }

    fn decided(&mut self, subject: &Subject<'_>, facts: &Facts<'_>, decision: &Decision<'_>) {
        let scope = decision.scope.name();
        let why = match (decision.scope, decision.rule) {
            (Scope::Builtin, _) => "nobody set rules, so the number's agent answers".to_owned(),
            (_, Some(index)) => format!("rule {index} of the {scope}'s list is the first that holds"),
            (_, None) => format!("no rule of the {scope}'s list holds"),
        };
        self.why = match decision.limit {
            None => why,
            Some(Scope::Builtin) => {
                format!("{why}; but a limit of calls at a time is reached, so the caller hears busy")
            }
            Some(limit) => {
                let limit = limit.name();
                format!(
                    "{why}; but a limit of calls at a time is reached, so the {limit}'s over_limit is done"
                )
            }
        };
        self.is_over_limit = decision.is_over_limit;
        let rules = subject.rules.into_iter().flatten().next().unwrap_or_default();
        let before = &rules[..decision.rule.unwrap_or(rules.len())];
        self.rules_before = before
            .iter()
            .enumerate()
            .map(|(index, rule)| {
                let failing = failing(&rule.when, subject, facts);
                json!({ "index": index, "why_not": failing.map(why_not) })
            })
            .collect();
        self.rule = json!({ "scope": scope, "index": decision.rule });
        self.open = decision.open.map_or(Value::Null, |state| {
            let reason = match state.reason {
                OpenReason::Unset => "no hours are set",
                OpenReason::Forced => "set by hand",
                OpenReason::Weekly => "the week's hours",
                OpenReason::Holiday => "a holiday",
            };
            json!({ "open": state.open, "holiday": state.holiday, "reason": reason })
        });
    }
}

/// Why a rule doesn't hold.
fn why_not(part: Part) -> &'static str {
    match part {
        Part::Caller => "caller: the caller is none of these",
        Part::NotCaller => "not_caller: the caller is one of these",
        Part::Open => "open: the location is the other",
        Part::Holiday => "holiday: the local date is the other",
        Part::Time => "time: the location's wall time lies outside",
        Part::Share => "share: the call is of another share",
        Part::OverLimit => "over_limit: the limit isn't reached",
    }
}
