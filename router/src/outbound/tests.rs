//! Whole requests, against servers on 127.0.0.1.

use std::future::pending;

use dialplane_common::provider::reply::Command;
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{HeaderValue, LOCATION};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sha2::Sha256;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use uuid::Uuid;

use super::server::{self, Server, reply};
use super::*;
use crate::outbound::client::ANSWER_BYTES_MAX;
use crate::outbound::pool::IDLE;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const NUMBER: PhoneNumberId = PhoneNumberId(Uuid::from_u128(2));

/// Settings by which servers on this machine may be asked.
fn settings() -> Settings {
    Settings { private_networks: vec!["127.0.0.0/8".parse().unwrap()], ..Settings::default() }
}

fn outbound() -> Outbound {
    Outbound::start(settings()).unwrap()
}

fn shared(outbound: &Outbound) -> &Shared {
    &outbound.running.as_ref().unwrap().shared
}

/// Calls of these tools for the server at `url`.
fn calls(url: &str, names: &[&str]) -> ToolCalls {
    let calls = names.iter().enumerate();
    ToolCalls {
        tenant_id: TENANT,
        server: ToolServer {
            url: url.to_owned(),
            timeout_ms: 20_000,
            concurrency_max: 10,
            sealed_secret: Vec::new(),
        },
        secret: Secret::new("a tenant's secret"),
        phone_number_id: Some(NUMBER),
        provider: "vapi",
        call_id: "CA1".into(),
        to: "+12125550001".into(),
        from: "+15105550198".into(),
        calls: calls
            .map(|(index, name)| (format!("t{index}"), (*name).into(), r#"{"a": 1}"#.into()))
            .collect(),
    }
}

fn url(server: &Server) -> String {
    format!("http://{}/tools?x=1", server.address)
}

fn words(failure: Failure) -> Result<String, String> {
    Err(failure.words().to_owned())
}

#[tokio::test]
async fn the_server_is_told_all_and_can_verify_it() {
    let server = Server::start(async |_| reply(200, r#"{"result": "Booked."}"#)).await;
    let outcome = outbound().call_tools(calls(&url(&server), &["book"])).await;
    assert_eq!(outcome, [Ok("Booked.".to_owned())]);
    let [seen] = &server.seen()[..] else { panic!("one request") };
    let expected = serde_json::json!({
        "tenant_id": TENANT.to_string(), "phone_number_id": NUMBER.to_string(), "call_id": "CA1",
        "provider": "vapi", "from": "+15105550198", "to": "+12125550001",
        "tool_call_id": "t0", "name": "book", "arguments": {"a": 1},
    });
    assert_eq!(seen.json(), expected);
    let check = |name, value: &str| assert_eq!(seen.header(name), Some(value), "{name}");
    check("host", &server.address.to_string());
    check("content-type", "application/json");
    check("dialplane-tenant-id", &TENANT.to_string());
    check("dialplane-phone-number-id", &NUMBER.to_string());
    check("dialplane-call-id", "CA1");
    check("idempotency-key", "CA1:t0");
    assert_eq!(seen.path, "/tools?x=1");
    let (time, signature) = seen.header("dialplane-signature").unwrap().split_once(",v1=").unwrap();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(b"a tenant's secret").unwrap();
    mac.update(format!("{}.", time.strip_prefix("t=").unwrap()).as_bytes());
    mac.update(&seen.body);
    let bytes: Vec<u8> = (0..signature.len() / 2)
        .map(|index| u8::from_str_radix(&signature[2 * index..2 * index + 2], 16).unwrap())
        .collect();
    mac.verify_slice(&bytes).unwrap();
}

#[tokio::test]
async fn what_providers_send_breaks_no_header_and_tells_calls_apart() {
    let server = Server::start(async |_| reply(200, "ok")).await;
    let outbound = outbound();
    for ids in [["CA1\r\nx-evil: 1", "t"], ["CA1", ""], ["", "t"], ["CA1", "t\u{e9}"]] {
        let mut calls = calls(&url(&server), &["a", "b"]);
        calls.phone_number_id = None;
        calls.call_id = ids[0].into();
        for call in &mut calls.calls {
            call.0 = ids[1].into();
            call.2 = "not JSON".into();
        }
        assert_eq!(outbound.call_tools(calls).await, vec![Ok("ok".to_owned()); 2]);
    }
    let seen = server.seen();
    let keys: std::collections::BTreeSet<_> =
        seen.iter().map(|seen| seen.header("idempotency-key")).collect();
    assert_eq!((seen.len(), keys.len()), (8, 8));
    for seen in seen {
        assert_eq!(seen.header("idempotency-key").map(str::len), Some(64));
        assert!(seen.header("x-evil").is_none() && seen.header("dialplane-phone-number-id").is_none());
        assert_eq!(seen.json()["arguments"], "not JSON");
        let plain = seen.json()["call_id"] == "CA1";
        assert_eq!(seen.header("dialplane-call-id"), plain.then_some("CA1"));
    }
}

#[tokio::test]
async fn all_calls_of_a_message_are_asked_at_once_and_answered_in_order() {
    let second_came = Arc::new(Notify::new());
    let server = Server::start(move |seen| {
        let second_came = Arc::clone(&second_came);
        async move {
            if seen.json()["name"] == "first" {
                second_came.notified().await;
                return reply(200, "one");
            }
            second_came.notify_one();
            reply(200, "two")
        }
    })
    .await;
    let outcomes = outbound().call_tools(calls(&url(&server), &["first", "second"])).await;
    assert_eq!(outcomes, [Ok("one".to_owned()), Ok("two".to_owned())]);
}

#[tokio::test]
async fn over_a_tenants_limit_calls_fail_at_once() {
    // The server answers on this thread: nothing is over before both calls are begun.
    let server = Server::start(async |_| reply(200, "ok")).await;
    let outbound = outbound();
    for _ in 0..2 {
        let mut calls = calls(&url(&server), &["a", "b"]);
        calls.server.concurrency_max = 1;
        assert_eq!(outbound.call_tools(calls).await, [Ok("ok".to_owned()), words(Failure::Busy)]);
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn answers_that_are_none_become_words() {
    let check = async |answer: fn() -> server::Reply, expected: Result<&str, Failure>| {
        let server = Server::start(move |_| std::future::ready(answer())).await;
        let outcome = outbound().call_tools(calls(&url(&server), &["a"])).await;
        let expected = expected.map(str::to_owned).map_err(|failure| failure.words().to_owned());
        assert_eq!((outcome, server.seen().len()), (vec![expected], 1));
    };
    let redirect = || {
        let mut redirect = reply(307, "");
        redirect.headers_mut().insert(LOCATION, HeaderValue::from_static("/elsewhere"));
        redirect
    };
    check(redirect, Err(Failure::Redirect)).await;
    check(|| reply(500, "x"), Err(Failure::Server)).await;
    check(|| reply(404, "x"), Err(Failure::Refused)).await;
    check(|| reply(429, "x"), Err(Failure::Throttled)).await;
    check(|| reply(200, vec![b'x'; ANSWER_BYTES_MAX + 1]), Err(Failure::TooLarge)).await;
    check(|| reply(200, b"\xff".to_vec()), Err(Failure::Unreadable)).await;
    check(|| reply(204, ""), Ok("Done.")).await;
}

#[tokio::test]
async fn private_addresses_are_not_asked_unless_they_are_allowed() {
    let server = Server::start(async |_| reply(200, "ok")).await;
    let port = server.address.port();
    let outbound = Outbound::start(Settings::default()).unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"] {
        for scheme in ["http", "https"] {
            // Each as another tenant, as the breaker counts them.
            let mut calls = calls(&format!("{scheme}://{host}:{port}/"), &["a"]);
            calls.tenant_id = TenantId(Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)));
            let outcome = outbound.call_tools(calls).await;
            // Where the system doesn't take a name for an address, it resolves to none.
            let refused = [words(Failure::Address), words(Failure::Resolve)];
            assert!(refused.contains(&outcome[0]), "{scheme}://{host} {outcome:?}");
        }
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_slow_server_costs_no_more_than_its_time_limit() {
    let server = Server::start(async |_| pending().await).await;
    let mut calls = calls(&url(&server), &["a"]);
    calls.server.timeout_ms = 50;
    assert_eq!(outbound().call_tools(calls).await, [words(Failure::Timeout)]);
}

#[tokio::test]
async fn a_server_that_fails_five_times_in_a_row_is_left_alone() {
    let server = Server::start(async |_| reply(503, "")).await;
    let outbound = outbound();
    for _ in 0..5 {
        assert_eq!(outbound.call_tools(calls(&url(&server), &["a"])).await, [words(Failure::Server)]);
    }
    assert_eq!(outbound.call_tools(calls(&url(&server), &["a"])).await, [words(Failure::Open)]);
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn connections_are_kept_for_the_next_request_until_they_are_idle_for_long() {
    let server = Server::start(async |_| reply(200, "ok")).await;
    let outbound = outbound();
    for _ in 0..3 {
        assert_eq!(outbound.call_tools(calls(&url(&server), &["a"])).await, [Ok("ok".to_owned())]);
    }
    assert_eq!((server.connections(), server.seen().len()), (1, 3));
    let pool = &shared(&outbound).client.pool;
    assert_eq!(pool.len(), 1);
    pool.tidy(Instant::now() + IDLE);
    assert!(pool.is_empty());
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_nothing_and_nothing_is_sent_twice() {
    let (address, mut closed) = server::closing("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42").await;
    let outbound = outbound();
    for name in ["one", "two", "three"] {
        let outcome = outbound.call_tools(calls(&format!("http://{address}/"), &[name])).await;
        assert_eq!(outcome, [Ok("42".to_owned())]);
        assert!(closed.recv().await.unwrap().contains(&format!("\"name\":\"{name}\"")));
        assert!(closed.try_recv().is_err());
    }
}

#[tokio::test]
async fn what_was_sent_is_never_sent_again() {
    for answer in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n42", "220 smtp ready\r\n"]
    {
        let (address, mut closed) = server::closing(answer).await;
        let outcome = outbound().call_tools(calls(&format!("http://{address}/"), &["a"])).await;
        assert_eq!(outcome, [words(Failure::Lost)], "{answer}");
        assert!(closed.recv().await.is_some() && closed.try_recv().is_err(), "{answer}");
    }
}

#[tokio::test]
async fn another_address_is_tried_when_the_first_takes_no_connection() {
    let server = Server::start(async |_| reply(200, "ok")).await;
    let target = target::Target::parse(&url(&server)).unwrap();
    let connector = connect::Connector::new(&[]).unwrap();
    let open = async |addresses: &[&str]| {
        let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let deadline = Instant::now() + Duration::from_secs(20);
        connector.open(&target, &addresses, deadline.into()).await.map(|connection| connection.key.clone())
    };
    let expected = connect::Key::new(&target, server.address.ip());
    assert_eq!(open(&["127.0.0.2", "127.0.0.1"]).await, Ok(expected));
    assert_eq!(open(&["127.0.0.2"]).await, Err(Failure::Connect));
}

#[tokio::test]
async fn what_was_taken_is_finished_before_the_end() {
    let (came, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = {
        let (came, go) = (Arc::clone(&came), Arc::clone(&go));
        Server::start(move |_| {
            let (came, go) = (Arc::clone(&came), Arc::clone(&go));
            async move {
                came.notify_one();
                go.notified().await;
                reply(200, "ok")
            }
        })
    }
    .await;
    let (outbound, url) = (Arc::new(outbound()), url(&server));
    let call = {
        let (outbound, calls) = (Arc::clone(&outbound), calls(&url, &["a"]));
        tokio::spawn(async move { outbound.call_tools(calls).await })
    };
    came.notified().await;
    let drained = {
        let outbound = Arc::clone(&outbound);
        tokio::task::spawn_blocking(move || outbound.drain(Duration::from_secs(20)))
    };
    go.notify_one();
    assert!(drained.await.unwrap());
    assert_eq!(call.await.unwrap(), [Ok("ok".to_owned())]);
    assert_eq!(outbound.call_tools(calls(&url, &["a"])).await, [words(Failure::Stopped)]);
    let nobody = Outbound::default().call_tools(calls(&url, &["a"])).await;
    assert_eq!(nobody, [words(Failure::Stopped)]);
}

#[tokio::test]
async fn the_server_has_to_prove_its_name_to_an_authority_that_is_trusted() {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Server::start_with(Some(acceptor), async |_| reply(200, "ok")).await;
    let roots = settings::certificates(root.pem().as_bytes()).unwrap();
    let trusting = Outbound::start(Settings { extra_roots: roots, ..settings() }).unwrap();
    let check = async |outbound: &Outbound, host: &str, expected: Result<String, String>| {
        let url = format!("https://{host}:{}/", server.address.port());
        assert_eq!(outbound.call_tools(calls(&url, &["a"])).await, [expected], "{host}");
    };
    check(&trusting, "localhost", Ok("ok".to_owned())).await;
    check(&trusting, "localhost", Ok("ok".to_owned())).await;
    assert_eq!(server.connections(), 1);
    check(&trusting, "127.0.0.1", words(Failure::Tls)).await;
    check(&outbound(), "localhost", words(Failure::Tls)).await;
}

#[tokio::test]
async fn commands_are_sent_in_order_and_again_where_that_can_help() {
    let failures = Arc::new(Mutex::new(vec![503, 429]));
    let server = Server::start(move |seen| {
        let status = match seen.path.as_str() {
            "/v2/refused" => 422,
            "/v2/down" => 500,
            _ => failures.lock().unwrap().pop().unwrap_or(200),
        };
        async move { reply(status, "{}") }
    })
    .await;
    let api = Api { base_setting: "X_API_BASE", base: "https://api.x.invalid" };
    let bases = vec![Base { setting: "X_API_BASE", url: format!("http://{}/v2", server.address) }];
    // A base that an operator set may be anywhere.
    let mut shared = Shared::new(Settings { bases, ..Settings::default() }).unwrap();
    shared.pauses = vec![Duration::ZERO; 2];
    let outbound = Arc::new(Outbound::run(shared).unwrap());
    let commands = ["/first", "/refused", "/down", "/last"]
        .map(|path| Command { path: path.into(), body: format!("{{\"at\":\"{path}\"}}").into() });
    outbound.send(&api, "Bearer key", commands.into());
    outbound.send(&api, "not\na header", vec![Command { path: "/never".into(), body: Vec::new() }]);
    let too_many = Command { path: "/never".into(), body: Vec::new() };
    outbound.send(&api, "Bearer key", vec![too_many; COMMANDS_MAX as usize + 1]);
    let draining = Arc::clone(&outbound);
    assert!(tokio::task::spawn_blocking(move || draining.drain(Duration::from_secs(20))).await.unwrap());
    let seen = server.seen();
    let paths: Vec<_> = seen.iter().map(|seen| seen.path.trim_start_matches("/v2/")).collect();
    assert_eq!(paths, ["first", "first", "first", "refused", "down", "down", "down", "last"]);
    assert!(seen.iter().all(|seen| seen.header("authorization") == Some("Bearer key")));
    assert_eq!(seen[7].json(), serde_json::json!({"at": "/last"}));
    let count = |outcome: &str| outbound.metrics().unwrap().commands.with_label_values(&[outcome]).get();
    let counts = ["sent", "refused", "server_error", "bad_url", "dropped"].map(count);
    assert_eq!(counts, [2, 1, 1, 1, u64::from(COMMANDS_MAX) + 1]);
}
