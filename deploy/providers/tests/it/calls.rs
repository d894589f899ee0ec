//! Calls to Twilio's and Vapi's numbers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Providers, start};
use crate::twilio::{self, SID, TOKEN};
use crate::vapi;
use crate::webhooks::Webhooks;

const STREAM: &str = r#"<Response><Connect><Stream url="wss://v.example/m"><Parameter name="tenant" value="t"/></Stream></Connect></Response>"#;

/// Calls a number.
pub async fn call(providers: &Providers, to: &str, outcomes: &[&str]) -> Answer {
    let asked = json!({"to": to, "from": "+15105550198", "outcomes": outcomes});
    providers.tell(Method::POST, "/control/calls", &asked).await.is(200)
}

/// Buys a number at Twilio whose webhooks go here.
async fn bought(providers: &Providers, set: &[(&str, &str)]) -> String {
    let form = [&[("AreaCode", "415")], set].concat();
    twilio::ask(providers, Method::POST, "/IncomingPhoneNumbers.json", &form)
        .await
        .is(201)
        .at("/phone_number")
}

#[tokio::test]
async fn a_call_is_signed_answered_and_reported() {
    let providers = start(&[]).await;
    let webhooks = Webhooks::start(&[("/voice", 200, "text/xml", STREAM), ("/status", 204, "", "")]).await;
    let (voice, status) = (format!("{}#rc=2", webhooks.at("/voice?x=%3a")), webhooks.at("/status"));
    let number = bought(&providers, &[("VoiceUrl", &voice), ("StatusCallback", &status)]).await;
    let report = call(&providers, &number, &[]).await;
    assert_eq!(
        report.json()["answered_by"],
        json!({"stream": "wss://v.example/m", "parameters": {"tenant": "t"}})
    );
    let received = webhooks.received();
    let [asked, told] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(
        (asked.form("To"), asked.form("CallStatus"), asked.form("AccountSid")),
        (number, "ringing".into(), SID.into())
    );
    assert_eq!(asked.header("x-twilio-signature"), signature(&webhooks.at("/voice?x=%3a"), &asked.body));
    assert_eq!((told.form("CallStatus"), told.form("CallSid")), ("completed".into(), asked.form("CallSid")));
    assert_eq!(report.at("/requests/0/status"), "200");
    providers.tell(Method::POST, "/control/calls", &json!({"to": "+19998887777"})).await.is(404);
}

/// What the auth token signs, worked out here again.
fn signature(url: &str, body: &str) -> String {
    use base64::Engine;
    use hmac::{Hmac, KeyInit, Mac};
    let mut pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    pairs.sort();
    let text = pairs.into_iter().fold(url.to_owned(), |text, (name, value)| text + &name + &value);
    let mac = Hmac::<sha1::Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap().chain_update(text);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn the_fallback_takes_over_and_what_follows_a_dial_is_asked_for() {
    let providers = start(&[]).await;
    let dial = r#"<Response><Dial action="/after"><Number>+12025550147</Number></Dial></Response>"#;
    let message = "<Response><Say>Leave a message.</Say><Record action=\"/recorded\"/></Response>";
    let webhooks = Webhooks::start(&[
        ("/voice", 503, "text/plain", ""),
        ("/fallback", 200, "application/xml", dial),
        ("/after", 200, "text/xml", message),
        ("/recorded", 200, "text/xml", "<Response><Hangup/></Response>"),
    ])
    .await;
    let urls = (webhooks.at("/voice#rc=1&rp=5xx"), webhooks.at("/fallback"));
    let number = bought(&providers, &[("VoiceUrl", &urls.0), ("VoiceFallbackUrl", &urls.1)]).await;
    let report = call(&providers, &number, &["no-answer"]).await;
    assert_eq!(webhooks.paths(), ["/voice", "/voice", "/fallback", "/after", "/recorded"]);
    assert_eq!(webhooks.received()[2].form("ErrorCode"), "11200");
    assert_eq!(webhooks.received()[3].form("DialCallStatus"), "no-answer");
    assert_eq!(report.json()["answered_by"], json!({"voicemail": true, "message": "Leave a message."}));
}

#[tokio::test]
async fn callers_are_rejected_or_left_alone() {
    let providers = start(&[]).await;
    let reject = r#"<Response><Reject reason="busy"/></Response>"#;
    let webhooks =
        Webhooks::start(&[("/reject", 200, "text/xml", reject), ("/text", 200, "text/plain", "no")]).await;
    let check = async |path: &str, answered_by: Value| {
        let number = bought(&providers, &[("VoiceUrl", &webhooks.at(path))]).await;
        assert_eq!(call(&providers, &number, &[]).await.json()["answered_by"], answered_by);
    };
    check("/reject", json!({"rejected": "busy"})).await;
    check("/text", json!({"failed": "content type \"text/plain\""})).await;
    check("/none", json!({"failed": "status 404"})).await;
    let circle =
        Webhooks::start(&[("/a", 200, "text/xml", "<Response><Redirect>/a</Redirect></Response>")]).await;
    let number = bought(&providers, &[("VoiceUrl", &circle.at("/a"))]).await;
    assert_eq!(call(&providers, &number, &[]).await.at("/answered_by/failed"), "the documents go in circles");
}

#[tokio::test]
async fn an_imported_number_asks_its_server_at_vapi() {
    let providers = start(&[]).await;
    let answer = json!({"destination": {"type": "number", "number": "+12025550147"}}).to_string();
    let webhooks = Webhooks::start(&[("/server", 200, "application/json", &answer)]).await;
    let number = bought(&providers, &[]).await;
    let plan = json!({"type": "bearer", "token": "t0ken", "headerName": "X-Vapi-Secret", "bearerPrefixEnabled": false});
    let credential = json!({"provider": "custom-credential", "authenticationPlan": plan});
    let credential = vapi::ask(&providers, Method::POST, "/credential", credential).await.is(201);
    assert!(!credential.text.contains("t0ken"));
    let import = json!({"provider": "twilio", "number": number, "twilioAccountSid": SID, "twilioAuthToken": TOKEN,
        "server": {"url": webhooks.at("/server"), "credentialId": credential.at("/id")}});
    let imported = vapi::ask(&providers, Method::POST, "/phone-number", import).await.is(201);
    let report = call(&providers, &number, &[]).await;
    assert_eq!(report.json()["answered_by"], json!({"number": "+12025550147", "by": "vapi"}));
    let asked = &webhooks.received()[0];
    assert_eq!(asked.header("x-vapi-secret"), "t0ken");
    let message = &asked.json()["message"];
    assert_eq!(message["type"], "assistant-request");
    assert_eq!(
        (&message["phoneNumber"]["number"], &message["call"]["phoneNumberId"]),
        (&json!(number), &json!(imported.at("/id")))
    );

    let assistant = vapi::ask(&providers, Method::POST, "/assistant", json!({"name": "a"})).await.at("/id");
    let place = format!("/phone-number/{}", imported.at("/id"));
    vapi::ask(&providers, Method::PATCH, &place, json!({"assistantId": assistant})).await.is(200);
    let report = call(&providers, &number, &[]).await;
    assert_eq!(report.json()["answered_by"], json!({"agent": assistant, "provider": "vapi"}));
    let told: Vec<_> = webhooks.received().iter().map(|it| it.json()["message"]["type"].clone()).collect();
    assert_eq!(told[told.len() - 2..], ["status-update", "end-of-call-report"]);
}

#[tokio::test]
async fn a_redirect_leads_to_vapi_and_its_failures_to_the_fallback() {
    let providers = start(&[]).await;
    let redirect = "<Response><Redirect>https://api.vapi.ai/twilio/inbound_call</Redirect></Response>";
    let webhooks =
        Webhooks::start(&[("/voice", 200, "text/xml", redirect), ("/server", 200, "application/json", "{}")])
            .await;
    let number = bought(&providers, &[]).await;
    let import = json!({"provider": "twilio", "number": number, "twilioAccountSid": SID, "twilioAuthToken": TOKEN,
        "server": {"url": webhooks.at("/server")}, "fallbackDestination": {"type": "number", "number": "+12025550147"}});
    let imported = vapi::ask(&providers, Method::POST, "/phone-number", import).await.is(201);
    let set = json!({"set": {"voice_url": webhooks.at("/voice")}});
    let control = format!("/control/numbers/twilio/{}", number.replace('+', "%2B"));
    providers.tell(Method::PATCH, &control, &set).await.is(200);
    let report = call(&providers, &number, &[]).await;
    let reason = "assistant-request-returned-no-assistant";
    assert_eq!(
        report.json()["answered_by"],
        json!({"number": "+12025550147", "by": "vapi", "because": reason})
    );
    let place = format!("/phone-number/{}", imported.at("/id"));
    vapi::ask(&providers, Method::PATCH, &place, json!({"fallbackDestination": null})).await.is(200);
    assert_eq!(call(&providers, &number, &[]).await.at("/answered_by/failed"), reason);
}
