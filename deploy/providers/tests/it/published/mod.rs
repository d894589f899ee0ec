//! What is simulated, held against what Twilio and Vapi publish: every path and method is in their OpenAPI documents, and
//! answers have the properties and types that stand there.

mod document;

use document::Document;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, start};
use crate::twilio::{self, SID, TOKEN};
use crate::vapi;

const TWILIO: &str = include_str!("../../../../../bench/providers/twilio.json");
const VAPI: &str = include_str!("../../../../../bench/providers/vapi.json");

/// What is known from elsewhere: other documents of the same provider, and paths that are in none.
const ELSEWHERE: &[&str] =
    &["/v1/PhoneNumbers/Countries/{country}", "/credential", "/credential/{id}", "/v2/phone-number"];

#[tokio::test]
async fn every_path_is_published() {
    let providers = start(&[]).await;
    let operations = providers.get("/control/operations").await.json();
    let documents = [("twilio", Document::parse(TWILIO)), ("vapi", Document::parse(VAPI))];
    let mut seen = 0;
    for operation in operations["operations"].as_array().unwrap() {
        let path = operation["path"].as_str().unwrap();
        let (base, rest) = path[1..].split_once('/').unwrap();
        let rest = format!("/{rest}");
        let Some((_, document)) = documents.iter().find(|(name, _)| base == *name) else { continue };
        if !ELSEWHERE.contains(&rest.as_str()) {
            let method = operation["method"].as_str().unwrap();
            assert!(document.has(method, &rest), "{method} {rest} isn't published");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen} paths were looked up");
}

/// Holds an answer against what is published of it.
fn check(document: &Document, method: &str, path: &str, answer: &Answer) {
    let faults = document.faults(method, path, answer.status, &answer.json());
    assert!(faults.is_empty(), "{method} {path}: {faults:#?}\n{}", answer.text);
}

#[tokio::test]
async fn twilios_answers_are_as_published() {
    let providers = start(&[]).await;
    let document = Document::parse(TWILIO);
    let ask = async |method: &str, path: &str, template: &str, form: &[(&str, &str)]| {
        let answer = twilio::ask(&providers, method.parse().unwrap(), path, form).await;
        let template = format!("/2010-04-01/Accounts/{{AccountSid}}{template}");
        check(&document, method, &template, &answer);
        answer
    };
    for (kind, more) in [("Local", ""), ("TollFree", ""), ("Local", "&AreaCode=533")] {
        let path = format!("/AvailablePhoneNumbers/US/{kind}.json?PageSize=2{more}");
        ask("GET", &path, &format!("/AvailablePhoneNumbers/{{CountryCode}}/{kind}.json"), &[]).await;
    }
    ask("GET", "/AvailablePhoneNumbers.json", "/AvailablePhoneNumbers.json", &[]).await;
    let numbers = "/IncomingPhoneNumbers.json";
    let bought = ask("POST", numbers, numbers, &[("AreaCode", "415"), ("VoiceUrl", "https://x.example")])
        .await
        .is(201);
    ask("GET", numbers, numbers, &[]).await;
    let place = format!("/IncomingPhoneNumbers/{}.json", bought.at("/sid"));
    ask("GET", &place, "/IncomingPhoneNumbers/{Sid}.json", &[]).await;
    ask("POST", &place, "/IncomingPhoneNumbers/{Sid}.json", &[("TrunkSid", "TK1")]).await;
    ask("GET", "/Balance.json", "/Balance.json", &[]).await;
    let address = [
        ("CustomerName", "A"),
        ("Street", "S"),
        ("City", "C"),
        ("Region", "R"),
        ("PostalCode", "P"),
        ("IsoCountry", "GB"),
    ];
    let address = ask("POST", "/Addresses.json", "/Addresses.json", &address).await.is(201).at("/sid");
    let found = ask(
        "GET",
        "/AvailablePhoneNumbers/GB/Local.json",
        "/AvailablePhoneNumbers/{CountryCode}/Local.json",
        &[],
    );
    let number = found.await.at("/available_phone_numbers/0/phone_number");
    ask("POST", numbers, numbers, &[("PhoneNumber", &number), ("AddressSid", &address)]).await.is(201);
}

#[tokio::test]
async fn vapis_answers_are_as_published() {
    let providers = start(&[]).await;
    let document = Document::parse(VAPI);
    let ask = async |method: &str, path: &str, template: &str, body: Value| {
        let answer = vapi::ask(&providers, method.parse().unwrap(), path, body).await;
        check(&document, method, template, &answer);
        answer
    };
    let body = json!({"name": "a", "firstMessage": "Hi", "model": {"provider": "openai", "model": "gpt-4o"}});
    let assistant = ask("POST", "/assistant", "/assistant", body).await.is(201).at("/id");
    let place = format!("/assistant/{assistant}");
    ask("GET", &place, "/assistant/{id}", Value::Null).await;
    ask("PATCH", &place, "/assistant/{id}", json!({"name": "b"})).await;
    ask("GET", "/assistant", "/assistant", Value::Null).await;
    let free =
        json!({"provider": "vapi", "numberDesiredAreaCode": "415", "name": "dp:1", "assistantId": assistant});
    let free = ask("POST", "/phone-number", "/phone-number", free).await.is(201).at("/id");
    let bought =
        twilio::ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await;
    let import = json!({"provider": "twilio", "number": bought.at("/phone_number"), "twilioAccountSid": SID,
        "twilioAuthToken": TOKEN, "server": {"url": "https://x.example", "headers": {"X-T": "t"}}});
    ask("POST", "/phone-number", "/phone-number", import).await.is(201);
    let place = format!("/phone-number/{free}");
    ask("GET", "/phone-number", "/phone-number", Value::Null).await;
    ask("GET", &place, "/phone-number/{id}", Value::Null).await;
    ask("PATCH", &place, "/phone-number/{id}", json!({"assistantId": null})).await;
    ask("DELETE", &place, "/phone-number/{id}", Value::Null).await;
}
