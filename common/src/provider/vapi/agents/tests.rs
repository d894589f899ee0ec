use serde_json::{Value, json};

use super::*;
use crate::rest::agents::Carrier;
use crate::rest::samples::{self, webhooks, webhooks_without_fallback};
use crate::rest::script::{check_meaningless, check_replies, talk};
use crate::secret::Secret;

const VAPI: VapiAgents = VapiAgents;
const ID: &str = "5a5a04dc-dcbe-45b1-8f64-fd32a253d135";
const NUMBER: &str = "+14155550132";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"k","credential_id":"c1","auth":{"type":"none"}}"#)
}

fn server() -> Value {
    let url = "https://a.example/webhooks/vapi/server/00000000-0000-0000-0000-0000000000ac";
    json!({"url": url, "credentialId": "c1"})
}

fn spec(config: Value) -> AgentSpec {
    AgentSpec {
        name: "dp Front desk".into(),
        language: Some("de-AT".into()),
        greeting: Some("Hello!".into()),
        prompt: Some("You are kind.".into()),
        voice_id: Some("v1".into()),
        config: config.as_object().unwrap().clone(),
        webhooks: webhooks(),
    }
}

fn import(carrier: Carrier, link: Link) -> Import {
    Import {
        number: NUMBER.parse().unwrap(),
        name: "Main line".into(),
        carrier,
        link,
        webhooks: webhooks_without_fallback(),
    }
}

fn twilio() -> Carrier {
    Carrier::Twilio { account_sid: "AC1".into(), auth_token: Secret::new("t") }
}

fn trunk(address: &str, username: Option<&str>) -> Carrier {
    let password = username.map(|_| Secret::new("p"));
    Carrier::Trunk { address: address.into(), username: username.map(str::to_owned), password }
}

fn record() -> Value {
    json!({"id": ID, "provider": "twilio", "number": NUMBER, "name": "Main line", "assistantId": "a1"})
}

fn asked() -> Value {
    json!({"assistantId": null, "squadId": null, "workflowId": null, "server": server(), "fallbackDestination": null})
}

#[test]
fn an_assistant_is_made_of_what_the_agent_says_and_its_config() {
    let spec = spec(
        json!({"voice": {"provider": "11labs"}, "model": {"model": "gpt-5.4"}, "maxDurationSeconds": 900}),
    );
    let mut document = json!({
        "name": "dp Front desk", "firstMessage": "Hello!", "maxDurationSeconds": 900, "server": server(),
        "model": {"provider": "openai", "model": "gpt-5.4", "messages": [{"role": "system", "content": "You are kind."}]},
        "voice": {"provider": "11labs", "voiceId": "v1"},
        "transcriber": {"provider": "deepgram", "language": "de"},
        "serverMessages": ["tool-calls", "status-update", "end-of-call-report", "transfer-destination-request"],
    });
    let id = talk(VAPI.create(&account(), &spec))
        .sends_once("POST /assistant")
        .with_header("authorization", "Bearer k")
        .with_json(document.clone())
        .gets(201, r#"{"id":"a1","name":"dp Front desk"}"#)
        .done();
    assert_eq!(id, "a1");
    check_meaningless(|| VAPI.create(&account(), &spec));
    check_replies(
        || VAPI.create(&account(), &spec),
        &[
            (400, r#"{"message":["model.model must be one of"]}"#, "stop"),
            (201, "{}", "unclear"),
            (401, "", "stop"),
        ],
    );

    // What isn't said any more is unset.
    let bare = AgentSpec { language: None, greeting: None, prompt: None, voice_id: None, ..spec.clone() };
    document["firstMessage"] = Value::Null;
    document["transcriber"] = Value::Null;
    document["voice"] = json!({"provider": "11labs"});
    document["model"]["messages"] = json!([]);
    talk(VAPI.update(&account(), "a1", &bare))
        .sends("PATCH /assistant/a1")
        .with_json(document)
        .gets(200, r#"{"id":"a1"}"#)
        .done();
    let update = || VAPI.update(&account(), "a1", &bare);
    check_replies(update, &[(404, "{}", "gone"), (200, r#"{"id":"a2"}"#, "unclear")]);
}

#[test]
fn an_agent_without_a_maker_of_its_voice_or_an_ear_for_its_language_is_a_person_s_to_mend() {
    let check = |spec: &AgentSpec, text: &str| {
        let fault = talk(VAPI.create(&account(), spec)).fault();
        assert!(fault.label() == "stop" && fault.to_string().contains(text), "{fault}");
    };
    let georgian = Some("ka".to_owned());
    check(&spec(json!({})), "voice.provider");
    let quiet = AgentSpec { voice_id: None, language: georgian.clone(), ..spec(json!({})) };
    check(&quiet, "transcriber");
    let own = json!({"transcriber": {"provider": "google", "language": "Multilingual"}});
    let Value::Object(config) = own else { panic!("an object") };
    talk(VAPI.create(&account(), &AgentSpec { config, ..quiet })).sends_once("POST /assistant");
}

#[test]
fn assistants_are_found_by_their_very_name() {
    let list =
        json!([{"id": "a1", "name": "dp Front desk"}, {"id": "a2", "name": "dp Front desk 2"}, {"id": "a3"}]);
    let found = talk(VAPI.named(&account(), "dp Front desk"))
        .sends("GET /assistant?limit=100")
        .gets_json(200, list)
        .done();
    assert_eq!(found, [HostedAgent { id: "a1".into(), name: "dp Front desk".into() }]);
    check_meaningless(|| VAPI.named(&account(), "x"));
}

#[test]
fn an_assistant_that_is_not_there_any_more_is_deleted() {
    let delete = || VAPI.delete(&account(), "a1");
    talk(delete()).sends("DELETE /assistant/a1").gets(200, "{}").done();
    let pinned = r#"{"error":"assistant_pinned","message":"The assistant is pinned."}"#;
    check_replies(delete, &[(404, "", "done"), (409, pinned, "stop"), (500, "", "unclear")]);
}

#[test]
fn a_number_of_twilio_s_is_imported_with_its_link() {
    let number = talk(VAPI.import(&account(), &import(twilio(), Link::Agent("a1".into()))))
        .sends_once("POST /phone-number")
        .with_json(json!({
            "provider": "twilio", "number": NUMBER, "twilioAccountSid": "AC1", "twilioAuthToken": "t", "smsEnabled": false,
            "name": "Main line", "assistantId": "a1", "server": server(),
        }))
        .gets_json(201, record())
        .done();
    assert_eq!((number.id.as_str(), number.agent_id.as_deref(), number.is_free), (ID, Some("a1"), false));

    let ask = || VAPI.import(&account(), &import(twilio(), Link::Ask { or: None }));
    check_meaningless(ask);
    let other = json!({"id": ID, "number": "+14155550133"}).to_string();
    let refused = r#"{"message":"Number Not Found on Twilio. Hint: check the number"}"#;
    check_replies(ask, &[(400, refused, "stop"), (201, &other, "unclear"), (201, "{}", "unclear")]);
    let none = talk(VAPI.import(&account(), &import(twilio(), Link::None))).sends_once("POST /phone-number");
    none.with_json(json!({
        "provider": "twilio", "number": NUMBER, "twilioAccountSid": "AC1", "twilioAuthToken": "t", "smsEnabled": false,
        "name": "Main line",
    }));
}

#[test]
fn a_number_that_is_there_already_is_adopted() {
    let said =
        format!("Existing Phone Number {ID} Has Identical `twilioAccountSid` AC1 and `number` {NUMBER}");
    let mut fields = asked();
    fields["name"] = "Main line".into();
    let talk = talk(VAPI.import(&account(), &import(twilio(), Link::Ask { or: None })));
    let request = talk.sends_once("POST /phone-number");
    let request = request.with_json(json!({
        "provider": "twilio", "number": NUMBER, "twilioAccountSid": "AC1", "twilioAuthToken": "t", "smsEnabled": false,
        "name": "Main line", "server": server(),
    }));
    request
        .gets_json(400, json!({"message": said, "error": "Bad Request", "statusCode": 400}))
        .sends(&format!("PATCH /phone-number/{ID}"))
        .with_json(fields)
        .gets_json(200, record())
        .done();
}

#[test]
fn a_trunk_is_made_known_once() {
    let link = Link::Ask { or: None };
    let begin = || VAPI.import(&account(), &import(trunk("203.0.113.9:5080", Some("u")), link.clone()));
    let trunk_document = json!({
        "provider": "byo-sip-trunk", "name": "dialplane 203.0.113.9:5080",
        "gateways": [{"ip": "203.0.113.9", "port": 5080, "inboundEnabled": true, "outboundEnabled": true}],
        "outboundAuthenticationPlan": {"authUsername": "u", "authPassword": "p"},
    });
    let others = json!([
        {"id": "t0", "provider": "byo-sip-trunk", "gateways": [{"ip": "203.0.113.9"}]},
        {"id": "t2", "provider": "twilio"},
    ]);
    talk(begin())
        .sends("GET /credential?limit=1000")
        .gets_json(200, others)
        .sends_once("POST /credential")
        .with_json(trunk_document.clone())
        .gets(201, r#"{"id":"t1"}"#)
        .sends_once("POST /phone-number")
        .with_json(json!({
            "provider": "byo-phone-number", "number": NUMBER, "credentialId": "t1", "name": "Main line", "server": server(),
        }))
        .gets_json(201, record())
        .done();
    let known = json!([{"id": "t/1", "provider": "byo-sip-trunk", "gateways": [{"ip": "203.0.113.9", "port": 5080}],
        "outboundAuthenticationPlan": {"authUsername": "u"}}]);
    talk(begin())
        .sends("GET /credential?limit=1000")
        .gets_json(200, known)
        .sends("PATCH /credential/t%2F1")
        .with_json(trunk_document)
        .gets(200, r#"{"id":"t/1"}"#)
        .sends_once("POST /phone-number");
    check_meaningless(begin);
    for address in ["sip.example.com", "203.0.113.9:0", "203.0.113.9:x", "::1", ""] {
        let fault = talk(VAPI.import(&account(), &import(trunk(address, None), Link::None))).fault();
        assert!(fault.to_string().contains("IPv4"), "{address}: {fault}");
    }
}

#[test]
fn who_answers_a_number_is_set() {
    let check = |link: Link, expected: Value| {
        let number = talk(VAPI.link(&account(), ID, &link, &webhooks_without_fallback()))
            .sends(&format!("PATCH /phone-number/{ID}"))
            .with_json(expected)
            .gets_json(200, record())
            .done();
        assert_eq!(number.id, ID);
    };
    check(Link::Ask { or: Some("a1".into()) }, asked());
    let mut agent = asked();
    agent["assistantId"] = "a1".into();
    check(Link::Agent("a1".into()), agent);
    let mut none = asked();
    none["server"] = Value::Null;
    check(Link::None, none);
    let link = || VAPI.link(&account(), ID, &Link::None, &webhooks());
    check_meaningless(link);
    check_replies(link, &[(404, "", "gone"), (200, r#"{"id":"other"}"#, "unclear")]);
}

#[test]
fn only_imported_numbers_are_forgotten() {
    let look = || VAPI.forget(&account(), ID);
    talk(look())
        .sends(&format!("GET /phone-number/{ID}"))
        .gets_json(200, record())
        .sends(&format!("DELETE /phone-number/{ID}"))
        .gets(404, "")
        .done();
    check_replies(
        look,
        &[(404, "", "done"), (200, r#"{"id":"x","provider":"vapi"}"#, "stop"), (200, "{}", "unclear")],
    );
    check_meaningless(look);
}
