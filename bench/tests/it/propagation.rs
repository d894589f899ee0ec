//! Each change over REST shows in the very next answer, and everybody agrees on where the feed is.

use dialplane_bench::operator::{Operator, Salon};
use dialplane_bench::system::wait_for;
use serde_json::{Value, json};

use crate::call::{agent, ending, stream, twiml};
use crate::installation::Installation;
use crate::ops;

/// Sends a write that the routers see, checks that they serve it, and gives its revision.
fn write(operator: &Operator, method: &str, path: &str, body: &Value) -> u64 {
    let response = operator.send(method, &format!("{path}?wait=applied&timeout_ms=30000"), body);
    assert!(matches!(response.status, 200..=299), "{method} {path}: {} {}", response.status, response.body);
    assert_eq!(response.header("dialplane-applied"), Some("true"), "{method} {path}");
    let revision = response.header("dialplane-revision").and_then(|revision| revision.parse().ok());
    revision.unwrap_or_else(|| panic!("{method} {path}: no revision in {response:?}"))
}

#[test]
fn a_change_shows_in_the_next_answer() {
    let system = Installation::start();
    let salon = system.salon(1);
    let (tenant, phone) = (format!("/tenants/{}", salon.tenant), salon.phone_path());
    let mut last = 0;
    let mut check = |method: &str, path: &str, body: Value, expected: (u16, &str, &str)| {
        let revision = write(&system.operator, method, path, &body);
        assert!(revision > last, "{method} {path}: revision {revision} after {last}");
        last = revision;
        let answer = salon.ring(system.router.address);
        let (status, outcome) = ending(&answer);
        assert_eq!((status, outcome, &*answer.body), expected, "{method} {path} {body}");
    };
    let own = agent(&salon);
    let answered = (200, "answered", &*own);
    let (reject, busy) = (twiml("<Reject/>"), twiml("<Reject reason=\"busy\"/>"));
    let moved = twiml(&format!("<Connect>{}</Connect>", stream(&salon, "wss://moved.example/agent")));
    let closed = twiml("<Say>Closed.</Say><Hangup/>");
    let defaults = twiml("<Say>Tenant.</Say><Hangup/>");
    let platform = twiml("<Say>Platform.</Say><Hangup/>");
    let say = |text: &str| json!({"action": "message", "say": text});

    let target = |url: &str| json!({"target": {"type": "stream", "url": url}});
    let agent_path = format!("{tenant}/agents/{}", salon.agent);
    check("PATCH", &agent_path, target("wss://moved.example/agent"), (200, "answered", &moved));
    check("PATCH", &agent_path, target("wss://voice.example/agent"), answered);
    check("PATCH", &phone, json!({"status": "suspended"}), (200, "inactive_number", &reject));
    check("PATCH", &phone, json!({"status": "active"}), answered);
    check("PATCH", &tenant, json!({"status": "suspended"}), (200, "suspended_tenant", &busy));
    check("PATCH", &tenant, json!({"status": "active"}), answered);
    check("PATCH", &phone, json!({"agent_id": null}), (200, "no_route", &busy));
    check("PATCH", &phone, json!({"agent_id": salon.agent}), answered);
    check("PATCH", &phone, json!({"account_id": null}), (200, "unknown_number", &reject));
    check("PATCH", &phone, json!({"account_id": salon.account}), answered);

    let rules =
        json!({"rules": [{"when": {"open": false}, "then": say("Closed.")}, {"then": {"action": "agent"}}]});
    check("PUT", &format!("{phone}/routing"), rules, answered);
    let forced = |open: bool| json!({"override": {"open": open}});
    check("PUT", &format!("{phone}/settings/hours"), forced(false), (200, "answered", &closed));
    check("DELETE", &format!("{phone}/settings/hours"), Value::Null, answered);
    check("PUT", &format!("{tenant}/defaults/hours"), forced(false), (200, "answered", &closed));
    check("PUT", &format!("{phone}/settings/hours"), forced(true), answered);
    check("DELETE", &format!("{tenant}/defaults/hours"), Value::Null, answered);
    check("DELETE", &format!("{phone}/routing"), Value::Null, answered);
    check(
        "PUT",
        "/defaults/routing",
        json!({"rules": [{"then": say("Platform.")}]}),
        (200, "answered", &platform),
    );
    let rules = json!({"rules": [{"then": say("Tenant.")}]});
    check("PUT", &format!("{tenant}/defaults/routing"), rules, (200, "answered", &defaults));
    check("DELETE", &format!("{tenant}/defaults/routing"), Value::Null, (200, "answered", &platform));
    check("DELETE", "/defaults/routing", Value::Null, answered);
}

#[test]
fn a_renewed_token_and_a_number_that_comes_and_goes_show_in_the_next_answer() {
    let system = Installation::start();
    let salon = system.salon(1);
    let address = system.router.address;
    let account = format!("/tenants/{}/accounts/{}", salon.tenant, salon.account);
    let _ = write(
        &system.operator,
        "PATCH",
        &account,
        &json!({"credentials": {"auth_token": "a-renewed-token"}}),
    );
    assert_eq!(ending(&salon.ring(address)), (403, "signature_wrong"));
    let salon = Salon { auth_token: "a-renewed-token".into(), ..salon };
    assert_eq!(salon.ring(address).body, agent(&salon));

    let _ = write(&system.operator, "DELETE", &salon.phone_path(), &Value::Null);
    assert_eq!(ending(&salon.ring(address)), (200, "unknown_number"));
    let number = json!({"source": "manual", "phone_number": salon.number, "account_id": salon.account, "agent_id": salon.agent});
    let created = system.apply("POST", &format!("/tenants/{}/phone-numbers", salon.tenant), &number);
    assert_eq!(created["id"], *salon.phone, "it rested, and is the same number again");
    assert_eq!(salon.ring(address).body, agent(&salon));

    // A number that is given up and moves to another tenant is the other's from then on.
    let other = system.salon(2);
    let released =
        system.operator.send("DELETE", &format!("{}?release=now", salon.phone_path()), &Value::Null);
    assert_eq!(released.status, 204, "{}", released.body);
    let number = json!({"source": "manual", "phone_number": salon.number, "account_id": other.account, "agent_id": other.agent});
    let created = system.apply("POST", &format!("/tenants/{}/phone-numbers", other.tenant), &number);
    let moved =
        Salon { phone: created["id"].as_str().expect("an id").into(), number: salon.number.clone(), ..other };
    assert_eq!(moved.ring(address).body, agent(&moved));
    assert_eq!(ending(&salon.ring(address)), (200, "unknown_number"));
}

#[test]
fn feed_and_routers_tell_the_same_revision_and_digest() {
    let system = Installation::start();
    let salon = system.salon(1);
    let second = system.router(&[("ROUTER_ID", "second")]);
    let revision =
        write(&system.operator, "PATCH", &salon.phone_path(), &json!({"display_name": "Broadway 2"}));
    let feed = system.operator.ok("GET", "/feed", &Value::Null);
    assert_eq!(feed["revision"], revision);
    // Told for people, and noted once it has happened: a router may be faster.
    wait_for("the publisher to note it", || {
        system.operator.ok("GET", "/feed", &Value::Null)["published_revision"] == revision
    });
    assert_eq!((&feed["publishing_here"], &feed["redis"]), (&json!(true), &json!("ok")));
    let routers = system.operator.ok("GET", "/routers", &Value::Null);
    let routers = routers["items"].as_array().expect("a list");
    assert_eq!(routers.len(), 2, "{routers:?}");
    for router in routers {
        assert_eq!(router["serving"]["revision"], revision, "{router}");
        assert_eq!(router["serving"]["digest"], feed["digest"], "{router}");
        assert_eq!(router["serving"]["epoch"], feed["epoch"], "{router}");
        assert_eq!(
            (&router["live"], &router["current"], &router["lag"]),
            (&json!(true), &json!(true), &json!(0))
        );
    }
    for ops in [system.router.ops, second.ops] {
        assert_eq!(ops::readiness(ops).1["serving"]["digest"], feed["digest"]);
        assert_eq!(ops::metric(ops, "router_snapshot_revision"), revision as f64);
    }
    // Keys are known to routers, too: they open the router's own API.
    let key = system.operator.send(
        "POST",
        &format!("/tenants/{}/api-keys", salon.tenant),
        &json!({"name": "ci", "role": "viewer"}),
    );
    let next = (revision + 1).to_string();
    assert_eq!((key.status, key.header("dialplane-revision")), (201, Some(&*next)));
}

#[test]
fn many_changes_at_once_reach_every_router_in_one_order() {
    let system = Installation::start();
    let salons: Vec<_> = (1..=4).map(|suffix| system.salon(suffix)).collect();
    let second = system.router(&[("ROUTER_ID", "second")]);
    let writers: Vec<_> = salons
        .iter()
        .cloned()
        .map(|salon| {
            let operator = system.operator.clone();
            std::thread::spawn(move || {
                let path = format!("{}/routing", salon.phone_path());
                let say = |index: u32| json!({"rules": [{"then": {"action": "message", "say": format!("Change {index}.")}}]});
                (0..25).map(|index| write(&operator, "PUT", &path, &say(index))).collect::<Vec<_>>()
            })
        })
        .collect();
    let revisions: Vec<_> = writers.into_iter().map(|writer| writer.join().expect("a writer")).collect();
    assert!(revisions.iter().all(|own| own.is_sorted()), "each writer's revisions ascend: {revisions:?}");
    let mut all = revisions.concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 100, "each change has a revision of its own");
    let last = twiml("<Say>Change 24.</Say><Hangup/>");
    for router in [&system.router, &second] {
        for salon in &salons {
            assert_eq!(salon.ring(router.address).body, last);
        }
    }
    assert_eq!(ops::readiness(system.router.ops).1["serving"], ops::readiness(second.ops).1["serving"]);
    for ops in [system.router.ops, second.ops] {
        assert_eq!(ops::metric(ops, "router_digest_mismatches_total"), 0.0);
        assert_eq!(ops::metric(ops, "router_checkpoint_loads_total{reason=\"gap\"}"), 0.0);
    }
}
