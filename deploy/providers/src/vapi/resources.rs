//! Assistants, tools and credentials: JSON objects that are kept as they come. The path's first segment says which.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{body, error};
use crate::clock;
use crate::reply::Reply;
use crate::request::Params;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;

/// What is never told again, at any depth.
const SECRETS: &[&str] = &["token", "secretKey", "clientSecret", "apiKey", "authToken"];

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let kind = kind(turn);
    let id = turn.world.draw.uuid().to_string();
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let what = if kind == "assistant" { "agent" } else { kind };
    let made = turn.make(kind, what, &id, &name, body);
    Ok(Reply::json(201, &document(&made)))
}

/// Lists them, newest first.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let mut found: Vec<_> = turn.things(kind(turn)).filter(|thing| within(thing.created, &query)).collect();
    found.sort_by_key(|thing| Reverse(thing.created));
    let shown: Vec<_> = found.into_iter().take(page_size(&query)).map(document).collect();
    Ok(Reply::json(200, &Value::from(shown)))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let found = turn.thing(kind(turn), &turn.param("id"));
    found.map(|thing| Reply::json(200, &document(thing))).ok_or_else(|| missing(turn))
}

/// Changes one: what is named is replaced whole, and `null` takes away.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let changes = body(turn)?;
    let missing = missing(turn);
    let (kind, id) = (kind(turn), turn.param("id"));
    let thing = turn.thing_mut(kind, &id).ok_or(missing)?;
    merge(&mut thing.body, changes);
    Ok(Reply::json(200, &document(thing)))
}

/// Does away with one; tells it as it was.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let missing = missing(turn);
    let (kind, id) = (kind(turn), turn.param("id"));
    let what = if kind == "assistant" { "agent" } else { kind };
    turn.unmake(kind, what, &id).map(|thing| Reply::json(200, &document(&thing))).ok_or(missing)
}

/// What is named is replaced, and `null` takes away.
pub fn merge(body: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (field, value) in changes {
        if value.is_null() {
            body.remove(&field);
        } else {
            body.insert(field, value);
        }
    }
}

/// How many are asked for.
pub fn page_size(query: &Params) -> usize {
    query.count("limit", PAGE_DEFAULT).min(PAGE_MAX)
}

/// Whether something was made in the time that is asked for.
pub fn within(created: Timestamp, query: &Params) -> bool {
    // What is shown has no more than milliseconds; so has what is compared.
    let created = clock::millis(created);
    let bound = |name: &str| query.get(name).and_then(|text| text.parse().ok()).map(clock::millis);
    bound("createdAtGt").is_none_or(|bound| created > bound)
        && bound("createdAtLt").is_none_or(|bound| created < bound)
        && bound("createdAtGe").is_none_or(|bound| created >= bound)
        && bound("createdAtLe").is_none_or(|bound| created <= bound)
}

fn kind(turn: &Turn<'_>) -> &'static str {
    match turn.request.path.trim_start_matches('/').split('/').next() {
        Some("assistant") => "assistant",
        Some("tool") => "tool",
        _ => "credential",
    }
}

fn missing(turn: &Turn<'_>) -> Reply {
    let kind = kind(turn);
    error(404, &format!("Couldn't find {kind} for id {}", turn.param("id")))
}

fn document(thing: &Thing) -> Value {
    let mut document = thing.body.clone();
    hide(&mut document);
    document.insert("id".to_owned(), thing.id.clone().into());
    document.insert("orgId".to_owned(), thing.account.clone().into());
    document.insert("createdAt".to_owned(), clock::millis(thing.created).into());
    document.insert("updatedAt".to_owned(), clock::millis(thing.updated).into());
    document.into()
}

fn hide(object: &mut Map<String, Value>) {
    object.retain(|field, _| !SECRETS.contains(&field.as_str()));
    for value in object.values_mut() {
        if let Value::Object(inner) = value {
            hide(inner);
        }
    }
}
