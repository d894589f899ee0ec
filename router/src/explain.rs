//! Why a call goes where it goes, without a call.

use dialplane_common::call::{self, Caller};
use dialplane_common::feed::record::{AgentRecord, AgentTarget};
use dialplane_common::ids::AgentId;
use dialplane_common::route::{Decision, Dialable, OpenReason, Prompt, Scope, Step, decide};
use dialplane_common::time::UnixSeconds;
use serde::Serialize;
use serde_json::{Value, json};

use crate::outcome::Outcome;
use crate::snapshot::{Number, Snapshot};

/// A call that nobody makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The called address.
    pub to: String,
    /// The caller; absent: one who withholds the number.
    pub from: Option<String>,
    /// When.
    pub at: UnixSeconds,
}

/// The explanation.
#[derive(Debug, Serialize)]
pub struct Explanation {
    revision: u64,
    epoch: String,
    to: String,
    from: String,
    at: String,
    outcome: &'static str,
    why: String,
    phone_number: Value,
    tenant: Value,
    open: Value,
    rule: Value,
    steps: Vec<Value>,
}

/// Explains what the snapshot says of a call.
#[must_use]
pub fn explain(snapshot: &Snapshot, question: &Question) -> Explanation {
    let serving = snapshot.serving();
    let caller = Caller::from_text(question.from.as_deref().unwrap_or_default());
    let at = jiff::Timestamp::from_second(question.at.0).map(|at| at.to_string()).unwrap_or_default();
    let mut explanation = Explanation {
        revision: serving.revision.0,
        epoch: serving.epoch.to_string(),
        to: question.to.clone(),
        from: question.from.clone().unwrap_or_else(|| "withheld".into()),
        at,
        outcome: Outcome::Answered.label(),
        why: String::new(),
        phone_number: Value::Null,
        tenant: Value::Null,
        open: Value::Null,
        rule: Value::Null,
        steps: Vec::new(),
    };
    let number = call::address(&question.to).and_then(|number| snapshot.number(number));
    let tenant_id = match number {
        Some(number) => number.tenant_id,
        None => match snapshot.unknown_numbers() {
            Some(tenant) => tenant,
            None => return explanation.end(Outcome::UnknownNumber, "nobody has this number"),
        },
    };
    explanation.phone_number = number.map_or(Value::Null, describe_number);
    let Some(tenant) = snapshot.tenant(tenant_id) else {
        return explanation.end(Outcome::NoRoute, "the number's tenant isn't in this snapshot");
    };
    explanation.tenant = json!({
        "id": tenant_id,
        "name": tenant.names.name,
        "suspended": tenant.suspended,
        "timezone": tenant.names.timezone,
    });
    if tenant.suspended {
        return explanation.end(Outcome::SuspendedTenant, "the tenant is suspended");
    }
    if number.is_some_and(|number| !number.active) {
        return explanation.end(Outcome::InactiveNumber, "the number isn't active");
    }
    let subject = snapshot.subject(number, tenant);
    let decision = decide(&subject, caller, question.at);
    explanation.decided(&decision);
    let agent = |id| snapshot.agent(tenant_id, id);
    let own = number.and_then(|number| number.agent_id);
    let possible = decision.chain.iter().map(|step| match step {
        Step::Agent { agent: named } => named.or(own).is_some_and(|id| agent(id).is_some()),
        _ => true,
    });
    explanation.steps = decision
        .chain
        .iter()
        .zip(possible.clone())
        .map(|(step, possible)| {
            let agent = match step {
                Step::Agent { agent: named } => named.or(own).and_then(|id| Some((id, agent(id)?))),
                _ => None,
            };
            json!({ "step": describe_step(step), "possible": possible, "agent": agent.map(describe_agent) })
        })
        .collect();
    if possible.clone().any(|possible| possible) {
        explanation
    } else if decision.chain.is_empty() {
        explanation.end(Outcome::NoRoute, "no rule holds")
    } else {
        explanation.end(Outcome::NoRoute, "the rule wants an agent, and there is none")
    }
}

/// A step in the words of the API.
fn describe_step(step: &Step) -> Value {
    let address = |to: &Dialable| match to {
        Dialable::Number(number) => number.to_string(),
        Dialable::Sip(uri) => uri.clone(),
    };
    let heard = |prompt: &Prompt| match prompt {
        Prompt::Say { text, language } => json!({ "say": text, "language": language }),
        Prompt::Play { url } => json!({ "play": url }),
    };
    match step {
        Step::Agent { agent } => json!({ "action": "agent", "agent_id": agent }),
        Step::Forward { to, timeout_s } => {
            json!({ "action": "forward", "to": address(to), "timeout_seconds": timeout_s })
        }
        Step::Ring { to, timeout_s } => {
            let to: Vec<_> = to.iter().map(address).collect();
            json!({ "action": "ring", "to": to, "timeout_seconds": timeout_s })
        }
        Step::Voicemail { prompt, length_max_s } => {
            json!({ "action": "voicemail", "prompt": heard(prompt), "max_seconds": length_max_s })
        }
        Step::Message { prompt } => json!({ "action": "message", "prompt": heard(prompt) }),
        Step::Reject { busy } => {
            json!({ "action": "reject", "reason": if *busy { "busy" } else { "rejected" } })
        }
        Step::Redirect { url } => json!({ "action": "redirect", "url": url }),
    }
}

fn describe_agent((id, agent): (AgentId, &AgentRecord)) -> Value {
    let target = match &agent.target {
        AgentTarget::Stream { url } => json!({ "type": "stream", "url": url }),
        AgentTarget::Sip { uri } => json!({ "type": "sip", "uri": uri }),
        AgentTarget::Redirect { url } => json!({ "type": "redirect", "url": url }),
    };
    json!({ "id": id, "name": agent.name, "language": agent.language, "target": target })
}

fn describe_number(number: &Number) -> Value {
    json!({
        "id": number.id,
        "display_name": number.names.as_ref().map(|names| &names.display_name),
        "active": number.active,
        "timezone": number.names.as_ref().and_then(|names| names.timezone.as_ref()),
        "agent_id": number.agent_id,
        "account_ids": number.accounts(),
    })
}

impl Explanation {
    fn end(mut self, outcome: Outcome, why: &str) -> Self {
        self.outcome = outcome.label();
        why.clone_into(&mut self.why);
        self
    }

    fn decided(&mut self, decision: &Decision<'_>) {
        let scope = match decision.scope {
            Scope::Number => "number",
            Scope::Tenant => "tenant",
            Scope::Platform => "platform",
            Scope::Builtin => "builtin",
        };
        self.why = match (decision.scope, decision.rule) {
            (Scope::Builtin, _) => "nobody set rules, so the number's agent answers".to_owned(),
            (_, Some(index)) => format!("rule {index} of the {scope}'s list is the first that holds"),
            (_, None) => format!("no rule of the {scope}'s list holds"),
        };
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
