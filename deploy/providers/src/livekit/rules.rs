//! Dispatch rules: which room a call goes to, and which agent with it.

use serde_json::{Map, Value, json};

use super::trunks::{changed, strings};
use super::{body, error};
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// What they are among things.
pub const KIND: &str = "dispatch_rule";

/// Makes one. The fields beside `dispatch_rule` are the older way to say the same.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let rule = body.get("dispatch_rule").and_then(Value::as_object).cloned().unwrap_or(body);
    sound(turn, &rule, "")?;
    let id = format!("SDR_{}", turn.world.draw.letters(12));
    let name = rule.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let made = turn.make(KIND, KIND, &id, &name, rule);
    Ok(Reply::json(200, &document(&made)))
}

/// Lists them.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let (ids, trunks) = (strings(&body, "dispatch_rule_ids"), strings(&body, "trunk_ids"));
    let fits = |rule: &&Thing| {
        let own = strings(&rule.body, "trunk_ids");
        (ids.is_empty() || ids.contains(&rule.id))
            && (trunks.is_empty() || own.is_empty() || trunks.iter().any(|trunk| own.contains(trunk)))
    };
    let items: Vec<_> = turn.things(KIND).filter(fits).map(document).collect();
    Ok(Reply::json(200, &json!({"items": items})))
}

/// Puts one anew, or changes what is named.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let (body, id) = (body(turn)?, named(turn)?);
    let held = turn.thing(KIND, &id).ok_or_else(missing)?.body.clone();
    let rule = changed(held, &body).ok_or_else(|| error("invalid_argument", "missing or invalid action"))?;
    sound(turn, &rule, &id)?;
    let thing = turn.thing_mut(KIND, &id).ok_or_else(missing)?;
    thing.body = rule;
    Ok(Reply::json(200, &document(thing)))
}

/// Does away with one.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let id = named(turn)?;
    turn.unmake(KIND, KIND, &id).map(|gone| Reply::json(200, &document(&gone))).ok_or_else(missing)
}

/// Refuses a rule without a kind, and one that takes the same calls as another.
fn sound(turn: &Turn<'_>, rule: &Map<String, Value>, own: &str) -> Result<(), Reply> {
    if !rule.get("rule").is_some_and(Value::is_object) {
        return Err(error("invalid_argument", "missing rule"));
    }
    let calls = |rule: &Map<String, Value>| {
        ["trunk_ids", "numbers", "inbound_numbers"].map(|field| strings(rule, field))
    };
    let same = |other: &&Thing| other.id != own && calls(&other.body) == calls(rule);
    match turn.things(KIND).find(same) {
        Some(other) => {
            let message = format!(
                "Dispatch rule for the same trunk, number, and PIN combination already exists: {}",
                other.id
            );
            Err(error("invalid_argument", &message))
        }
        None => Ok(()),
    }
}

fn named(turn: &Turn<'_>) -> Result<String, Reply> {
    let body = body(turn)?;
    let id = body.get("sip_dispatch_rule_id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| error("invalid_argument", "missing sip_dispatch_rule_id"))
}

fn missing() -> Reply {
    error("not_found", "requested sip dispatch rule does not exist")
}

fn document(rule: &Thing) -> Value {
    let mut document = json!(rule.body);
    document["sip_dispatch_rule_id"] = rule.id.clone().into();
    document
}
