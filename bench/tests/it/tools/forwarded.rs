//! Tools of a tenant's own server: what it is asked, and what is spoken when it fails.

use std::net::TcpStream;
use std::sync::{Arc, Barrier};

use dialplane_bench::signing::mac;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::server::{Server, respond};
use super::{Caller, spoken};

const SECRET: &str = "a-secret-of-the-tool-server";
const LOOPBACK: (&str, &str) = ("ROUTER_TOOL_PRIVATE_NETWORKS", "127.0.0.0/8");

impl Caller {
    fn forward_to(&self, url: &str, timeout_ms: u32) {
        let server = json!({"url": url, "secret": SECRET, "timeout_ms": timeout_ms});
        self.system.apply("PUT", &format!("/tenants/{}/tool-server", self.salon.tenant), &server);
    }
}

#[test]
fn the_tenants_server_is_asked_with_proof_of_who_asks() {
    let caller = Caller::start(&[LOOPBACK]);
    let server = Server::answering("200 OK", r#"{"result": "Booked for\nfour."}"#.into());
    caller.forward_to(&server.url(), 5000);
    assert_eq!(caller.ask("bookTable", &json!({"people": 4})), Ok("Booked for four.".into()));
    let request = server.requests.recv().expect("it was asked");
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let call = "019c2f6e-7b1a-7ccd-93e9-2655308be9ae";
    assert_eq!(header("dialplane-tenant-id"), Some(&*caller.salon.tenant));
    assert_eq!(header("dialplane-phone-number-id"), Some(&*caller.salon.phone));
    assert_eq!(header("dialplane-call-id"), Some(call));
    assert_eq!(header("idempotency-key"), Some(&*format!("{call}:call_1")));
    let (time, code) =
        header("dialplane-signature").and_then(|text| text.split_once(",v1=")).expect("a signature");
    let time = time.strip_prefix("t=").expect("a time");
    let wanted = mac::hmac_sha256(SECRET.as_bytes(), &[time.as_bytes(), b".", request.body.as_bytes()]);
    assert_eq!(code, mac::hex(&wanted));
    let age_s = Timestamp::now().as_second() - time.parse::<i64>().expect("seconds");
    assert!((0..60).contains(&age_s), "{age_s}");
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let expected = json!({"tenant_id": caller.salon.tenant, "phone_number_id": caller.salon.phone,
        "call_id": call, "provider": "vapi", "from": "+15105550198", "to": caller.salon.number,
        "tool_call_id": "call_1", "name": "bookTable", "arguments": {"people": 4}});
    let named = |name: &str| (name.to_owned(), body[name].clone());
    let known: serde_json::Map<_, _> =
        expected.as_object().expect("an object").keys().map(|name| named(name)).collect();
    assert_eq!(Value::Object(known), expected, "{body}");
}

#[test]
fn calls_of_one_message_are_asked_at_once_and_answered_in_their_order() {
    let caller = Caller::start(&[LOOPBACK]);
    // Neither is answered before both are there.
    let both = Arc::new(Barrier::new(2));
    let server = Server::start(move |request, stream| {
        both.wait();
        let question: Value = serde_json::from_str(&request.body).unwrap_or_default();
        respond(stream, "200 OK", "", &json!({"result": question["name"]}).to_string());
    });
    caller.forward_to(&server.url(), 15_000);
    let calls =
        [("call_2", "first", json!({})), ("call_1", "second", json!({})), ("call_3", "isOpen", json!({}))];
    let results = caller.vapi.tools(caller.router(), &calls);
    let ids: Vec<_> = results.iter().map(|result| result["toolCallId"].clone()).collect();
    assert_eq!(ids, ["call_2", "call_1", "call_3"]);
    assert_eq!(spoken(&results[0]), Ok("first".into()));
    assert_eq!(spoken(&results[1]), Ok("second".into()));
    assert!(spoken(&results[2]).is_ok(), "a built-in one among them");
}

#[test]
fn what_the_server_says_is_spoken() {
    let caller = Caller::start(&[LOOPBACK]);
    let check = |body: &str, expected: Result<&str, &str>| {
        let server = Server::answering("200 OK", body.to_owned());
        caller.forward_to(&server.url(), 5000);
        let said = caller.ask("bookTable", &json!({}));
        assert_eq!(said.as_deref().map_err(String::as_str), expected, "{body}");
    };
    check(r#"{"result": "Done so."}"#, Ok("Done so."));
    check(r#"{"error": "No table is free."}"#, Err("No table is free."));
    check(r#"{"result": {"tables": 2}}"#, Ok(r#"{"tables":2}"#));
    check("Not JSON,\r\nbut words.", Ok("Not JSON, but words."));
    check("", Ok("Done."));
}

#[test]
fn a_server_that_fails_leaves_words_to_speak() {
    let check = |answer: fn(&mut TcpStream), words: &str| {
        // One each: after some failures in a row a server isn't asked for a while.
        let caller = Caller::start(&[LOOPBACK]);
        let server = Server::start(move |_, stream| answer(stream));
        caller.forward_to(&server.url(), 500);
        assert_eq!(caller.ask("bookTable", &json!({})), Err(words.into()));
        server.requests.recv().expect("it was asked");
        assert!(server.requests.try_recv().is_err(), "once");
    };
    check(
        |stream| respond(stream, "500 Internal Server Error", "", "{}"),
        "Our system had a problem with that.",
    );
    check(|stream| respond(stream, "404 Not Found", "", "{}"), "Our system didn't accept that.");
    check(
        |stream| respond(stream, "429 Too Many Requests", "", "{}"),
        "Our system is busy just now. Please try again in a moment.",
    );
    check(
        |stream| respond(stream, "302 Found", "Location: http://127.0.0.1:9/\r\n", ""),
        "That isn't set up here yet.",
    );
    check(|_| (), "I couldn't reach our system just now.");
    check(
        |stream| respond(stream, "200 OK", "", &format!("\"{}\"", "a".repeat(100_000))),
        "I couldn't understand our system's answer.",
    );
    check(
        |stream| {
            // The router gives up and closes the connection.
            let _ = std::io::Read::read(stream, &mut [0]);
        },
        "Our system took too long to answer.",
    );
}

#[test]
fn a_private_address_is_asked_only_where_the_operator_allows_it() {
    let caller = Caller::start(&[]);
    let server = Server::answering("200 OK", r#"{"result": "Mine."}"#.into());
    for host in ["127.0.0.1", "localhost"] {
        caller.forward_to(&format!("http://{host}:{}/tools", server.address.port()), 5000);
        assert_eq!(caller.ask("bookTable", &json!({})), Err("That isn't set up here yet.".into()), "{host}");
    }
    assert!(server.requests.try_recv().is_err(), "nobody connected");
}
