//! Numbers that an account has.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::lists::page;
use super::{NAME, applications, invalid, not_found};
use crate::clock;
use crate::number::Number;
use crate::reply::Reply;
use crate::request::Params;
use crate::turn::{Outcome, Turn};

/// What can be set.
const FIELDS: &[&str] = &[
    "connection_id",
    "customer_reference",
    "billing_group_id",
    "messaging_profile_id",
    "tags",
    "external_pin",
];

/// Lists them, newest first.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let now = turn.world.turn.now;
    let fits = |number: &&Number| is_asked_for(number, &query, now);
    let mut found: Vec<_> = turn.numbers().filter(fits).map(|number| document(number, now)).collect();
    found.reverse();
    Ok(page(&query, &found))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let number = turn.number(&turn.param("id")).ok_or_else(not_found)?;
    Ok(Reply::json(200, &json!({"data": document(number, turn.world.turn.now)})))
}

/// Changes what is named.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid(&error))?;
    let (id, now) = (turn.param("id"), turn.world.turn.now);
    if turn.number(&id).is_none() {
        return Err(not_found());
    }
    if let Some(id) = body.get("connection_id").and_then(Value::as_str).filter(|id| !id.is_empty()) {
        applications::known(turn, id)?;
    }
    let number = turn.number_mut(&id).ok_or_else(not_found)?;
    if let Some(reference) = body.get("customer_reference").and_then(Value::as_str) {
        reference.clone_into(&mut number.name);
    }
    number.setup.extend(body.into_iter().filter(|(field, _)| FIELDS.contains(&field.as_str())));
    Ok(Reply::json(200, &json!({"data": document(number, now)})))
}

/// Gives one back.
pub fn release(turn: &mut Turn<'_>) -> Outcome {
    let now = turn.world.turn.now;
    let gone = turn.world.give_back(NAME, &turn.account, &turn.param("id")).ok_or_else(not_found)?;
    let mut data = document(&gone, now);
    data["status"] = "deleted".into();
    Ok(Reply::json(200, &json!({"data": data})))
}

fn status(number: &Number, now: Timestamp) -> &'static str {
    if number.ready <= now { "active" } else { "purchase-pending" }
}

fn is_asked_for(number: &Number, query: &Params, now: Timestamp) -> bool {
    let filter = |name: &str| query.filled(&format!("filter[{name}]")).map(str::to_owned);
    let has_tag = |tag: String| {
        let tags = number.setup.get("tags").and_then(Value::as_array);
        tags.is_some_and(|tags| tags.iter().any(|own| own.as_str() == Some(&tag)))
    };
    // Parts match, and what isn't a digit matches nothing.
    filter("phone_number").is_none_or(|part| {
        let digits = part.trim_start_matches('+');
        digits.len() >= 3 && number.digits().contains(digits)
    }) && filter("customer_reference")
        .is_none_or(|reference| number.text("customer_reference") == Some(&reference))
        && filter("connection_id").is_none_or(|id| number.text("connection_id") == Some(&id))
        && filter("status").is_none_or(|wanted| status(number, now) == wanted)
        && filter("tag").is_none_or(has_tag)
}

fn document(number: &Number, now: Timestamp) -> Value {
    let mut document = Map::new();
    for field in FIELDS {
        let value = number.setup.get(*field).filter(|value| **value != "").cloned().unwrap_or_default();
        document.insert((*field).to_owned(), value);
    }
    let more = json!({"record_type": "phone_number", "id": number.id, "phone_number": number.number,
        "status": status(number, now), "country_iso_alpha2": number.country, "phone_number_type": number.kind,
        "purchased_at": clock::millis(number.created), "created_at": clock::millis(number.created),
        "updated_at": clock::millis(number.updated)});
    if let Value::Object(more) = more {
        document.extend(more);
    }
    if document.get("tags").is_none_or(Value::is_null) {
        document.insert("tags".to_owned(), json!([]));
    }
    document.into()
}
