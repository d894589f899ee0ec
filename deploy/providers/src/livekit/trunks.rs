//! Inbound trunks: which calls are taken.

use serde_json::{Map, Value, json};

use super::{body, error};
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// What they are among things.
pub const KIND: &str = "trunk";

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let trunk = body.get("trunk").and_then(Value::as_object).cloned();
    let trunk = trunk.ok_or_else(|| error("invalid_argument", "missing trunk"))?;
    free(turn, &trunk, "")?;
    let id = format!("ST_{}", turn.world.draw.letters(12));
    let name = trunk.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let made = turn.make(KIND, KIND, &id, &name, trunk);
    Ok(Reply::json(200, &document(&made)))
}

/// Lists them.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let fits = |trunk: &&Thing| {
        let ids = strings(&body, "trunk_ids");
        let numbers = strings(&body, "numbers");
        let own = strings(&trunk.body, "numbers");
        (ids.is_empty() || ids.contains(&trunk.id))
            && (numbers.is_empty() || own.is_empty() || numbers.iter().any(|number| own.contains(number)))
    };
    let items: Vec<_> = turn.things(KIND).filter(fits).map(document).collect();
    Ok(Reply::json(200, &json!({"items": items})))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let id = named(turn)?;
    let found = turn.thing(KIND, &id).ok_or_else(missing)?;
    Ok(Reply::json(200, &json!({"trunk": document(found)})))
}

/// Puts one anew, or changes what is named.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let (body, id) = (body(turn)?, named(turn)?);
    let held = turn.thing(KIND, &id).ok_or_else(missing)?.body.clone();
    let changed =
        changed(held, &body).ok_or_else(|| error("invalid_argument", "missing or invalid action"))?;
    free(turn, &changed, &id)?;
    let thing = turn.thing_mut(KIND, &id).ok_or_else(missing)?;
    thing.body = changed;
    Ok(Reply::json(200, &document(thing)))
}

/// Does away with one.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let id = named(turn)?;
    turn.unmake(KIND, KIND, &id).map(|gone| Reply::json(200, &document(&gone))).ok_or_else(missing)
}

/// What a thing is after an update: `replace` is all of it, `update` its fields, where lists may be `set`, added to and
/// removed from.
pub fn changed(held: Map<String, Value>, body: &Map<String, Value>) -> Option<Map<String, Value>> {
    if let Some(whole) = body.get("replace").and_then(Value::as_object) {
        return Some(whole.clone());
    }
    let mut changed = held;
    for (field, value) in body.get("update")?.as_object()? {
        let is_list = ["set", "add", "remove"].iter().any(|name| value.get(name).is_some());
        let value = if is_list { listed(&strings(&changed, field), value).into() } else { value.clone() };
        changed.insert(field.clone(), value);
    }
    Some(changed)
}

fn listed(held: &[String], update: &Value) -> Vec<String> {
    let named = |name: &str| update.as_object().map(|update| strings(update, name)).unwrap_or_default();
    let (set, removed) = (named("set"), named("remove"));
    let base = if set.is_empty() { held.to_vec() } else { set };
    let mut all: Vec<_> = base.into_iter().filter(|it| !removed.contains(it)).collect();
    for added in named("add") {
        if !all.contains(&added) {
            all.push(added);
        }
    }
    all
}

/// A field's texts.
pub fn strings(object: &Map<String, Value>, field: &str) -> Vec<String> {
    let list = object.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Refuses a number that another trunk has, too, for the same callers.
fn free(turn: &Turn<'_>, trunk: &Map<String, Value>, own: &str) -> Result<(), Reply> {
    let (numbers, callers) = (strings(trunk, "numbers"), strings(trunk, "allowed_numbers"));
    let clash = turn.things(KIND).filter(|other| other.id != own).find(|other| {
        let theirs = strings(&other.body, "numbers");
        let same =
            numbers.iter().any(|number| theirs.contains(number)) || (numbers.is_empty() && theirs.is_empty());
        same && strings(&other.body, "allowed_numbers") == callers
    });
    match clash {
        Some(other) => Err(error(
            "invalid_argument",
            &format!("Conflicting inbound SIP Trunks: {} and the new one", other.id),
        )),
        None => Ok(()),
    }
}

fn named(turn: &Turn<'_>) -> Result<String, Reply> {
    let body = body(turn)?;
    let id = body.get("sip_trunk_id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| error("invalid_argument", "missing sip_trunk_id"))
}

fn missing() -> Reply {
    error("not_found", "requested sip trunk does not exist")
}

fn document(trunk: &Thing) -> Value {
    let mut document = Value::from(trunk.body.clone());
    document["sip_trunk_id"] = trunk.id.clone().into();
    document
}
