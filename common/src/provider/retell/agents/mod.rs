//! Agents at Retell, and numbers led to them.
//!
//! Making one takes three requests: its response engine, the agent, and publishing, as numbers are linked to the version
//! published last. An update goes the same way.

mod document;
mod import;

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::api::{self, APIS};
use super::numbers::phone_number::{one, the_one};
use super::{INBOUND, NAME, listing};
use crate::provider::Api;
use crate::rest::agents::{AgentSpec, Agents, HostedAgent, Import, Link};
use crate::rest::numbers::{Held, Webhooks};
use crate::rest::request::{Effect, segment};
use crate::rest::{Account, Exchange, Fault, Request, Step};

/// The kind of engine that has a prompt.
const LLM: &str = "retell-llm";

/// The way to them.
pub struct RetellAgents;

impl Agents for RetellAgents {
    fn apis(&self) -> &'static [Api] {
        APIS
    }

    fn asks(&self) -> bool {
        true
    }

    fn create(&self, account: &Account<'_>, agent: &AgentSpec) -> Result<Exchange<String>, Fault> {
        let mut document = document::of(account, agent)?;
        let create = post(account, "retell.agents.create", "/create-agent")?;
        let publish = publish(account)?;
        let Some(engine) = document::engine(agent) else {
            return Ok(made(create.json(&document), publish));
        };
        let engine = post(account, "retell.agents.engine", "/create-retell-llm")?.json(&engine);
        Ok(Exchange::new(engine, move |reply| {
            let id = api::named(&reply, "llm_id")?;
            document["response_engine"] = json!({"type": LLM, "llm_id": id});
            Ok(Step::Next(made(create.json(&document), publish)))
        }))
    }

    /// Retell lists each version of an agent.
    fn named(&self, account: &Account<'_>, name: &str) -> Result<Exchange<Vec<HostedAgent>>, Fault> {
        let list = post(account, "retell.agents.named", "/v2/list-agents")?.effect(Effect::Repeatable);
        let at = move |key: Option<&str>| match key {
            Some(key) => list.clone().json(&json!({"limit": listing::PAGE_OBJECTS, "pagination_key": key})),
            None => list.clone().json(&json!({"limit": listing::PAGE_OBJECTS})),
        };
        let found = listing::having(at, "agent_name", name.to_owned());
        let name = name.to_owned();
        Ok(found.map(move |agents| {
            let ids: BTreeSet<&str> =
                agents.iter().filter_map(|agent| agent.get("agent_id")?.as_str()).collect();
            ids.into_iter().map(|id| HostedAgent { id: id.to_owned(), name: name.clone() }).collect()
        }))
    }

    /// Looks first which engine the agent has, to set that as well.
    fn update(&self, account: &Account<'_>, id: &str, agent: &AgentSpec) -> Result<Exchange<()>, Fault> {
        let path = |action: &str| format!("/{action}-agent/{}", segment(id));
        let look = api::request(account, "retell.agents.update", Method::GET, path("get"))?;
        let update = api::request(account, "retell.agents.update", Method::PATCH, path("update"))?;
        let update = made(update.json(&document::of(account, agent)?), publish(account)?);
        let set = api::request(account, "retell.agents.engine", Method::PATCH, "/update-retell-llm/")?;
        let document = document::engine(agent);
        let id = id.to_owned();
        let update = update.then(move |updated| {
            if updated == id {
                Ok(Step::Done(()))
            } else {
                Err(Fault::unclear("an answer that names another agent"))
            }
        });
        Ok(Exchange::new(look, move |reply| {
            let found = api::object(&reply)?;
            let engine = found.get("response_engine").filter(|engine| engine["type"] == LLM);
            let llm_id = engine.and_then(|engine| engine["llm_id"].as_str());
            Ok(match (document, llm_id) {
                (Some(document), Some(llm_id)) => Step::Next(engine_set(set, llm_id, &document, update)),
                _ => Step::Next(update),
            })
        }))
    }

    fn delete(&self, account: &Account<'_>, id: &str) -> Result<Exchange<()>, Fault> {
        let path = format!("/delete-agent/{}", segment(id));
        let request = api::request(account, "retell.agents.delete", Method::DELETE, path)?;
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
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let request = one(account, "retell.agents.link", "update", number_id)?;
        Ok(Exchange::last(request.json(&linked(account, link, webhooks)), the_one(number_id)))
    }

    /// Looks first whose number it is: to forget one that Retell sold would be to lose it.
    fn forget(&self, account: &Account<'_>, number_id: &str) -> Result<Exchange<()>, Fault> {
        let look = one(account, "retell.agents.forget", "get", number_id)?;
        let delete = one(account, "retell.agents.forget", "delete", number_id)?;
        Ok(Exchange::new(look, move |reply| {
            let record = match api::object(&reply) {
                Ok(record) => record,
                Err(Fault::Gone { .. }) => return Ok(Step::Done(())),
                Err(fault) => return Err(fault),
            };
            match record.get("phone_number_type").and_then(Value::as_str) {
                Some("custom") => Ok(Step::Next(Exchange::last(delete, |reply| api::gone(&reply)))),
                Some(_) => {
                    Err(Fault::stop("not_imported", "Retell sold this number: it is released, not forgotten"))
                }
                None => Err(Fault::unclear("an answer that doesn't say whose the number is")),
            }
        }))
    }
}

fn post(account: &Account<'_>, operation: &'static str, path: &str) -> Result<Request, Fault> {
    api::request(account, operation, Method::POST, path)
}

/// The request that publishes an agent, whose id is put behind the path. Publishing twice changes nothing for callers.
fn publish(account: &Account<'_>) -> Result<Request, Fault> {
    let request = post(account, "retell.agents.publish", "/publish-agent-version/")?;
    Ok(request.effect(Effect::Repeatable))
}

/// Makes or sets an agent, publishes it, and tells its id.
fn made(request: Request, mut publish: Request) -> Exchange<String> {
    Exchange::new(request, move |reply| {
        let id = api::named(&reply, "agent_id")?;
        publish.target.push_str(&segment(&id));
        Ok(Step::Next(Exchange::last(publish, move |reply| {
            if reply.is_success() { Ok(id) } else { Err(api::fault(&reply)) }
        })))
    })
}

/// Sets an engine, then goes on.
fn engine_set(mut set: Request, llm_id: &str, document: &Value, then: Exchange<()>) -> Exchange<()> {
    set.target.push_str(&segment(llm_id));
    let llm_id = llm_id.to_owned();
    Exchange::new(set.json(document), move |reply| {
        let updated = api::named(&reply, "llm_id")?;
        if updated == llm_id {
            Ok(Step::Next(then))
        } else {
            Err(Fault::unclear("an answer that names another engine"))
        }
    })
}

/// What is set on a number so that `link` answers it. One agent has the whole weight.
fn linked(account: &Account<'_>, link: &Link, webhooks: &Webhooks) -> Value {
    let (id, url) = match link {
        Link::Ask { or } => (or.as_deref(), Some(webhooks.url(NAME, INBOUND, account))),
        Link::Agent(id) => (Some(id.as_str()), None),
        Link::None => (None, None),
    };
    let agent = |id| json!({"agent_id": id, "agent_version": "latest_published", "weight": 1});
    let agents: Vec<Value> = id.map(agent).into_iter().collect();
    json!({"inbound_agents": agents, "inbound_webhook_url": url})
}

#[cfg(test)]
mod tests;
