//! Agents.

use serde_json::{Map, Value, json};

use super::{NAME, invalid, not_found, page};
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// What they are among things.
pub const KIND: &str = "agent";

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid("", &error))?;
    if !body.get("conversation_config").is_some_and(Value::is_object) {
        return Err(invalid("conversation_config", "Field required"));
    }
    let id = format!("agent_{}", turn.world.draw.letters(26).to_lowercase());
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    turn.make(KIND, KIND, &id, &name, body);
    Ok(Reply::json(200, &json!({"agent_id": id})))
}

/// Lists them, newest first.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let search = query.filled("search").unwrap_or_default();
    let named = |thing: &&Thing| thing.text("name").unwrap_or_default().contains(search);
    let mut found: Vec<_> = turn.things(KIND).filter(named).map(listed).collect();
    found.reverse();
    let (agents, next) = page(turn, &found);
    Ok(Reply::json(200, &json!({"agents": agents, "next_cursor": next, "has_more": next.is_some()})))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let id = turn.param("id");
    turn.thing(KIND, &id).map(|found| Reply::json(200, &document(found))).ok_or_else(|| not_found(KIND, &id))
}

/// Changes what is named; objects are merged, lists are replaced.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid("", &error))?;
    let id = turn.param("id");
    let thing = turn.thing_mut(KIND, &id).ok_or_else(|| not_found(KIND, &id))?;
    merge(&mut thing.body, body);
    Ok(Reply::json(200, &document(thing)))
}

/// Does away with one.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let id = turn.param("id");
    turn.unmake(KIND, KIND, &id).map(|_| Reply::json(200, &json!({}))).ok_or_else(|| not_found(KIND, &id))
}

/// The document by which a carrier of Twilio's kind connects a call to an agent.
pub fn register_call(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid("", &error))?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = text("agent_id");
    let missing = ["agent_id", "from_number", "to_number"].into_iter().find(|field| text(field).is_empty());
    if let Some(field) = missing {
        return Err(invalid(field, "Field required"));
    }
    turn.thing(KIND, &id).ok_or_else(|| not_found(KIND, &id))?;
    let conversation = turn.world.draw.letters(26).to_lowercase();
    let stream = format!(
        "<Connect><Stream url=\"wss://api.elevenlabs.io/v1/convai/conversation/twilio\"><Parameter name=\"conversation_id\" value=\"conv_{conversation}\"/><Parameter name=\"agent_id\" value=\"{id}\"/></Stream></Connect>"
    );
    let document = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{stream}</Response>");
    Ok(Reply { content_type: "text/html; charset=utf-8", ..Reply::text(200, document) })
}

/// Objects are merged at every depth; `null` and everything else replaces.
pub fn merge(body: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (field, value) in changes {
        match (body.get_mut(&field), value) {
            (Some(Value::Object(held)), Value::Object(changes)) => merge(held, changes),
            (_, value) => {
                body.insert(field, value);
            }
        }
    }
}

fn listed(thing: &Thing) -> Value {
    json!({"agent_id": thing.id, "name": thing.text("name"), "tags": thing.body.get("tags").cloned().unwrap_or_else(|| json!([])),
        "created_at_unix_secs": thing.created.as_second(), "archived": false,
        "access_info": {"is_creator": true, "role": "admin"}})
}

fn document(thing: &Thing) -> Value {
    let mut document = Value::from(thing.body.clone());
    document["agent_id"] = thing.id.clone().into();
    document["metadata"] = json!({"created_at_unix_secs": thing.created.as_second(), "updated_at_unix_secs": thing.updated.as_second()});
    if document.get("platform_settings").is_none() {
        document["platform_settings"] = json!({});
    }
    document
}

/// What stands at this place of an agent's settings.
pub fn setting<'t>(agent: &'t Thing, path: &str) -> Option<&'t Value> {
    debug_assert_eq!(agent.provider, NAME);
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let top = agent.body.get(first)?;
    if rest.is_empty() { Some(top) } else { top.pointer(&format!("/{rest}")) }
}
