//! The router's own API: what agents ask with their tokens, and other programs with keys.

use dialplane_bench::http::{self, Response};
use dialplane_bench::system::wait_for;
use serde_json::{Value, json};

use super::Location;
use crate::ops;

impl Location {
    fn get(&self, number: &str, token: &str) -> Response {
        let authorization = format!("Bearer {token}");
        let target = format!("/v1/numbers/{number}/config?from=%2B15105550198&call_id=CA1");
        let headers = [("Authorization", &*authorization)];
        http::request(self.system.router.address, "GET", &target, &headers, b"").expect("an answer")
    }

    fn route(&self, key: &str, body: &str) -> Response {
        let authorization = format!("Bearer {key}");
        let headers = [("Authorization", &*authorization), ("Content-Type", "application/json")];
        http::request(self.system.router.address, "POST", "/v1/route", &headers, body.as_bytes())
            .expect("an answer")
    }

    fn token(&self, tenant: &str, agent: &str) -> String {
        let path = format!("/tenants/{tenant}/agents/{agent}/token");
        text(&self.system.apply("POST", &path, &Value::Null)["token"])
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("text: {value}")).to_owned()
}

fn json_of(answer: &Response) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("JSON: {answer:?}"))
}

/// A refusal, as problem details.
fn refused(answer: &Response, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let problem = json_of(answer);
    assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)), "{problem}");
}

#[test]
fn an_agents_token_reads_what_applies_to_its_number() {
    let location = Location::start();
    let agent = location.host("vapi");
    let token = location.token(&location.salon.tenant, &agent);
    let answer = location.get(&location.salon.number, &token);
    assert_eq!(answer.status, 200, "{answer:?}");
    let config = json_of(&answer);
    for (name, expected) in [
        ("phone_number", json!(location.salon.number)),
        ("phone_number_id", json!(location.salon.phone)),
        ("tenant_id", json!(location.salon.tenant)),
        ("tenant_name", json!("Sparkle Nails")),
        ("display_name", json!("Broadway")),
        ("address", json!("12 Broadway, New York")),
        ("timezone", json!("America/New_York")),
        ("open_now", json!(false)),
        ("next_opening", Value::Null),
    ] {
        assert_eq!(config[name], expected, "{name}: {config}");
    }
    let voice = &config["voice"];
    assert_eq!(
        (&voice["voice_id"], &voice["provider"]),
        (&json!("numbers-voice"), &json!("11labs")),
        "{voice}"
    );
    assert_eq!(voice["language"], "de");
    assert_eq!(config["agent"]["id"], agent.as_str());
    assert_eq!(config["rules"]["rules"], json!(["Be brief.", "Be kind."]));
    assert_eq!(config["rules"]["transfer_to"], "+12025550147");
    assert_eq!(config["intents"][0]["name"], "Booking");
    assert_eq!(config["staff"][0]["name"], "Anna Meyer");
    assert_eq!(config["services"][0]["duration_minutes"], 45);
    assert_eq!(config["variables"]["caller"], "+15105550198");
    location.greet("Welcome.");
    assert_eq!(json_of(&location.get(&location.salon.number, &token))["voice"]["greeting"], "Welcome.");
}

#[test]
fn a_token_reads_no_other_number_and_nothing_once_it_is_taken_back() {
    let location = Location::start();
    let agent = location.host("vapi");
    let (number, tenant) = (&*location.salon.number, &*location.salon.tenant);
    let other = location.system.salon(2);
    let token = location.token(tenant, &agent);
    // The agent that answered before, and another tenant's.
    refused(&location.get(number, &location.token(tenant, &location.salon.agent)), 404, "not_found");
    let strangers = location.token(&other.tenant, &other.agent);
    refused(&location.get(number, &strangers), 404, "not_found");
    assert_eq!(location.get(&other.number, &strangers).status, 200);
    refused(&location.get(&other.number, &token), 404, "not_found");
    refused(&location.get("+12125559999", &token), 404, "not_found");
    refused(&location.get("desk", &token), 400, "malformed");
    refused(&location.get(number, "dp_nobodys"), 401, "unknown_token");
    refused(&location.route(&token, r#"{"to":"+12125550001","call_id":"CA1"}"#), 403, "forbidden");
    let target = format!("/v1/numbers/{number}/config");
    let bare = http::request(location.system.router.address, "GET", &target, &[], b"").expect("an answer");
    refused(&bare, 401, "unauthorized");
    let renewed = location.token(tenant, &agent);
    refused(&location.get(number, &token), 401, "unknown_token");
    assert_eq!(location.get(number, &renewed).status, 200);
    location.system.apply("DELETE", &format!("/tenants/{tenant}/agents/{agent}/token"), &Value::Null);
    refused(&location.get(number, &renewed), 401, "unknown_token");
}

#[test]
fn routes_are_for_the_holder_of_a_key_and_its_own_numbers() {
    let location = Location::start();
    let agent = location.host("vapi");
    let other = location.system.salon(2);
    let tenant = location
        .system
        .key(&format!("/tenants/{}", location.salon.tenant), &json!({"name": "edge", "role": "viewer"}));
    let operator = location.system.key("", &json!({"name": "edge"}));
    let ask = |key: &str, to: &str| {
        let body = json!({"to": to, "from": "+15105550198", "call_id": "a84b4c76e66710"});
        let answer = location.route(key, &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        json_of(&answer)
    };
    for key in [&tenant, &operator] {
        let answer = ask(key, &location.salon.number);
        assert_eq!(
            (&answer["outcome"], &answer["tenant_id"]),
            (&json!("answered"), &json!(location.salon.tenant))
        );
        assert_eq!(answer["route"][0]["agent_id"], agent.as_str(), "{answer}");
        assert_eq!(answer["call_id"], "a84b4c76e66710");
    }
    assert_eq!(ask(&operator, &other.number)["tenant_id"], other.tenant.as_str());
    let mut strangers = ask(&tenant, &other.number);
    let nobodys = ask(&tenant, "+12125559999");
    assert_eq!(strangers["outcome"], "unknown_number");
    strangers["revision"] = nobodys["revision"].clone();
    assert_eq!(strangers, nobodys, "another tenant's number is one that nobody has");
    let chain = json!({"action": "forward", "to": "+12025550147", "else": {"action": "voicemail"}});
    location.system.route(&location.salon, &json!([{ "then": chain }]));
    let answer = ask(&tenant, &location.salon.number);
    let actions: Vec<_> =
        answer["route"].as_array().expect("steps").iter().map(|step| &step["action"]).collect();
    assert_eq!(actions, ["forward", "voicemail"], "the whole chain at once");
    assert_eq!(answer["rule"], json!({"scope": "number", "index": 0}));
    let told = |kind: &str| {
        let series = format!("router_call_events_total{{kind=\"{kind}\"}}");
        ops::metric(location.system.router.ops, &series)
    };
    wait_for("the admin plane to be told", || (told("offered"), told("refused")) == (4.0, 2.0));
}

#[test]
fn a_body_that_is_no_call_is_refused() {
    let location = Location::start();
    let key = location.system.key("", &json!({"name": "edge"}));
    for body in [
        "",
        "{",
        "[]",
        "7",
        "{}",
        r#"{"to":"+12125550001"}"#,
        r#"{"call_id":"CA1"}"#,
        r#"{"to":"","call_id":"CA1"}"#,
        r#"{"to":"+12125550001","call_id":""}"#,
        r#"{"to":"+12125550001","call_id":"CA1","extra":1}"#,
        r#"{"to":12125550001,"call_id":"CA1"}"#,
        "\u{0}",
    ] {
        refused(&location.route(&key, body), 400, "malformed");
    }
    refused(&location.route("nobodys", "{}"), 401, "unknown_token");
    let headers = [("Authorization", &*format!("Bearer {key}"))];
    let get =
        http::request(location.system.router.address, "GET", "/v1/route", &headers, b"").expect("an answer");
    refused(&get, 405, "method_not_allowed");
}
