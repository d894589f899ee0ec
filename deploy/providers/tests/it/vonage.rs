//! Vonage: two APIs, errors at status 200, signed tokens.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::Digest;

use crate::calls::call;
use crate::harness::{Answer, Providers, send, start};
use crate::webhooks::Webhooks;

const KEY: &str = "a1b2c3d4";

async fn rest(providers: &Providers, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = providers.request(method, &format!("/vonage-rest{path}")).basic_auth(KEY, Some("secret"));
    send(request.body(body)).await.is(200)
}

async fn ask(providers: &Providers, method: Method, path: &str, body: Value) -> Answer {
    let request = providers.request(method, &format!("/vonage{path}")).basic_auth(KEY, Some("secret"));
    send(if body.is_null() { request } else { request.json(&body) }).await
}

#[tokio::test]
async fn a_number_is_bought_pointed_called_and_released() {
    let providers = start(&[]).await;
    let connect = json!([{"action": "connect", "endpoint": [{"type": "websocket", "uri": "wss://v.example/m", "headers": {"t": "1"}}]}]);
    let webhooks = Webhooks::start(&[
        ("/answer", 200, "application/json", &connect.to_string()),
        ("/event", 200, "", ""),
    ])
    .await;
    let hook = |path: &str| json!({"address": webhooks.at(path), "http_method": "POST"});
    let application = json!({"name": "dialplane",
        "capabilities": {"voice": {"webhooks": {"answer_url": hook("/answer"), "event_url": hook("/event")}}}});
    let application = ask(&providers, Method::POST, "/v2/applications", application).await.is(201).at("/id");
    let found = rest(&providers, Method::GET, "/number/search?country=US&pattern=1415&size=1", &[]).await;
    let number = found.at("/numbers/0/msisdn");
    let form = [("country", "US"), ("msisdn", number.as_str())];
    assert_eq!(rest(&providers, Method::POST, "/number/buy", &form).await.at("/error-code"), "200");
    assert_eq!(rest(&providers, Method::POST, "/number/buy", &form).await.at("/error-code"), "420");
    let set = [form.as_slice(), &[("app_id", &application)]].concat();
    assert_eq!(rest(&providers, Method::POST, "/number/update", &set).await.at("/error-code"), "200");
    let path = format!("/account/numbers?pattern={number}&search_pattern=0");
    assert_eq!(rest(&providers, Method::GET, &path, &[]).await.at("/numbers/0/app_id"), application);
    let report = call(&providers, &format!("+{number}"), &[]).await;
    assert_eq!(
        report.json()["answered_by"],
        json!({"stream": "wss://v.example/m", "parameters": {"t": "1"}})
    );
    let received = webhooks.received();
    assert_eq!(
        (&received[0].json()["to"], &received[1].json()["status"]),
        (&json!(number), &json!("completed"))
    );
    let claims = claims(received[0].header("authorization"));
    let hash: String =
        sha2::Sha256::digest(&received[0].body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((&claims["payload_hash"], &claims["api_key"]), (&json!(hash), &json!(KEY)));
    assert_eq!(rest(&providers, Method::POST, "/number/cancel", &form).await.at("/error-code"), "200");
    assert_eq!(rest(&providers, Method::GET, &path, &[]).await.text, "{}");
    assert_eq!(
        providers.ledger().await[1..],
        [format!("buy number +{number}"), format!("release number +{number}")]
    );
}

fn claims(authorization: &str) -> Value {
    use base64::Engine;
    let token = authorization.strip_prefix("Bearer ").unwrap();
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn answers_are_got_unless_the_application_says_otherwise() {
    let providers = start(&[]).await;
    let webhooks =
        Webhooks::start(&[("/answer", 200, "application/json", r#"[{"action":"talk","text":"Hi"}]"#)]).await;
    let application = json!({"name": "dialplane",
        "capabilities": {"voice": {"webhooks": {"answer_url": {"address": webhooks.at("/answer")}}}}});
    let application = ask(&providers, Method::POST, "/v2/applications", application).await.is(201).at("/id");
    let number =
        rest(&providers, Method::GET, "/number/search?country=US", &[]).await.at("/numbers/0/msisdn");
    let form = [("country", "US"), ("msisdn", number.as_str()), ("app_id", &application)];
    rest(&providers, Method::POST, "/number/buy", &form).await;
    rest(&providers, Method::POST, "/number/update", &form).await;
    assert_eq!(
        call(&providers, &format!("+{number}"), &[]).await.json()["answered_by"],
        json!({"message": "Hi"})
    );
    let received = webhooks.received();
    assert!(received[0].method == "GET" && received[0].url.contains(&format!("to={number}")), "{received:?}");
    let listed = ask(&providers, Method::GET, "/v2/applications", Value::Null).await.is(200);
    assert_eq!(listed.at("/_embedded/applications/0/id"), application);
    let made =
        ask(&providers, Method::POST, "/accounts/a1b2c3d4/subaccounts", json!({"name": "t1"})).await.is(201);
    let moved = json!({"from": KEY, "to": made.at("/api_key"), "number": number, "country": "US"});
    ask(&providers, Method::POST, "/accounts/a1b2c3d4/transfer-number", moved).await.is(200);
    assert_eq!(rest(&providers, Method::GET, "/account/numbers", &[]).await.text, "{}");
}
