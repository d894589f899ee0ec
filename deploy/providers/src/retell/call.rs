//! Calls at Retell: the inbound webhook chooses who answers, else the number's own agents by their weights; events tell of
//! it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{NAME, agents};
use crate::calls::{Call, Outgoing, Patience};
use crate::number::Number;
use crate::secrets::{hex, hmac_sha256};

/// Who takes the call.
pub async fn answer(call: &mut Call<'_>, number: &Number) -> Value {
    let id = format!("call_{}", crate::draw::uuid_of(&call.id).simple());
    let own = weighted(call, number);
    let said = match number.text("inbound_webhook_url").map(str::to_owned) {
        None => json!({}),
        // When all tries fail, the number's own agent takes the call.
        Some(url) => inbound(call, number, &url, &id, own.as_deref()).await.unwrap_or_else(|| json!({})),
    };
    if said["reject"] == true {
        call.did(json!({"rejected": "rejected"}));
        return json!({"rejected": "rejected"});
    }
    let Some(agent) = said["override_agent_id"].as_str().map(str::to_owned).or(own) else {
        return json!({"rejected": "no agent"});
    };
    let webhook = {
        let world = call.simulator.world();
        let found = world.thing(NAME, agents::AGENT, &number.account, &agent);
        found.map(|agent| agent.text("webhook_url").map(str::to_owned))
    };
    let Some(webhook) = webhook else { return json!({"failed": format!("agent {agent} isn't known")}) };
    let answered_by = json!({"agent": agent, "provider": NAME, "dynamic_variables": said["dynamic_variables"],
        "metadata": said["metadata"]});
    call.did(answered_by.clone());
    if let Some(url) = webhook {
        for event in ["call_started", "call_ended", "call_analyzed"] {
            let body = json!({"event": event, "call": about(call, &id, &agent, event, &said)});
            let request = signed(call, number, &url, &body);
            // It only tells: what is answered changes nothing.
            let _told = call.ask(&request, &Patience::new(10_000, 3)).await;
        }
    }
    answered_by
}

/// One of the number's agents, drawn by their weights.
fn weighted(call: &Call<'_>, number: &Number) -> Option<String> {
    let list = number.setup.get("inbound_agents").and_then(Value::as_array)?;
    let mut left = call.simulator.world().draw.share();
    let drawn = list.iter().find(|agent| {
        left -= agent["weight"].as_f64().unwrap_or_default();
        left < 0.0
    });
    drawn.or_else(|| list.last())?["agent_id"].as_str().map(str::to_owned)
}

async fn inbound(
    call: &mut Call<'_>,
    number: &Number,
    url: &str,
    id: &str,
    agent: Option<&str>,
) -> Option<Value> {
    let mut told = Map::new();
    if let Some(agent) = agent {
        told.insert("agent_id".to_owned(), agent.into());
    }
    for (field, value) in [("call_id", id), ("from_number", &call.from), ("to_number", &call.to)] {
        told.insert(field.to_owned(), value.into());
    }
    let now = Timestamp::now().as_millisecond();
    let body = json!({"event": "call_inbound", "event_timestamp": now, "call_inbound": told});
    let request = signed(call, number, url, &body);
    let patience = Patience { retry_on: vec!["all".to_owned()], ..Patience::new(10_000, 3) };
    let answer = call.ask(&request, &patience).await.ok().filter(|answer| answer.is_success())?;
    let said: Value = serde_json::from_str(&answer.body).ok()?;
    said.get("call_inbound").cloned()
}

fn about(call: &Call<'_>, id: &str, agent: &str, event: &str, said: &Value) -> Value {
    let ended = event != "call_started";
    let mut about = json!({"call_type": "phone_call", "call_id": id, "agent_id": agent, "agent_version": 0,
        "call_status": if ended { "ended" } else { "ongoing" }, "direction": "inbound", "from_number": call.from,
        "to_number": call.to, "telephony_identifier": {"twilio_call_sid": call.id}, "metadata": said["metadata"],
        "retell_llm_dynamic_variables": said["dynamic_variables"], "start_timestamp": call.began.as_millisecond()});
    if ended {
        about["end_timestamp"] = (call.began.as_millisecond() + 37_000).into();
        about["duration_ms"] = 37_000.into();
        about["disconnection_reason"] = "user_hangup".into();
    }
    if event == "call_analyzed" {
        about["call_analysis"] =
            json!({"call_summary": "A short call.", "user_sentiment": "Neutral", "call_successful": true});
    }
    about
}

/// With the signature, whose key is the API key.
fn signed(call: &Call<'_>, number: &Number, url: &str, body: &Value) -> Outgoing {
    let key = {
        let world = call.simulator.world();
        world.account(NAME, &number.account).and_then(|account| account.secret.clone()).unwrap_or_default()
    };
    let request = Outgoing::json(url, body);
    let signature = sign(&key, Timestamp::now().as_millisecond(), &request.body);
    request.with("x-retell-signature", signature)
}

/// `v=<milliseconds>,d=<HMAC-SHA256 of the body and the milliseconds>`.
fn sign(key: &str, now: i64, body: &str) -> String {
    format!("v={now},d={}", hex(&hmac_sha256(key.as_bytes(), format!("{body}{now}").as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_library_makes_the_same() {
        let body = r#"{"event":"call_inbound","event_timestamp":1793534399880,"call_inbound":{"agent_id":"agent_12345","agent_version":1,"from_number":"+12137771234","to_number":"+14155550143"}}"#;
        let signature = sign("key_4f1d0c2b7a9e4c55b6e2a1f0d3c49b87", 1_793_534_400_000, body);
        let expected = "v=1793534400000,d=52399c1d75d6cc0b39d387ed067bb481c7f27eaafbb6762b4337f21532c1e013";
        assert_eq!(signature, expected);
    }
}
