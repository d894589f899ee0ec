//! Agents at ElevenLabs, and numbers led to them.
//!
//! No webhook chooses the agent of a call: a number has the one that it is linked to, and is answered by nobody without.

mod document;
mod import;

use http::Method;
use serde_json::{Value, json};

use super::api::{self, APIS};
use super::listing;
use super::numbers::{phone_number, workspace};
use crate::provider::Api;
use crate::rest::agents::{AgentSpec, Agents, HostedAgent, Import, Link};
use crate::rest::numbers::{Held, Webhooks};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Request};

const PATH: &str = "/v1/convai/agents";

/// The way to them.
pub struct ElevenLabsAgents;

impl Agents for ElevenLabsAgents {
    fn apis(&self) -> &'static [Api] {
        APIS
    }

    fn asks(&self) -> bool {
        false
    }

    fn create(&self, account: &Account<'_>, agent: &AgentSpec) -> Result<Exchange<String>, Fault> {
        let path = format!("{PATH}/create");
        let request = api::request(account, "elevenlabs.agents.create", Method::POST, path)?;
        let request = request.json(&document::of(account, agent)?);
        Ok(Exchange::last(request, |reply| api::named(&reply, "agent_id")))
    }

    fn named(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Vec<HostedAgent>>, Fault> {
        let list =
            api::request(account, "elevenlabs.agents.named", Method::GET, PATH)?.query([("search", name)]);
        let found = listing::having(list, "agents", "name", name.to_owned());
        let name = name.to_owned();
        Ok(found.map(move |agents| {
            let ids = agents.iter().filter_map(|agent| agent.get("agent_id")?.as_str());
            ids.map(|id| HostedAgent { id: id.to_owned(), name: name.clone() }).collect()
        }))
    }

    fn update(&self, account: &Account<'_>, id: &str, agent: &AgentSpec) -> Result<Exchange<()>, Fault> {
        let request = one(account, "elevenlabs.agents.update", Method::PATCH, id)?;
        let id = id.to_owned();
        Ok(Exchange::last(request.json(&document::of(account, agent)?), move |reply| {
            let updated = api::named(&reply, "agent_id")?;
            if updated == id { Ok(()) } else { Err(Fault::unclear("an answer that names another agent")) }
        }))
    }

    fn delete(&self, account: &Account<'_>, id: &str) -> Result<Exchange<()>, Fault> {
        let request = one(account, "elevenlabs.agents.delete", Method::DELETE, id)?;
        Ok(Exchange::last(request, |reply| api::gone(&reply)))
    }

    fn import(&self, account: &Account<'_>, import: &Import) -> Result<Exchange<Held>, Fault> {
        import::exchange(account, import)
    }

    fn link(
        &self,
        account: &Account<'_>,
        number_id: &str,
        link: &Link,
        _webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let request = phone_number::one(account, "elevenlabs.agents.link", Method::PATCH, number_id)?;
        let linked = Exchange::last(request.json(&linked(link)), phone_number::the_one(number_id));
        Ok(workspace::beside(linked, workspace::look(account)?))
    }

    fn forget(&self, account: &Account<'_>, number_id: &str) -> Result<Exchange<()>, Fault> {
        let request = phone_number::one(account, "elevenlabs.agents.forget", Method::DELETE, number_id)?;
        Ok(Exchange::last(request, |reply| api::gone(&reply)))
    }
}

fn one(account: &Account<'_>, operation: &'static str, method: Method, id: &str) -> Result<Request, Fault> {
    api::request(account, operation, method, format!("{PATH}/{}", segment(id)))
}

/// The agent that answers: nobody is asked which.
fn agent_of(link: &Link) -> Option<&str> {
    match link {
        Link::Agent(id) => Some(id),
        Link::Ask { or } => or.as_deref(),
        Link::None => None,
    }
}

/// What is set on a number so that `link` answers it.
fn linked(link: &Link) -> Value {
    json!({"agent_id": agent_of(link)})
}

#[cfg(test)]
mod tests;
