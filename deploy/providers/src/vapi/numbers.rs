//! Phone numbers: free ones, imported ones, and SIP URIs.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::resources::{merge, page_size, within};
use super::{body, buy, error, import, invalid};
use crate::clock;
use crate::number::{Number, Origin};
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};

/// What any number may be told.
const COMMON: &[&str] =
    &["name", "assistantId", "squadId", "workflowId", "server", "fallbackDestination", "hooks", "provider"];

/// What is done with a body that has nothing strange in it.
type Make = fn(&mut Turn<'_>, Map<String, Value>) -> Outcome;

/// Makes a number known, or gives a free one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = body(turn)?;
    let (allowed, make): (&[&str], Make) = match body.get("provider").and_then(Value::as_str) {
        Some("vapi") => (&["numberDesiredAreaCode", "sipUri", "authentication"], buy::free),
        Some("twilio") => (
            &[
                "number",
                "smsEnabled",
                "twilioAccountSid",
                "twilioAuthToken",
                "twilioApiKey",
                "twilioApiSecret",
            ],
            import::twilio,
        ),
        Some("byo-phone-number") => (&["number", "numberE164CheckEnabled", "credentialId"], import::trunk),
        Some("telnyx" | "vonage") => (&["number", "credentialId"], import::trunk),
        _ => {
            let wanted = "provider must be one of the following values: byo-phone-number, twilio, vonage, vapi, telnyx";
            return Err(invalid(&[wanted.to_owned()]));
        }
    };
    known(&body, allowed)?;
    linked(turn, &body)?;
    make(turn, body)
}

/// Lists them, newest first.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let now = turn.world.turn.now;
    let mut found: Vec<_> = turn.numbers().filter(|number| within(number.created, &query)).collect();
    found.sort_by_key(|number| Reverse(number.created));
    let shown: Vec<_> =
        found.into_iter().take(page_size(&query)).map(|number| document(number, now)).collect();
    Ok(Reply::json(200, &Value::from(shown)))
}

/// Lists them page by page.
pub fn pages(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let now = turn.world.turn.now;
    let (page, limit) = (query.count("page", 1).max(1), page_size(&query).max(1));
    let search = query.filled("search").unwrap_or_default();
    let holds = |text: Option<&str>| text.is_some_and(|text| text.contains(search));
    let fits = |number: &&Number| {
        search.is_empty()
            || holds(Some(&number.name))
            || holds(number.number.as_deref())
            || holds(number.sip_uri.as_deref())
    };
    let mut found: Vec<_> = turn.numbers().filter(fits).collect();
    if query.get("sortOrder") != Some("ASC") {
        found.sort_by_key(|number| Reverse(number.created));
    }
    let (total, pages) = (found.len(), found.len().div_ceil(limit));
    let shown = found.into_iter().skip((page - 1) * limit).take(limit);
    let results: Vec<_> = shown.map(|number| document(number, now)).collect();
    let metadata = json!({"itemsPerPage": limit, "totalItems": total, "currentPage": page, "totalPages": pages,
        "hasNextPage": page < pages});
    Ok(Reply::json(200, &json!({"results": results, "metadata": metadata})))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let now = turn.world.turn.now;
    let found = turn.number(&turn.param("id"));
    found.map(|number| Reply::json(200, &document(number, now))).ok_or_else(|| missing(turn))
}

/// Changes one: what is named is replaced whole, and `null` takes away.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let changes = body(turn)?;
    let (now, id) = (turn.world.turn.now, turn.param("id"));
    let missing = missing(turn);
    linked(turn, &changes)?;
    let number = turn.number_mut(&id).ok_or(missing)?;
    if let Some(name) = changes.get("name") {
        name.as_str().unwrap_or_default().clone_into(&mut number.name);
    }
    merge(&mut number.setup, changes);
    number.setup.remove("name");
    Ok(Reply::json(200, &document(number, now)))
}

/// Gives one back; what was imported stays at its carrier.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let (now, id) = (turn.world.turn.now, turn.param("id"));
    let gone = turn.world.give_back(turn.provider, &turn.account, &id);
    gone.map(|number| Reply::json(200, &document(&number, now))).ok_or_else(|| missing(turn))
}

/// Refuses properties that there are none of.
fn known(body: &Map<String, Value>, allowed: &[&str]) -> Result<(), Reply> {
    let strange =
        body.keys().filter(|key| !COMMON.contains(&key.as_str()) && !allowed.contains(&key.as_str()));
    let messages: Vec<_> = strange.map(|key| format!("property {key} should not exist")).collect();
    if messages.is_empty() { Ok(()) } else { Err(invalid(&messages)) }
}

/// Refuses an assistant or a credential that isn't there.
fn linked(turn: &Turn<'_>, body: &Map<String, Value>) -> Result<(), Reply> {
    let named = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let assistant = named(body.get("assistantId"));
    if let Some(id) = assistant.filter(|id| turn.thing("assistant", id).is_none()) {
        return Err(error(400, &format!("Couldn't find assistant for assistantId {id}")));
    }
    let credentials =
        [named(body.get("credentialId")), named(body.get("server").and_then(|it| it.get("credentialId")))];
    match credentials.into_iter().flatten().find(|id| turn.thing("credential", id).is_none()) {
        Some(id) => Err(error(400, &format!("Couldn't find credential for credentialId {id}"))),
        None => Ok(()),
    }
}

fn missing(turn: &Turn<'_>) -> Reply {
    error(404, &format!("Couldn't find phone number for id {}", turn.param("id")))
}

/// The number as an answer tells it at this moment.
pub fn document(number: &Number, now: Timestamp) -> Value {
    let mut document = number.setup.clone();
    let is_ready = number.ready <= now;
    if is_ready || number.origin == Origin::Imported {
        document.insert("number".to_owned(), number.number.clone().into());
    }
    if let Some(uri) = &number.sip_uri {
        document.insert("sipUri".to_owned(), uri.clone().into());
        document.remove("number");
    }
    if !number.name.is_empty() {
        document.insert("name".to_owned(), number.name.clone().into());
    }
    let status = if is_ready { "active" } else { "activating" };
    document.insert("status".to_owned(), status.into());
    document.insert("id".to_owned(), number.id.clone().into());
    document.insert("orgId".to_owned(), number.account.clone().into());
    document.insert("createdAt".to_owned(), clock::millis(number.created).into());
    document.insert("updatedAt".to_owned(), clock::millis(number.updated).into());
    document.into()
}
