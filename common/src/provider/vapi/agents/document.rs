//! An assistant as Vapi wants it told.
//!
//! An update sends the same document as a creation, complete: a PATCH replaces whole fields, and what isn't set any more
//! is set to null.

use serde_json::{Value, json};

use super::super::server;
use super::language;
use crate::rest::agents::AgentSpec;
use crate::rest::{Account, Fault};

/// The model where `config` names none: Vapi has no default of its own beside a prompt.
const MODEL: (&str, &str) = ("openai", "gpt-4.1");

/// What an assistant reports. Vapi's default is several messages a second for each call.
const MESSAGES: [&str; 4] =
    ["tool-calls", "status-update", "end-of-call-report", "transfer-destination-request"];

/// The document of an assistant; what isn't set is null.
///
/// # Errors
/// [`Fault::Stop`] where Vapi needs to know more than the agent says.
pub fn of(account: &Account<'_>, agent: &AgentSpec) -> Result<Value, Fault> {
    let messages: Vec<Value> =
        agent.prompt.iter().map(|prompt| json!({"role": "system", "content": prompt})).collect();
    let made = json!({
        "name": agent.name,
        "firstMessage": agent.greeting,
        "model": {"provider": MODEL.0, "model": MODEL.1, "messages": messages},
        "voice": voice(agent)?,
        "transcriber": transcriber(agent)?,
        "server": server::ours(account, &agent.webhooks)?,
        "serverMessages": MESSAGES,
    });
    Ok(agent.with_config(made))
}

/// A document for a new assistant: without what isn't set.
pub fn without_nulls(document: Value) -> Value {
    match document {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}

/// The voice. Its maker stands in `config`: Vapi has voices of many.
fn voice(agent: &AgentSpec) -> Result<Value, Fault> {
    let Some(id) = &agent.voice_id else { return Ok(Value::Null) };
    let config = agent.config.get("voice");
    if config.and_then(|voice| voice.get("provider")).is_some_and(Value::is_string) {
        return Ok(json!({"voiceId": id}));
    }
    let reason = "Vapi wants to know who makes the voice: set voice.provider in the agent's config, such as 11labs or vapi";
    Err(Fault::stop("voice_provider_missing", reason))
}

/// What hears the caller.
fn transcriber(agent: &AgentSpec) -> Result<Value, Fault> {
    let Some(tag) = &agent.language else { return Ok(Value::Null) };
    if agent.config.get("transcriber").is_some_and(|own| own.get("provider").is_some()) {
        return Ok(Value::Null);
    }
    match language::of_tag(tag) {
        Some(language) => Ok(json!({"provider": "deepgram", "language": language})),
        None => {
            let reason = format!(
                "Deepgram doesn't transcribe {tag} for Vapi: set transcriber in the agent's config to one that does"
            );
            Err(Fault::stop("language_unknown", reason))
        }
    }
}
