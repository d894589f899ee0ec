//! Calls at ElevenLabs: the number's agent answers, made the caller's own by the initiation webhook; afterwards a signed
//! webhook tells of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{NAME, agents, settings};
use crate::calls::{Call, Outgoing, Patience};
use crate::draw::uuid_of;
use crate::number::Number;
use crate::secrets::{hex, hmac_sha256};
use crate::thing::Thing;

/// Who takes the call.
pub async fn answer(call: &mut Call<'_>, number: &Number) -> Value {
    let Some(agent) = number.text("agent_id").and_then(|id| find(call, number, agents::KIND, id)) else {
        return json!({"failed": "no agent is assigned"});
    };
    let data = match initiation(call, number, &agent) {
        None => Value::Null,
        Some(request) => match call.ask(&request, &Patience::new(5_000, 0)).await {
            Ok(said) if said.is_success() => serde_json::from_str(&said.body).unwrap_or_default(),
            _ => return json!({"failed": "the initiation webhook failed"}),
        },
    };
    let answered_by = json!({"agent": agent.id, "provider": NAME, "dynamic_variables": data["dynamic_variables"],
        "overrides": data["conversation_config_override"]});
    call.did(answered_by.clone());
    if let Some(request) = report(call, number, &agent, &data) {
        // It only tells: what is answered changes nothing.
        let _told = call.ask(&request, &Patience::new(10_000, 0)).await;
    }
    answered_by
}

fn find(call: &Call<'_>, number: &Number, kind: &str, id: &str) -> Option<Thing> {
    call.simulator.world().thing(NAME, kind, &number.account, id).cloned()
}

/// What is asked before the call, when the agent has it switched on and a URL is set.
fn initiation(call: &Call<'_>, number: &Number, agent: &Thing) -> Option<Outgoing> {
    let switch = "platform_settings/overrides/enable_conversation_initiation_client_data_from_webhook";
    if agents::setting(agent, switch) != Some(&Value::Bool(true)) {
        return None;
    }
    let place = "platform_settings/workspace_overrides/conversation_initiation_client_data_webhook";
    let own = agents::setting(agent, place).filter(|webhook| webhook.is_object()).cloned();
    let workspace = find(call, number, settings::SETTINGS, settings::SETTINGS);
    let shared = workspace.and_then(|it| it.body.get("conversation_initiation_client_data_webhook").cloned());
    let webhook = own.or(shared)?;
    let body =
        json!({"caller_id": call.from, "agent_id": agent.id, "called_number": call.to, "call_sid": call.id});
    let mut request = Outgoing::json(webhook["url"].as_str()?, &body);
    for (name, value) in webhook["request_headers"].as_object().into_iter().flatten() {
        let stored = value["secret_id"].as_str().and_then(|id| find(call, number, settings::SECRET, id));
        let text = value.as_str().map(str::to_owned).or_else(|| stored?.text("value").map(str::to_owned));
        request = request.with(&name.to_lowercase(), text.unwrap_or_default());
    }
    Some(request)
}

/// What is told after the call, where a webhook is chosen for it.
fn report(call: &Call<'_>, number: &Number, agent: &Thing, data: &Value) -> Option<Outgoing> {
    let own = agents::setting(agent, "platform_settings/workspace_overrides/webhooks/post_call_webhook_id")
        .cloned();
    let workspace = find(call, number, settings::SETTINGS, settings::SETTINGS);
    let shared =
        workspace.and_then(|it| it.body.get("webhooks").map(|all| all["post_call_webhook_id"].clone()));
    let id = own.filter(Value::is_string).or(shared)?;
    let webhook = find(call, number, settings::WEBHOOK, id.as_str()?)?;
    let now = Timestamp::now().as_second();
    let body = json!({"type": "post_call_transcription", "event_timestamp": now, "data": {
        "agent_id": agent.id, "conversation_id": format!("conv_{}", uuid_of(&call.id).simple()), "status": "done",
        "user_id": null, "transcript": [], "has_audio": false,
        "metadata": {"start_time_unix_secs": call.began.as_second(), "call_duration_secs": 37, "cost": 296,
            "termination_reason": "client disconnected", "phone_call": {"direction": "inbound", "type": number.text("provider"),
                "phone_number_id": number.id, "agent_number": call.to, "external_number": call.from, "call_sid": call.id}},
        "analysis": {"call_successful": "success", "transcript_summary": "A short call."},
        "conversation_initiation_client_data": {"dynamic_variables": data["dynamic_variables"]}}});
    let request = Outgoing::json(webhook.text("webhook_url")?, &body);
    let signature = sign(webhook.text("webhook_secret")?, now, &request.body);
    Some(request.with("elevenlabs-signature", signature))
}

/// `t=<seconds>,v0=<HMAC-SHA256 of seconds, a dot and the body>`; the key is the whole secret.
fn sign(secret: &str, now: i64, body: &str) -> String {
    format!("t={now},v0={}", hex(&hmac_sha256(secret.as_bytes(), format!("{now}.{body}").as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_libraries_make_the_same() {
        let secret = "wsec_7c1f4e0b9a2d4c6e8f10325476981badcfe0123456789abcdef0123456789abc";
        let body = r#"{"type":"post_call_audio","event_timestamp":1793534399,"data":{"agent_id":"agent_01jx0000front","conversation_id":"conv_7601k8xa2b3c4d5e6f7g8h9j0k1m","full_audio":"SUQzAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="}}"#;
        let expected = "t=1793534400,v0=0df569ca911f5f997b8c3fda24b5efdff70fb4aa7023b28e19ac5714c562d5ba";
        assert_eq!(sign(secret, 1_793_534_400, body), expected);
    }
}
