//! Numbers led to agents at LiveKit: an inbound trunk lets their calls in, a dispatch rule says who answers.
//!
//! LiveKit's agents are programs that people deploy; an agent's id is the name under which it registers. A number's id is
//! the number itself. Trunk and rule are found again by their name; those of other names are never changed.

mod rule;
mod trunk;

use serde_json::{Map, Value};

use super::api::{APIS, Session};
use crate::e164::E164;
use crate::provider::Api;
use crate::rest::agents::{AgentSpec, Agents, Carrier, HostedAgent, Import, Link};
use crate::rest::numbers::{Held, HeldState, Webhooks};
use crate::rest::{Account, Exchange, Fault, Step};

/// The way to them.
pub struct LiveKitAgents;

impl Agents for LiveKitAgents {
    fn apis(&self) -> &'static [Api] {
        APIS
    }

    fn asks(&self) -> bool {
        false
    }

    fn create(&self, _account: &Account<'_>, _agent: &AgentSpec) -> Result<Exchange<String>, Fault> {
        Err(agents_are_programs())
    }

    fn named(&self, _account: &Account<'_>, _name: &str) -> Result<Exchange<Vec<HostedAgent>>, Fault> {
        Err(agents_are_programs())
    }

    fn update(&self, _account: &Account<'_>, _id: &str, _agent: &AgentSpec) -> Result<Exchange<()>, Fault> {
        Err(agents_are_programs())
    }

    fn delete(&self, _account: &Account<'_>, _id: &str) -> Result<Exchange<()>, Fault> {
        Err(agents_are_programs())
    }

    fn import(&self, account: &Account<'_>, import: &Import) -> Result<Exchange<Held>, Fault> {
        let Carrier::Trunk { address, .. } = &import.carrier else {
            let reason = "LiveKit takes numbers by SIP trunk alone, not by Twilio's credentials: make an elastic SIP \
                          trunk for it at Twilio";
            return Err(Fault::elsewhere("carrier_unsupported", reason));
        };
        Ok(led(Session::of(account)?, import.number, Some(address), &import.link))
    }

    /// LiveKit asks nobody for a call: the agent that stands in for us answers it.
    fn link(
        &self,
        account: &Account<'_>,
        number_id: &str,
        link: &Link,
        _webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        Ok(led(Session::of(account)?, number(number_id)?, None, link))
    }

    /// The rule and the trunk that were made for it.
    fn forget(&self, account: &Account<'_>, number_id: &str) -> Result<Exchange<()>, Fault> {
        let (session, number) = (Session::of(account)?, number(number_id)?);
        let trunk = trunk::forget(session.clone(), number);
        Ok(rule::forget(session, number).then(|()| Ok(Step::Next(trunk))))
    }
}

fn agents_are_programs() -> Fault {
    let reason = "LiveKit's agents are programs: deploy it there, and give the name under which it registers as the \
                  agent's id";
    Fault::stop("agents_are_programs", reason)
}

fn number(id: &str) -> Result<E164, Fault> {
    id.parse().map_err(|_| {
        Fault::stop("number_invalid", "a number's id at LiveKit is the number, in the form E.164")
    })
}

/// What trunk and rule of a number are called.
fn ours(number: E164) -> String {
    format!("dialplane {number}")
}

/// The number, with its trunk, and the rule that leads it to who answers.
fn led(session: Session, number: E164, address: Option<&str>, link: &Link) -> Exchange<Held> {
    let agent = match link {
        Link::Agent(id) => Some(id.clone()),
        Link::Ask { or } => or.clone(),
        Link::None => None,
    };
    trunk::ensure(&session, number, address).then(move |trunk_id| {
        let rule = match &agent {
            Some(agent) => rule::ensure(session, number, &trunk_id, agent).map(Some),
            None => rule::forget(session, number).map(|()| None),
        };
        Ok(Step::Next(rule.map(move |rule_id| held(number, trunk_id, rule_id, agent))))
    })
}

fn held(number: E164, trunk_id: String, rule_id: Option<String>, agent_id: Option<String>) -> Held {
    let mut setup = Map::new();
    setup.insert("sip_trunk_id".to_owned(), trunk_id.into());
    setup.insert("sip_dispatch_rule_id".to_owned(), rule_id.map_or(Value::Null, Value::from));
    Held {
        id: number.to_string(),
        number: Some(number),
        sip_uri: None,
        name: ours(number),
        state: HeldState::Active,
        setup,
        agent_id,
        is_free: false,
    }
}

#[cfg(test)]
mod tests;
