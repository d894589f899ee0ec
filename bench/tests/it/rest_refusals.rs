//! What the REST API refuses, and how it says so: problems that name the field, and nothing of anybody else's.

use dialplane_bench::http::{self, Response};
use dialplane_bench::operator::{Operator, Salon};
use serde_json::{Value, json};

use crate::call::ending;
use crate::installation::Installation;

/// What a refusal must say.
fn check_problem(answer: &Response, status: u16, code: &str, field: Option<&str>, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    let problem: Value =
        serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{what}: {}", answer.body));
    assert_eq!(problem["code"], code, "{what}: {problem}");
    assert_eq!(problem["status"], status, "{what}: {problem}");
    assert_eq!(problem["field"].as_str(), field, "{what}: {problem}");
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains(field.unwrap_or(""))),
        "{what}: {problem}"
    );
    assert!(problem["request_id"].is_string(), "{what}: {problem}");
}

#[test]
fn a_wrong_field_is_named_with_what_is_wanted() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    let (tenant, phone) = (format!("/tenants/{}", salon.tenant), salon.phone_path());
    let check = |method: &str, path: &str, body: Value, field: &str| {
        let before = system.operator.ok("GET", "/feed", &Value::Null)["revision"].clone();
        let answer = system.operator.send(method, path, &body);
        check_problem(&answer, 422, "invalid_field", Some(field), &format!("{method} {path} {body}"));
        assert_eq!(
            system.operator.ok("GET", "/feed", &Value::Null)["revision"],
            before,
            "nothing was written"
        );
    };
    check("POST", "/tenants", json!({"name": "A", "nmae": "A"}), "nmae");
    check("POST", "/tenants", json!({}), "name");
    check("POST", "/tenants", json!({"name": 7}), "name");
    check("POST", "/tenants", json!({"name": ""}), "name");
    check("POST", "/tenants", json!({"name": "a\u{0}b"}), "name");
    check("POST", "/tenants", json!({"name": "x".repeat(5_000)}), "name");
    check("POST", "/tenants", json!({"name": "A", "timezone": "Mars/Olympus"}), "timezone");
    check("POST", "/tenants", json!({"name": "A", "timezone": "EST5EDT4"}), "timezone");
    check("PATCH", &tenant, json!({"status": "asleep"}), "status");

    let numbers = format!("{tenant}/phone-numbers");
    let number = |field: &str, value: Value| {
        let mut body = json!({"source": "manual", "phone_number": "+12125550077", "account_id": salon.account, "agent_id": salon.agent});
        body[field] = value;
        body
    };
    for wrong in [
        "12125550077",
        "+1212555007",
        "+121255500777",
        "+1 212 555 0077",
        "2125550077",
        "+",
        "",
        "+abc",
        "+99912345678",
        "sip:a@b",
    ] {
        check("POST", &numbers, number("phone_number", json!(wrong)), "phone_number");
    }
    check("POST", &numbers, number("phone_number", json!(12_125_550_077_u64)), "phone_number");
    check("POST", &numbers, number("timezone", json!("New York")), "timezone");
    check("POST", &numbers, number("status", json!("sleeping")), "status");
    check("POST", &numbers, number("extra", json!(1)), "extra");
    // Another tenant's things are nobody's.
    check("POST", &numbers, number("account_id", json!(other.account)), "account_id");
    check("POST", &numbers, number("agent_id", json!(other.agent)), "agent_id");
    check("POST", &numbers, number("agent_id", json!("not-an-id")), "agent_id");
    check("PATCH", &phone, json!({"agent_id": other.agent}), "agent_id");
    check("PATCH", &phone, json!({"account_id": other.account}), "account_id");
    check("PATCH", &phone, json!({"phone_number": "+12125550099"}), "phone_number");

    let accounts = format!("{tenant}/accounts");
    let account =
        |credentials: Value| json!({"provider": "twilio", "label": "x", "credentials": credentials});
    check("POST", &accounts, account(json!({"account_sid": "AC1"})), "credentials.auth_token");
    check(
        "POST",
        &accounts,
        account(json!({"account_sid": "XX1", "auth_token": "t"})),
        "credentials.account_sid",
    );
    check(
        "POST",
        &accounts,
        account(json!({"account_sid": "AC1", "auth_token": 7})),
        "credentials.auth_token",
    );
    check(
        "POST",
        &accounts,
        account(json!({"account_sid": "AC1", "auth_token": "t", "x": 1})),
        "credentials.x",
    );
    check("POST", &accounts, json!({"provider": "acme", "label": "x", "credentials": {}}), "provider");

    let agents = format!("{tenant}/agents");
    let agent = |target: Value| json!({"name": "x", "provider": "custom", "target": target});
    for url in [
        "ws://a.example",
        "https://a.example",
        "wss://",
        "wss://a.example/?q=1",
        "wss://a.example/#f",
        "wss://a b",
        "/agent",
    ] {
        check("POST", &agents, agent(json!({"type": "stream", "url": url})), "target.url");
    }
    check("POST", &agents, agent(json!({"type": "sip", "uri": "tel:+1"})), "target.uri");
    check("POST", &agents, agent(json!({"type": "redirect", "url": "http://a.example"})), "target.url");

    let hours = format!("{phone}/settings/hours");
    let weekly = |intervals: Value| json!({"weekly": {"fri": intervals}});
    check("PUT", &hours, weekly(json!([["09:00", "09:00"]])), "weekly.fri[0]");
    check("PUT", &hours, weekly(json!([["09:00", "25:00"]])), "weekly.fri[0][1]");
    check("PUT", &hours, weekly(json!([["9", "10:00"]])), "weekly.fri[0][0]");
    check("PUT", &hours, weekly(json!([["09:00", "12:00"], ["11:00", "13:00"]])), "weekly.fri[1]");
    check("PUT", &hours, json!({"holidays": [{"date": "2026-02-30", "closed": true}]}), "holidays[0].date");
    check("PUT", &hours, json!({"override": {"open": "yes"}}), "override.open");

    let routing = format!("{phone}/routing");
    let then = |then: Value| json!({"rules": [{ "then": then }]});
    check("PUT", &routing, then(json!({"action": "levitate"})), "rules[0].then.action");
    check("PUT", &routing, then(json!({"action": "forward", "to": "2125550077"})), "rules[0].then.to");
    check("PUT", &routing, then(json!({"action": "message"})), "rules[0].then");
    check("PUT", &routing, then(json!({"action": "agent", "say": "x"})), "rules[0].then.say");
    check(
        "PUT",
        &routing,
        then(json!({"action": "redirect", "url": "http://a.example"})),
        "rules[0].then.url",
    );
    check(
        "PUT",
        &routing,
        then(json!({"action": "reject", "else": {"action": "agent"}})),
        "rules[0].then.else",
    );
    check(
        "PUT",
        &routing,
        then(json!({"action": "agent", "else": {"action": "forward", "to": "x"}})),
        "rules[0].then.else.to",
    );
    check(
        "PUT",
        &routing,
        then(json!({"action": "agent", "agent_id": other.agent})),
        "rules[0].then.agent_id",
    );
    let two = json!({"rules": [{"then": {"action": "agent"}}, {"then": {"action": "reject"}}]});
    check("PUT", &routing, two, "rules[1]");
    check(
        "PUT",
        "/defaults/routing",
        json!({"rules": [], "unknown_numbers": "0190c5a4-7b1e-7cc3-98c4-dc0c0c07398f"}),
        "unknown_numbers",
    );

    let taken = json!({"source": "manual", "phone_number": other.number});
    let answer = system.operator.send("POST", &numbers, &taken);
    check_problem(&answer, 409, "phone_number_taken", Some("phone_number"), "a taken number");
    assert!(
        !answer.body.contains(&other.tenant) && !answer.body.contains(&other.phone),
        "by whom isn't told: {}",
        answer.body
    );
    assert_eq!(salon.ring(system.router.address).status, 200);
    assert!(!system.admin.process.log().contains("panicked"));
}

#[test]
fn requests_that_cannot_be_read_are_refused_as_problems() {
    let system = Installation::start();
    let key = format!("Bearer {}", dialplane_bench::system::OPERATOR_KEY);
    let json_kind = ("Content-Type", "application/json");
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        http::request(system.admin.address, method, path, headers, body).expect("an answer")
    };
    let authorized = ("Authorization", &*key);
    let check = |what: &str, answer: Response, status: u16, code: &str| {
        check_problem(&answer, status, code, None, what)
    };
    check("no key", send("GET", "/api/v2/tenants", &[], b""), 401, "unauthorized");
    check(
        "a wrong key",
        send("GET", "/api/v2/tenants", &[("Authorization", "Bearer dp_nobody")], b""),
        401,
        "unauthorized",
    );
    check(
        "another scheme",
        send("GET", "/api/v2/tenants", &[("Authorization", "Basic YTpi")], b""),
        401,
        "unauthorized",
    );
    check("no such path", send("GET", "/api/v2/nowhere", &[authorized], b""), 404, "not_found");
    check("no id", send("GET", "/api/v2/tenants/x", &[authorized], b""), 404, "not_found");
    check("another method", send("PUT", "/api/v2/tenants", &[authorized], b""), 405, "method_not_allowed");
    let post = |headers: &[(&str, &str)], body: &[u8]| {
        send("POST", "/api/v2/tenants", &[&[authorized], headers].concat(), body)
    };
    check("no type", post(&[], b"{}"), 415, "unsupported_media_type");
    check(
        "a form",
        post(&[("Content-Type", "application/x-www-form-urlencoded")], b"name=A"),
        415,
        "unsupported_media_type",
    );
    check("no JSON", post(&[json_kind], b"{"), 400, "invalid_json");
    check("no UTF-8", post(&[json_kind], b"{\"name\":\"\xff\"}"), 400, "invalid_json");
    let deep =
        format!("{{\"provider\":\"twilio\",\"label\":\"x\",\"credentials\":{{\"x\":{}", "[".repeat(100_000));
    let deep = send("POST", "/api/v2/accounts", &[authorized, json_kind], deep.as_bytes());
    check("too deep", deep, 400, "invalid_json");
    check_problem(&post(&[json_kind], b"[\"A\",null]"), 422, "invalid_field", Some("body"), "a list");
    check("too large", post(&[json_kind], &vec![b' '; (1 << 20) + 1]), 413, "body_too_large");
    check(
        "an unknown parameter",
        send("GET", "/api/v2/tenants?limt=5", &[authorized], b""),
        400,
        "invalid_query",
    );
    check(
        "a wrong cursor",
        send("GET", "/api/v2/tenants?cursor=x", &[authorized], b""),
        400,
        "invalid_cursor",
    );
    assert_eq!(send("GET", "/api/v2/tenants", &[authorized], b"").status, 200);
    assert!(!system.admin.process.log().contains("panicked"));
}

#[test]
fn a_tenants_key_finds_nothing_of_another_tenant() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    let key = |salon: &Salon, role: &str| {
        let path = format!("/tenants/{}/api-keys", salon.tenant);
        let made = system.operator.ok("POST", &path, &json!({"name": role, "role": role}));
        (
            Operator::with_key(system.admin.address, made["key"].as_str().expect("a key")),
            made["id"].as_str().expect("an id").to_owned(),
        )
    };
    let (own, _) = key(&salon, "admin");
    let (_, others_key) = key(&other, "admin");
    let intent = |of: &Salon| {
        let body = json!({"name": "book"});
        system.operator.create(&format!("/tenants/{}/intents", of.tenant), &body)
    };
    let intents = [(salon.phone.clone(), intent(&salon)), (other.phone.clone(), intent(&other))];
    let intent_of = |of: &Salon| {
        let found = intents.iter().find(|(phone, _)| *phone == of.phone);
        found.map_or(String::new(), |(_, intent)| intent.clone())
    };
    let job = {
        let wish = json!({"source": "provision", "strategies": ["manual"]});
        let job = system.operator.ok("POST", &format!("/tenants/{}/phone-numbers", other.tenant), &wish);
        job["id"].as_str().expect("an id").to_owned()
    };
    let document: Value = serde_json::from_str(
        &http::request(system.admin.address, "GET", "/api/v2/openapi.json", &[], b"")
            .expect("an answer")
            .body,
    )
    .expect("OpenAPI is JSON");
    let fill = |path: &str, of: &Salon, key_id: &str| {
        let path = path.strip_prefix("/api/v2").unwrap_or(path);
        path.replace("{tenant_id}", &of.tenant)
            .replace("{account_id}", &of.account)
            .replace("{agent_id}", &of.agent)
            .replace("{phone_number_id}", &of.phone)
            .replace("{api_key_id}", key_id)
            .replace("{intent_id}", &intent_of(of))
            .replace("{job_id}", &job)
            // Nobody's: whoever may not ask isn't told that either.
            .replace("{call_id}", &of.tenant)
            .replace("{refused_call_id}", &of.tenant)
            .replace("{rate_id}", &of.tenant)
            .replace("{plan_name}", "nobodys")
            .replace("{person_id}", &of.tenant)
            .replace("{service_id}", &of.tenant)
    };
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys().filter(|method| *method != "parameters") {
            let method = method.to_uppercase();
            let what = format!("{method} {path}");
            let body = if method == "GET" || method == "DELETE" { Value::Null } else { json!({}) };
            if path.contains("/tenants/{tenant_id}") {
                // Another tenant's path, with its own things and with ours below it.
                let target = fill(path, &other, &others_key);
                assert!(!target.contains('{'), "{what}: this test doesn't know a parameter of {target}");
                check_problem(&own.send(&method, &target, &body), 404, "not_found", None, &what);
                // Our path with another's things below it.
                let mixed = fill(path, &Salon { tenant: salon.tenant.clone(), ..other.clone() }, &others_key);
                if path.matches('{').count() > 1 {
                    let answer = own.send(&method, &mixed, &body);
                    let unreadable = answer.status == 422 && !body.is_null();
                    let operators = path.ends_with("/assign")
                        || path.ends_with("/unassign")
                        || (method == "POST" && path.ends_with("/corrections"));
                    let expected = if operators { 403 } else { 404 };
                    assert!(
                        answer.status == expected || unreadable,
                        "{what}: {} {}",
                        answer.status,
                        answer.body
                    );
                }
            } else if path.contains("/api/v2/") && !path.ends_with("/tenants") {
                let answer = own.send(&method, &fill(path, &other, &others_key), &body);
                assert!(matches!(answer.status, 403 | 404), "{what}: {} {}", answer.status, answer.body);
            }
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried} operations");
    let list = own.ok("GET", "/tenants", &Value::Null);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["items"][0]["id"], salon.tenant.as_str());
    let job = system.operator.ok("GET", &format!("/provisioning/{job}"), &Value::Null);
    assert_eq!(job["cancel_requested"], false, "{job}");
    for salon in [&salon, &other] {
        assert_eq!(ending(&salon.ring(system.router.address)), (200, "answered"), "nothing was changed");
    }
}

#[test]
fn a_role_does_what_it_may_and_no_more() {
    let system = Installation::start();
    let salon = system.salon(1);
    let tenant = format!("/tenants/{}", salon.tenant);
    let phone = salon.phone_path();
    let key = |role: &str| {
        let made =
            system.operator.ok("POST", &format!("{tenant}/api-keys"), &json!({"name": role, "role": role}));
        Operator::with_key(system.admin.address, made["key"].as_str().expect("a key"))
    };
    let (viewer, editor, admin) = (key("viewer"), key("editor"), key("admin"));
    let status = |who: &Operator, method: &str, path: &str, body: Value| who.send(method, path, &body).status;
    let change = || json!({"display_name": "New"});
    for (who, expected) in [(&viewer, 403), (&editor, 200), (&admin, 200)] {
        assert_eq!(status(who, "GET", &phone, Value::Null), 200);
        assert_eq!(status(who, "PATCH", &phone, change()), expected);
    }
    let account = format!("{tenant}/accounts/{}", salon.account);
    for (who, expected) in [(&viewer, 403), (&editor, 403), (&admin, 200)] {
        assert_eq!(status(who, "PATCH", &account, json!({"label": "New"})), expected);
    }
    // What only operators may do.
    let off = admin.send("PATCH", &account, &json!({"signature_policy": "off"}));
    check_problem(&off, 403, "operator_only", None, "no signatures");
    assert!(
        matches!(status(&admin, "PATCH", &tenant, json!({"status": "suspended"})), 403),
        "suspending itself"
    );
    for path in ["/feed", "/routers", "/accounts", "/api-keys"] {
        assert_eq!(status(&admin, "GET", path, Value::Null), 403, "{path}");
    }
    let shown = admin.send("GET", &account, &Value::Null).body;
    assert!(!shown.contains(&salon.auth_token), "{shown}");
    let keys = admin.send("GET", &format!("{tenant}/api-keys"), &Value::Null).body;
    assert!(!keys.contains("dp_"), "{keys}");
}
