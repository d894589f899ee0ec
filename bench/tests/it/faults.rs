//! Whatever breaks, callers are answered; and what is whole again is as if nothing had been.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dialplane_bench::operator::{Operator, Salon};
use dialplane_bench::system::{Admin, Router, TempDir, free_port, wait_for};
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::feed::record::{AgentRecord, AgentTarget, Record};
use dialplane_common::ids::AgentId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::call::{CALL, agent, ending, post, twiml, with};
use crate::feed::{Change, Feed, commit, number};
use crate::installation::{Installation, await_router};
use crate::ops;

/// Says something to the caller of a salon, from now on. It gives the revision; the routers may not have it yet.
fn say(operator: &Operator, salon: &Salon, text: &str) -> u64 {
    let rules = json!({"rules": [{"then": {"action": "message", "say": text}}]});
    let response = operator.send("PUT", &format!("{}/routing", salon.phone_path()), &rules);
    assert!(matches!(response.status, 200..=299), "{} {}", response.status, response.body);
    response.header("dialplane-revision").and_then(|revision| revision.parse().ok()).expect("a revision")
}

fn said(text: &str) -> String {
    twiml(&format!("<Say>{text}</Say><Hangup/>"))
}

/// Waits until a salon's callers hear this.
fn hear(router: &Router, salon: &Salon, text: &str) {
    let expected = said(text);
    wait_for(text, || salon.ring(router.address).body == expected);
}

/// Waits until everything up to a revision lies in Redis.
fn await_published(operator: &Operator, revision: u64) {
    wait_for("the change to be published", || {
        operator.ok("GET", "/feed", &Value::Null)["published_revision"].as_u64() >= Some(revision)
    });
}

/// Calls a salon again and again: every call has to be answered, whatever happens meanwhile.
struct Ringing {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Ringing {
    fn start(salon: &Salon, router: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (salon, ends) = (salon.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut calls = 0;
            while !ends.load(Ordering::Relaxed) {
                assert_eq!(ending(&salon.ring(router)), (200, "answered"), "call {calls}");
                calls += 1;
            }
            calls
        });
        Self { stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.thread.join().expect("every call is answered") > 0);
    }
}

fn loads(router: &Router, reason: &str) -> f64 {
    ops::metric(router.ops, &format!("router_checkpoint_loads_total{{reason=\"{reason}\"}}"))
}

#[test]
fn a_lost_doorbell_costs_one_look_and_nothing_else() {
    let mut system = Installation::start();
    let salon = system.salon(1);
    system.admin.process.kill();
    let (key, record) = number(&salon, "+12125550077");
    let before = ops::metric(system.router.ops, "router_deltas_applied_total");
    let _ = Feed::of(&system.redis).append(&[Change::put(&Record::Number(key, record))], &[]);
    let call = || {
        post(
            &salon,
            system.router.address,
            &salon.webhook_path("voice"),
            &with(&salon, &[("To", "+12125550077")]),
        )
    };
    wait_for("the new number to be served", || ending(&call()) == (200, "answered"));
    assert_eq!(ops::metric(system.router.ops, "router_deltas_applied_total"), before + 1.0);
}

#[test]
fn a_router_that_slept_through_a_trimmed_stream_catches_up() {
    let system = Installation::start();
    let salon = system.salon(1);
    let mut feed = Feed::of(&system.redis);
    let epoch = feed.epoch();
    say(&system.operator, &salon, "Before.");
    hear(&system.router, &salon, "Before.");
    let mut slept = |what: &str, hurt: &mut dyn FnMut(&mut Feed, u64)| {
        system.router.process.signal("STOP");
        let mut last = 0;
        for text in ["One.", "Two.", what] {
            last = say(&system.operator, &salon, text);
        }
        await_published(&system.operator, last);
        hurt(&mut feed, last);
        system.router.process.signal("CONT");
        hear(&system.router, &salon, what);
    };
    slept("All trimmed.", &mut |feed, _| {
        let stream = feed.stream();
        let gone: u64 = feed.query(redis::cmd("XTRIM").arg(stream).arg("MAXLEN").arg(0));
        assert!(gone >= 3, "{gone} entries were trimmed");
    });
    assert!(loads(&system.router, "gap") >= 1.0);
    slept("One deleted.", &mut |feed, last| {
        let stream = feed.stream();
        let gone: u64 = feed.query(redis::cmd("XDEL").arg(stream).arg(format!("{}-0", last - 1)));
        assert_eq!(gone, 1);
    });
    assert!(loads(&system.router, "gap") >= 2.0);
    assert_eq!(feed.epoch(), epoch, "no new epoch is needed for it");
    assert_eq!(loads(&system.router, "epoch"), 0.0);
    // From here it goes on by deltas.
    let gaps = loads(&system.router, "gap");
    system.route(&salon, &json!([{"then": {"action": "message", "say": "After."}}]));
    assert_eq!(
        (salon.ring(system.router.address).body, loads(&system.router, "gap")),
        (said("After."), gaps)
    );
    assert_eq!(ops::readiness(system.router.ops).1["degraded"], false);
}

#[test]
fn a_router_that_starts_from_an_old_file_behind_a_trimmed_stream_catches_up() {
    let dir = TempDir::new();
    let file = dir.path("snapshot").display().to_string();
    let mut system = Installation::start_with(&[("ROUTER_SNAPSHOT_FILE", &file)]);
    let salon = system.salon(1);
    let revision = say(&system.operator, &salon, "Old.");
    await_file(&system.router, revision);
    system.router.process.kill();
    let last = say(&system.operator, &salon, "New.");
    await_published(&system.operator, last);
    let mut feed = Feed::of(&system.redis);
    let stream = feed.stream();
    let _: u64 = feed.query(redis::cmd("XTRIM").arg(stream).arg("MAXLEN").arg(0));
    system.router = system.router(&[("ROUTER_SNAPSHOT_FILE", &file)]);
    hear(&system.router, &salon, "New.");
}

/// Waits until the router's snapshot file holds a revision.
fn await_file(router: &Router, revision: u64) {
    wait_for("the snapshot file", || {
        ops::metric(router.ops, "router_snapshot_file_revision") >= revision as f64
    });
}

#[test]
fn an_emptied_redis_begins_a_new_epoch_and_no_call_notices() {
    let system = Installation::start();
    let salon = system.salon(1);
    let mut feed = Feed::of(&system.redis);
    let epoch = feed.epoch();
    let ringing = Ringing::start(&salon, system.router.address);
    let _: () = feed.query(&redis::cmd("FLUSHALL"));
    wait_for("a new epoch", || {
        system.operator.ok("GET", "/feed", &Value::Null)["epoch"]
            .as_str()
            .is_some_and(|now| now != epoch.to_string())
    });
    await_router(&system.operator, &system.router, None);
    system.route(&salon, &json!([{"then": {"action": "message", "say": "After."}}]));
    assert_eq!(salon.ring(system.router.address).body, said("After."));
    ringing.stop();
    assert_ne!(feed.epoch(), epoch);
    assert_eq!(loads(&system.router, "epoch"), 1.0);
}

#[test]
fn a_redis_that_dies_and_comes_back_empty_keeps_nobody_from_working() {
    let mut system = Installation::start();
    let salon = system.salon(1);
    let ringing = Ringing::start(&salon, system.router.address);
    system.redis.stop();
    wait_for("the router to notice", || ops::metric(system.router.ops, "router_redis_connected") == 0.0);
    assert_eq!(ops::readiness(system.router.ops).0, 200);
    // The write is committed; that no router has it yet is told.
    let rules = json!({"rules": [{"then": {"action": "message", "say": "Meanwhile."}}]});
    let path = format!("{}/routing?wait=applied&timeout_ms=100", salon.phone_path());
    let written = system.operator.send("PUT", &path, &rules);
    assert_eq!(written.status, 200, "{}", written.body);
    assert_ne!(written.header("dialplane-applied"), Some("true"));
    assert_eq!(salon.ring(system.router.address).body, agent(&salon));
    system.redis.restart();
    hear(&system.router, &salon, "Meanwhile.");
    ringing.stop();
}

#[test]
fn a_router_starts_without_redis_from_its_file_or_waits_and_says_so() {
    let dir = TempDir::new();
    let file = dir.path("snapshot").display().to_string();
    let mut system = Installation::start_with(&[("ROUTER_SNAPSHOT_FILE", &file)]);
    let salon = system.salon(1);
    let revision = say(&system.operator, &salon, "Before.");
    await_file(&system.router, revision);
    system.redis.stop();
    system.router.process.kill();

    let url = system.redis.url();
    let from_file = Router::start(&[("REDIS_URL", &url), ("ROUTER_SNAPSHOT_FILE", &file)]);
    let (status, readiness) = ops::readiness(from_file.ops);
    assert_eq!((status, &readiness["redis_connected"]), (200, &json!(false)));
    assert_eq!(salon.ring(from_file.address).body, said("Before."));

    let empty = dir.path("none").display().to_string();
    let without = Router::start(&[("REDIS_URL", &url), ("ROUTER_SNAPSHOT_FILE", &empty)]);
    assert_eq!(ops::readiness(without.ops).0, 503);
    assert_eq!(ops::get(without.ops, "/healthz").status, 200);
    assert_eq!(ending(&salon.ring(without.address)), (503, "not_ready"));

    system.redis.restart();
    wait_for("the router without a file", || ops::readiness(without.ops).0 == 200);
    say(&system.operator, &salon, "After.");
    for router in [&from_file, &without] {
        hear(router, &salon, "After.");
    }
}

#[test]
fn of_two_admin_planes_one_publishes_and_the_other_takes_over() {
    let system = Installation::start();
    let second = Admin::start(&system.database, &system.redis);
    let others = Operator::new(second.address);
    let mut planes = [(system.admin, system.operator), (second, others)];
    let salon = Salon::create(&planes[1].1, 1);
    let publishing = |(_, operator): &(Admin, Operator)| {
        operator.ok("GET", "/feed", &Value::Null)["publishing_here"] == true
    };
    let counted =
        |(admin, _): &(Admin, Operator)| ops::metric(admin.ops, "admin_publisher_is_publishing") == 1.0;
    assert_eq!(planes.each_ref().map(publishing), [true, false], "the first one there publishes");
    assert_eq!(planes.each_ref().map(counted), [true, false]);
    for (index, (_, operator)) in planes.iter().enumerate() {
        say(operator, &salon, &format!("By {index}."));
        hear(&system.router, &salon, &format!("By {index}."));
    }
    let epoch = Feed::of(&system.redis).epoch();
    let ringing = Ringing::start(&salon, system.router.address);
    planes[0].0.process.kill();
    wait_for("the other to publish", || publishing(&planes[1]) && counted(&planes[1]));
    say(&planes[1].1, &salon, "Taken over.");
    hear(&system.router, &salon, "Taken over.");
    ringing.stop();
    let mut feed = Feed::of(&system.redis);
    assert_eq!(feed.epoch(), epoch);
    check_unbroken(&mut feed);
}

/// The stream has each revision once, none left out.
fn check_unbroken(feed: &mut Feed) {
    let revisions = feed.revisions();
    assert!(revisions.windows(2).all(|pair| pair[1] == pair[0] + 1), "{revisions:?}");
}

#[test]
fn what_was_committed_before_a_crash_is_published_after_it() {
    let mut system = Installation::start();
    let salon = system.salon(1);
    let mut feed = Feed::of(&system.redis);
    let epoch = feed.epoch();

    // A process that commits and can't reach Redis dies.
    system.admin.process.kill();
    let nowhere = format!("redis://127.0.0.1:{}", free_port());
    let mut cut_off = Admin::start_with(&system.database, &system.redis, &[("REDIS_URL", &nowhere)]);
    let revision = say(&Operator::new(cut_off.address), &salon, "Committed.");
    cut_off.process.kill();
    assert_eq!(feed.last().0.0, revision - 1, "it isn't published");
    system.restart_admin();
    hear(&system.router, &salon, "Committed.");

    // One dies while Redis hangs: what it had sent may still be carried out, or not.
    for round in 0..3 {
        let text = format!("Hanging {round}.");
        system.redis.signal("STOP");
        let revision = say(&system.operator, &salon, &text);
        system.admin.process.kill();
        system.redis.signal("CONT");
        system.restart_admin();
        hear(&system.router, &salon, &text);
        assert_eq!(ops::revision(system.router.ops), revision);
    }
    assert_eq!(feed.epoch(), epoch);
    check_unbroken(&mut feed);
    assert_eq!(ops::metric(system.router.ops, "router_digest_mismatches_total"), 0.0);
    assert_eq!(loads(&system.router, "gap"), 0.0);
}

#[test]
fn a_record_that_cannot_be_read_keeps_its_last_good_state_and_stops_nothing() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    say(&system.operator, &salon, "Last good.");
    hear(&system.router, &salon, "Last good.");
    let unreadable = || ops::metric(system.router.ops, "router_snapshot_unreadable_records");
    let degraded = || ops::readiness(system.router.ops).1["degraded"] == true;
    assert_eq!((unreadable(), degraded()), (0.0, false));

    let key = RecordKey::Number(salon.number.parse().expect("a number"));
    let unknown = RecordKey::Number("+12125550077".parse().expect("a number"));
    let revision = commit(&system.database, &[Change::of_the_future(key), Change::of_the_future(unknown)]);
    wait_for("the record to arrive", || ops::revision(system.router.ops) >= revision);
    assert_eq!((unreadable(), degraded()), (2.0, true));
    assert_eq!(ops::readiness(system.router.ops).0, 200, "degraded is ready");
    assert_eq!(salon.ring(system.router.address).body, said("Last good."));
    wait_for("the fleet to be told", || {
        system.operator.ok("GET", "/routers", &Value::Null)["items"][0]["unreadable_records"] == 2
    });

    // The rest goes on, the same tenant's as well.
    system.route(&other, &json!([{"then": {"action": "message", "say": "Other."}}]));
    assert_eq!(other.ring(system.router.address).body, said("Other."));
    system.apply("PATCH", &format!("/tenants/{}", salon.tenant), &json!({"status": "suspended"}));
    assert_eq!(ending(&salon.ring(system.router.address)), (200, "suspended_tenant"));
    system.apply("PATCH", &format!("/tenants/{}", salon.tenant), &json!({"status": "active"}));
    assert_eq!(ops::metric(system.router.ops, "router_digest_mismatches_total"), 0.0);

    // A whole state loaded anew has only what can't be read: the good one before it stays.
    let mut feed = Feed::of(&system.redis);
    let _: () = feed.query(&redis::cmd("FLUSHALL"));
    wait_for("the new epoch to be loaded", || loads(&system.router, "epoch") == 1.0);
    await_router(&system.operator, &system.router, None);
    assert_eq!(salon.ring(system.router.address).body, said("Last good."));
    assert_eq!((unreadable(), degraded()), (2.0, true));

    // Written again in a version that it reads, the record is served again.
    commit(&system.database, &[Change::remove(unknown)]);
    system.route(&salon, &json!([{"then": {"action": "message", "say": "Readable."}}]));
    assert_eq!(salon.ring(system.router.address).body, said("Readable."));
    assert_eq!((unreadable(), degraded()), (0.0, false));
}

#[test]
fn a_forged_delta_is_rejected_and_the_feed_goes_on() {
    let mut system = Installation::start();
    let salon = system.salon(1);
    let (address, ops) = (system.router.address, system.router.ops);
    system.admin.process.kill();
    let (key, record) = number(&salon, "+12125550077");
    let forged = [Change::put(&Record::Number(key, record))];
    let mut feed = Feed::of(&system.redis);
    let _ = feed.append_as("a-key-that-the-forger-made-up", &forged, &[], 0);
    let rejected = || ops::metric(ops, "router_feed_messages_rejected_total");
    wait_for("the forgery to be noticed", || rejected() >= 1.0);
    let forged_call = || {
        let call = with(&salon, &[("To", "+12125550077")]);
        let answer = post(&salon, address, &salon.webhook_path("voice"), &call);
        (answer.status, answer.header("dialplane-outcome").map(str::to_owned))
    };
    assert_eq!(forged_call(), (200, Some("unknown_number".into())));
    assert_eq!(salon.ring(address).body, agent(&salon));
    assert_eq!(ops::readiness(ops).1["degraded"], true);

    let ringing = Ringing::start(&salon, address);
    system.restart_admin();
    system.route(&salon, &json!([{"then": {"action": "message", "say": "After."}}]));
    assert_eq!(salon.ring(address).body, said("After."));
    ringing.stop();
    assert_eq!(forged_call(), (200, Some("unknown_number".into())));
    assert_eq!(ops::readiness(ops).1["degraded"], false);
}

#[test]
fn a_state_that_does_not_add_up_is_loaded_anew_then_alarmed_and_still_served() {
    let mut system = Installation::start();
    let salon = system.salon(1);
    let (address, ops) = (system.router.address, system.router.ops);
    system.admin.process.kill();
    let (key, record) = number(&salon, "+12125550077");
    let _ = Feed::of(&system.redis).append_as(
        dialplane_bench::system::FEED_KEY,
        &[Change::put(&Record::Number(key, record))],
        &[],
        1,
    );
    let alarm = || ops::metric(ops, "router_digest_alarm") == 1.0;
    wait_for("the alarm", alarm);
    assert_eq!(ops::metric(ops, "router_digest_mismatches_total"), 2.0);
    assert_eq!(loads(&system.router, "digest"), 1.0);
    let (status, readiness) = ops::readiness(ops);
    assert_eq!((status, &readiness["degraded"]), (200, &json!(true)));
    assert_eq!(salon.ring(address).body, agent(&salon));
    system.restart_admin();
    wait_for("the alarm to end in a new epoch", || !alarm());
    system.route(&salon, &json!([{"then": {"action": "message", "say": "After."}}]));
    assert_eq!(salon.ring(address).body, said("After."));
}

#[test]
fn a_router_alone_with_its_file_answers_as_before() {
    let dir = TempDir::new();
    let path = dir.path("snapshot");
    let file = path.display().to_string();
    let mut system = Installation::start_with(&[("ROUTER_SNAPSHOT_FILE", &file)]);
    let salon = system.salon(1);
    await_file(&system.router, ops::revision(system.router.ops));
    for text in ["One.", "Two."] {
        let revision = say(&system.operator, &salon, text);
        await_file(&system.router, revision);
    }
    system.router.process.kill();
    system.redis.stop();
    drop(system);

    let start = || Router::start(&[("ROUTER_SNAPSHOT_FILE", &file)]);
    let heard = |router: &Router| salon.ring(router.address).body;
    assert_eq!(heard(&start()), said("Two."));

    // Half written, or changed in one place: the one before it.
    let whole = std::fs::read(&path).expect("the file");
    for damaged in
        [&whole[..whole.len() / 2], &[], &[&whole[..200], &[whole[200] ^ 1], &whole[201..]].concat()]
    {
        std::fs::write(&path, damaged).expect("written");
        assert_eq!(heard(&start()), said("One."));
    }
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(heard(&start()), said("One."));

    std::fs::write(&path, &whole).expect("written");
    let (status, line) =
        Router::fail(&[("ROUTER_SNAPSHOT_FILE", &file), ("FEED_KEY", "another-feed-key-of-some-length")]);
    assert!(
        line.contains("ROUTER_SNAPSHOT_FILE") && line.contains("FEED_KEY") && line.lines().count() == 1,
        "{line}"
    );
    assert!(status.is_some_and(|status| status != 0));
    let rotated = format!("another-feed-key-of-some-length,{}", dialplane_bench::system::FEED_KEY);
    let router = Router::start(&[("ROUTER_SNAPSHOT_FILE", &file), ("FEED_KEY", &rotated)]);
    assert_eq!(heard(&router), said("Two."));
    drop(router);

    std::fs::write(&path, b"").expect("written");
    std::fs::write(dir.path("snapshot.prev"), b"noise").expect("written");
    let (status, line) = Router::fail(&[("ROUTER_SNAPSHOT_FILE", &file)]);
    assert!(line.contains("ROUTER_SNAPSHOT_FILE") && line.lines().count() == 1, "{line}");
    assert!(status.is_some_and(|status| status != 0));
}

#[test]
fn no_call_sees_half_of_a_change() {
    let mut system = Installation::start();
    let salon = system.salon(1);
    system.admin.process.kill();
    let mut feed = Feed::of(&system.redis);
    let (key, mut record) = number(&salon, "+12125550077");
    // Each change takes the agent away that the number had, gives the number another, and only then makes that one.
    let mut gone = Vec::new();
    let mut before = None;
    let mut step = |feed: &mut Feed, index: u128| {
        let agent = AgentId(Uuid::from_u128(index));
        record.agent_id = Some(agent);
        let target = AgentTarget::Stream { url: format!("wss://voice.example/{index}") };
        let made = AgentRecord::new(record.tenant_id, "x", target);
        let number = Change::put(&Record::Number(key, record.clone()));
        let made = Change::put(&Record::Agent(agent, made));
        let hashes = [number.hash(), made.hash()].into_iter().flatten().collect();
        let removed = before.replace(agent).map(|agent| Change::remove(RecordKey::Agent(agent)));
        let changes: Vec<_> = removed.into_iter().chain([number, made]).collect();
        feed.append(&changes, &std::mem::replace(&mut gone, hashes))
    };
    let first = step(&mut feed, 1);
    wait_for("the number", || ops::revision(system.router.ops) >= first.0);
    let called = Salon { number: "+12125550077".into(), ..salon };
    let ringing = Ringing::start(&called, system.router.address);
    let mut last = first;
    for index in 2..=300 {
        last = step(&mut feed, index);
        let _: u64 = feed.query(redis::cmd("PUBLISH").arg("dialplane:changes").arg(last.0));
    }
    wait_for("the last change", || ops::revision(system.router.ops) == last.0);
    ringing.stop();
    let answer = post(&called, system.router.address, &called.webhook_path("voice"), &called.call(CALL));
    assert!(answer.body.contains("wss://voice.example/300"), "{}", answer.body);
    assert_eq!(ops::metric(system.router.ops, "router_digest_mismatches_total"), 0.0);
}

#[test]
fn a_router_whose_redis_only_hangs_goes_on_answering_and_catches_up() {
    let system = Installation::start();
    let salon = system.salon(1);
    let ringing = Ringing::start(&salon, system.router.address);
    system.redis.signal("STOP");
    let revision = say(&system.operator, &salon, "Meanwhile.");
    assert_eq!(salon.ring(system.router.address).body, agent(&salon));
    system.redis.signal("CONT");
    wait_for("the change", || ops::revision(system.router.ops) >= revision);
    assert_eq!(salon.ring(system.router.address).body, said("Meanwhile."));
    ringing.stop();
}

#[test]
fn a_write_that_a_live_router_could_not_read_is_refused() {
    let system = Installation::start();
    let salon = system.salon(1);
    let mut feed = Feed::of(&system.redis);
    let report = json!({"id": "old", "version": "0.0.1", "feed_version": 0, "serving": null, "delay_us": null,
                        "unreadable_records": 0, "wants_checkpoint": false, "digest_alarm": false});
    let rename = || system.operator.send("PATCH", &salon.phone_path(), &json!({"display_name": "New"}));
    assert_eq!(rename().status, 200);
    let mut refused = None;
    wait_for("writes to be refused", || {
        let (seconds, _): (u64, u64) = feed.query(&redis::cmd("TIME"));
        let _: u64 =
            feed.query(redis::cmd("HSET").arg("dialplane:routers").arg("old").arg(report.to_string()));
        let _: u64 =
            feed.query(redis::cmd("ZADD").arg("dialplane:routers:seen").arg(seconds * 1_000).arg("old"));
        refused = Some(rename()).filter(|answer| answer.status != 200);
        refused.is_some()
    });
    let refused = refused.expect("a refusal");
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("fleet_too_old") && refused.body.contains("old"), "{}", refused.body);
    let _: u64 = feed.query(redis::cmd("ZREM").arg("dialplane:routers:seen").arg("old"));
    wait_for("writes to be taken", || rename().status == 200);
}
