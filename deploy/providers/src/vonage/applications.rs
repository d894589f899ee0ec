//! Applications, which have the URLs.

use serde_json::{Map, Value, json};

use super::{not_found, problem};
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// What they are among things.
pub const KIND: &str = "application";

/// Makes one; its private key is told this once.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let id = turn.world.draw.uuid().to_string();
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let made = turn.make(KIND, KIND, &id, &name, body);
    let mut document = document(&made);
    document["keys"]["private_key"] =
        "-----BEGIN PRIVATE KEY-----\nsimulated\n-----END PRIVATE KEY-----\n".into();
    Ok(Reply::json(201, &document))
}

/// Lists them, page by page.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let (size, page) = (query.count("page_size", 10).clamp(1, 100), query.count("page", 1).max(1));
    let found: Vec<_> = turn.things(KIND).map(document).collect();
    let shown: Vec<_> = found.iter().skip((page - 1) * size).take(size).collect();
    Ok(Reply::json(
        200,
        &json!({"page_size": size, "page": page, "total_items": found.len(), "total_pages": found.len().div_ceil(size),
            "_embedded": {"applications": shown}, "_links": {"self": {"href": turn.request.path}}}),
    ))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let found = turn.thing(KIND, &turn.param("id")).map(document).ok_or_else(not_found)?;
    Ok(Reply::json(200, &found))
}

/// Puts it anew, whole.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let (body, id) = (body(turn)?, turn.param("id"));
    let thing = turn.thing_mut(KIND, &id).ok_or_else(not_found)?;
    thing.body = body;
    Ok(Reply::json(200, &document(thing)))
}

/// Does away with one.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    turn.unmake(KIND, KIND, &turn.param("id")).ok_or_else(not_found)?;
    Ok(Reply::empty(204))
}

fn body(turn: &Turn<'_>) -> Result<Map<String, Value>, Reply> {
    let invalid =
        |detail: &str| problem(422, "invalid-params", "Your request parameters didn't validate.", detail);
    let body = turn.request.json().map_err(|error| invalid(&error))?;
    match body.get("name").and_then(Value::as_str) {
        Some(name) if !name.is_empty() => Ok(body),
        _ => Err(invalid("name: must be a non-empty string")),
    }
}

fn document(thing: &Thing) -> Value {
    let mut document = Value::from(thing.body.clone());
    document["id"] = thing.id.clone().into();
    document["keys"] =
        json!({"public_key": "-----BEGIN PUBLIC KEY-----\nsimulated\n-----END PUBLIC KEY-----\n"});
    document
}
