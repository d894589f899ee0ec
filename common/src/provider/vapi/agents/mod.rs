//! Assistants at Vapi, and numbers led to them.

mod document;
mod import;
mod language;

use http::Method;
use serde_json::{Value, json};

use super::api::{self, APIS, Object};
use super::numbers::{one, phone_number, the_one};
use super::{listing, server};
use crate::provider::Api;
use crate::rest::agents::{AgentSpec, Agents, HostedAgent, Import, Link};
use crate::rest::numbers::{Held, Webhooks};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Step};

const PATH: &str = "/assistant";

/// The way to them.
pub struct VapiAgents;

impl Agents for VapiAgents {
    fn apis(&self) -> &'static [Api] {
        APIS
    }

    fn asks(&self) -> bool {
        true
    }

    fn create(&self, account: &Account<'_>, agent: &AgentSpec) -> Result<Exchange<String>, Fault> {
        let body = document::without_nulls(document::of(account, agent)?);
        let request = api::request(account, "vapi.agents.create", Method::POST, PATH)?.json(&body);
        Ok(Exchange::last(request, |reply| {
            let made = hosted(&api::object(&reply)?);
            made.map(|agent| agent.id).ok_or_else(|| Fault::unclear("an answer that names no assistant"))
        }))
    }

    fn named(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Vec<HostedAgent>>, Fault> {
        let list = api::request(account, "vapi.agents.named", Method::GET, PATH)?;
        let named = listing::named(list, name.to_owned());
        Ok(named.map(|records| records.iter().filter_map(hosted).collect()))
    }

    fn update(&self, account: &Account<'_>, id: &str, agent: &AgentSpec) -> Result<Exchange<()>, Fault> {
        let path = format!("{PATH}/{}", segment(id));
        let request = api::request(account, "vapi.agents.update", Method::PATCH, path)?;
        let request = request.json(&document::of(account, agent)?);
        let id = id.to_owned();
        Ok(Exchange::last(request, move |reply| match hosted(&api::object(&reply)?) {
            Some(agent) if agent.id == id => Ok(()),
            _ => Err(Fault::unclear("an answer that names another assistant")),
        }))
    }

    fn delete(&self, account: &Account<'_>, id: &str) -> Result<Exchange<()>, Fault> {
        let path = format!("{PATH}/{}", segment(id));
        let request = api::request(account, "vapi.agents.delete", Method::DELETE, path)?;
        Ok(Exchange::last(request, |reply| api::gone(&reply)))
    }

    fn import(&self, account: &Account<'_>, import: &Import) -> Result<Exchange<Held>, Fault> {
        import::exchange(account, import)
    }

    /// Vapi asks us where no assistant is linked, so [`Link::Ask`]'s agent can't stand beside: where we don't answer,
    /// the number's fallback is called.
    fn link(
        &self,
        account: &Account<'_>,
        number_id: &str,
        link: &Link,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let body = linked(account, link, webhooks)?;
        let request = one(account, "vapi.agents.link", Method::PATCH, number_id)?.json(&body);
        Ok(Exchange::last(request, the_one(number_id)))
    }

    /// Looks first whose number it is: to forget one that Vapi gave would be to lose it.
    fn forget(&self, account: &Account<'_>, number_id: &str) -> Result<Exchange<()>, Fault> {
        let look = one(account, "vapi.agents.forget", Method::GET, number_id)?;
        let delete = one(account, "vapi.agents.forget", Method::DELETE, number_id)?;
        Ok(Exchange::new(look, move |reply| {
            let record = match api::object(&reply) {
                Ok(record) => record,
                Err(Fault::Gone { .. }) => return Ok(Step::Done(())),
                Err(fault) => return Err(fault),
            };
            match record.get("provider").and_then(Value::as_str) {
                Some(phone_number::OWN) => {
                    Err(Fault::stop("not_imported", "Vapi gave this number: it is released, not forgotten"))
                }
                Some(_) => Ok(Step::Next(Exchange::last(delete, |reply| api::gone(&reply)))),
                None => Err(Fault::unclear("an answer that doesn't say whose the number is")),
            }
        }))
    }
}

/// What is set on a number so that `link` answers it.
pub fn linked(account: &Account<'_>, link: &Link, webhooks: &Webhooks) -> Result<Value, Fault> {
    if matches!(link, Link::Ask { .. }) {
        return phone_number::pointed_here(account, webhooks);
    }
    let (assistant, server) = match link {
        Link::Agent(id) => (Value::from(id.as_str()), server::ours(account, webhooks)?),
        Link::Ask { .. } | Link::None => (Value::Null, Value::Null),
    };
    Ok(json!({
        "assistantId": assistant, "squadId": null, "workflowId": null, "server": server,
        "fallbackDestination": phone_number::fallback(webhooks),
    }))
}

/// The assistant of a record; `None` when it has no id.
fn hosted(record: &Object) -> Option<HostedAgent> {
    let text = |field: &str| record.get(field).and_then(Value::as_str);
    let id = text("id").filter(|id| !id.is_empty())?.to_owned();
    Some(HostedAgent { id, name: text("name").unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests;
