use serde_json::json;

use super::*;
use crate::rest::samples::{self, webhooks};
use crate::rest::script::{Talk, check_replies, talk};

const LIVEKIT: LiveKitAgents = LiveKitAgents;
const NUMBER: &str = "+14155550176";
const NAME: &str = "dialplane +14155550176";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"APIa","api_secret":"s","url":"wss://x.livekit.cloud"}"#)
}

fn link(link: &Link) -> Result<Exchange<Held>, Fault> {
    LIVEKIT.link(&account(), NUMBER, link, &webhooks())
}

fn agent() -> Link {
    Link::Agent("inbound".into())
}

fn rule(trunk_id: &str) -> Value {
    json!({
        "name": NAME, "rule": {"dispatch_rule_individual": {"room_prefix": "call-"}}, "trunk_ids": [trunk_id],
        "numbers": [NUMBER, "14155550176"], "room_config": {"agents": [{"agent_name": "inbound"}]},
    })
}

/// Asks for all of them.
#[track_caller]
fn lists<T: std::fmt::Debug + 'static>(talk: Talk<T>, method: &str, items: Value) -> Talk<T> {
    let talk = talk.sends(&format!("POST /twirp/livekit.SIP/{method}")).with_json(json!({}));
    talk.gets_json(200, json!({"items": items}))
}

#[test]
fn a_number_gets_a_trunk_and_a_rule() {
    let talk = lists(talk(link(&agent())), "ListSIPInboundTrunk", json!([]));
    let talk = talk
        .sends_once("POST /twirp/livekit.SIP/CreateSIPInboundTrunk")
        .with_json(json!({"trunk": {"name": NAME, "numbers": [NUMBER]}}))
        .gets(200, r#"{"sip_trunk_id":"ST_1"}"#);
    let held =
        lists(talk, "ListSIPDispatchRule", json!([{"name": "other", "sip_dispatch_rule_id": "SDR_0"}]))
            .sends_once("POST /twirp/livekit.SIP/CreateSIPDispatchRule")
            .with_json(json!({"dispatch_rule": rule("ST_1")}))
            .gets(200, r#"{"sip_dispatch_rule_id":"SDR_1"}"#)
            .done();
    assert_eq!((held.id.as_str(), held.agent_id.as_deref()), (NUMBER, Some("inbound")));
    assert_eq!(Value::Object(held.setup), json!({"sip_trunk_id": "ST_1", "sip_dispatch_rule_id": "SDR_1"}));
}

#[test]
fn a_trunk_that_has_the_number_is_used_and_our_rule_set_anew() {
    let trunks = json!([
        {"sip_trunk_id": "ST_0", "name": "all", "numbers": []},
        {"sip_trunk_id": "ST_2", "name": "theirs", "numbers": ["+14155550100", "1 (415) 555-0176"]},
    ]);
    let talk = lists(talk(link(&Link::Ask { or: Some("inbound".into()) })), "ListSIPInboundTrunk", trunks);
    let held = lists(talk, "ListSIPDispatchRule", json!([{"name": NAME, "sip_dispatch_rule_id": "SDR_1"}]))
        .sends("POST /twirp/livekit.SIP/UpdateSIPDispatchRule")
        .with_json(json!({"sip_dispatch_rule_id": "SDR_1", "replace": rule("ST_2")}))
        .gets(200, r#"{"sip_dispatch_rule_id":"SDR_1"}"#)
        .done();
    assert_eq!(held.setup["sip_trunk_id"], "ST_2");
}

#[test]
fn a_number_that_nobody_answers_has_no_rule() {
    let trunks = json!([{"sip_trunk_id": "ST_1", "name": NAME, "numbers": [NUMBER]}]);
    for nobody in [Link::None, Link::Ask { or: None }] {
        let talk = lists(talk(link(&nobody)), "ListSIPInboundTrunk", trunks.clone());
        let rules = json!([{"name": NAME, "sip_dispatch_rule_id": "SDR_1"}]);
        let held = lists(talk, "ListSIPDispatchRule", rules)
            .sends("POST /twirp/livekit.SIP/DeleteSIPDispatchRule")
            .with_json(json!({"sip_dispatch_rule_id": "SDR_1"}))
            .gets(200, "{}")
            .done();
        assert_eq!((held.agent_id, &held.setup["sip_dispatch_rule_id"]), (None, &Value::Null));
    }
    let talk = lists(talk(link(&Link::None)), "ListSIPInboundTrunk", trunks);
    assert_eq!(lists(talk, "ListSIPDispatchRule", json!([])).done().agent_id, None);
}

#[test]
fn an_import_lets_calls_in_from_the_carrier_s_address() {
    let check = |address: &str, expected: Value| {
        let carrier = Carrier::Trunk { address: address.into(), username: None, password: None };
        let number = NUMBER.parse().unwrap();
        let import = Import { number, name: "Main".into(), carrier, link: agent(), webhooks: webhooks() };
        let talk = lists(talk(LIVEKIT.import(&account(), &import)), "ListSIPInboundTrunk", json!([]));
        let talk = talk.sends_once("POST /twirp/livekit.SIP/CreateSIPInboundTrunk");
        talk.with_json(json!({"trunk": expected}));
    };
    let open = json!({"name": NAME, "numbers": [NUMBER]});
    let narrow = json!({"name": NAME, "numbers": [NUMBER], "allowed_addresses": ["203.0.113.9"]});
    check("203.0.113.9", narrow.clone());
    check("203.0.113.9:5061", narrow);
    check("sip.example.com", open);
    let carrier = Carrier::Twilio { account_sid: "AC1".into(), auth_token: crate::secret::Secret::new("t") };
    let number = NUMBER.parse().unwrap();
    let import = Import { number, name: "Main".into(), carrier, link: agent(), webhooks: webhooks() };
    assert_eq!(talk(LIVEKIT.import(&account(), &import)).fault().label(), "elsewhere");
}

#[test]
fn a_number_is_forgotten_with_what_was_made_for_it_alone() {
    let forget = || LIVEKIT.forget(&account(), NUMBER);
    let rules = json!([{"name": NAME, "sip_dispatch_rule_id": "SDR_1"}]);
    let talk_to = lists(talk(forget()), "ListSIPDispatchRule", rules)
        .sends("POST /twirp/livekit.SIP/DeleteSIPDispatchRule")
        .with_json(json!({"sip_dispatch_rule_id": "SDR_1"}))
        .gets(404, r#"{"code":"not_found","msg":"gone"}"#);
    let trunks = json!([
        {"sip_trunk_id": "ST_2", "name": "theirs", "numbers": [NUMBER]},
        {"sip_trunk_id": "ST_1", "name": NAME, "numbers": [NUMBER]},
    ]);
    lists(talk_to, "ListSIPInboundTrunk", trunks)
        .sends("POST /twirp/livekit.SIP/DeleteSIPTrunk")
        .with_json(json!({"sip_trunk_id": "ST_1"}))
        .gets(200, "{}")
        .done();
    let none = lists(talk(forget()), "ListSIPDispatchRule", json!([]));
    lists(none, "ListSIPInboundTrunk", json!([])).done();
}

#[test]
fn answers_that_say_nothing_are_unclear() {
    let meaningless =
        [(502, "<html>", "unclear"), (200, "", "unclear"), (200, "null", "unclear"), (401, "{}", "stop")];
    let begin = || link(&agent());
    check_replies(begin, &meaningless);
    check_replies(|| LIVEKIT.forget(&account(), NUMBER), &meaningless);
    let talk = lists(talk(begin()), "ListSIPInboundTrunk", json!([]));
    let create = talk.with_json(json!({"trunk": {"name": NAME, "numbers": [NUMBER]}}));
    assert_eq!(create.gets(200, "{}").fault().label(), "unclear");
}

#[test]
fn an_agent_is_a_person_s_to_deploy() {
    assert!(talk(LIVEKIT.named(&account(), "n")).fault().to_string().contains("agents_are_programs"));
    assert_eq!(talk(LIVEKIT.delete(&account(), "n")).fault().label(), "stop");
    assert_eq!(talk(LIVEKIT.link(&account(), "SDR_1", &agent(), &webhooks())).fault().label(), "stop");
}
