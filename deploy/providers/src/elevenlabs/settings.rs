//! The workspace: where it asks before calls, where it tells of them after, and what it keeps secret.

use serde_json::{Map, Value, json};

use super::{agents, invalid, not_found};
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};

/// The workspace's settings, of which there is one.
pub const SETTINGS: &str = "settings";

/// Webhooks for what is told after calls.
pub const WEBHOOK: &str = "webhook";

/// Values that settings name.
pub const SECRET: &str = "secret";

/// Reads the settings.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let held = turn.thing(SETTINGS, SETTINGS).map(|thing| thing.body.clone()).unwrap_or_default();
    Ok(Reply::json(200, &document(held)))
}

/// Changes what is named.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid("", &error))?;
    if turn.thing(SETTINGS, SETTINGS).is_none() {
        turn.world.make(turn.provider, SETTINGS, &turn.account, SETTINGS, Map::new());
    }
    let thing = turn.thing_mut(SETTINGS, SETTINGS).ok_or_else(|| not_found(SETTINGS, SETTINGS))?;
    agents::merge(&mut thing.body, body);
    Ok(Reply::json(200, &document(thing.body.clone())))
}

/// Keeps a value that settings may name.
pub fn create_secret(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid("", &error))?;
    let name =
        body.get("name").and_then(Value::as_str).ok_or_else(|| invalid("name", "Field required"))?.to_owned();
    let id = turn.world.draw.letters(20);
    turn.world.make(turn.provider, SECRET, &turn.account, &id, body);
    Ok(Reply::json(200, &json!({"type": "stored", "secret_id": id, "name": name})))
}

/// Makes a webhook; its secret is told this once.
pub fn create_webhook(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid("", &error))?;
    let settings = body.get("settings").and_then(Value::as_object).cloned();
    let mut settings = settings.ok_or_else(|| invalid("settings", "Field required"))?;
    let url = settings.get("webhook_url").and_then(Value::as_str).unwrap_or_default();
    if !url.starts_with("http") {
        return Err(invalid("webhook_url", "Input should be a valid URL"));
    }
    let name = settings.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = turn.world.draw.uuid().simple().to_string();
    let secret = format!("wsec_{}{}", turn.world.draw.uuid().simple(), turn.world.draw.uuid().simple());
    settings.insert("webhook_secret".to_owned(), secret.as_str().into());
    turn.make(WEBHOOK, WEBHOOK, &id, &name, settings);
    Ok(Reply::json(200, &json!({"webhook_id": id, "webhook_secret": secret})))
}

/// Lists webhooks.
pub fn list_webhooks(turn: &mut Turn<'_>) -> Outcome {
    let shown: Vec<_> = turn
        .things(WEBHOOK)
        .map(|thing| {
            json!({"name": thing.text("name"), "webhook_id": thing.id, "webhook_url": thing.text("webhook_url"),
                "is_disabled": thing.body.get("is_disabled") == Some(&Value::Bool(true)), "is_auto_disabled": false,
                "auth_type": "hmac", "created_at_unix": thing.created.as_second()})
        })
        .collect();
    Ok(Reply::json(200, &json!({"webhooks": shown})))
}

/// Changes a webhook.
pub fn update_webhook(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid("", &error))?;
    let id = turn.param("id");
    let thing = turn.thing_mut(WEBHOOK, &id).ok_or_else(|| not_found(WEBHOOK, &id))?;
    thing.body.extend(body);
    Ok(Reply::json(200, &json!({"status": "ok"})))
}

/// Does away with a webhook.
pub fn delete_webhook(turn: &mut Turn<'_>) -> Outcome {
    let id = turn.param("id");
    let gone = turn.unmake(WEBHOOK, WEBHOOK, &id);
    gone.map(|_| Reply::json(200, &json!({"status": "ok"}))).ok_or_else(|| not_found(WEBHOOK, &id))
}

fn document(held: Map<String, Value>) -> Value {
    let mut document = json!({"conversation_initiation_client_data_webhook": null, "can_use_mcp_servers": true,
        "webhooks": {"post_call_webhook_id": null, "send_audio": false}, "rag_retention_period_days": 10});
    if let Some(fields) = document.as_object_mut() {
        agents::merge(fields, held);
    }
    document
}
