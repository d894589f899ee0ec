use serde_json::{Value, json};

use super::*;
use crate::rest::agents::Carrier;
use crate::rest::samples::{self, webhooks};
use crate::rest::script::{check_meaningless, check_replies, talk};
use crate::secret::Secret;

const RETELL: RetellAgents = RetellAgents;
const NUMBER: &str = "+14155550143";
const INBOUND_URL: &str = "https://a.example/webhooks/retell/inbound/00000000-0000-0000-0000-0000000000ac";
const EVENTS_URL: &str = "https://a.example/webhooks/retell/events/00000000-0000-0000-0000-0000000000ac";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"k"}"#)
}

fn spec(config: Value) -> AgentSpec {
    AgentSpec {
        name: "dp Front desk".into(),
        language: Some("de-AT".into()),
        greeting: Some("Hello!".into()),
        prompt: Some("You are kind.".into()),
        voice_id: Some("11labs-Adrian".into()),
        config: config.as_object().unwrap().clone(),
        webhooks: webhooks(),
    }
}

fn document() -> Value {
    json!({"agent_name": "dp Front desk", "voice_id": "11labs-Adrian", "language": "de-DE", "webhook_url": EVENTS_URL})
}

fn record() -> Value {
    json!({"phone_number": NUMBER, "phone_number_type": "custom", "inbound_agents": [{"agent_id": "a1", "weight": 1}]})
}

fn import(carrier: Carrier) -> Import {
    let link = Link::Ask { or: Some("a1".into()) };
    Import { number: NUMBER.parse().unwrap(), name: "Main line".into(), carrier, link, webhooks: webhooks() }
}

fn trunk() -> Carrier {
    let password = Some(Secret::new("p"));
    Carrier::Trunk { address: "x.pstn.twilio.com".into(), username: Some("u".into()), password }
}

fn linked_agent(id: &str) -> Value {
    json!([{"agent_id": id, "agent_version": "latest_published", "weight": 1}])
}

#[test]
fn an_agent_is_made_with_its_engine_and_published() {
    let config = json!({"retell_llm": {"model": "gpt-5"}, "interruption_sensitivity": 0.5});
    let create = || RETELL.create(&account(), &spec(config.clone()));
    let mut agent = document();
    agent["interruption_sensitivity"] = json!(0.5);
    agent["response_engine"] = json!({"type": "retell-llm", "llm_id": "llm_1"});
    let id = talk(create())
        .sends_once("POST /create-retell-llm")
        .with_header("authorization", "Bearer k")
        .with_json(json!({"general_prompt": "You are kind.", "begin_message": "Hello!", "model": "gpt-5"}))
        .gets(201, r#"{"llm_id":"llm_1"}"#)
        .sends_once("POST /create-agent")
        .with_json(agent)
        .gets(201, r#"{"agent_id":"agent_1"}"#)
        .sends("POST /publish-agent-version/agent_1")
        .gets(200, "")
        .done();
    assert_eq!(id, "agent_1");
    check_meaningless(create);
    check_replies(
        create,
        &[(402, "{}", "stop"), (201, "{}", "unclear"), (201, r#"{"llm_id":"l"}"#, "sends")],
    );
}

#[test]
fn an_engine_of_its_own_is_taken_as_it_is() {
    let flow = json!({"type": "conversation-flow", "conversation_flow_id": "f1"});
    let mut agent = document();
    agent["response_engine"] = flow.clone();
    talk(RETELL.create(&account(), &spec(json!({"response_engine": flow}))))
        .sends_once("POST /create-agent")
        .with_json(agent)
        .gets(201, r#"{"agent_id":"agent_1"}"#)
        .sends("POST /publish-agent-version/agent_1");
}

#[test]
fn an_agent_without_a_voice_or_in_an_unknown_language_is_a_person_s_to_mend() {
    let check = |agent: &AgentSpec, code: &str| {
        let fault = talk(RETELL.create(&account(), agent)).fault();
        assert!(fault.label() == "stop" && fault.to_string().contains(code), "{fault}");
    };
    check(&AgentSpec { voice_id: None, ..spec(json!({})) }, "voice_missing");
    check(&AgentSpec { language: Some("xx".into()), ..spec(json!({})) }, "language_unknown");
    let own = spec(json!({"language": "multi", "voice_id": "mine"}));
    let own = AgentSpec { voice_id: None, language: Some("xx".into()), ..own };
    talk(RETELL.create(&account(), &own)).sends_once("POST /create-retell-llm");
}

#[test]
fn an_update_sets_engine_and_agent_and_publishes() {
    let bare = AgentSpec { greeting: None, prompt: None, language: None, ..spec(json!({})) };
    let update = || RETELL.update(&account(), "agent_1", &bare);
    let llm = json!({"agent_id": "agent_1", "response_engine": {"type": "retell-llm", "llm_id": "llm_1"}});
    let mut agent = document();
    agent.as_object_mut().unwrap().remove("language");
    talk(update())
        .sends("GET /get-agent/agent_1")
        .gets_json(200, llm)
        .sends("PATCH /update-retell-llm/llm_1")
        .with_json(json!({"general_prompt": null, "begin_message": null}))
        .gets(200, r#"{"llm_id":"llm_1"}"#)
        .sends("PATCH /update-agent/agent_1")
        .with_json(agent.clone())
        .gets(200, r#"{"agent_id":"agent_1"}"#)
        .sends("POST /publish-agent-version/agent_1")
        .gets(200, "{}")
        .done();
    let flow = json!({"agent_id": "agent_1", "response_engine": {"type": "conversation-flow"}});
    let talk = talk(update()).sends("GET /get-agent/agent_1").gets_json(200, flow);
    let end =
        talk.sends("PATCH /update-agent/agent_1").with_json(agent).gets(200, r#"{"agent_id":"agent_2"}"#);
    assert_eq!(end.sends("POST /publish-agent-version/agent_2").gets(200, "").fault().label(), "unclear");
    check_meaningless(update);
    check_replies(update, &[(404, "", "gone"), (401, "", "stop")]);
}

#[test]
fn agents_are_found_by_their_very_name_once_for_all_versions() {
    let agent =
        |id: &str, name: &str, version: u8| json!({"agent_id": id, "agent_name": name, "version": version});
    let items =
        [agent("a1", "dp Front desk", 2), agent("a1", "dp Front desk", 1), agent("a2", "dp Front", 1)];
    let found = talk(RETELL.named(&account(), "dp Front desk"))
        .sends("POST /v2/list-agents")
        .with_json(json!({"limit": 100}))
        .gets_json(200, json!({"items": items, "has_more": true, "pagination_key": "p2"}))
        .sends("POST /v2/list-agents")
        .with_json(json!({"limit": 100, "pagination_key": "p2"}))
        .gets(200, r#"{"items":[],"has_more":false}"#)
        .done();
    assert_eq!(found, [HostedAgent { id: "a1".into(), name: "dp Front desk".into() }]);
    check_meaningless(|| RETELL.named(&account(), "n"));
}

#[test]
fn an_agent_that_is_not_there_any_more_is_deleted() {
    let delete = || RETELL.delete(&account(), "agent_1");
    talk(delete()).sends("DELETE /delete-agent/agent_1").gets(204, "").done();
    check_replies(delete, &[(404, "", "done"), (401, "", "stop"), (502, "", "unclear")]);
}

#[test]
fn a_trunk_s_number_is_imported_once() {
    let begin = || RETELL.import(&account(), &import(trunk()));
    let number = talk(begin())
        .sends("GET /get-phone-number/%2B14155550143")
        .gets(404, "{}")
        .sends_once("POST /import-phone-number")
        .with_json(json!({
            "phone_number": NUMBER, "termination_uri": "x.pstn.twilio.com", "sip_trunk_auth_username": "u",
            "sip_trunk_auth_password": "p", "nickname": "Main line", "inbound_agents": linked_agent("a1"),
            "inbound_webhook_url": INBOUND_URL,
        }))
        .gets_json(201, record())
        .done();
    assert_eq!((number.id.as_str(), number.agent_id.as_deref()), (NUMBER, Some("a1")));
    talk(begin())
        .sends("GET /get-phone-number/%2B14155550143")
        .gets_json(200, record())
        .sends("PATCH /update-phone-number/%2B14155550143")
        .with_json(json!({
            "nickname": "Main line", "inbound_agents": linked_agent("a1"), "inbound_webhook_url": INBOUND_URL,
        }))
        .gets_json(200, record())
        .done();
    check_meaningless(begin);
    check_replies(
        begin,
        &[(200, r#"{"phone_number":"+1"}"#, "unclear"), (401, "", "stop"), (422, "{}", "stop")],
    );
    let twilio = Carrier::Twilio { account_sid: "AC1".into(), auth_token: Secret::new("t") };
    assert_eq!(talk(RETELL.import(&account(), &import(twilio))).fault().label(), "elsewhere");
}

#[test]
fn a_link_is_one_agent_of_the_whole_weight_and_whether_we_are_asked() {
    let check = |link: Link, agents: Value, url: Option<&str>| {
        talk(RETELL.link(&account(), NUMBER, &link, &webhooks()))
            .sends("PATCH /update-phone-number/%2B14155550143")
            .with_json(json!({"inbound_agents": agents, "inbound_webhook_url": url}))
            .gets_json(200, record())
            .done();
    };
    check(Link::Ask { or: None }, json!([]), Some(INBOUND_URL));
    check(Link::Ask { or: Some("a1".into()) }, linked_agent("a1"), Some(INBOUND_URL));
    check(Link::Agent("a2".into()), linked_agent("a2"), None);
    check(Link::None, json!([]), None);
    check_meaningless(|| RETELL.link(&account(), NUMBER, &Link::None, &webhooks()));
}

#[test]
fn only_imported_numbers_are_forgotten() {
    let forget = || RETELL.forget(&account(), NUMBER);
    talk(forget())
        .sends("GET /get-phone-number/%2B14155550143")
        .gets_json(200, record())
        .sends("DELETE /delete-phone-number/%2B14155550143")
        .gets(204, "")
        .done();
    let sold = r#"{"phone_number":"+14155550143","phone_number_type":"retell-telnyx"}"#;
    check_replies(forget, &[(404, "", "done"), (200, sold, "stop"), (200, "{}", "unclear")]);
    check_meaningless(forget);
}
