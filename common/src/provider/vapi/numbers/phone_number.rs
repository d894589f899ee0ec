//! A number as Vapi has it, and what is set there of where its calls go.
//!
//! Source: schemas `VapiPhoneNumber`, `TwilioPhoneNumber`, `ByoPhoneNumber`, `TelnyxPhoneNumber` and
//! `VonagePhoneNumber` of <https://api.vapi.ai/api-json>. A record may hold its carrier's credentials: only what is
//! named here is taken.

use serde_json::{Value, json};

use super::super::api::{self, Object};
use super::super::server;
use crate::e164::E164;
use crate::rest::numbers::{Held, HeldState, Webhooks};
use crate::rest::{Account, Fault, Reply};

/// How long a name may be, in characters.
pub const NAME_CHARS_MAX: usize = 40;

/// The provider of numbers that Vapi gives away.
pub const OWN: &str = "vapi";

/// What answers a number; the first three exclude each other, and each keeps Vapi from asking the server.
const ANSWERERS: [&str; 3] = ["assistantId", "squadId", "workflowId"];

/// Reads the number that a success holds.
///
/// # Errors
/// As [`api::object`]; [`Fault::Unclear`] when it names no number.
pub fn read(reply: &Reply) -> Result<Held, Fault> {
    let record = api::object(reply)?;
    held(&record).ok_or_else(|| Fault::unclear("an answer that names no number"))
}

/// The number of a record; `None` when it has no id.
pub fn held(record: &Object) -> Option<Held> {
    let text = |field: &str| record.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let sip_uri = text("sipUri").map(str::to_owned);
    let number = text("number").and_then(|number| number.parse::<E164>().ok());
    // One by SIP URI alone costs nothing either, but doesn't count against the limit of free numbers.
    let is_free = text("provider") == Some(OWN) && (number.is_some() || sip_uri.is_none());
    Some(Held {
        id: text("id")?.to_owned(),
        number,
        sip_uri,
        name: text("name").unwrap_or_default().to_owned(),
        state: state(text("status")),
        setup: setup(record),
        agent_id: text("assistantId").map(str::to_owned),
        is_free,
    })
}

/// Imported numbers of old have no status.
fn state(status: Option<&str>) -> HeldState {
    match status {
        None | Some("active") => HeldState::Active,
        Some("blocked") => HeldState::Blocked,
        Some(_) => HeldState::Pending,
    }
}

/// All that [`pointed_here`] changes, in the form in which it is put back: null is unset.
fn setup(record: &Object) -> Object {
    let mut setup = Object::new();
    for field in ANSWERERS.into_iter().chain(["fallbackDestination", "name"]) {
        setup.insert(field.to_owned(), record.get(field).cloned().unwrap_or_default());
    }
    setup.insert("server".to_owned(), server::of(record));
    setup
}

/// The fields of `setup` that a number takes back.
pub fn put_back(setup: &Object) -> Value {
    let known = ANSWERERS.into_iter().chain(["fallbackDestination", "name", "server"]);
    let fields = known.filter_map(|field| Some((field.to_owned(), setup.get(field)?.clone())));
    Value::Object(fields.collect())
}

/// What is set on a number so that Vapi asks us.
///
/// # Errors
/// As [`server::ours`].
pub fn pointed_here(account: &Account<'_>, webhooks: &Webhooks) -> Result<Value, Fault> {
    let server = server::ours(account, webhooks)?;
    Ok(json!({
        "assistantId": null, "squadId": null, "workflowId": null, "server": server,
        "fallbackDestination": fallback(webhooks),
    }))
}

/// Who is called when no router answers; null where nobody is.
pub fn fallback(webhooks: &Webhooks) -> Value {
    webhooks.fallback.map_or(Value::Null, |number| json!({"type": "number", "number": number}))
}

/// What isn't as [`pointed_here`] sets it.
pub fn drift(account: &Account<'_>, setup: &Object, webhooks: &Webhooks) -> Vec<String> {
    let held = |field: &str| setup.get(field).unwrap_or(&Value::Null);
    let set = ANSWERERS.into_iter().filter(|field| !held(field).is_null());
    let mut drift: Vec<String> = set.map(str::to_owned).collect();
    match server::ours(account, webhooks) {
        Ok(wanted) => drift.extend(server::drift(held("server"), &wanted)),
        Err(_) => drift.push("server.credentialId".to_owned()),
    }
    let number = |destination: &Value| destination.get("number").cloned();
    if number(held("fallbackDestination")) != number(&fallback(webhooks)) {
        drift.push("fallbackDestination".to_owned());
    }
    drift
}

/// A name as long as Vapi takes it.
pub fn name(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}
