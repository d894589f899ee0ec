//! How the programs start, what they say of themselves, and how they end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use dialplane_bench::http;
use dialplane_bench::operator::{Operator, Salon};
use dialplane_bench::signing::twilio;
use dialplane_bench::system::{
    Admin, Database, ENCRYPTION_KEY, OPERATOR_KEY, Redis, Router, TempDir, wait_for,
};
use dialplane_bench::workload::form;
use serde_json::{Value, json};

use crate::alone::{Alone, STREAM, snapshot_file};
use crate::call::{CALL, stream, twiml};
use crate::installation::Installation;
use crate::ops;

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the router accepts");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

/// Whether the other end has closed the connection; waits for it to do something.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// Head and body of a call, with one more header.
pub fn call(salon: &Salon, router: SocketAddr, header: &str) -> (String, String) {
    let (target, parameters) = (salon.webhook_path("voice"), salon.call(CALL));
    let signature = twilio::signature(&salon.auth_token, &format!("http://{router}{target}"), &parameters);
    let body = form(&parameters);
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: {router}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         X-Twilio-Signature: {signature}\r\nContent-Length: {}\r\n{header}\r\n",
        body.len()
    );
    (head, body)
}

#[test]
fn told_to_end_the_router_answers_what_is_open_and_takes_nothing_new() {
    let mut alone = Alone::start(&[]);
    let (address, ops) = (alone.router.address, alone.router.ops);
    let expected = twiml(&format!("<Connect>{}</Connect>", stream(&alone.salon, STREAM)));
    let mut idle = connect(address);
    let (head, body) = call(&alone.salon, address, "");
    idle.write_all(format!("{head}{body}").as_bytes()).expect("sent");
    assert_eq!(http::read(&mut idle).expect("an answer").body, expected);

    // The router says "continue" once it has the head and waits for the body.
    let mut open = connect(address);
    let (head, body) = call(&alone.salon, address, "Expect: 100-continue\r\n");
    open.write_all(head.as_bytes()).expect("sent");
    assert_eq!(http::read(&mut open).map(|answer| answer.status).ok(), Some(100));

    alone.router.process.signal("TERM");
    assert!(is_closed(&mut idle), "an idle connection is closed");
    wait_for("new connections to be refused", || TcpStream::connect(address).is_err());
    let (status, said) = ops::readiness(ops);
    assert_eq!((status, &said["ready"], &said["draining"]), (503, &json!(false), &json!(true)));
    assert_eq!(ops::get(ops, "/healthz").status, 200);

    open.write_all(body.as_bytes()).expect("sent");
    let answer = http::read(&mut open).expect("an answer");
    assert_eq!((answer.status, answer.body), (200, expected));
    assert_eq!(alone.router.process.wait().code(), Some(0));
}

#[test]
fn what_does_not_end_by_itself_is_cut_off_at_the_drain_timeout() {
    let mut alone =
        Alone::start(&[("ROUTER_DRAIN_TIMEOUT_MS", "100"), ("ROUTER_BODY_TIMEOUT_MS", "3600000")]);
    let mut open = connect(alone.router.address);
    let (head, _) = call(&alone.salon, alone.router.address, "Expect: 100-continue\r\n");
    open.write_all(head.as_bytes()).expect("sent");
    assert_eq!(http::read(&mut open).map(|answer| answer.status).ok(), Some(100));
    alone.router.process.signal("TERM");
    assert_eq!(alone.router.process.wait().code(), Some(0));
    assert!(is_closed(&mut open));
}

#[test]
fn the_admin_plane_ends_when_told_to() {
    let mut system = Installation::start();
    system.admin.process.signal("TERM");
    assert_eq!(system.admin.process.wait().code(), Some(0));
}

#[test]
fn a_bad_setting_stops_the_router_with_one_line_that_says_what_is_wanted() {
    let dir = TempDir::new();
    let file = dir.path("snapshot").display().to_string();
    let missing = dir.path("missing").display().to_string();
    let _ = snapshot_file(&file);
    let check = |settings: &[(&str, &str)], said: &[&str]| {
        let (status, line) = Router::fail(&[&[("ROUTER_SNAPSHOT_FILE", &*file)], settings].concat());
        assert_eq!(line.lines().count(), 1, "{line}");
        for text in said {
            assert!(line.contains(text), "{settings:?}: {line}");
        }
        assert!(status.is_some_and(|status| status != 0), "{settings:?}: {status:?}");
    };
    check(&[("ROUTER_LISTEN", "here")], &["ROUTER_LISTEN=\"here\"", "wanted an address"]);
    check(&[("ROUTER_WORKERS", "none")], &["ROUTER_WORKERS=\"none\"", "wanted a number"]);
    check(&[("ROUTER_CONNECTIONS_MAX", "0")], &["ROUTER_CONNECTIONS_MAX=\"0\"", "wanted a number"]);
    check(&[("ROUTER_BODY_TIMEOUT_MS", "5s")], &["ROUTER_BODY_TIMEOUT_MS=\"5s\"", "wanted a number"]);
    check(
        &[("ROUTER_TRUSTED_PROXIES", "10.0.0.0/40")],
        &["ROUTER_TRUSTED_PROXIES=\"10.0.0.0/40\"", "wanted"],
    );
    check(&[("PUBLIC_URLS", "edge.example.com")], &["PUBLIC_URLS=\"edge.example.com\"", "wanted"]);
    check(&[("REDIS_NAMESPACE", "a b")], &["REDIS_NAMESPACE=\"a b\"", "wanted"]);
    check(&[("LOG_FORMAT", "xml")], &["LOG_FORMAT=\"xml\"", "wanted text or json"]);
    check(&[("REDIS_URL", "nowhere")], &["REDIS_URL", "wanted"]);
    check(&[("FEED_KEY", "short")], &["FEED_KEY", "wanted"]);
    check(&[("FEED_KEY", "")], &["FEED_KEY", "wanted"]);
    check(&[("ROUTER_SNAPSHOT_FILE", "")], &["ROUTER_SNAPSHOT_FILE", "wanted"]);
    check(&[("ROUTER_SNAPSHOT_FILE", &missing)], &["ROUTER_SNAPSHOT_FILE", &missing]);
    check(&[("FEED_KEY", "another-feed-key-of-some-length")], &["ROUTER_SNAPSHOT_FILE", "FEED_KEY"]);
}

#[test]
fn a_bad_setting_stops_the_admin_plane_with_one_line_that_says_what_is_wanted() {
    let good = [
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("ADMIN_OPS_LISTEN", "127.0.0.1:0"),
        ("ADMIN_BOOTSTRAP_KEY", OPERATOR_KEY),
        ("ADMIN_ENCRYPTION_KEY", ENCRYPTION_KEY),
        ("DATABASE_URL", "postgres://nobody:hunter2@127.0.0.1:1/none"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
    ];
    let check = |name: &str, value: &str, said: &[&str]| {
        let (status, line) = Admin::fail(&[&good[..], &[(name, value)]].concat());
        assert_eq!(line.lines().count(), 1, "{line}");
        for text in [&[name], said].concat() {
            assert!(line.contains(text), "{name}={value}: {line}");
        }
        assert!(!line.contains("hunter2"), "a secret is shown: {line}");
        assert!(status.is_some_and(|status| status != 0), "{name}={value}: {status:?}");
    };
    check("ADMIN_LISTEN", "8000", &["8000", "wanted"]);
    check("ADMIN_OPS_LISTEN", "there", &["there", "wanted"]);
    check("ADMIN_BOOTSTRAP_KEY", "hunter2", &["wanted"]);
    check("ADMIN_ENCRYPTION_KEY", "hunter2", &["wanted"]);
    check("ADMIN_ENCRYPTION_KEY", "", &["wanted"]);
    check("FEED_KEY", "hunter2", &["wanted"]);
    check("FEED_KEY", "", &["wanted"]);
    check("DATABASE_URL", "mysql:hunter2", &["wanted"]);
    check("DATABASE_URL", "", &["wanted"]);
    check("REDIS_URL", "nowhere", &["wanted"]);
    check("REDIS_NAMESPACE", "a*", &["a*", "wanted"]);
    check("PUBLIC_URLS", "ftp://a.example", &["ftp://a.example", "wanted"]);
    check("LOG_FORMAT", "xml", &["xml", "wanted"]);
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let dir = TempDir::new();
    let file = dir.path("snapshot").display().to_string();
    let _ = snapshot_file(&file);
    for name in ["ROUTER_LISTEN", "ROUTER_OPS_LISTEN"] {
        let (status, line) = Router::fail(&[("ROUTER_SNAPSHOT_FILE", &file), (name, &address)]);
        assert!(line.contains(name) && line.contains(&address) && line.lines().count() == 1, "{line}");
        assert!(status.is_some_and(|status| status != 0));
    }
    for name in ["ADMIN_LISTEN", "ADMIN_OPS_LISTEN"] {
        let settings = [
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("ADMIN_OPS_LISTEN", "127.0.0.1:0"),
            ("ADMIN_ENCRYPTION_KEY", ENCRYPTION_KEY),
            ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            (name, &address),
        ];
        let (status, line) = Admin::fail(&settings);
        assert!(line.contains(name) && line.contains(&address) && line.lines().count() == 1, "{line}");
        assert!(status.is_some_and(|status| status != 0));
    }
}

#[test]
fn connections_over_a_limit_are_closed_and_counted() {
    let check = |setting: &str, reason: &str| {
        let alone = Alone::start(&[(setting, "2")]);
        let ops = alone.router.ops;
        let open = || ops::metric(ops, "router_connections");
        let refused =
            || ops::metric(ops, &format!("router_connections_refused_total{{reason=\"{reason}\"}}"));
        let [first, _second] = [connect(alone.router.address), connect(alone.router.address)];
        wait_for("two connections to be served", || open() == 2.0);
        assert_eq!(refused(), 0.0);
        assert!(is_closed(&mut connect(alone.router.address)), "{setting}");
        assert_eq!((open(), refused()), (2.0, 1.0), "{setting}");
        drop(first);
        wait_for("a connection to end", || open() == 1.0);
        assert_eq!(alone.salon.ring(alone.router.address).status, 200, "{setting}");
    };
    check("ROUTER_CONNECTIONS_MAX", "full");
    check("ROUTER_CONNECTIONS_PER_PEER_MAX", "peer");
}

/// Checks that a page of metrics is what Prometheus reads: each sample behind its HELP and TYPE, no series twice.
fn check_metrics(text: &str, prefix: &str) {
    let mut series = std::collections::BTreeSet::new();
    let mut own = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(series.insert(name), "twice: {line}");
        let name = name.split('{').next().expect("a name");
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            text.contains(&format!("# TYPE {family} histogram\n")).then_some(family)
        });
        let family = family.unwrap_or(name);
        let help = text.lines().find_map(|line| line.strip_prefix(&format!("# HELP {family} ")));
        assert!(help.is_some_and(|help| !help.is_empty()), "no help text: {line}");
        let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {family} ")));
        assert!(matches!(kind, Some("counter" | "gauge" | "histogram")), "no type: {line}");
        assert_eq!(kind == Some("counter"), family.ends_with("_total"), "{line}");
        own += usize::from(family.starts_with(prefix));
    }
    assert!(own > 10, "{own} series of {prefix}");
}

/// Opens a stream of events, and reads its first one.
fn follow(admin: SocketAddr, path: &str) -> TcpStream {
    let mut stream = connect(admin);
    let head = format!(
        "GET /api/v2{path} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {OPERATOR_KEY}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let (mut read, mut buffer) = (Vec::new(), [0; 4 << 10]);
    while !read.windows(2).any(|two| two == b"\n\n") {
        let bytes = stream.read(&mut buffer).expect("an event");
        assert_ne!(bytes, 0, "{path} ended: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..bytes]);
    }
    assert!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read));
    stream
}

#[test]
fn told_to_end_the_admin_plane_ends_its_streams_and_cuts_nothing_off() {
    let (redis, database) = (Redis::start(), Database::create());
    let mut admin = Admin::start(&database, &redis);
    let operator = Operator::new(admin.address);
    let tenant = operator.create("/tenants", &json!({"name": "Sparkle Nails"}));
    // An import whose file hasn't come whole goes no further by itself, and neither does what is told of it.
    let headers = [("Authorization", &*format!("Bearer {OPERATOR_KEY}")), ("Upload-Complete", "?0")];
    let path = "/api/v2/imports?kind=numbers&format=csv";
    let import = http::request(admin.address, "POST", path, &headers, b"").expect("an answer");
    let import: Value = serde_json::from_str(&import.body).expect("JSON");
    assert_eq!(import["state"], "uploading", "{import}");
    let import = import["id"].as_str().expect("an id");
    let streams = [format!("/tenants/{tenant}/events"), format!("/imports/{import}/events")]
        .map(|path| follow(admin.address, &path));
    admin.process.signal("TERM");
    for mut stream in streams {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("an end, not a break");
        // The last chunk: the stream ended, where a connection that is cut off just closes.
        assert!(rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(admin.process.wait().code(), Some(0));
    let log = admin.process.log();
    assert!(log.contains("stopping") && !log.contains("cut off"), "{log}");
}

#[test]
fn operations_ports_tell_health_readiness_and_metrics() {
    let system = Installation::start();
    let salon = system.salon(1);
    assert_eq!(salon.ring(system.router.address).status, 200);
    for (ops, prefix) in [(system.router.ops, "dialplane_router_"), (system.admin.ops, "dialplane_admin_")] {
        assert_eq!(ops::get(ops, "/healthz").status, 200, "{prefix}");
        assert_eq!(ops::get(ops, "/readyz").status, 200, "{prefix}");
        assert_eq!(ops::get(ops, "/nowhere").status, 404, "{prefix}");
        let metrics = ops::get(ops, "/metrics");
        assert!(
            metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4"))
        );
        check_metrics(&metrics.body, prefix);
    }
    let (_, said) = ops::readiness(system.router.ops);
    assert_eq!((&said["degraded"], &said["redis_connected"]), (&json!(false), &json!(true)));
}

#[test]
fn explain_says_which_rule_decides_and_why() {
    let system = Installation::start();
    let salon = system.salon(1);
    let path = salon.phone_path();
    system.apply(
        "PUT",
        &format!("{path}/settings/hours"),
        &json!({
            "weekly": {"mon": [["09:00", "17:00"]]}, "holidays": [{"date": "2026-12-28", "closed": true}],
        }),
    );
    system.route(
        &salon,
        &json!([{"when": {"open": false}, "then": {"action": "message", "say": "We are closed."}},
                                 {"then": {"action": "agent"}}]),
    );
    let explain = |to: &str, at: &str| -> Value {
        let to = to.replace('+', "%2B");
        let answer =
            ops::get(system.router.ops, &format!("/debug/explain?to={to}&from=%2B15105550198&at={at}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    };
    let brief = |said: &Value| {
        json!([said["outcome"], said["rule"]["index"], said["open"]["open"], said["open"]["reason"]])
    };
    // Mondays in New York, where the hours' noon is 17:00 UTC in winter.
    let open = explain(&salon.number, "2026-12-14T17:00:00Z");
    assert_eq!(brief(&open), json!(["answered", 1, true, "the week's hours"]), "{open}");
    assert_eq!(open["rule"]["scope"], "number");
    assert_eq!(open["revision"], ops::revision(system.router.ops));
    assert_eq!(open["phone_number"]["id"], salon.phone.as_str());
    let closed = explain(&salon.number, "2026-12-14T23:00:00Z");
    assert_eq!(brief(&closed), json!(["answered", 0, false, "the week's hours"]), "{closed}");
    let holiday = explain(&salon.number, "2026-12-28T17:00:00Z");
    assert_eq!(brief(&holiday), json!(["answered", 0, false, "a holiday"]), "{holiday}");
    assert_eq!(explain("+12125559999", "2026-12-14T17:00:00Z")["outcome"], "unknown_number");
    system.apply("PATCH", &path, &json!({"status": "suspended"}));
    assert_eq!(explain(&salon.number, "2026-12-14T17:00:00Z")["outcome"], "inactive_number");
    system.apply("PATCH", &format!("/tenants/{}", salon.tenant), &json!({"status": "suspended"}));
    assert_eq!(explain(&salon.number, "2026-12-14T17:00:00Z")["outcome"], "suspended_tenant");
    assert_eq!(ops::get(system.router.ops, "/debug/explain").status, 400);
}
