//! Telnyx: orders, applications, and both ways to take a call.

use reqwest::Method;
use serde_json::{Value, json};

use crate::calls::call;
use crate::harness::{Answer, Providers, send, start};
use crate::webhooks::Webhooks;

async fn ask(providers: &Providers, method: Method, path: &str, body: Value) -> Answer {
    let request = providers.request(method, &format!("/telnyx/v2{path}")).bearer_auth("KEY1");
    send(if body.is_null() { request } else { request.json(&body) }).await
}

/// Orders a number for a connection: its digits and its id.
async fn ordered(providers: &Providers, connection: &str) -> (String, String) {
    let search = "/available_phone_numbers?filter[country_code]=US&filter[national_destination_code]=312&filter[limit]=1";
    let number = ask(providers, Method::GET, search, Value::Null).await.is(200).at("/data/0/phone_number");
    let body = json!({"phone_numbers": [{"phone_number": number}], "connection_id": connection, "customer_reference": "dp:1"});
    let order = ask(providers, Method::POST, "/number_orders", body.clone()).await.is(200);
    assert_eq!(order.at("/data/status"), "pending");
    let twice = ask(providers, Method::POST, "/number_orders", body).await.is(422);
    assert_eq!(twice.at("/errors/0/code"), "85001");
    let found =
        ask(providers, Method::GET, "/number_orders?filter[customer_reference]=dp:1", Value::Null).await;
    assert_eq!(
        (found.at("/data/0/status"), found.at("/data/0/id")),
        ("success".into(), order.at("/data/id"))
    );
    let path = format!("/phone_numbers?filter[phone_number]={}&filter[status]=active", &number[1..]);
    (number, ask(providers, Method::GET, &path, Value::Null).await.is(200).at("/data/0/id"))
}

#[tokio::test]
async fn an_order_succeeds_and_its_number_asks_the_application() {
    let providers = start(&[]).await;
    let document = "<Response><Say>We are closed.</Say><Hangup/></Response>";
    let webhooks = Webhooks::start(&[("/texml", 200, "text/xml", document), ("/status", 200, "", "")]).await;
    let body = json!({"friendly_name": "dialplane", "voice_url": webhooks.at("/texml"), "voice_method": "post",
        "status_callback": webhooks.at("/status")});
    let application = ask(&providers, Method::POST, "/texml_applications", body).await.is(201).at("/data/id");
    let (number, id) = ordered(&providers, &application).await;
    assert_eq!(
        call(&providers, &number, &[]).await.json()["answered_by"],
        json!({"message": "We are closed."})
    );
    assert_eq!(webhooks.paths(), ["/texml", "/status"]);
    let asked = &webhooks.received()[0];
    assert_eq!((asked.form("To"), asked.form("ConnectionId")), (number.clone(), application));
    verify(
        &providers,
        asked.header("telnyx-timestamp"),
        asked.header("telnyx-signature-ed25519"),
        &asked.body,
    )
    .await;
    let place = format!("/phone_numbers/{id}");
    ask(&providers, Method::PATCH, &place, json!({"connection_id": "1"})).await.is(422);
    ask(&providers, Method::DELETE, &place, Value::Null).await.is(200);
    assert_eq!(ask(&providers, Method::GET, &place, Value::Null).await.is(404).at("/errors/0/code"), "10005");
    assert_eq!(
        providers.ledger().await[1..],
        [format!("buy number {number}"), format!("release number {number}")]
    );
}

/// Checks the signature with the key that the account shows.
async fn verify(providers: &Providers, timestamp: &str, signature: &str, body: &str) {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use ed25519_dalek::{Signature, Verifier, VerifyingKey};
    let key = providers.get("/control/accounts").await.at("/accounts/0/credentials/ed25519_public_key");
    let key = VerifyingKey::from_bytes(&STANDARD.decode(key).unwrap().try_into().unwrap()).unwrap();
    let signature = Signature::from_slice(&STANDARD.decode(signature).unwrap()).unwrap();
    key.verify(format!("{timestamp}|{body}").as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn a_call_is_commanded_once() {
    let providers = start(&[]).await;
    let webhooks = Webhooks::start(&[("/events", 200, "", "")]).await;
    let body = json!({"application_name": "dialplane", "webhook_event_url": webhooks.at("/events")});
    let application =
        ask(&providers, Method::POST, "/call_control_applications", body).await.is(201).at("/data/id");
    let (number, _) = ordered(&providers, &application).await;
    let commanding = async {
        let event = loop {
            if let Some(event) = webhooks.received().first() {
                break event.json();
            }
            tokio::task::yield_now().await;
        };
        let id = event["data"]["payload"]["call_control_id"].as_str().unwrap().replace(':', "%3A");
        let command = json!({"command_id": "c1", "to": "+12025550147"});
        for _ in 0..2 {
            ask(&providers, Method::POST, &format!("/calls/{id}/actions/transfer"), command.clone())
                .await
                .is(200);
        }
    };
    let (report, ()) = tokio::join!(call(&providers, &number, &[]), commanding);
    assert_eq!(report.json()["answered_by"], json!({"number": "+12025550147"}));
    assert_eq!(webhooks.received()[1].json()["data"]["event_type"], "call.hangup");
}
