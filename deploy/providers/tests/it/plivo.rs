//! Plivo: exact numbers, applications, subaccounts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::calls::call;
use crate::harness::{Answer, Providers, send, start};
use crate::webhooks::Webhooks;

const MAIN: &str = "MAXXXXXXXXXXXXXXXXXX";

async fn ask(providers: &Providers, method: Method, path: &str, body: Value) -> Answer {
    let url = format!("/plivo/v1/Account/{MAIN}/{path}");
    let request = providers.request(method, &url).basic_auth(MAIN, Some("token"));
    send(if body.is_null() { request } else { request.json(&body) }).await
}

#[tokio::test]
async fn a_number_is_bought_pointed_called_and_released() {
    let providers = start(&[]).await;
    let stream = r#"<Response><Stream bidirectional="true" keepCallAlive="true" extraHeaders="tenant=t42">wss://v.example/m</Stream></Response>"#;
    let webhooks = Webhooks::start(&[("/answer", 200, "text/xml", stream), ("/hangup", 200, "", "")]).await;
    let body = json!({"app_name": "dialplane", "answer_url": webhooks.at("/answer"), "hangup_url": webhooks.at("/hangup")});
    let application = ask(&providers, Method::POST, "Application/", body.clone()).await.is(201).at("/app_id");
    ask(&providers, Method::POST, "Application/", body).await.is(400);
    let found =
        ask(&providers, Method::GET, "PhoneNumber/?country_iso=US&pattern=415&limit=1", Value::Null).await;
    let number = found.is(200).at("/objects/0/number");
    ask(&providers, Method::POST, "PhoneNumber/14155550999999/", json!({})).await.is(404);
    let path = format!("PhoneNumber/{number}/");
    let bought = ask(&providers, Method::POST, &path, json!({"app_id": application})).await.is(201);
    assert_eq!(bought.at("/numbers/0/status"), "Success");
    ask(&providers, Method::POST, &path, json!({})).await.is(404);
    let place = format!("Number/{number}/");
    ask(&providers, Method::POST, &place, json!({"alias": "dp:1"})).await.is(202);
    let read = ask(&providers, Method::GET, &place, Value::Null).await.is(200);
    assert_eq!(read.at("/application"), format!("/v1/Account/{MAIN}/Application/{application}/"));
    let listed = ask(&providers, Method::GET, "Number/?alias=dp%3A1", Value::Null).await;
    assert_eq!(
        (listed.at("/objects/0/number"), listed.at("/meta/total_count")),
        (number.clone(), "1".into())
    );
    let report = call(&providers, &format!("+{number}"), &[]).await;
    let expected = json!({"stream": "wss://v.example/m", "parameters": {"tenant": "t42"}});
    assert_eq!(report.json()["answered_by"], expected);
    let received = webhooks.received();
    assert_eq!((received[0].form("To"), received[1].form("Event")), (number.clone(), "Hangup".into()));
    assert_eq!(received[0].header("x-plivo-signature-v3").len(), 44);
    ask(&providers, Method::DELETE, &place, Value::Null).await.is(204);
    ask(&providers, Method::GET, &place, Value::Null).await.is(404);
    assert_eq!(
        providers.ledger().await[1..],
        [format!("buy number +{number}"), format!("release number +{number}")]
    );
}

#[tokio::test]
async fn subaccounts_come_and_go() {
    let providers = start(&[]).await;
    let made =
        ask(&providers, Method::POST, "Subaccount/", json!({"name": "t1", "enabled": true})).await.is(201);
    let id = made.at("/auth_id");
    assert!(id.starts_with("SA") && id.len() == 20);
    let place = format!("Subaccount/{id}/");
    ask(&providers, Method::POST, &place, json!({"enabled": false})).await.is(202);
    assert_eq!(ask(&providers, Method::GET, &place, Value::Null).await.at("/enabled"), "false");
    ask(&providers, Method::DELETE, &place, Value::Null).await.is(204);
    ask(&providers, Method::GET, &place, Value::Null).await.is(404);
    let wrong = providers.request(Method::GET, &format!("/plivo/v1/Account/{MAIN}/Number/"));
    send(wrong.basic_auth(MAIN, Some("wrong"))).await.is(401);
}
