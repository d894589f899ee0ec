//! Retell: agents, numbers with weights, the inbound webhook.

use reqwest::Method;
use serde_json::{Value, json};

use crate::calls::call;
use crate::harness::{Answer, Providers, send, start};
use crate::webhooks::Webhooks;

async fn ask(providers: &Providers, method: Method, path: &str, body: Value) -> Answer {
    let request = providers.request(method, &format!("/retell{path}")).bearer_auth("key_1");
    send(if body.is_null() { request } else { request.json(&body) }).await
}

/// Makes an agent that reports here.
async fn agent(providers: &Providers, webhook: &str) -> String {
    let llm =
        ask(providers, Method::POST, "/create-retell-llm", json!({"general_prompt": "p"})).await.is(201);
    let engine = json!({"type": "retell-llm", "llm_id": llm.at("/llm_id")});
    let body = json!({"response_engine": engine, "voice_id": "retell-Cimo", "agent_name": "a", "webhook_url": webhook});
    ask(providers, Method::POST, "/create-agent", body).await.is(201).at("/agent_id")
}

#[tokio::test]
async fn a_number_is_bought_linked_called_and_deleted() {
    let providers = start(&[]).await;
    let webhooks = Webhooks::start(&[("/events", 204, "", "")]).await;
    let agent = agent(&providers, &webhooks.at("/events")).await;
    let link = |weight: f64| json!([{"agent_id": agent, "weight": weight}]);
    let body = |weight: f64| json!({"area_code": 415, "nickname": "dp:1", "inbound_agents": link(weight)});
    ask(&providers, Method::POST, "/create-phone-number", body(0.5)).await.is(400);
    let number =
        ask(&providers, Method::POST, "/create-phone-number", body(1.0)).await.is(201).at("/phone_number");
    assert_eq!(number, "+14155570100");
    let listed = ask(&providers, Method::GET, "/v2/list-phone-numbers?limit=10", Value::Null).await;
    assert_eq!((listed.at("/items/0/nickname"), listed.at("/has_more")), ("dp:1".into(), "false".into()));
    let report = call(&providers, &number, &[]).await;
    assert_eq!(report.at("/answered_by/agent"), agent);
    let events: Vec<_> = webhooks.received().iter().map(|it| it.json()["event"].clone()).collect();
    assert_eq!(events, ["call_started", "call_ended", "call_analyzed"]);
    let place = format!("phone-number/{}", number.replace('+', "%2B"));
    let none =
        ask(&providers, Method::PATCH, &format!("/update-{place}"), json!({"inbound_agents": null})).await;
    assert_eq!(none.is(200).at("/inbound_agents"), "null");
    assert_eq!(call(&providers, &number, &[]).await.at("/answered_by/rejected"), "no agent");
    ask(&providers, Method::DELETE, &format!("/delete-{place}"), Value::Null).await.is(204);
    ask(&providers, Method::GET, &format!("/get-{place}"), Value::Null).await.is(404);
    let none = json!({"area_code": 533});
    ask(&providers, Method::POST, "/create-phone-number", none).await.is(400);
    let ledger = providers.ledger().await;
    assert_eq!(ledger[2..], [format!("buy number {number}"), format!("release number {number}")]);
}

#[tokio::test]
async fn the_inbound_webhook_chooses_rejects_or_leaves_it() {
    let providers = start(&[]).await;
    let events = Webhooks::start(&[("/events", 204, "", "")]).await;
    let (own, other) = (agent(&providers, &events.at("/events")).await, agent(&providers, "").await);
    let chosen =
        json!({"call_inbound": {"override_agent_id": other, "dynamic_variables": {"tenant": "Acme"}}})
            .to_string();
    let reject = json!({"call_inbound": {"reject": true}}).to_string();
    let webhooks = Webhooks::start(&[
        ("/choose", 200, "application/json", &chosen),
        ("/reject", 200, "application/json", &reject),
        ("/broken", 500, "", ""),
    ])
    .await;
    let import = json!({"phone_number": "+14155550143", "termination_uri": "x.pstn.twilio.com",
        "inbound_agents": [{"agent_id": own, "weight": 1}]});
    ask(&providers, Method::POST, "/import-phone-number", import).await.is(201);
    let ring = async |path: &str| {
        let set = json!({"inbound_webhook_url": webhooks.at(path)});
        ask(&providers, Method::PATCH, "/update-phone-number/%2B14155550143", set).await.is(200);
        call(&providers, "+14155550143", &[]).await.json()["answered_by"].clone()
    };
    let answered_by = ring("/choose").await;
    assert_eq!(
        (&answered_by["agent"], &answered_by["dynamic_variables"]["tenant"]),
        (&json!(other), &json!("Acme"))
    );
    assert_eq!(ring("/reject").await, json!({"rejected": "rejected"}));
    assert_eq!(ring("/broken").await["agent"], own, "its own agent, after three more tries");
    assert_eq!(webhooks.paths().iter().filter(|path| *path == "/broken").count(), 4);
    assert!(webhooks.received()[0].header("x-retell-signature").starts_with("v="));
}
