//! An agent as Retell wants it told: its response engine first, an LLM with a prompt, then the agent.
//!
//! Of the agent's config, `retell_llm` is the engine's; an own `response_engine` (a conversation flow, say) is taken as
//! it is, and then prompt and greeting are its own matter.

use serde_json::{Map, Value, json};

use super::super::{EVENTS, NAME, language};
use crate::rest::agents::AgentSpec;
use crate::rest::{Account, Fault};

/// The field of the config that is for the engine.
const ENGINE: &str = "retell_llm";

/// The engine's document; `None` where the agent has an engine of its own.
pub fn engine(agent: &AgentSpec) -> Option<Value> {
    if agent.config.contains_key("response_engine") {
        return None;
    }
    let own = agent.config.get(ENGINE).and_then(Value::as_object).cloned().unwrap_or_default();
    let made = json!({"general_prompt": agent.prompt, "begin_message": agent.greeting});
    Some(AgentSpec { config: own, ..agent.clone() }.with_config(made))
}

/// The agent's document, but for an engine that is made for it.
///
/// # Errors
/// [`Fault::Stop`] where Retell needs to know more than the agent says.
pub fn of(account: &Account<'_>, agent: &AgentSpec) -> Result<Value, Fault> {
    let mut made = Map::new();
    made.insert("agent_name".to_owned(), agent.name.as_str().into());
    made.insert("webhook_url".to_owned(), agent.webhooks.url(NAME, EVENTS, account).into());
    if let Some(id) = &agent.voice_id {
        made.insert("voice_id".to_owned(), id.as_str().into());
    }
    if let Some(tag) = agent.language.as_ref().filter(|_| !agent.config.contains_key("language")) {
        made.insert("language".to_owned(), known(tag)?.into());
    }
    let mut config = agent.config.clone();
    config.remove(ENGINE);
    let document = AgentSpec { config, ..agent.clone() }.with_config(Value::Object(made));
    if document["voice_id"].is_string() {
        return Ok(document);
    }
    let reason = "Retell wants each agent to have a voice: set one that Retell has, such as 11labs-Adrian";
    Err(Fault::stop("voice_missing", reason))
}

fn known(tag: &str) -> Result<&'static str, Fault> {
    language::of_tag(tag).ok_or_else(|| {
        let reason = format!("Retell's agents don't speak {tag}: set another language, or one of Retell's in the agent's config");
        Fault::stop("language_unknown", reason)
    })
}
