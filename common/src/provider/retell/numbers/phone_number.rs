//! A number at Retell: its id is the number itself.
//!
//! Source: `types/phone_number_*.py` of Retell's Python SDK 6.2.13. Until 2026 a number had one `inbound_agent_id`: it is
//! read, and today's `inbound_agents` is written.

use http::Method;
use serde_json::{Value, json};

use super::super::api::{self, Object};
use super::super::{INBOUND, NAME};
use crate::e164::E164;
use crate::rest::numbers::{Held, HeldState, Webhooks};
use crate::rest::request::segment;
use crate::rest::{Account, Fault, Reply, Request};

/// What of a number says where its calls go, and what it is called.
const SETUP: [&str; 5] =
    ["inbound_agents", "inbound_webhook_url", "inbound_sms_webhook_url", "fallback_number", "nickname"];

/// What [`pointed_here`] sets.
const POINTED: [&str; 3] = ["inbound_webhook_url", "inbound_sms_webhook_url", "fallback_number"];

/// A request about one number: `action` is `get`, `update` or `delete`.
///
/// # Errors
/// [`Fault::Stop`] when the account has no key.
pub fn one(account: &Account<'_>, operation: &'static str, action: &str, id: &str) -> Result<Request, Fault> {
    let method = match action {
        "update" => Method::PATCH,
        "delete" => Method::DELETE,
        _ => Method::GET,
    };
    api::request(account, operation, method, format!("/{action}-phone-number/{}", segment(id)))
}

/// Reads the number of this id.
pub fn the_one(id: &str) -> impl FnOnce(Reply) -> Result<Held, Fault> + Send + 'static {
    let id = id.to_owned();
    move |reply| match held(&api::object(&reply)?) {
        Some(held) if held.id == id => Ok(held),
        _ => Err(Fault::unclear("an answer that names another number")),
    }
}

/// The number of a record; `None` when it names none.
pub fn held(record: &Object) -> Option<Held> {
    let text = |field: &str| record.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = text("phone_number")?;
    let agents = agents(record);
    let agent_id = agents[0]["agent_id"].as_str().map(str::to_owned);
    let mut setup = Object::new();
    for field in SETUP {
        setup.insert(field.to_owned(), record.get(field).cloned().unwrap_or_default());
    }
    setup.insert("inbound_agents".to_owned(), agents);
    Some(Held {
        id: id.to_owned(),
        number: id.parse::<E164>().ok(),
        sip_uri: None,
        name: text("nickname").unwrap_or_default().to_owned(),
        state: HeldState::Active,
        setup,
        agent_id,
        is_free: false,
    })
}

/// Who answers a record's number: a list, perhaps empty.
fn agents(record: &Object) -> Value {
    match (record.get("inbound_agents"), record.get("inbound_agent_id").and_then(Value::as_str)) {
        (Some(agents @ Value::Array(_)), _) => agents.clone(),
        (_, Some(id)) => {
            let mut agent = json!({"agent_id": id, "weight": 1});
            if let Some(version) = record.get("inbound_agent_version").filter(|version| !version.is_null()) {
                agent["agent_version"] = version.clone();
            }
            json!([agent])
        }
        _ => json!([]),
    }
}

/// The fields of `setup` that a number takes back.
pub fn put_back(setup: &Object) -> Value {
    let fields = SETUP.into_iter().filter_map(|field| Some((field.to_owned(), setup.get(field)?.clone())));
    Value::Object(fields.collect())
}

/// What is set on a number so that Retell asks us.
pub fn pointed_here(account: &Account<'_>, webhooks: &Webhooks) -> Value {
    let url = webhooks.url(NAME, INBOUND, account);
    json!({"inbound_webhook_url": url, "inbound_sms_webhook_url": url, "fallback_number": webhooks.fallback})
}

/// What isn't as [`pointed_here`] sets it.
pub fn drift(account: &Account<'_>, setup: &Object, webhooks: &Webhooks) -> Vec<String> {
    let wanted = pointed_here(account, webhooks);
    let held = |field: &str| setup.get(field).unwrap_or(&Value::Null);
    let differs = |field: &&str| held(field) != &wanted[*field];
    POINTED.into_iter().filter(differs).map(str::to_owned).collect()
}
