//! Each call gets the answer that its rules say, and nobody else's.

use dialplane_bench::http;
use dialplane_bench::operator::{Operator, Salon};
use dialplane_bench::system::{Router, wait_for};
use serde_json::{Value, json};

use crate::call::{CALL, REJECT, REJECT_BUSY, agent, ending, post, stream, twiml, with};
use crate::installation::Installation;
use crate::ops;

#[test]
fn the_smallest_session_works_to_the_letter() {
    let system = Installation::start();
    let salon = system.salon(1);
    assert_eq!(salon.ring(system.router.address).body, agent(&salon));
    let path = salon.phone_path();
    let hours = |forced: Value| {
        json!({"weekly": {"mon": [["09:00", "17:00"]], "fri": [["18:00", "02:00"]]},
               "holidays": [{"date": "2026-12-25", "closed": true}], "override": forced})
    };
    system.apply("PUT", &format!("{path}/settings/hours"), &hours(Value::Null));
    let routing = json!({"rules": [{"when": {"open": false}, "then": {"action": "message", "say": "We are closed."}},
                                   {"then": {"action": "agent"}}]});
    system.apply("PUT", &format!("{path}/routing"), &routing);

    system.apply("PUT", &format!("{path}/settings/hours"), &hours(json!({"open": true})));
    assert_eq!(salon.ring(system.router.address).body, agent(&salon));
    system.apply("PUT", &format!("{path}/settings/hours"), &hours(json!({"open": false})));
    let closed = salon.ring(system.router.address);
    assert_eq!(closed.body, twiml("<Say>We are closed.</Say><Hangup/>"));
    assert_eq!(closed.header("content-type"), Some("text/xml; charset=utf-8"));

    let key = system.operator.ok(
        "POST",
        &format!("/tenants/{}/api-keys", salon.tenant),
        &json!({"name": "ci", "role": "admin"}),
    );
    let owner = Operator::with_key(system.admin.address, key["key"].as_str().expect("the key is shown once"));
    system.apply("PATCH", &path, &json!({"agent_id": salon.agent, "status": "suspended"}));
    assert_eq!(ending(&salon.ring(system.router.address)), (200, "inactive_number"));
    let list = owner.ok("GET", &format!("/tenants/{}/phone-numbers", salon.tenant), &Value::Null);
    assert_eq!(list["next"], Value::Null);
    assert_eq!(list["items"][0]["phone_number"], salon.number.as_str());
    assert_eq!(list["items"][0]["status"], "suspended");
}

#[test]
fn each_action_is_answered_with_its_document() {
    let system = Installation::start();
    let salon = system.salon(1);
    let new_agent = |name: &str, target: Value| {
        let body = json!({"name": name, "language": "en", "provider": "custom", "target": target});
        system.operator.create(&format!("/tenants/{}/agents?wait=applied", salon.tenant), &body)
    };
    let sip_agent = new_agent("SIP", json!({"type": "sip", "uri": "sip:desk@voice.example"}));
    let redirect_agent =
        new_agent("Elsewhere", json!({"type": "redirect", "url": "https://other.example/voice?a=1&b=2"}));
    let other_stream = new_agent("Night", json!({"type": "stream", "url": "wss://night.example/agent"}));
    let check = |then: Value, inner: &str| {
        system.route(&salon, &json!([{ "then": then }]));
        let answer = salon.ring(system.router.address);
        assert_eq!((answer.status, &*answer.body), (200, &*twiml(inner)), "{then}");
        assert_eq!(answer.header("dialplane-outcome"), None, "{then}");
    };
    check(
        json!({"action": "agent"}),
        &format!("<Connect>{}</Connect>", stream(&salon, "wss://voice.example/agent")),
    );
    check(
        json!({"action": "agent", "agent_id": other_stream}),
        &format!("<Connect>{}</Connect>", stream(&salon, "wss://night.example/agent")),
    );
    check(
        json!({"action": "agent", "agent_id": sip_agent}),
        &format!(
            "<Dial answerOnBridge=\"true\" timeout=\"20\"><Sip>sip:desk@voice.example?x-tenant-id={}&amp;\
             x-phone-number-id={}&amp;x-call-id={CALL}</Sip></Dial>",
            salon.tenant, salon.phone
        ),
    );
    check(
        json!({"action": "agent", "agent_id": redirect_agent}),
        "<Redirect method=\"POST\">https://other.example/voice?a=1&amp;b=2</Redirect>",
    );
    check(
        json!({"action": "forward", "to": "+12025550147", "timeout_seconds": 15}),
        "<Dial answerOnBridge=\"true\" timeout=\"15\"><Number>+12025550147</Number></Dial>",
    );
    check(
        json!({"action": "ring", "to": ["+12025550147", "sip:desk@voice.example"]}),
        "<Dial answerOnBridge=\"true\" timeout=\"20\"><Number>+12025550147</Number><Sip>sip:desk@voice.example</Sip></Dial>",
    );
    check(
        json!({"action": "message", "say": "Closed & \"gone\" <home>", "language": "en-GB"}),
        "<Say language=\"en-GB\">Closed &amp; &quot;gone&quot; &lt;home&gt;</Say><Hangup/>",
    );
    check(
        json!({"action": "message", "play": "https://cdn.example/closed.mp3"}),
        "<Play>https://cdn.example/closed.mp3</Play><Hangup/>",
    );
    check(json!({"action": "reject"}), REJECT);
    check(json!({"action": "reject", "reason": "busy"}), REJECT_BUSY);
    check(
        json!({"action": "redirect", "url": "https://other.example/voice"}),
        "<Redirect method=\"POST\">https://other.example/voice</Redirect>",
    );

    system.route(&salon, &json!([{"then": {"action": "voicemail", "max_seconds": 90}}]));
    let voicemail = salon.ring(system.router.address).body;
    let begin = "<Say>Please leave a message after the tone.</Say><Record playBeep=\"true\" finishOnKey=\"#\" \
                 maxLength=\"90\" method=\"POST\" action=\"";
    assert!(voicemail.starts_with(twiml(begin).trim_end_matches("</Response>")), "{voicemail}");
    assert!(voicemail.ends_with("\"/><Hangup/></Response>"), "{voicemail}");
    let recorded =
        follow(&salon, &system.router, &voicemail, &[("RecordingUrl", "https://api.twilio.example/r")]);
    assert_eq!(recorded.body, twiml("<Hangup/>"));
}

#[test]
fn callers_are_told_apart() {
    let system = Installation::start();
    let salon = system.salon(1);
    let say = |text: &str| json!({"action": "message", "say": text});
    system.route(
        &salon,
        &json!([
            {"when": {"caller": {"numbers": ["+15105550111"]}}, "then": say("number")},
            {"when": {"caller": {"prefixes": ["+44"]}}, "then": say("prefix")},
            {"when": {"caller": {"withheld": true}}, "then": say("withheld")},
            {"then": say("anybody")},
        ]),
    );
    for (from, expected) in [
        ("+15105550111", "number"),
        ("+442071838750", "prefix"),
        ("anonymous", "withheld"),
        ("+266696687", "withheld"),
        ("+15105550112", "anybody"),
        ("client:jane", "anybody"),
    ] {
        let answer = post(
            &salon,
            system.router.address,
            &salon.webhook_path("voice"),
            &with(&salon, &[("From", from)]),
        );
        assert_eq!(answer.body, twiml(&format!("<Say>{expected}</Say><Hangup/>")), "{from}");
    }
}

/// The target of the URL by which a document asks what follows.
fn after_target(document: &str) -> String {
    let url = document.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
    let url = url.unwrap_or_else(|| panic!("nothing is asked in {document}")).replace("&amp;", "&");
    url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).expect("an absolute URL")
}

/// Asks a router what follows a document, as Twilio does once the document's step has ended.
fn follow(salon: &Salon, router: &Router, document: &str, result: &[(&str, &str)]) -> http::Response {
    post(salon, router.address, &after_target(document), &with(salon, result))
}

#[test]
fn what_follows_a_step_is_asked_and_only_for_its_own_call() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    let message = json!({"action": "message", "say": "Nobody is here."});
    let ring = json!({"action": "ring", "to": ["+12025550147", "+12025550148"], "else": message});
    let forward = json!({"action": "forward", "to": "+12025550146", "else": ring});
    system.route(&salon, &json!([{"then": {"action": "agent", "else": forward}}]));
    let first = salon.ring(system.router.address).body;
    assert!(first.contains("<Connect method=\"POST\" action=\"http://"), "{first}");
    let failed = [("DialCallStatus", "no-answer")];

    // The stream ended at once, so it never was a conversation.
    let second = follow(&salon, &system.router, &first, &[]).body;
    assert!(second.contains("<Number>+12025550146</Number>"), "{second}");
    for result in ["no-answer", "busy", "failed", "canceled"] {
        let third = follow(&salon, &system.router, &second, &[("DialCallStatus", result)]).body;
        assert!(
            third.contains("<Number>+12025550147</Number><Number>+12025550148</Number>"),
            "{result}: {third}"
        );
    }
    let done = follow(&salon, &system.router, &second, &[("DialCallStatus", "completed")]).body;
    assert_eq!(done, twiml("<Hangup/>"));
    // A step that was done isn't followed by another.
    let noted =
        |kind: &str| ops::metric(system.router.ops, &format!("router_call_events_total{{kind=\"{kind}\"}}"));
    wait_for("the events to be counted", || (noted("offered"), noted("continued")) == (1.0, 5.0));

    // Any router goes on with it, whatever revision it holds, also when the rules have changed meanwhile.
    let another = system.router(&[]);
    system.route(&salon, &json!([{"then": {"action": "reject"}}]));
    let third = follow(&salon, &another, &second, &failed).body;
    let last = follow(&salon, &another, &third, &failed);
    assert_eq!((last.status, last.body), (200, twiml("<Say>Nobody is here.</Say><Hangup/>")));

    // Another call, another account, a changed state or none: refused.
    let target = after_target(&second);
    let address = system.router.address;
    let foreign = post(
        &salon,
        address,
        &target,
        &with(&salon, &[("CallSid", "CA00000000000000000000000000000000"), failed[0]]),
    );
    assert_eq!(ending(&foreign), (400, "malformed"), "{}", foreign.body);
    let stolen = target.replace(&salon.account, &other.account);
    let stolen = post(&other, address, &stolen, &with(&salon, &failed));
    assert_eq!(ending(&stolen), (400, "malformed"), "{}", stolen.body);
    let (path, _) = target.split_once('?').expect("a query");
    for query in ["", "?s=", "?s=AAAA", "?s=%ff"] {
        let refused = post(&salon, address, &format!("{path}{query}"), &with(&salon, &failed));
        assert_eq!(ending(&refused), (400, "malformed"), "{query}");
    }
    let unsigned = http::request(
        address,
        "POST",
        &target,
        &[("Content-Type", "application/x-www-form-urlencoded")],
        b"CallSid=x&To=y",
    );
    assert_eq!(unsigned.expect("an answer").status, 403);
}

#[test]
fn calls_that_are_not_routed_are_rejected_and_counted_by_reason() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    let (address, ops) = (system.router.address, system.router.ops);
    let path = salon.webhook_path("voice");
    let check = |what: &str,
                 outcome: &str,
                 status: u16,
                 document: Option<&str>,
                 ring: &dyn Fn() -> http::Response| {
        let before = ops::outcomes(ops, "voice", outcome);
        let answer = ring();
        assert_eq!(ending(&answer), (status, outcome), "{what}: {}", answer.body);
        if let Some(inner) = document {
            assert_eq!(answer.body, twiml(inner), "{what}");
        }
        assert_eq!(ops::outcomes(ops, "voice", outcome), before + 1.0, "{what}");
    };
    let ring = || salon.ring(address);
    check("a good call", "answered", 200, None, &ring);
    check("a number that nobody has", "unknown_number", 200, Some(REJECT), &|| {
        post(&salon, address, &path, &with(&salon, &[("To", "+12125559999")]))
    });
    check("another account's number", "unknown_number", 200, Some(REJECT), &|| {
        post(&salon, address, &path, &with(&salon, &[("To", &other.number)]))
    });
    check("an account that nobody has", "unknown_account", 404, None, &|| {
        let path = "/webhooks/twilio/voice/0190c5a4-7b1e-7cc3-98c4-dc0c0c07398f";
        post(&salon, address, path, &salon.call(CALL))
    });
    check("another account's token", "signature_wrong", 403, None, &|| {
        post(&other, address, &path, &salon.call(CALL))
    });

    for status in ["suspended", "inactive"] {
        system.apply("PATCH", &salon.phone_path(), &json!({ "status": status }));
        check(status, "inactive_number", 200, Some(REJECT), &ring);
    }
    system.apply("PATCH", &salon.phone_path(), &json!({"status": "active"}));
    system.apply("PATCH", &format!("/tenants/{}", salon.tenant), &json!({"status": "suspended"}));
    check("a suspended tenant", "suspended_tenant", 200, Some(REJECT_BUSY), &ring);
    check("a good call of another tenant", "answered", 200, None, &|| other.ring(address));
    system.apply("PATCH", &format!("/tenants/{}", salon.tenant), &json!({"status": "active"}));
    system.route(&salon, &json!([{"when": {"open": false}, "then": {"action": "reject"}}]));
    check("no rule that holds", "no_route", 200, Some(REJECT_BUSY), &ring);
    system.apply("PATCH", &salon.phone_path(), &json!({"agent_id": null}));
    system.route(&salon, &json!([{"then": {"action": "agent"}}]));
    check("no agent to answer", "no_route", 200, Some(REJECT_BUSY), &ring);

    let takers =
        json!({"rules": [{"then": {"action": "message", "say": "Who?"}}], "unknown_numbers": other.tenant});
    system.apply("PUT", "/defaults/routing", &takers);
    check("an unknown number on another tenant's account", "unknown_number", 200, Some(REJECT), &|| {
        post(&salon, address, &path, &with(&salon, &[("To", "+12125559999")]))
    });
    check(
        "an unknown number that a tenant takes",
        "answered",
        200,
        Some("<Say>Who?</Say><Hangup/>"),
        &|| post(&other, address, &other.webhook_path("voice"), &with(&other, &[("To", "+12125559999")])),
    );
}

#[test]
fn status_callbacks_and_texts_are_acknowledged_and_counted() {
    let system = Installation::start();
    let salon = system.salon(1);
    let (address, ops) = (system.router.address, system.router.ops);
    let series =
        |status: &str| format!("router_call_statuses_total{{provider=\"twilio\",status=\"{status}\"}}");
    let completed = with(&salon, &[("CallStatus", "completed"), ("CallDuration", "42")]);
    let answer = post(&salon, address, &salon.webhook_path("status"), &completed);
    assert_eq!((answer.status, &*answer.body), (204, ""));
    let odd = with(&salon, &[("CallStatus", "levitating")]);
    assert_eq!(post(&salon, address, &salon.webhook_path("status"), &odd).status, 204);
    assert_eq!(ops::metric(ops, &series("completed")), 1.0);
    assert_eq!(ops::metric(ops, &series("other")), 1.0);
    let text = with(&salon, &[("MessageSid", "SM8d2f4b6a0c1e3d5f7a9b8c7d6e5f4a3b"), ("Body", "Hi")]);
    let answer = post(&salon, address, &salon.webhook_path("sms"), &text);
    assert_eq!((answer.status, &*answer.body), (200, r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#));
    let unsigned =
        http::request(address, "POST", &salon.webhook_path("status"), &[], b"").expect("an answer");
    assert_eq!(unsigned.status, 403);
}

#[test]
fn an_event_that_names_no_number_of_ours_is_about_no_unknown_one() {
    let system = Installation::start();
    let salon = system.salon(1);
    let check = |kind: &str, parameters: &[(&str, &str)], outcome: &str| {
        let answer = post(&salon, system.router.address, &salon.webhook_path(kind), parameters);
        assert_eq!(ending(&answer), (204, outcome), "{kind} {parameters:?}");
    };
    let ended = [("CallStatus", "completed"), ("To", "+12125559999")];
    check("status", &with(&salon, &ended), "unknown_number");
    let leg =
        [ended[0], ended[1], ("CallSid", "CA0000000000000000000000000000000b"), ("ParentCallSid", CALL)];
    check("status", &with(&salon, &leg), "answered");
    let mut recording = with(&salon, &[("RecordingSid", "RE1"), ("RecordingUrl", "https://r.example/1")]);
    recording.retain(|(name, _)| ["AccountSid", "CallSid", "RecordingSid", "RecordingUrl"].contains(name));
    check("recording", &recording, "answered");
}

/// Calls by GET with everything in the query, signed over the URL.
fn get(salon: &Salon, router: &Router, path: &str) -> http::Response {
    use dialplane_bench::signing::twilio;
    use dialplane_bench::workload::form;
    let target = format!("{path}?{}", form(&salon.call(CALL)));
    let signature = twilio::signature(&salon.auth_token, &format!("http://{}{target}", router.address), &[]);
    http::request(router.address, "GET", &target, &[("X-Twilio-Signature", &signature)], b"")
        .expect("an answer")
}

#[test]
fn a_call_is_taken_by_get_and_at_the_second_name_too() {
    let system = Installation::start();
    let salon = system.salon(1);
    let address = system.router.address;
    let second = "/api/webhooks/call/incoming";
    let unsigned_json = || {
        let body = json!({"To": salon.number, "From": "+15105550198", "CallSid": CALL}).to_string();
        http::request(address, "POST", second, &[("Content-Type", "application/json")], body.as_bytes())
            .expect("an answer")
    };
    assert_eq!(get(&salon, &system.router, &salon.webhook_path("voice")).body, agent(&salon));
    assert_eq!(post(&salon, address, second, &salon.call(CALL)).body, agent(&salon));
    assert_eq!(get(&salon, &system.router, second).body, agent(&salon));
    assert_eq!(ending(&unsigned_json()), (403, "signature_missing"));

    let policy = |policy: &str| {
        let path = format!("/tenants/{}/accounts/{}", salon.tenant, salon.account);
        system.apply("PATCH", &path, &json!({ "signature_policy": policy }));
    };
    policy("off");
    assert_eq!(unsigned_json().body, agent(&salon));
    policy("enforce");
    assert_eq!(ending(&unsigned_json()), (403, "signature_missing"));
}

#[test]
fn an_account_under_observation_is_answered_and_counted() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    let address = system.router.address;
    let account = format!("/tenants/{}/accounts/{}", salon.tenant, salon.account);
    system.apply("PATCH", &account, &json!({"signature_policy": "observe"}));
    let unproven = |reason: &str| {
        ops::metric(system.router.ops, &format!("router_signatures_unproven_total{{reason=\"{reason}\"}}"))
    };
    assert_eq!(salon.ring(address).body, agent(&salon));
    assert_eq!((unproven("missing"), unproven("mismatch")), (0.0, 0.0));
    let forged = Salon { auth_token: "somebody-elses".into(), ..salon.clone() };
    assert_eq!(forged.ring(address).body, agent(&salon));
    assert_eq!((unproven("missing"), unproven("mismatch")), (0.0, 1.0));
    let form = dialplane_bench::workload::form(&salon.call(CALL));
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let unsigned = http::request(address, "POST", &salon.webhook_path("voice"), &headers, form.as_bytes());
    assert_eq!(unsigned.expect("an answer").body, agent(&salon));
    assert_eq!((unproven("missing"), unproven("mismatch")), (1.0, 1.0));
    // Leniency with one account opens no other's numbers.
    let answer =
        post(&forged, address, &salon.webhook_path("voice"), &with(&salon, &[("To", &other.number)]));
    assert_eq!(ending(&answer), (200, "unknown_number"));
    let forged = Salon { auth_token: "somebody-elses".into(), ..other.clone() };
    assert_eq!(forged.ring(address).status, 403);
}

#[test]
fn without_an_account_in_the_path_the_secret_tells_tenants_apart() {
    let system = Installation::start();
    let (salon, twin) = (system.salon(1), system.salon(2));
    let address = system.router.address;
    // The second tenant enters the first one's name at Twilio, with a token of its own.
    let account = format!("/tenants/{}/accounts/{}", twin.tenant, twin.account);
    system.apply("PATCH", &account, &json!({"credentials": {"account_sid": salon.account_sid}}));
    let twin = Salon { account_sid: salon.account_sid.clone(), ..twin };
    let ring = |salon: &Salon| post(salon, address, "/webhooks/twilio/voice", &salon.call(CALL));
    assert_eq!(ring(&salon).body, agent(&salon));
    assert_eq!(ring(&twin).body, agent(&twin));
    // Its own token says nothing of the first one's number.
    let answer = post(&twin, address, "/webhooks/twilio/voice", &with(&twin, &[("To", &salon.number)]));
    assert_eq!(ending(&answer), (200, "unknown_number"));
    let stranger = Salon { auth_token: "somebody-elses".into(), ..salon.clone() };
    assert_eq!(ending(&ring(&stranger)), (403, "signature_wrong"));
    let unknown = Salon { account_sid: "ACffffffffffffffffffffffffffffffff".into(), ..salon.clone() };
    assert_eq!(ending(&ring(&unknown)), (404, "unknown_account"));
}

#[test]
fn two_tokens_hold_while_they_are_rotated() {
    let system = Installation::start();
    let salon = system.salon(1);
    let renewed = Salon { auth_token: "the-next-auth-token".into(), ..salon.clone() };
    let change = |credentials: Value| {
        let path = format!("/tenants/{}/accounts/{}", salon.tenant, salon.account);
        system.apply("PATCH", &path, &json!({ "credentials": credentials }));
    };
    let statuses = || [&salon, &renewed].map(|salon| salon.ring(system.router.address).status);
    assert_eq!(statuses(), [200, 403]);
    change(json!({"auth_token_secondary": renewed.auth_token}));
    assert_eq!(statuses(), [200, 200]);
    change(json!({"auth_token": renewed.auth_token, "auth_token_secondary": null}));
    assert_eq!(statuses(), [403, 200]);
}
