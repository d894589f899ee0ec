//! Applications: TeXML's have a voice URL, Call Control's a URL for events. The path's second segment says which.

use serde_json::{Map, Value, json};

use super::lists::page;
use super::{error, invalid, not_found};
use crate::clock;
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// TeXML's, among things.
pub const TEXML: &str = "texml_application";

/// Call Control's.
pub const CALL_CONTROL: &str = "call_control_application";

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let (kind, url) = kind(turn);
    let name = if kind == TEXML { "friendly_name" } else { "application_name" };
    for wanted in [name, url] {
        if body.get(wanted).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(invalid(&format!("{wanted} can't be blank")));
        }
    }
    let tag = body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = turn.world.draw.digits(19);
    let made = turn.make(kind, "application", &id, &tag, body);
    Ok(Reply::json(201, &json!({"data": document(&made)})))
}

/// Lists them.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let (kind, _) = kind(turn);
    let wanted =
        ["filter[friendly_name]", "filter[application_name][contains]", "filter[friendly_name][contains]"];
    let wanted = wanted.into_iter().find_map(|name| query.filled(name));
    let fits = |thing: &&Thing| {
        let name = thing.text("friendly_name").or_else(|| thing.text("application_name")).unwrap_or_default();
        wanted.is_none_or(|wanted| name.contains(wanted))
    };
    let found: Vec<_> = turn.things(kind).filter(fits).map(document).collect();
    Ok(page(&query, &found))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let found = turn.thing(kind(turn).0, &turn.param("id")).ok_or_else(not_found)?;
    Ok(Reply::json(200, &json!({"data": document(found)})))
}

/// Changes what is named.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let ((kind, _), id) = (kind(turn), turn.param("id"));
    let thing = turn.thing_mut(kind, &id).ok_or_else(not_found)?;
    thing.body.extend(body);
    Ok(Reply::json(200, &json!({"data": document(thing)})))
}

/// Does away with one.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let ((kind, _), id) = (kind(turn), turn.param("id"));
    let gone = turn.unmake(kind, "application", &id).ok_or_else(not_found)?;
    Ok(Reply::json(200, &json!({"data": document(&gone)})))
}

/// Refuses a connection that isn't there.
pub fn known(turn: &Turn<'_>, id: &str) -> Result<(), Reply> {
    let known = [TEXML, CALL_CONTROL].iter().any(|kind| turn.thing(kind, id).is_some());
    let unknown =
        || error(422, "10015", "Invalid value", "connection_id: no connection of yours has this id");
    known.then_some(()).ok_or_else(unknown)
}

fn body(turn: &Turn<'_>) -> Result<Map<String, Value>, Reply> {
    let body = turn.request.json().map_err(|error| invalid(&error))?;
    let urls = body.iter().filter(|(field, _)| field.ends_with("_url"));
    let wrong = urls.into_iter().find(|(_, url)| !url.is_null() && !url.as_str().is_some_and(is_url));
    match wrong {
        Some((field, _)) => {
            Err(error(422, "10015", "Invalid value", &format!("{field}: must be a valid URL")))
        }
        None => Ok(body),
    }
}

fn is_url(text: &str) -> bool {
    text.is_empty() || text.starts_with("https://") || text.starts_with("http://")
}

fn kind(turn: &Turn<'_>) -> (&'static str, &'static str) {
    match turn.request.path.contains("/texml_applications") {
        true => (TEXML, "voice_url"),
        false => (CALL_CONTROL, "webhook_event_url"),
    }
}

fn document(thing: &Thing) -> Value {
    let mut document = thing.body.clone();
    document.insert("id".to_owned(), thing.id.clone().into());
    document.insert("record_type".to_owned(), thing.kind.clone().into());
    document.insert("created_at".to_owned(), clock::millis(thing.created).into());
    document.insert("updated_at".to_owned(), clock::millis(thing.updated).into());
    for (field, default) in [("active", json!(true)), ("voice_method", json!("get"))] {
        let _kept = document.entry(field).or_insert(default);
    }
    document.into()
}
