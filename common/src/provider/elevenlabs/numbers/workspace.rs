//! The workspace's initiation webhook: where ElevenLabs asks us, for all agents that don't name another.
//!
//! One that leads elsewhere isn't touched: others' agents would get no variables any more.

use http::Method;
use serde_json::{Value, json};

use super::super::api::{self, Object};
use super::super::credentials::{INITIATION_HEADER, INITIATION_SECRET};
use super::super::verify::DEFAULT_HEADER;
use super::super::{INITIATION, NAME};
use crate::rest::numbers::{Held, Webhooks};
use crate::rest::{Account, Exchange, Fault, Reply, Request, Step};

/// The setting, and what it is called in a number's setup.
pub const FIELD: &str = "conversation_initiation_client_data_webhook";

const SETTINGS: &str = "/v1/convai/settings";

/// The webhook that asks us as this account.
///
/// # Errors
/// [`Fault::Stop`] when the account has no secret by which we would know ElevenLabs again.
pub fn ours(account: &Account<'_>, webhooks: &Webhooks) -> Result<Value, Fault> {
    let header = account.field(INITIATION_HEADER).unwrap_or(DEFAULT_HEADER);
    let secret = account.wanted(INITIATION_SECRET)?;
    Ok(json!({"url": webhooks.url(NAME, INITIATION, account), "request_headers": {header: secret}}))
}

/// What a settings document has; null where it has none.
fn of(settings: &Object) -> Value {
    settings.get(FIELD).cloned().unwrap_or_default()
}

/// The request that reads it.
///
/// # Errors
/// [`Fault::Stop`] when the account has no key.
pub fn look(account: &Account<'_>) -> Result<Request, Fault> {
    api::request(account, "elevenlabs.workspace.get", Method::GET, SETTINGS)
}

/// Reads it of a reply.
///
/// # Errors
/// As [`api::object`].
pub fn read(reply: &Reply) -> Result<Value, Fault> {
    api::object(reply).map(|settings| of(&settings))
}

/// A number with the workspace's setting in its setup.
pub fn beside(number: Exchange<Held>, look: Request) -> Exchange<Held> {
    number.then(|mut held| {
        Ok(Step::Next(Exchange::last(look, move |reply| {
            held.setup.insert(FIELD.to_owned(), read(&reply)?);
            Ok(held)
        })))
    })
}

/// Sets it where it isn't set, and tells what it is then.
///
/// # Errors
/// [`Fault::Stop`] when the account's credentials lack something.
pub fn ensure(account: &Account<'_>, webhooks: &Webhooks) -> Result<Exchange<Value>, Fault> {
    let wanted = ours(account, webhooks)?;
    let path = format!("/webhooks/{NAME}/{INITIATION}/{}", account.id);
    let set = api::request(account, "elevenlabs.workspace.set", Method::PATCH, SETTINGS)?
        .json(&json!({FIELD: wanted}));
    Ok(Exchange::new(look(account)?, move |reply| {
        let found = read(&reply)?;
        if drift(&found, &wanted).is_empty() {
            return Ok(Step::Done(found));
        }
        match found["url"].as_str() {
            Some(url) if !url.is_empty() && !url.ends_with(&path) => Err(taken(url)),
            _ => Ok(Step::Next(Exchange::last(set, |reply| read(&reply)))),
        }
    }))
}

fn taken(url: &str) -> Fault {
    let host = url.split('/').nth(2).unwrap_or_default();
    let reason = format!(
        "the workspace's conversation initiation webhook leads to {host}: clear it under Agents, Settings, or give the \
         agents there a webhook of their own"
    );
    Fault::stop("initiation_webhook_taken", reason)
}

/// What isn't as `wanted` has it. A header whose value is a stored secret is taken for right: it isn't told.
pub fn drift(held: &Value, wanted: &Value) -> Vec<String> {
    let mut drift = Vec::new();
    if held["url"] != wanted["url"] {
        drift.push(format!("{FIELD}.url"));
    }
    let right = |(name, value): (&String, &Value)| match find(&held["request_headers"], name) {
        Some(Value::Object(_)) => true,
        found => found == Some(value),
    };
    if !wanted["request_headers"].as_object().into_iter().flatten().all(right) {
        drift.push(format!("{FIELD}.request_headers"));
    }
    drift
}

/// A header by its name, in whatever case.
fn find<'v>(headers: &'v Value, name: &str) -> Option<&'v Value> {
    let mut headers = headers.as_object()?.iter();
    headers.find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
