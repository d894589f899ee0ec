//! Calls at Vapi: the number's assistant answers or, where it has none, who is asked says who does.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::server;
use crate::calls::{Answer, Call, Outgoing, Patience};
use crate::clock;
use crate::number::Number;

/// Half of what the carrier allows.
const DECISION: Duration = Duration::from_millis(7_500);

/// Who takes the call.
pub async fn answer(call: &mut Call<'_>, number: &Number) -> Value {
    let answered_by = match number.text("assistantId") {
        Some(id) => json!({"agent": id, "provider": "vapi"}),
        None => asked(call, number).await,
    };
    call.did(answered_by.clone());
    let assistant = answered_by["agent"].as_str().and_then(|id| server_of(call, number, id));
    if let Some(server) = assistant.or_else(|| number.setup.get("server").cloned()) {
        report(call, number, &server, &answered_by).await;
    }
    answered_by
}

/// Asks the number's server who takes the call.
async fn asked(call: &mut Call<'_>, number: &Number) -> Value {
    let Some(server) = number.setup.get("server").cloned() else {
        return failed(number, "call-start-error-neither-assistant-nor-server-set");
    };
    let message = message(call, number, "assistant-request", "ringing");
    let patience = Patience { read: DECISION, ..Patience::new(0, 0) };
    match send(call, number, &server, message, &patience).await {
        Ok(said) if said.is_success() => decide(call, number, &said),
        Ok(_) | Err(_) => failed(number, "assistant-request-failed"),
    }
}

/// What the answer to an `assistant-request` means: an error before all, then a destination, then an assistant.
fn decide(call: &Call<'_>, number: &Number, said: &Answer) -> Value {
    let Ok(said) = serde_json::from_str::<Map<String, Value>>(&said.body) else {
        return failed(number, "assistant-request-returned-no-assistant");
    };
    let text = |field: &str| said.get(field).and_then(Value::as_str);
    if let Some(error) = text("error") {
        return json!({"message": error});
    }
    if said.contains_key("error") {
        return failed(number, "assistant-request-returned-unspeakable-error");
    }
    if let Some(destination) = said.get("destination") {
        return to(destination);
    }
    let overrides = said.get("assistantOverrides").cloned();
    if let Some(id) = text("assistantId") {
        let known = call.simulator.world().thing(super::NAME, "assistant", &number.account, id).is_some();
        return match known {
            true => json!({"agent": id, "provider": "vapi", "overrides": overrides}),
            false => failed(number, "assistant-not-found"),
        };
    }
    if let Some(assistant) = said.get("assistant").filter(|assistant| assistant.is_object()) {
        return json!({"agent": "transient", "provider": "vapi", "assistant": assistant, "overrides": overrides});
    }
    match text("squadId") {
        Some(squad) => json!({"agent": squad, "provider": "vapi", "is_squad": true}),
        None => failed(number, "assistant-request-returned-no-assistant"),
    }
}

fn to(destination: &Value) -> Value {
    match destination.get("number").and_then(Value::as_str) {
        Some(number) => json!({"number": number, "by": "vapi"}),
        None => json!({"sip": destination["sipUri"], "by": "vapi"}),
    }
}

/// The number's fallback, else nobody.
fn failed(number: &Number, why: &str) -> Value {
    match number.setup.get("fallbackDestination").filter(|destination| destination.is_object()) {
        Some(destination) => {
            let mut answered_by = to(destination);
            answered_by["because"] = why.into();
            answered_by
        }
        None => json!({"failed": why}),
    }
}

/// The assistant's own server.
fn server_of(call: &Call<'_>, number: &Number, id: &str) -> Option<Value> {
    let world = call.simulator.world();
    let assistant = world.thing(super::NAME, "assistant", &number.account, id)?;
    assistant.body.get("server").filter(|server| server.is_object()).cloned()
}

/// Tells how the call ended.
async fn report(call: &mut Call<'_>, number: &Number, server: &Value, answered_by: &Value) {
    let reason = answered_by["failed"].as_str().unwrap_or("customer-ended-call").to_owned();
    for kind in ["status-update", "end-of-call-report"] {
        let mut message = message(call, number, kind, "ended");
        let told = &mut message["message"];
        told["endedReason"] = reason.as_str().into();
        if kind == "status-update" {
            told["status"] = "ended".into();
        } else {
            told["startedAt"] = clock::millis(call.began).into();
            told["endedAt"] = clock::millis(Timestamp::now()).into();
            told["durationSeconds"] = 37.into();
            told["cost"] = json!(0.05);
        }
        let patience = Patience::new(20_000, 0);
        // It only tells: what is answered changes nothing.
        let _told = send(call, number, server, message, &patience).await;
    }
}

async fn send(
    call: &mut Call<'_>,
    number: &Number,
    server: &Value,
    message: Value,
    patience: &Patience,
) -> Result<Answer, String> {
    let url = server["url"].as_str().unwrap_or_default();
    let mut request = Outgoing::json(url, &message);
    let credential = server["credentialId"].as_str().and_then(|id| {
        let world = call.simulator.world();
        world.thing(super::NAME, "credential", &number.account, id).map(|thing| thing.body.clone())
    });
    request.headers.extend(server::headers(server, credential.as_ref(), &request));
    call.ask(&request, patience).await
}

/// A message about the call.
fn message(call: &Call<'_>, number: &Number, kind: &str, status: &str) -> Value {
    let at = clock::millis(call.began);
    let customer = json!({"number": call.from});
    let assistant = number.setup.get("assistantId");
    let mut own = Map::new();
    for field in ["provider", "assistantId", "squadId"] {
        own.insert(field.to_owned(), number.setup.get(field).cloned().unwrap_or_default());
    }
    let about = json!({"id": number.id, "orgId": number.account, "number": number.number, "sipUri": number.sip_uri,
        "name": number.name, "createdAt": clock::millis(number.created), "updatedAt": clock::millis(number.updated)});
    if let Value::Object(about) = about {
        own.extend(about.into_iter().filter(|(_, value)| !value.is_null()));
    }
    json!({"message": {
        "timestamp": Timestamp::now().as_millisecond(), "type": kind,
        "call": {"id": vapi_id(call), "orgId": number.account, "createdAt": at, "updatedAt": at,
            "type": "inboundPhoneCall", "status": status, "phoneCallProvider": call.number.provider,
            "phoneCallProviderId": call.id, "phoneCallTransport": "pstn", "phoneNumberId": number.id,
            "assistantId": assistant, "squadId": null, "customer": customer},
        "phoneNumber": own, "customer": customer,
    }})
}

/// Vapi's own name of the call: a UUID, whatever the carrier calls it.
fn vapi_id(call: &Call<'_>) -> String {
    crate::draw::uuid_of(&call.id).to_string()
}
