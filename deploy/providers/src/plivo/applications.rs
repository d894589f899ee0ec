//! Applications, which have the URLs.

use serde_json::{Map, Value, json};

use super::{error, not_found, page, said};
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// What they are among things.
pub const KIND: &str = "application";

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let name = body.get("app_name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| error(400, "app_name is required"))?.to_owned();
    if turn.things(KIND).any(|other| other.text("app_name") == Some(&name)) {
        return Err(error(400, "app_name: an application with this name exists already"));
    }
    let id = turn.world.draw.digits(17);
    turn.make(KIND, KIND, &id, &name, body);
    Ok(said(turn, 201, json!({"message": "created", "app_id": id})))
}

/// Lists them.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let wanted = query.filled("app_name");
    let fits = |thing: &&Thing| wanted.is_none_or(|name| thing.text("app_name") == Some(name));
    let found: Vec<_> = turn.things(KIND).filter(fits).map(document).collect();
    Ok(page(turn, &query, &found))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let found = turn.thing(KIND, &turn.param("id")).map(document).ok_or_else(not_found)?;
    Ok(said(turn, 200, found))
}

/// Changes what is named.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let (body, id) = (body(turn)?, turn.param("id"));
    turn.thing_mut(KIND, &id).ok_or_else(not_found)?.body.extend(body);
    Ok(said(turn, 202, json!({"message": "changed"})))
}

/// Does away with one.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let id = turn.param("id");
    turn.unmake(KIND, KIND, &id).ok_or_else(not_found)?;
    Ok(Reply::empty(204))
}

fn body(turn: &Turn<'_>) -> Result<Map<String, Value>, Reply> {
    let body = turn.request.json().map_err(|message| error(400, &message))?;
    let is_url = |text: &str| text.is_empty() || text.starts_with("http://") || text.starts_with("https://");
    let mut urls = body.iter().filter(|(field, _)| field.ends_with("_url"));
    match urls.find(|(_, url)| !url.as_str().is_some_and(is_url)) {
        Some((field, _)) => Err(error(400, &format!("{field}: Invalid URL"))),
        None => Ok(body),
    }
}

fn document(thing: &Thing) -> Value {
    let mut document = json!({"answer_method": "POST", "hangup_method": "POST", "fallback_method": "POST",
        "message_method": "POST", "default_app": false, "enabled": true, "public_uri": false, "sub_account": null});
    if let Some(fields) = document.as_object_mut() {
        fields.extend(thing.body.clone());
    }
    document["app_id"] = thing.id.clone().into();
    document["resource_uri"] = format!("/v1/Account/{}/Application/{}/", thing.account, thing.id).into();
    document
}
