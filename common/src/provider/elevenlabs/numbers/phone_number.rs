//! A number that is imported at ElevenLabs, and what answers it.

use http::Method;
use serde_json::{Value, json};

use super::super::api::{self, Object};
use crate::e164::E164;
use crate::rest::numbers::{Held, HeldState};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Reply, Request};

/// Where numbers are.
pub const PATH: &str = "/v1/convai/phone-numbers";

/// A request about one number.
///
/// # Errors
/// [`Fault::Stop`] when the account has no key.
pub fn one(
    account: &Account<'_>,
    operation: &'static str,
    method: Method,
    id: &str,
) -> Result<Request, Fault> {
    api::request(account, operation, method, format!("{PATH}/{}", segment(id)))
}

/// The number of this id.
///
/// # Errors
/// As [`one`].
pub fn get(account: &Account<'_>, operation: &'static str, id: &str) -> Result<Exchange<Held>, Fault> {
    Ok(Exchange::last(one(account, operation, Method::GET, id)?, the_one(id)))
}

/// Reads the number of this id.
pub fn the_one(id: &str) -> impl FnOnce(Reply) -> Result<Held, Fault> + Send + 'static {
    let id = id.to_owned();
    move |reply| match held(&api::object(&reply)?) {
        Some(held) if held.id == id => Ok(held),
        _ => Err(Fault::unclear("an answer that names another number")),
    }
}

/// The number of a record; `None` when it has no id. A trunk's number may have another form than E.164.
pub fn held(record: &Object) -> Option<Held> {
    let text = |field: &str| record.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let label = text("label").unwrap_or_default();
    let agent_id = record.get("assigned_agent").and_then(|agent| agent["agent_id"].as_str());
    let setup = json!({"label": label, "agent_id": agent_id});
    Some(Held {
        id: text("phone_number_id")?.to_owned(),
        number: text("phone_number").and_then(|number| number.parse::<E164>().ok()),
        sip_uri: None,
        name: label.to_owned(),
        state: HeldState::Active,
        setup: setup.as_object().cloned().unwrap_or_default(),
        agent_id: agent_id.map(str::to_owned),
        is_free: false,
    })
}
