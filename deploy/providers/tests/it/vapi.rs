//! Vapi's REST API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Providers, send, start};
use crate::twilio::{self, SID, TOKEN};

pub const KEY: &str = "vapi-private-key";

/// A request with the account's key.
pub async fn ask(providers: &Providers, method: Method, path: &str, body: Value) -> Answer {
    let request = providers.request(method, &format!("/vapi{path}")).bearer_auth(KEY);
    send(if body.is_null() { request } else { request.json(&body) }).await
}

#[tokio::test]
async fn assistants_are_made_changed_listed_and_deleted() {
    let providers = start(&[]).await;
    let model = json!({"provider": "openai", "model": "gpt-4o"});
    let made =
        ask(&providers, Method::POST, "/assistant", json!({"name": "a1", "model": model})).await.is(201);
    let place = format!("/assistant/{}", made.at("/id"));
    let changed =
        ask(&providers, Method::PATCH, &place, json!({"model": {"provider": "x"}, "name": null})).await;
    assert_eq!((changed.at("/model"), changed.at("/name")), (r#"{"provider":"x"}"#.into(), "null".into()));
    assert_eq!(ask(&providers, Method::GET, "/assistant", Value::Null).await.at("/0/id"), made.at("/id"));
    let before = format!("/assistant?createdAtLt={}", made.at("/createdAt"));
    assert_eq!(ask(&providers, Method::GET, &before, Value::Null).await.text, "[]");
    ask(&providers, Method::DELETE, &place, Value::Null).await.is(200);
    ask(&providers, Method::DELETE, &place, Value::Null).await.is(404);
    let long = json!({"name": "n".repeat(41)});
    ask(&providers, Method::POST, "/assistant", long).await.is(400);
    assert_eq!(providers.ledger().await.len(), 2);
}

#[tokio::test]
async fn free_numbers_activate_and_end_at_the_limit() {
    let providers = start(&["--stock", "vapi:415=0"]).await;
    let none = ask(
        &providers,
        Method::POST,
        "/phone-number",
        json!({"provider": "vapi", "numberDesiredAreaCode": "415"}),
    );
    let hint = none.await.is(400).at("/message");
    assert!(hint.starts_with("This area code is currently not available. Hint: Try one of "), "{hint}");
    let wanted = json!({"provider": "vapi", "numberDesiredAreaCode": "414", "name": "dp:1"});
    let made = ask(&providers, Method::POST, "/phone-number", wanted).await.is(201);
    assert_eq!((made.at("/status"), made.at("/number")), ("activating".into(), "null".into()));
    let place = format!("/phone-number/{}", made.at("/id"));
    let read = ask(&providers, Method::GET, &place, Value::Null).await.is(200);
    assert_eq!((read.at("/status"), read.at("/number")), ("active".into(), "+14145560100".into()));
    for _ in 1..5 {
        ask(&providers, Method::POST, "/phone-number", json!({"provider": "vapi"})).await.is(201);
    }
    ask(&providers, Method::POST, "/phone-number", json!({"provider": "vapi"})).await.is(400);
    let uri = json!({"provider": "vapi", "sipUri": "sip:t1@sip.vapi.ai"});
    assert_eq!(
        ask(&providers, Method::POST, "/phone-number", uri).await.is(201).at("/sipUri"),
        "sip:t1@sip.vapi.ai"
    );
    let pages = ask(&providers, Method::GET, "/v2/phone-number?limit=4&search=", Value::Null).await;
    assert_eq!(
        (pages.at("/metadata/totalPages"), pages.at("/metadata/hasNextPage")),
        ("2".into(), "true".into())
    );
    ask(&providers, Method::DELETE, &place, Value::Null).await.is(200);
    assert_eq!(providers.ledger().await.last().unwrap(), "release number +14145560100");
}

#[tokio::test]
async fn importing_from_twilio_points_the_number_at_vapi() {
    let providers = start(&[]).await;
    let bought =
        twilio::ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await;
    let number = bought.is(201).at("/phone_number");
    let import = |token: &str, number: &str| json!({"provider": "twilio", "number": number, "twilioAccountSid": SID, "twilioAuthToken": token});
    ask(&providers, Method::POST, "/phone-number", import("wrong", &number)).await.is(400);
    ask(&providers, Method::POST, "/phone-number", import(TOKEN, "+14155500199")).await.is(400);
    let made = ask(&providers, Method::POST, "/phone-number", import(TOKEN, &number)).await.is(201);
    let twice = ask(&providers, Method::POST, "/phone-number", import(TOKEN, &number)).await.is(400);
    assert!(
        twice.at("/message").contains(&format!("Existing Phone Number {} Has Identical", made.at("/id")))
    );
    let listed = twilio::ask(&providers, Method::GET, "/IncomingPhoneNumbers.json", &[]).await;
    assert_eq!(listed.at("/incoming_phone_numbers/0/voice_url"), "https://api.vapi.ai/twilio/inbound_call");
    ask(&providers, Method::DELETE, &format!("/phone-number/{}", made.at("/id")), Value::Null).await.is(200);
    assert_eq!(
        providers.ledger().await[1..],
        [format!("import number {number}"), format!("forget number {number}")]
    );
}

#[tokio::test]
async fn what_isn_t_right_is_refused_in_vapis_words() {
    let providers = start(&["--strict"]).await;
    let answer = ask(&providers, Method::GET, "/assistant", Value::Null).await.is(401);
    assert!(answer.at("/message").starts_with("Invalid Key. Hot tip"));
    let account = json!({"provider": "vapi", "secret": KEY, "free_max": 0});
    providers.tell(Method::PUT, "/control/accounts", &account).await.is(200);
    ask(&providers, Method::POST, "/phone-number", json!({"provider": "vapi"})).await.is(400);
    let check = async |body: Value, message: &str| {
        let answer = ask(&providers, Method::POST, "/phone-number", body).await.is(400);
        assert!(answer.at("/message").contains(message), "{}", answer.text);
    };
    check(json!({}), "provider must be one of").await;
    check(json!({"provider": "vapi", "color": "red"}), "property color should not exist").await;
    check(json!({"provider": "vapi", "assistantId": "none"}), "Couldn't find assistant").await;
    check(json!({"provider": "twilio"}), "number must be a string").await;
    check(json!({"provider": "byo-phone-number", "number": "415"}), "E.164").await;
}
