//! Agents: who runs them, what they say of themselves, and their tokens.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::{AgentRecord, AgentTarget, Record};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::Admin;
use crate::records;

async fn record(admin: &Admin) -> AgentRecord {
    match records::of_kind(admin, Kind::Agent).await.pop() {
        Some(Record::Agent(_, record)) => record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_agent_at_a_provider_is_named_by_it() {
    let Some(admin) = Admin::start().await else { return };
    let path = format!("/tenants/{}/agents", admin.create("/tenants", json!({"name": "Salon"})).await);
    let target = json!({"type": "hosted", "id": "agent_7", "version": "3", "sip_uri": "sip:a7@sip.example"});
    let agent = json!({
        "name": "Front desk", "language": "es", "provider": "retell", "target": target,
        "greeting": "Hola.", "prompt": "You are the front desk.", "voice_id": "v1",
    });
    let agent = admin.create(&path, agent).await;
    let path = format!("{path}/{agent}");
    let AgentRecord { profile, target, .. } = record(&admin).await;
    let AgentTarget::Hosted(hosted) = target else { panic!("{target:?}") };
    assert_eq!((hosted.provider.as_str(), hosted.id.as_str()), ("retell", "agent_7"));
    assert_eq!(
        (hosted.version.as_deref(), hosted.sip_uri.as_deref()),
        (Some("3"), Some("sip:a7@sip.example"))
    );
    assert_eq!(profile.voice.language.as_deref(), Some("es"));
    assert_eq!(profile.voice.greeting.as_deref(), Some("Hola."));
    assert_eq!(profile.conversation.prompt.as_deref(), Some("You are the front desk."));

    // The agent's version counts its changes; the provider's is the target's, and stays.
    let patch = json!({"greeting": null, "voice_id": "v2"});
    let changed = admin.expect(StatusCode::OK, Method::PATCH, &path, patch).await;
    assert_eq!((&changed["version"], &changed["target"]["version"]), (&json!(2), &json!("3")));
    let voice = record(&admin).await.profile.voice.clone();
    assert_eq!((voice.greeting, voice.voice_id.as_deref()), (None, Some("v2")));
    admin.refused(Method::PATCH, &path, json!({"version": 7}), "version").await;
}

#[tokio::test]
async fn refusals_name_the_place() {
    let Some(admin) = Admin::start().await else { return };
    let path = format!("/tenants/{}/agents", admin.create("/tenants", json!({"name": "Salon"})).await);
    let stream = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let hosted = json!({"type": "hosted", "id": "agent_7"});
    for (provider, target, field) in [
        ("carrier", &stream, "provider"),
        // A provider that hosts no agents.
        ("twilio", &hosted, "provider"),
        ("custom", &hosted, "target.type"),
        ("retell", &stream, "target.type"),
        ("retell", &json!({"type": "hosted"}), "target.id"),
        ("custom", &json!({"type": "stream", "url": "wss://a.example", "version": "1"}), "target.version"),
    ] {
        let agent = json!({"name": "Front desk", "provider": provider, "target": target});
        admin.refused(Method::POST, &path, agent, field).await;
    }
    for (field, value) in [("greeting", ""), ("prompt", " "), ("voice_id", ""), ("language", "spanish")] {
        let agent = json!({"name": "Front desk", "provider": "custom", "target": stream, field: value});
        admin.refused(Method::POST, &path, agent, field).await;
    }
    assert_eq!(records::of_kind(&admin, Kind::Agent).await, []);
    let listed = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    assert_eq!(listed["items"], json!([]));
}
