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

#[tokio::test]
async fn a_shared_agent_is_used_by_whom_it_is_granted_to() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let other = admin.create("/tenants", json!({"name": "Other"})).await;
    let key = admin.tenant_key(&tenant).await;
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Everybody's", "provider": "custom", "target": target});
    admin.refused(Method::POST, "/agents", with(&agent, "kind", json!("own")), "kind").await;
    admin
        .refused(
            Method::POST,
            &format!("/tenants/{tenant}/agents"),
            with(&agent, "kind", json!("shared")),
            "kind",
        )
        .await;
    let shared = admin.create("/agents", agent.clone()).await;
    assert_eq!(record(&admin).await.tenant_id, dialplane_common::feed::record::PLATFORM);
    let number = json!({"source": "manual", "phone_number": "+12125550001", "agent_id": shared});
    let numbers = format!("/tenants/{tenant}/phone-numbers");
    admin.refused(Method::POST, &numbers, number.clone(), "agent_id").await;
    let grant = |tenant: &str| format!("/agents/{shared}/grants/{tenant}");
    admin.expect(StatusCode::NO_CONTENT, Method::PUT, &grant(&tenant), Value::Null).await;
    let number = admin.create(&numbers, number).await;

    // The tenant sees it and changes nothing of it; others see nothing.
    let own = format!("/api/v2/tenants/{tenant}/agents/{shared}");
    let (status, seen) = admin.send(&key, Method::GET, &own, &Value::Null).await;
    let said = (&seen["kind"], &seen["tenant_id"], &seen["version"]);
    assert_eq!((status, said), (StatusCode::OK, (&json!("shared"), &Value::Null, &json!(1))));
    let list = format!("/api/v2/tenants/{tenant}/agents");
    let (_, listed) = admin.send(&key, Method::GET, &list, &Value::Null).await;
    assert_eq!(listed["items"][0]["id"], json!(shared));
    for (method, body) in [(Method::PATCH, json!({"name": "Mine"})), (Method::DELETE, Value::Null)] {
        let (status, answer) = admin.send(&key, method, &own, &body).await;
        assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("operator_only")));
    }
    let path = format!("/tenants/{other}/agents/{shared}");
    admin.expect(StatusCode::NOT_FOUND, Method::GET, &path, Value::Null).await;

    let answered = format!("/tenants/{tenant}/agents/{shared}/phone-numbers");
    let listed = admin.expect(StatusCode::OK, Method::GET, &answered, Value::Null).await;
    assert_eq!(listed["items"][0]["id"], json!(number));
    for path in [grant(&tenant), format!("/agents/{shared}")] {
        let refused = admin.expect(StatusCode::CONFLICT, Method::DELETE, &path, Value::Null).await;
        assert_eq!(refused["code"], "agent_in_use");
    }
    let one = format!("{answered}/{number}");
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &one, Value::Null).await;
    let rules = json!({"rules": [{"then": {"action": "agent", "agent_id": shared}}]});
    let routing = format!("/tenants/{tenant}/defaults/routing");
    admin.expect(StatusCode::OK, Method::PUT, &routing, rules).await;
    admin.expect(StatusCode::CONFLICT, Method::DELETE, &grant(&tenant), Value::Null).await;
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &routing, Value::Null).await;
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &grant(&tenant), Value::Null).await;
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &format!("/agents/{shared}"), Value::Null).await;
    assert_eq!(records::of_kind(&admin, Kind::Agent).await, []);
}

fn with(object: &Value, field: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[field] = value;
    object
}

#[tokio::test]
async fn an_agent_has_numbers_intents_and_settings_of_its_provider() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let other = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Other"})).await);
    let book = admin.create(&format!("{tenant}/intents"), json!({"name": "book"})).await;
    let foreign = admin.create(&format!("{other}/intents"), json!({"name": "book"})).await;
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Desk", "provider": "custom", "target": target, "kind": "own",
        "config": {"model": {"temperature": 0.2}}, "intent_ids": [book]});
    let agents = format!("{tenant}/agents");
    let wrong = with(&agent, "intent_ids", json!([book, foreign]));
    admin.refused(Method::POST, &agents, wrong, "intent_ids[1]").await;
    admin
        .refused(Method::POST, &agents, with(&agent, "intent_ids", json!([book, book])), "intent_ids[1]")
        .await;
    let long = with(&agent, "config", json!({"x": "y".repeat(17_000)}));
    admin.refused(Method::POST, &agents, long, "config").await;
    let id = admin.create(&agents, agent.clone()).await;
    let path = format!("{agents}/{id}");
    let kept = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    for field in ["kind", "config", "intent_ids"] {
        assert_eq!(kept[field], agent[field], "{field}");
    }
    let compiled = record(&admin).await;
    assert_eq!((compiled.version, compiled.intent_ids[0].to_string()), (1, book.clone()));
    let intent = format!("{tenant}/intents/{book}");
    let refused = admin.expect(StatusCode::CONFLICT, Method::DELETE, &intent, Value::Null).await;
    assert_eq!(refused["code"], "intent_in_use");
    let changed = admin.expect(StatusCode::OK, Method::PATCH, &path, json!({"intent_ids": []})).await;
    assert_eq!((&changed["version"], &changed["intent_ids"]), (&json!(2), &json!([])));
    assert_eq!(record(&admin).await.version, 2);
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &intent, Value::Null).await;

    let mut numbers = Vec::new();
    for index in 0..3 {
        let number = json!({"source": "manual", "phone_number": format!("+1212555000{index}")});
        numbers.push(admin.create(&format!("{tenant}/phone-numbers"), number).await);
    }
    let answered = format!("{path}/phone-numbers");
    let some = json!({"phone_number_ids": [numbers[1], numbers[0]]});
    admin.expect(StatusCode::OK, Method::POST, &answered, some).await;
    // All, or none.
    let wrong = json!({"phone_number_ids": [numbers[2], uuid::Uuid::nil()]});
    admin.refused(Method::POST, &answered, wrong, "phone_number_ids[1]").await;
    let list = async || {
        let list = admin.expect(StatusCode::OK, Method::GET, &answered, Value::Null).await;
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list().await, numbers[..2]);
    let one = format!("{answered}/{}", numbers[0]);
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &one, Value::Null).await;
    admin.expect(StatusCode::NOT_FOUND, Method::DELETE, &one, Value::Null).await;
    assert_eq!(list().await, numbers[1..2]);
}
