//! SignalWire: Twilio's shape with its own names, keys and signature.

use reqwest::Method;
use serde_json::json;

use crate::calls::call;
use crate::harness::{Answer, Providers, send, start};
use crate::webhooks::Webhooks;

const PROJECT: &str = "6bfbbe86-a901-4197-8759-2a0de1fa319d";

async fn ask(providers: &Providers, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
    let url = format!("/signalwire/api/laml/2010-04-01/Accounts/{PROJECT}{path}");
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    send(providers.request(method, &url).basic_auth(PROJECT, Some("PTtoken")).body(body)).await
}

#[tokio::test]
async fn a_number_is_bought_called_and_released() {
    let providers = start(&[]).await;
    let reject = r#"<Response><Reject reason="busy"/></Response>"#;
    let webhooks = Webhooks::start(&[("/voice", 200, "text/xml", reject)]).await;
    let found =
        ask(&providers, Method::GET, "/AvailablePhoneNumbers/US/Local?AreaCode=415", &[]).await.is(200);
    let number = found.at("/available_phone_numbers/0/phone_number");
    let area = ask(&providers, Method::POST, "/IncomingPhoneNumbers", &[("AreaCode", "415")]).await;
    assert_eq!(area.is(422).at("/code"), "20001", "by number alone");
    let form = [("PhoneNumber", &*number), ("FriendlyName", "dp:1"), ("VoiceUrl", &webhooks.at("/voice"))];
    let bought = ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &form).await.is(201);
    assert_eq!(bought.at("/sid").len(), 36);
    let listed = ask(&providers, Method::GET, "/IncomingPhoneNumbers?FriendlyName=dp%3A1", &[]).await.is(200);
    assert_eq!(listed.at("/incoming_phone_numbers/0/sid"), bought.at("/sid"));
    assert_eq!(call(&providers, &number, &[]).await.json()["answered_by"], json!({"rejected": "busy"}));
    let asked = &webhooks.received()[0];
    assert_eq!((asked.header("x-twilio-signature"), asked.header("x-signalwire-signature").len()), ("", 28));
    let accounts = providers.get("/control/accounts").await;
    assert!(accounts.at("/accounts/0/credentials/signing_key").starts_with("PSK_"));
    let place = format!("/IncomingPhoneNumbers/{}", bought.at("/sid"));
    ask(&providers, Method::DELETE, &place, &[]).await.is(204);
    assert_eq!(ask(&providers, Method::DELETE, &place, &[]).await.is(404).at("/code"), "20404");
    assert_eq!(
        providers.ledger().await,
        [format!("buy number {number}"), format!("release number {number}")]
    );
}
