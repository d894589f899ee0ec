//! Agents, and the language models that answer for them.

use serde_json::{Map, Value, json};

use super::{NAME, error, missing, page};
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// Agents, among things.
pub const AGENT: &str = "agent";

const LLM: &str = "llm";

/// Makes a language model's settings.
pub fn create_llm(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let id = format!("llm_{}", turn.world.draw.letters(28).to_lowercase());
    let made = turn.make(LLM, LLM, &id, "", body);
    Ok(Reply::json(201, &document(&made)))
}

/// Lists them.
pub fn list_llms(turn: &mut Turn<'_>) -> Outcome {
    let found: Vec<_> = turn.things(LLM).map(document).collect();
    Ok(Reply::json(200, &found.into()))
}

/// Reads one.
pub fn get_llm(turn: &mut Turn<'_>) -> Outcome {
    read(turn, LLM)
}

/// Changes what is named.
pub fn update_llm(turn: &mut Turn<'_>) -> Outcome {
    change(turn, LLM)
}

/// Does away with one.
pub fn delete_llm(turn: &mut Turn<'_>) -> Outcome {
    turn.unmake(LLM, LLM, &turn.param("id")).map(|_| Reply::empty(204)).ok_or_else(missing)
}

/// Makes an agent.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    engine(turn, &body)?;
    if body.get("voice_id").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(error(400, "voice_id is required"));
    }
    let id = format!("agent_{}", turn.world.draw.letters(28).to_lowercase());
    let name = body.get("agent_name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let made = turn.make(AGENT, AGENT, &id, &name, body);
    Ok(Reply::json(201, &document(&made)))
}

/// Lists agents.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let found: Vec<_> = turn.things(AGENT).map(document).collect();
    Ok(Reply::json(200, &found.into()))
}

/// Lists agents page by page.
pub fn pages(turn: &mut Turn<'_>) -> Outcome {
    let found: Vec<_> = turn.things(AGENT).map(document).collect();
    Ok(Reply::json(200, &page(turn, &found, "agent_id")))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    read(turn, AGENT)
}

/// Changes what is named.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    if body.contains_key("response_engine") {
        engine(turn, &body)?;
    }
    change(turn, AGENT)
}

/// Does away with one.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    turn.unmake(AGENT, AGENT, &turn.param("id")).map(|_| Reply::empty(204)).ok_or_else(missing)
}

/// Publishes an agent's draft as a version.
pub fn publish(turn: &mut Turn<'_>) -> Outcome {
    let agent = turn.thing_mut(AGENT, &turn.param("id")).ok_or_else(missing)?;
    let version = agent.body.get("version").and_then(Value::as_u64).unwrap_or_default();
    agent.body.insert("version".to_owned(), (version + 1).into());
    agent.body.insert("is_published".to_owned(), true.into());
    Ok(Reply::json(200, &document(agent)))
}

/// How many calls there may be at a time.
pub fn concurrency(_: &mut Turn<'_>) -> Outcome {
    let told = json!({"current_concurrency": 0, "concurrency_limit": 20, "base_concurrency": 20,
        "purchased_concurrency": 0, "reserved_inbound_concurrency": 0});
    Ok(Reply::json(200, &told))
}

fn body(turn: &Turn<'_>) -> Result<Map<String, Value>, Reply> {
    turn.request.json().map_err(|message| error(400, &message))
}

/// Refuses an agent whose language model isn't there.
fn engine(turn: &Turn<'_>, body: &Map<String, Value>) -> Result<(), Reply> {
    let engine = body.get("response_engine").filter(|engine| engine["type"].is_string());
    let engine = engine.ok_or_else(|| error(400, "response_engine is required"))?;
    match engine["llm_id"].as_str() {
        Some(id) if turn.thing(LLM, id).is_none() => Err(error(422, &format!("Cannot find llm {id}."))),
        None if engine["type"] == "retell-llm" => Err(error(400, "response_engine.llm_id is required")),
        _ => Ok(()),
    }
}

fn read(turn: &Turn<'_>, kind: &str) -> Outcome {
    let found = turn.world.thing(NAME, kind, &turn.account, &turn.param("id")).ok_or_else(missing)?;
    Ok(Reply::json(200, &document(found)))
}

fn change(turn: &mut Turn<'_>, kind: &str) -> Outcome {
    let (changes, id) = (body(turn)?, turn.param("id"));
    let thing = turn.thing_mut(kind, &id).ok_or_else(missing)?;
    thing.body.extend(changes);
    Ok(Reply::json(200, &document(thing)))
}

fn document(thing: &Thing) -> Value {
    let mut document = Value::from(thing.body.clone());
    document[format!("{}_id", thing.kind)] = thing.id.clone().into();
    document["last_modification_timestamp"] = thing.updated.as_millisecond().into();
    for (field, default) in [("version", json!(0)), ("is_published", json!(false))] {
        if document.get(field).is_none() {
            document[field] = default;
        }
    }
    document
}
