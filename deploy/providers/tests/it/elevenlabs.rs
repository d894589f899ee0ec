//! ElevenLabs: agents, imported numbers, the workspace's webhooks.

use reqwest::Method;
use serde_json::{Value, json};

use crate::calls::call;
use crate::harness::{Answer, Providers, send, start};
use crate::twilio::{self, SID, TOKEN};
use crate::webhooks::Webhooks;

async fn ask(providers: &Providers, method: Method, path: &str, body: Value) -> Answer {
    let request = providers.request(method, &format!("/elevenlabs{path}")).header("xi-api-key", "xi");
    send(if body.is_null() { request } else { request.json(&body) }).await
}

#[tokio::test]
async fn an_imported_number_is_answered_by_its_agent_and_told_of() {
    let providers = start(&[]).await;
    let said =
        json!({"type": "conversation_initiation_client_data", "dynamic_variables": {"tenant": "Acme"}})
            .to_string();
    let webhooks =
        Webhooks::start(&[("/initiation", 200, "application/json", &said), ("/post-call", 200, "", "")])
            .await;
    let switch = json!({"overrides": {"enable_conversation_initiation_client_data_from_webhook": true}});
    let agent = json!({"name": "a1", "conversation_config": {}, "platform_settings": switch});
    let agent =
        ask(&providers, Method::POST, "/v1/convai/agents/create", agent).await.is(200).at("/agent_id");
    let made =
        json!({"settings": {"auth_type": "hmac", "name": "w", "webhook_url": webhooks.at("/post-call")}});
    let made = ask(&providers, Method::POST, "/v1/workspace/webhooks", made).await.is(200);
    let settings = json!({"webhooks": {"post_call_webhook_id": made.at("/webhook_id")},
        "conversation_initiation_client_data_webhook": {"url": webhooks.at("/initiation"), "request_headers": {"X-Secret": "s"}}});
    ask(&providers, Method::PATCH, "/v1/convai/settings", settings).await.is(200);

    let bought =
        twilio::ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await;
    let number = bought.is(201).at("/phone_number");
    let import = |token: &str| json!({"provider": "twilio", "phone_number": number, "label": "dp:1", "sid": SID, "token": token, "agent_id": agent});
    ask(&providers, Method::POST, "/v1/convai/phone-numbers", import("wrong")).await.is(400);
    let id = ask(&providers, Method::POST, "/v1/convai/phone-numbers", import(TOKEN))
        .await
        .is(200)
        .at("/phone_number_id");
    let listed = twilio::ask(&providers, Method::GET, "/IncomingPhoneNumbers.json", &[]).await;
    assert_eq!(
        listed.at("/incoming_phone_numbers/0/voice_url"),
        "https://api.elevenlabs.io/twilio/inbound_call"
    );

    let report = call(&providers, &number, &[]).await;
    assert_eq!(report.at("/answered_by/agent"), agent);
    assert_eq!(report.at("/answered_by/dynamic_variables/tenant"), "Acme");
    let received = webhooks.received();
    assert_eq!((received[0].header("x-secret"), &received[0].json()["called_number"]), ("s", &json!(number)));
    let signature = received.last().unwrap().header("elevenlabs-signature");
    let at = signature.split([',', '=']).nth(1).unwrap();
    assert_eq!(
        signature,
        format!(
            "t={at},v0={}",
            hmac(&made.at("/webhook_secret"), &format!("{at}.{}", received.last().unwrap().body))
        )
    );

    let place = format!("/v1/convai/phone-numbers/{id}");
    ask(&providers, Method::PATCH, &place, json!({"agent_id": "none"})).await.is(404);
    let unlinked = ask(&providers, Method::PATCH, &place, json!({"agent_id": null})).await.is(200);
    assert_eq!(unlinked.at("/assigned_agent"), "null");
    assert_eq!(call(&providers, &number, &[]).await.at("/answered_by/failed"), "no agent is assigned");
    ask(&providers, Method::DELETE, &place, Value::Null).await.is(200);
    assert_eq!(
        ask(&providers, Method::GET, "/v1/convai/v2/phone-numbers", Value::Null).await.at("/phone_numbers"),
        "[]"
    );
    assert_eq!(providers.ledger().await.last().unwrap(), &format!("forget number {number}"));
}

fn hmac(key: &str, text: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(text);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn agents_are_merged_listed_and_deleted() {
    let providers = start(&[]).await;
    ask(&providers, Method::POST, "/v1/convai/agents/create", json!({"name": "a"})).await.is(422);
    let body =
        json!({"name": "a1", "conversation_config": {"agent": {"language": "en", "first_message": "Hi"}}});
    let id = ask(&providers, Method::POST, "/v1/convai/agents/create", body).await.is(200).at("/agent_id");
    let place = format!("/v1/convai/agents/{id}");
    let change = json!({"conversation_config": {"agent": {"language": "de"}}});
    let changed = ask(&providers, Method::PATCH, &place, change).await.is(200);
    assert_eq!(
        changed.json()["conversation_config"]["agent"],
        json!({"language": "de", "first_message": "Hi"})
    );
    let listed = ask(&providers, Method::GET, "/v1/convai/agents?search=a1", Value::Null).await;
    assert_eq!((listed.at("/agents/0/agent_id"), listed.at("/has_more")), (id.clone(), "false".into()));
    let register = json!({"agent_id": id, "from_number": "+1", "to_number": "+2"});
    let document = ask(&providers, Method::POST, "/v1/convai/twilio/register-call", register).await.is(200);
    assert!(document.text.contains("<Connect><Stream url=\"wss://"), "{}", document.text);
    ask(&providers, Method::DELETE, &place, Value::Null).await.is(200);
    ask(&providers, Method::GET, &place, Value::Null).await.is(404);
    let wrong = providers.request(Method::GET, "/elevenlabs/v1/convai/agents");
    assert_eq!(send(wrong).await.is(401).at("/detail/status"), "invalid_api_key");
}
