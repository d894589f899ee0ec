//! What follows when a step fails: the agent is dead, a person doesn't answer, the caller leaves a message.

use dialplane_bench::http::Response;
use dialplane_bench::signing::jambonz;
use serde_json::{Value, json};

use super::ring;
use crate::call::{post, twiml, with};
use crate::installation::Installation;

/// An agent that isn't there, a person, a mailbox.
fn chain() -> Value {
    let voicemail = json!({"action": "voicemail", "say": "Leave a message.", "max_seconds": 60});
    let person = json!({"action": "forward", "to": "+12025550147", "timeout_seconds": 15, "else": voicemail});
    json!([{"then": {"action": "agent", "else": person}}])
}

/// The first URL of ours in a document, without its origin.
fn after(document: &str, path: &str) -> String {
    let at = document.find(path).unwrap_or_else(|| panic!("asks what follows: {document}"));
    document[at..].split(['"', '<']).next().unwrap_or_default().replace("&amp;", "&")
}

#[test]
fn on_twilio_a_person_follows_a_dead_agent_and_a_mailbox_the_person() {
    let system = Installation::start();
    let salon = system.salon(1);
    system.route(&salon, &chain());
    let path = format!("/webhooks/twilio/after/{}", salon.account);
    let follow = |document: &Response, result: &[(&str, &str)]| {
        post(&salon, system.router.address, &after(&document.body, &path), &with(&salon, result))
    };
    let agent = ring(&salon, &system.router, &[]);
    assert!(agent.body.contains("<Stream url=\"wss://voice.example/agent\">"), "{agent:?}");
    let person = follow(&agent, &[]);
    assert!(person.body.contains("<Number>+12025550147</Number>"), "{person:?}");
    assert!(person.body.contains("timeout=\"15\""), "{person:?}");
    let mailbox = follow(&person, &[("DialCallStatus", "no-answer")]);
    assert!(mailbox.body.contains("<Say>Leave a message.</Say><Record "), "{mailbox:?}");
    assert!(mailbox.body.contains("maxLength=\"60\""), "{mailbox:?}");
    let end = follow(&mailbox, &[("RecordingUrl", "https://api.twilio.example/r")]);
    assert_eq!(end.body, twiml("<Hangup/>"));
    let talked = follow(&person, &[("DialCallStatus", "completed")]);
    assert_eq!(talked.body, twiml("<Hangup/>"), "who talked to a person isn't asked for a message");
}

#[test]
fn without_an_agent_the_person_is_first() {
    let system = Installation::start();
    let salon = system.salon(1);
    system.route(&salon, &chain());
    system.apply("PATCH", &salon.phone_path(), &json!({"agent_id": null}));
    let answer = ring(&salon, &system.router, &[]);
    assert!(answer.body.contains("<Number>+12025550147</Number>"), "{answer:?}");
}

#[test]
fn on_jambonz_a_person_follows_a_dead_agent_and_a_mailbox_the_person() {
    const SECRET: &str = "wh_secret_of_a_chain_test";
    const ACCOUNT_SID: &str = "bed525b4-af09-40d2-9fe7-cdf6ae577c69";
    let system = Installation::start();
    let salon = system.salon(1);
    let account = system.operator.create(
        &format!("/tenants/{}/accounts", salon.tenant),
        &json!({"provider": "jambonz", "label": "trunk",
                "credentials": {"account_sid": ACCOUNT_SID, "webhook_secret": SECRET}}),
    );
    system.apply("PATCH", &salon.phone_path(), &json!({"account_id": account}));
    system.route(&salon, &chain());
    let send = |target: &str, changes: Value| {
        let mut body = json!({"call_sid": "8fa26a5d-9a43-4ca3-a3aa-1ed4b3d0a1a3", "account_sid": ACCOUNT_SID,
            "application_sid": "0e0681b0-d49f-4fb8-b973-b5a3c6758de1", "direction": "inbound",
            "from": "+15105550198", "to": salon.number, "call_id": "a-call-id", "sip_status": 100,
            "call_status": "trying"});
        for (name, value) in changes.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let body = body.to_string();
        let now = jiff::Timestamp::now().as_second().to_string();
        let signature = jambonz::signature(SECRET, &now, body.as_bytes());
        let headers = [("Content-Type", "application/json"), ("Jambonz-Signature", &*signature)];
        let answer =
            dialplane_bench::http::request(system.router.address, "POST", target, &headers, body.as_bytes())
                .expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };
    let path = format!("/webhooks/jambonz/after/{account}");
    let agent = send(&format!("/webhooks/jambonz/call/{account}"), json!({}));
    assert!(agent.contains("wss://voice.example/agent"), "{agent}");
    let person = send(&after(&agent, &path), json!({"call_status": "in-progress"}));
    assert!(person.contains("+12025550147") && person.contains(r#""dial""#), "{person}");
    let mailbox = send(&after(&person, &path), json!({"dial_call_status": "no-answer"}));
    assert!(mailbox.contains("Leave a message.") && mailbox.contains(r#""record""#), "{mailbox}");
}
