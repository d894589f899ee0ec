use serde_json::{Value, json};

use super::*;
use crate::rest::agents::Carrier;
use crate::rest::samples::{self, webhooks};
use crate::rest::script::{check_meaningless, check_replies, talk};
use crate::secret::Secret;

const ELEVENLABS: ElevenLabsAgents = ElevenLabsAgents;
const NUMBER: &str = "+14155550120";
const LOOK: &str = "GET /v1/convai/v2/phone-numbers?phone_number=%2B14155550120&page_size=100";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"k","initiation_secret":"s","initiation_header":"X-Mine"}"#)
}

fn spec() -> AgentSpec {
    let config =
        json!({"conversation_config": {"agent": {"prompt": {"llm": "gemini-2.5-flash"}}}, "tags": ["dp"]});
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

fn record(id: &str) -> Value {
    json!({"phone_number": NUMBER, "label": "Main line", "phone_number_id": id, "provider": "twilio",
        "assigned_agent": {"agent_id": "agent_1"}})
}

fn import(carrier: Carrier, link: Link) -> Import {
    Import { number: NUMBER.parse().unwrap(), name: "Main line".into(), carrier, link, webhooks: webhooks() }
}

fn twilio() -> Carrier {
    Carrier::Twilio { account_sid: "AC1".into(), auth_token: Secret::new("t") }
}

#[test]
fn an_agent_asks_us_and_has_a_default_for_each_variable() {
    let talk_to = |spec: &AgentSpec| talk(ELEVENLABS.create(&account(), spec));
    let id = talk_to(&spec()).sends_once("POST /v1/convai/agents/create");
    let (_, body) = id.request().body.clone().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let agent = &body["conversation_config"]["agent"];
    let defaults = agent["dynamic_variables"]["dynamic_variable_placeholders"].as_object().unwrap();
    assert!(defaults.len() > 15 && defaults.values().all(|value| value == ""), "{defaults:?}");
    assert!(defaults.contains_key("tenant_name") && defaults.contains_key("route_action"));
    assert_eq!(agent["prompt"], json!({"prompt": "You are kind.", "llm": "gemini-2.5-flash"}));
    assert_eq!((&agent["first_message"], &agent["language"]), (&json!("Hello!"), &json!("de")));
    assert_eq!(
        body["conversation_config"]["tts"],
        json!({"voice_id": "v1", "model_id": "eleven_flash_v2_5"})
    );
    assert_eq!((&body["name"], &body["tags"]), (&json!("dp Front desk"), &json!(["dp"])));
    let settings = &body["platform_settings"];
    let overrides = &settings["overrides"];
    assert_eq!(overrides["enable_conversation_initiation_client_data_from_webhook"], true);
    assert_eq!(overrides["conversation_config_override"]["agent"]["prompt"], json!({"prompt": true}));
    let url = "https://a.example/webhooks/elevenlabs/initiation/00000000-0000-0000-0000-0000000000ac";
    let webhook = json!({"url": url, "request_headers": {"X-Mine": "s"}});
    let own = json!({"conversation_initiation_client_data_webhook": webhook});
    assert_eq!(settings["workspace_overrides"], own);
    assert_eq!(id.with_json(body).gets(200, r#"{"agent_id":"agent_1"}"#).done(), "agent_1");

    let create = || ELEVENLABS.create(&account(), &spec());
    check_meaningless(create);
    let refused = r#"{"detail":[{"loc":["body","conversation_config"],"msg":"bad"}]}"#;
    check_replies(
        create,
        &[(422, refused, "stop"), (200, "{}", "unclear"), (200, r#"{"agent_id":""}"#, "unclear")],
    );
}

#[test]
fn an_update_sets_all_anew() {
    let bare = AgentSpec { language: None, greeting: None, prompt: None, voice_id: None, ..spec() };
    let update = || ELEVENLABS.update(&account(), "agent_1", &bare);
    let request = talk(update()).sends("PATCH /v1/convai/agents/agent_1");
    let (_, body) = request.request().body.clone().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let agent = &body["conversation_config"]["agent"];
    assert_eq!((&agent["first_message"], &agent["language"]), (&json!(""), &json!("en")));
    assert_eq!((&agent["prompt"]["prompt"], &body["conversation_config"]["tts"]), (&json!(""), &json!({})));
    request.with_json(body).gets(200, r#"{"agent_id":"agent_1","name":"n"}"#).done();
    check_replies(update, &[(404, "{}", "gone"), (200, r#"{"agent_id":"agent_2"}"#, "unclear")]);
}

#[test]
fn agents_are_found_by_their_very_name_on_any_page() {
    let page = |names: &[&str], next: Option<&str>| {
        let agent = |name: &&str| json!({"agent_id": format!("id {name}"), "name": name});
        let agents: Vec<Value> = names.iter().map(agent).collect();
        json!({"agents": agents, "next_cursor": next, "has_more": next.is_some()})
    };
    let found = talk(ELEVENLABS.named(&account(), "dp Front desk"))
        .sends("GET /v1/convai/agents?search=dp+Front+desk&page_size=100")
        .gets_json(200, page(&["dp Front desk 2", "DP Front desk"], Some("c2")))
        .sends("GET /v1/convai/agents?search=dp+Front+desk&page_size=100&cursor=c2")
        .gets_json(200, page(&["dp Front desk"], None))
        .done();
    assert_eq!(found, [HostedAgent { id: "id dp Front desk".into(), name: "dp Front desk".into() }]);
    check_meaningless(|| ELEVENLABS.named(&account(), "n"));
}

#[test]
fn agents_and_imports_are_deleted_once() {
    talk(ELEVENLABS.delete(&account(), "a/1")).sends("DELETE /v1/convai/agents/a%2F1").gets(204, "").done();
    talk(ELEVENLABS.forget(&account(), "p1"))
        .sends("DELETE /v1/convai/phone-numbers/p1")
        .gets(200, "{}")
        .done();
    let replies = [(404, "", "done"), (401, "", "stop"), (502, "", "unclear")];
    check_replies(|| ELEVENLABS.delete(&account(), "a1"), &replies);
    check_replies(|| ELEVENLABS.forget(&account(), "p1"), &replies);
}

#[test]
fn a_number_of_twilio_s_is_imported_once() {
    let talk_to = || talk(ELEVENLABS.import(&account(), &import(twilio(), Link::Agent("agent_1".into()))));
    let none = json!({"phone_numbers": [], "has_more": false});
    let made = talk_to()
        .sends(LOOK)
        .gets_json(200, none.clone())
        .sends_once("POST /v1/convai/phone-numbers")
        .with_json(json!({
            "provider": "twilio", "phone_number": NUMBER, "label": "Main line", "sid": "AC1", "token": "t",
            "enable_sms": false, "agent_id": "agent_1",
        }))
        .gets(200, r#"{"phone_number_id":"phnum_1"}"#)
        .sends("GET /v1/convai/phone-numbers/phnum_1")
        .gets_json(200, record("phnum_1"))
        .sends("GET /v1/convai/settings")
        .gets_json(200, json!({}))
        .done();
    assert_eq!((made.id.as_str(), made.agent_id.as_deref()), ("phnum_1", Some("agent_1")));

    let post = || {
        let post = talk_to().sends(LOOK).gets_json(200, none.clone());
        let body = serde_json::from_slice(&post.request().body.clone().unwrap().1).unwrap();
        post.with_json(body)
    };
    for (status, body, expected) in [
        (200, "{}", "unclear"),
        (502, "<html>", "unclear"),
        (422, r#"{"detail":[{"loc":["body","sid"],"msg":"Invalid"}]}"#, "stop"),
    ] {
        assert_eq!(post().gets(status, body).label(), expected, "{body}");
    }
    let mut other = record("phnum_1");
    other["phone_number"] = "+14155550121".into();
    let another = post().gets(200, r#"{"phone_number_id":"phnum_1"}"#).gets_json(200, other);
    assert_eq!(another.fault().label(), "unclear");
    check_meaningless(|| ELEVENLABS.import(&account(), &import(twilio(), Link::None)));
}

#[test]
fn a_number_that_is_there_already_is_adopted() {
    let known = json!({"phone_numbers": [record("phnum_9")], "has_more": false});
    talk(ELEVENLABS.import(&account(), &import(twilio(), Link::Ask { or: None })))
        .sends(LOOK)
        .gets_json(200, known)
        .sends("PATCH /v1/convai/phone-numbers/phnum_9")
        .with_json(json!({"agent_id": null, "label": "Main line"}))
        .gets_json(200, record("phnum_9"))
        .sends("GET /v1/convai/settings");
}

#[test]
fn a_trunk_s_number_is_imported_with_its_trunk() {
    let check = |username: Option<&str>, password: Option<&str>, outbound: Value| {
        let carrier = Carrier::Trunk {
            address: "sip.example.com:5061".into(),
            username: username.map(str::to_owned),
            password: password.map(Secret::new),
        };
        talk(ELEVENLABS.import(&account(), &import(carrier, Link::Ask { or: Some("agent_2".into()) })))
            .sends(LOOK)
            .gets_json(200, json!({"phone_numbers": []}))
            .sends_once("POST /v1/convai/phone-numbers")
            .with_json(json!({
                "provider": "sip_trunk", "phone_number": NUMBER, "label": "Main line", "agent_id": "agent_2",
                "inbound_trunk_config": {"media_encryption": "allowed"}, "outbound_trunk_config": outbound,
            }));
    };
    let mut outbound =
        json!({"address": "sip.example.com:5061", "transport": "auto", "media_encryption": "allowed"});
    check(None, None, outbound.clone());
    outbound["credentials"] = json!({"username": "u", "password": "p"});
    check(Some("u"), Some("p"), outbound);
}

#[test]
fn a_link_assigns_the_agent() {
    let check = |link: Link, expected: Value| {
        let number = talk(ELEVENLABS.link(&account(), "phnum_1", &link, &webhooks()))
            .sends("PATCH /v1/convai/phone-numbers/phnum_1")
            .with_json(json!({"agent_id": expected}))
            .gets_json(200, record("phnum_1"))
            .sends("GET /v1/convai/settings")
            .gets_json(200, json!({}))
            .done();
        assert_eq!(number.id, "phnum_1");
    };
    check(Link::Agent("agent_1".into()), json!("agent_1"));
    check(Link::Ask { or: Some("agent_2".into()) }, json!("agent_2"));
    check(Link::Ask { or: None }, Value::Null);
    check(Link::None, Value::Null);
    check_meaningless(|| ELEVENLABS.link(&account(), "phnum_1", &Link::None, &webhooks()));
    check_replies(
        || ELEVENLABS.link(&account(), "phnum_1", &Link::None, &webhooks()),
        &[(404, "", "gone"), (200, "{}", "unclear"), (429, "", "retry")],
    );
}
