//! Whatever comes over the wire to a router gets the right refusal: never a panic, never another tenant's answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dialplane_bench::http::{self, Response};
use dialplane_bench::signing::twilio;
use dialplane_bench::workload::form;
use serde_json::json;

use crate::alone::{Alone, STREAM};
use crate::call::{CALL, REJECT, ending, post, stream_of, twiml, with};
use crate::ops;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// After everything: a good call is still answered, and nothing has panicked.
fn check_well(alone: &Alone) {
    let answer = alone.salon.ring(alone.router.address);
    assert_eq!((answer.status, answer.body), (200, answered(alone, &alone.salon.number)));
    let log = alone.router.process.log();
    assert!(!log.contains("panicked"), "{log}");
}

/// The document of a good call, which came to this address.
fn answered(alone: &Alone, to: &str) -> String {
    twiml(&format!("<Connect>{}</Connect>", stream_of(&alone.salon, STREAM, CALL, "+15105550198", to)))
}

/// Posts raw bytes of a form, signed as if they said `signed`.
fn post_raw(alone: &Alone, body: &[u8], signed: &[(&str, &str)]) -> Response {
    let (address, target) = (alone.router.address, alone.salon.webhook_path("voice"));
    let signature = twilio::signature(&alone.salon.auth_token, &format!("http://{address}{target}"), signed);
    http::request(address, "POST", &target, &[FORM, ("X-Twilio-Signature", &signature)], body)
        .expect("an answer")
}

#[test]
fn missing_and_contradictory_parameters_are_named() {
    let alone = Alone::start(&[]);
    let path = alone.salon.webhook_path("voice");
    let check = |parameters: &[(&str, &str)], named: &str| {
        let answer = post(&alone.salon, alone.router.address, &path, parameters);
        assert_eq!(ending(&answer), (400, "malformed"), "{parameters:?}: {}", answer.body);
        assert!(answer.body.contains(&format!("parameter {named} ")), "{}", answer.body);
    };
    let without = |name: &str| {
        let mut parameters = alone.salon.call(CALL);
        parameters.retain(|(known, _)| *known != name);
        parameters
    };
    let and = |name, value| [alone.salon.call(CALL), vec![(name, value)]].concat();
    check(&without("To"), "To");
    check(&without("CallSid"), "CallSid");
    check(&with(&alone.salon, &[("To", "")]), "To");
    check(&with(&alone.salon, &[("CallSid", "")]), "CallSid");
    check(&and("To", "+12125559999"), "To");
    check(&and("From", "+12125559999"), "From");
    check(&and("CallSid", "CA1"), "CallSid");
    // Said twice alike, contradicting nothing; unknown names; no caller at all.
    for fine in [and("To", &alone.salon.number), and("Surprise", "1"), and("Surprise", "\u{1f916}\u{0}")] {
        assert_eq!(
            post(&alone.salon, alone.router.address, &path, &fine).body,
            answered(&alone, &alone.salon.number)
        );
    }
    let nobody = post(&alone.salon, alone.router.address, &path, &without("From"));
    let stream = stream_of(&alone.salon, STREAM, CALL, "", &alone.salon.number);
    assert_eq!((nobody.status, nobody.body), (200, twiml(&format!("<Connect>{stream}</Connect>"))));
    check_well(&alone);
}

#[test]
fn a_called_address_is_a_number_in_any_of_its_forms_or_nobodys() {
    let alone = Alone::start(&[]);
    let path = alone.salon.webhook_path("voice");
    let digits = alone.salon.number.trim_start_matches('+');
    let sip = [
        format!("sip:{}@sip.example.com", alone.salon.number),
        format!("sip:{}@sip.example.com:5060;transport=udp", alone.salon.number),
        format!("sips:{}@sip.example.com", alone.salon.number),
    ];
    let call = |to: &str| post(&alone.salon, alone.router.address, &path, &with(&alone.salon, &[("To", to)]));
    for to in &sip {
        let answer = call(to);
        assert_eq!((answer.status, answer.body), (200, answered(&alone, to)), "{to}");
    }
    let grouped = format!("+1 {}", &digits[1..]);
    let plusless = format!("sip:{digits}@sip.example.com");
    let dashed = format!("+1-{}", &digits[1..]);
    let blank = format!(" {digits}");
    let long = format!("+{}", "9".repeat(60_000));
    for to in [
        &*grouped,
        &plusless,
        &dashed,
        &blank,
        &long,
        digits,
        "anonymous",
        "client:x",
        "sip:nobody@sip.example.com",
        "sip:",
        "sip:@",
        "+",
        "+0",
        "++12000000000",
        "+12000000000000000",
        "\u{0}",
        "\u{ff0b}12000000000",
        "<Dial>",
        "911",
    ] {
        let answer = call(to);
        assert_eq!(ending(&answer), (200, "unknown_number"), "{to:.40}: {}", answer.body);
        assert_eq!(answer.body, twiml(REJECT), "{to:.40}");
    }
    for from in ["anonymous", "client:x", "sip:a@b", "", "\u{0}", "'\"<>&"] {
        let answer = post(&alone.salon, alone.router.address, &path, &with(&alone.salon, &[("From", from)]));
        assert_eq!(ending(&answer), (200, "answered"), "{from}");
        assert!(!answer.body.contains("'\"<>&"), "{}", answer.body);
    }
    check_well(&alone);
}

#[test]
fn bodies_that_are_no_forms_are_refused() {
    let alone = Alone::start(&[]);
    let salon = &alone.salon;
    let good = form(&salon.call(CALL));
    for (what, tail) in [
        ("a percent sign alone", &b"&a=%"[..]),
        ("half an escape", b"&a=%4"),
        ("an escape of no digits", b"&a=%zz"),
        ("an escaped byte that is no UTF-8", b"&a=%ff"),
        ("a bare byte that is no UTF-8", b"&a=\xff"),
        ("an overlong escape", b"&a=%c0%80"),
        ("a surrogate", b"&a=%ed%a0%80"),
        ("a name that is no UTF-8", b"&%ff=a"),
        ("a character across name and value", b"&%c3=%a9"),
    ] {
        let answer = post_raw(&alone, &[good.as_bytes(), tail].concat(), &salon.call(CALL));
        assert_eq!(ending(&answer), (400, "malformed"), "{what}: {}", answer.body);
    }
    let many = "&a=1".repeat(2_000);
    let answer = post_raw(&alone, format!("{good}{many}").as_bytes(), &salon.call(CALL));
    assert_eq!(ending(&answer), (400, "malformed"), "{}", answer.body);

    let (address, target) = (alone.router.address, salon.webhook_path("voice"));
    let send = |kind: &str, body: &[u8]| {
        let headers = [("Content-Type", kind), ("X-Twilio-Signature", "x")];
        http::request(address, "POST", &target, &headers, body).expect("an answer")
    };
    let text = json!({"To": salon.number, "From": "+15105550198", "CallSid": CALL}).to_string();
    for kind in
        ["application/json", "text/plain", "multipart/form-data; boundary=x", "text/xml", "\u{e9}", "x"]
    {
        assert_eq!(send(kind, text.as_bytes()).status, 415, "{kind}");
    }
    for kind in ["application/x-www-form-urlencoded", "APPLICATION/X-WWW-FORM-URLENCODED; charset=UTF-8"] {
        assert_eq!(send(kind, good.as_bytes()).status, 403, "{kind}");
    }
    check_well(&alone);
}

#[test]
fn bodies_over_the_limit_are_refused_whether_announced_or_not() {
    let alone = Alone::start(&[]);
    let (address, target) = (alone.router.address, alone.salon.webhook_path("voice"));
    let good = form(&alone.salon.call(CALL));
    let padded = |bytes: usize| {
        let mut parameters = alone.salon.call(CALL);
        let pad = "x".repeat(bytes - good.len() - "&Z=".len());
        parameters.push(("Z", &pad));
        post_raw(&alone, form(&parameters).as_bytes(), &parameters)
    };
    assert_eq!(ending(&padded(64 << 10)), (200, "answered"));
    assert_eq!(ending(&padded((64 << 10) + 1)), (413, "too_large"));

    // Announced, and never sent.
    let head = format!("POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {}\r\n", FORM.1);
    let answer = http::raw(address, format!("{head}Content-Length: 1000000000000\r\n\r\n").as_bytes())
        .expect("an answer");
    assert_eq!((ending(&answer), answer.header("connection")), ((413, "too_large"), Some("close")));
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..9 {
        chunked.extend_from_slice(format!("2000\r\n{}\r\n", "x".repeat(0x2000)).as_bytes());
    }
    let answer = http::raw(address, &chunked).expect("an answer");
    assert_eq!(ending(&answer), (413, "too_large"));
    check_well(&alone);
}

#[test]
fn a_call_in_chunks_is_a_call() {
    let alone = Alone::start(&[]);
    let (address, target) = (alone.router.address, alone.salon.webhook_path("voice"));
    let parameters = alone.salon.call(CALL);
    let signature =
        twilio::signature(&alone.salon.auth_token, &format!("http://{address}{target}"), &parameters);
    let mut request = format!(
        "POST {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {}\r\n\
         X-Twilio-Signature: {signature}\r\nTransfer-Encoding: chunked\r\n\r\n",
        FORM.1
    );
    for byte in form(&parameters).chars() {
        request.push_str(&format!("1\r\n{byte}\r\n"));
    }
    request.push_str("0\r\n\r\n");
    let answer = http::raw(address, request.as_bytes()).expect("an answer");
    assert_eq!((answer.status, answer.body), (200, answered(&alone, &alone.salon.number)));
}

#[test]
fn a_call_in_two_portions_is_a_call_wherever_it_is_cut() {
    let alone = Alone::start(&[]);
    let mut stream = TcpStream::connect(alone.router.address).expect("the router accepts");
    stream.set_nodelay(true).expect("a socket");
    let (expected, request) = (answered(&alone, &alone.salon.number), call(&alone, ""));
    for cut in (1..request.len()).step_by(31) {
        for portion in [&request[..cut], &request[cut..]] {
            stream.write_all(portion.as_bytes()).expect("the router reads");
        }
        let answer = http::read(&mut stream).expect("an answer");
        assert_eq!((answer.status, &answer.body), (200, &expected), "cut at {cut}");
    }
    check_well(&alone);
}

/// A good call's request with these headers more.
fn call(alone: &Alone, headers: &str) -> String {
    signed(alone, "POST", &alone.salon.call(CALL), headers)
}

/// A request whose signature is right, with these headers more.
fn signed(alone: &Alone, method: &str, parameters: &[(&str, &str)], headers: &str) -> String {
    let (address, body) = (alone.router.address, form(parameters));
    let target = alone.salon.webhook_path("voice");
    let (target, body) =
        if method == "GET" { (format!("{target}?{body}"), String::new()) } else { (target, body) };
    let covered = if method == "GET" { &[][..] } else { parameters };
    let signature = twilio::signature(&alone.salon.auth_token, &format!("http://{address}{target}"), covered);
    let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {}\r\nX-Twilio-Signature: {signature}\r\n\
         {length}{headers}\r\n{body}",
        FORM.1
    )
}

/// Most requests never reach hyper; what makes one unusual must change nothing else about its answer.
#[test]
fn usual_and_unusual_requests_are_answered_alike() {
    let alone = Alone::start(&[]);
    let wrong = call(&alone, "").replace("X-Twilio-Signature: ", "X-Twilio-Signature: A");
    let unknown = signed(&alone, "POST", &with(&alone.salon, &[("To", "+12125559999")]), "");
    for (what, usual) in [
        ("a call", call(&alone, "")),
        ("a call by GET", signed(&alone, "GET", &alone.salon.call(CALL), "")),
        ("a wrong signature", wrong),
        ("no signature", call(&alone, "").replace("X-Twilio-Signature", "X-Another")),
        ("an unknown number", unknown),
        ("no called number", signed(&alone, "POST", &[("CallSid", CALL)], "")),
        ("another type", call(&alone, "").replace(FORM.1, "text/plain")),
        ("JSON", call(&alone, "").replace(FORM.1, "application/json")),
        ("a malformed body", call(&alone, "").replace("CallSid", "%allSid")),
        ("an unknown account", call(&alone, "").replacen(&alone.salon.account, &alone.salon.tenant, 1)),
        ("the last", call(&alone, "Connection: close\r\n")),
    ] {
        let unusual = usual.replacen("\r\n\r\n", "\r\nUpgrade: nothing\r\n\r\n", 1);
        let [mut usual, mut unusual] = [usual, unusual].map(|request| {
            let mut stream = TcpStream::connect(alone.router.address).expect("the router accepts");
            stream.write_all(request.as_bytes()).expect("the router reads");
            http::read(&mut stream).unwrap_or_else(|error| panic!("{what}: {error}"))
        });
        for answer in [&mut usual, &mut unusual] {
            assert!(answer.header("date").is_some_and(|date| date.ends_with(" GMT")), "{what}: {answer:?}");
            answer.headers.retain(|(name, _)| name != "date");
            answer.headers.sort();
        }
        assert_eq!(usual, unusual, "{what}");
    }
    check_well(&alone);
}

#[test]
fn usual_and_unusual_requests_may_follow_each_other_at_once() {
    let alone = Alone::start(&[]);
    let (usual, expected) = (call(&alone, ""), answered(&alone, &alone.salon.number));
    let unusual = call(&alone, "Upgrade: nothing\r\n");
    let all = [&*usual, &usual, &usual, &unusual, &usual, &call(&alone, "Connection: close\r\n")].concat();
    let text = String::from_utf8(raw_bytes(&alone, all.as_bytes())).expect("text");
    assert_eq!(text.matches(&expected).count(), 6, "{text}");
    assert_eq!(text.matches("connection: close").count(), 1, "{text}");
    check_well(&alone);
}

#[test]
fn slow_senders_are_not_waited_for() {
    let alone = Alone::start(&[("ROUTER_BODY_TIMEOUT_MS", "200"), ("ROUTER_HEADER_TIMEOUT_MS", "200")]);
    let (address, target) = (alone.router.address, alone.salon.webhook_path("voice"));
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {}\r\nContent-Length: 100\r\n\r\n",
        FORM.1
    );
    let answer = http::raw(address, format!("{head}To=").as_bytes()).expect("an answer");
    assert_eq!((ending(&answer), answer.header("connection")), ((408, "incomplete"), Some("close")));
    assert_eq!(ops::outcomes(alone.router.ops, "voice", "incomplete"), 1.0);
    for begin in ["", "P", "POST / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: x\r\nA: "] {
        let closed = raw_bytes(&alone, begin.as_bytes());
        assert!(
            closed.is_empty() || closed.starts_with(b"HTTP/1.1 408"),
            "{begin:?}: {}",
            String::from_utf8_lossy(&closed)
        );
    }
    check_well(&alone);
}

/// Sends bytes and leaves the connection open: all that comes back until the router closes it.
fn raw_bytes(alone: &Alone, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(alone.router.address).expect("the router accepts");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // The router may refuse and close before it has read all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
            panic!("it isn't closed: {error}")
        }
        _ => answer,
    }
}

#[test]
fn what_is_no_http_is_refused() {
    let alone = Alone::start(&[("ROUTER_BODY_TIMEOUT_MS", "200"), ("ROUTER_HEADER_TIMEOUT_MS", "200")]);
    let host = format!("Host: {}\r\n", alone.router.address);
    let target = alone.salon.webhook_path("voice");
    let noise: Vec<u8> =
        (0..4_096_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let headers: String = (0..200).map(|index| format!("X-{index}: 1\r\n")).collect();
    let wide = format!("X-Wide: {}\r\n", "x".repeat(40 << 10));
    let long = "x".repeat(70 << 10);
    for (what, bytes) in [
        ("noise", noise),
        ("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("200 headers", format!("GET {target} HTTP/1.1\r\n{host}{headers}\r\n").into_bytes()),
        ("a header over the limit", format!("GET {target} HTTP/1.1\r\n{host}{wide}\r\n").into_bytes()),
        ("a target over the limit", format!("GET {target}?{long} HTTP/1.1\r\n{host}\r\n").into_bytes()),
        ("a header with a line feed", format!("GET {target} HTTP/1.1\r\n{host}A\n: x\r\n\r\n").into_bytes()),
        ("two lengths", format!("POST {target} HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab").into_bytes()),
        ("a negative length", format!("POST {target} HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n").into_bytes()),
        ("a chunk of no size", format!("POST {target} HTTP/1.1\r\n{host}Content-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", FORM.1).into_bytes()),
    ] {
        let answer = raw_bytes(&alone, &bytes);
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || text.starts_with("HTTP/1.1 4"), "{what}: {text}");
        assert!(!text.contains("<Response>"), "{what}: {text}");
    }
    check_well(&alone);
}

#[test]
fn other_methods_and_paths_are_refused() {
    let alone = Alone::start(&[]);
    let address = alone.router.address;
    let target = alone.salon.webhook_path("voice");
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = http::request(address, method, &target, &[], b"").expect("an answer");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST")), "{method}");
    }
    let before = ops::metric(alone.router.ops, "router_unknown_paths_total");
    let paths = [
        "/",
        "*",
        "//",
        "/webhooks",
        "/webhooks/twilio",
        "/webhooks/nobody/voice",
        "/webhooks/twilio/levitation",
        "/metrics",
        "/debug/explain",
        "/webhooks/twilio/voice/not-an-id",
        "/webhooks/twilio/voice/../voice",
        "/api/webhooks/call/incoming/",
        "/webhooks/twilio/voice/%00",
        "/%2e%2e/%2e%2e/etc/passwd",
    ];
    for path in paths {
        let answer = http::request(address, "POST", path, &[FORM], b"To=1").expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(ops::metric(alone.router.ops, "router_unknown_paths_total"), before + paths.len() as f64);
    check_well(&alone);
}

#[test]
fn http_as_few_speak_it_is_understood() {
    let alone = Alone::start(&[]);
    let (address, target, parameters) =
        (alone.router.address, alone.salon.webhook_path("voice"), alone.salon.call(CALL));
    let expected = answered(&alone, &alone.salon.number);
    let body = form(&parameters);
    let request = |version: &str, request_target: &str, headers: &str| {
        let signature =
            twilio::signature(&alone.salon.auth_token, &format!("http://{address}{target}"), &parameters);
        format!(
            "POST {request_target} HTTP/{version}\r\nHost: {address}\r\nContent-Type: {}\r\nX-Twilio-Signature: {signature}\r\n\
             Content-Length: {}\r\n{headers}\r\n{body}",
            FORM.1,
            body.len()
        )
    };
    let old = http::raw(address, request("1.0", &target, "").as_bytes()).expect("an answer");
    assert_eq!((old.status, old.body), (200, expected.clone()), "HTTP/1.0");
    let absolute = request("1.1", &format!("http://{address}{target}"), "Connection: close\r\n");
    let absolute = http::raw(address, absolute.as_bytes()).expect("an answer");
    assert_eq!((absolute.status, absolute.body), (200, expected.clone()), "a target in absolute form");

    // Several requests at once on one connection: each has its answer, in order.
    let bad = format!(
        "POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {}\r\nContent-Length: 4\r\n\r\nTo=1",
        FORM.1
    );
    let unknown = format!("GET /nowhere HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let good = request("1.1", &target, "");
    let last = request("1.1", &target, "Connection: close\r\n");
    let answers = raw_bytes(&alone, [&*good, &bad, &unknown, &good, &last].concat().as_bytes());
    let answers = String::from_utf8_lossy(&answers);
    let statuses: Vec<_> =
        answers.match_indices("HTTP/1.1 ").map(|(at, line)| &answers[at + line.len()..][..3]).collect();
    assert_eq!(statuses, ["200", "403", "404", "200", "200"], "{answers}");
    assert_eq!(answers.matches(&expected).count(), 3);

    let two_hosts = http::raw(
        address,
        request("1.1", &target, "Host: other.example\r\nConnection: close\r\n").as_bytes(),
    );
    assert!(two_hosts.is_ok_and(|answer| matches!(answer.status, 200 | 400 | 403)));
    for host in ["", "a b", "\u{e9}", "user@host", "host/path", "[::1", "x:99999999"] {
        let answer = http::request(
            address,
            "POST",
            &target,
            &[("Host", host), FORM, ("X-Twilio-Signature", "x")],
            body.as_bytes(),
        );
        assert!(matches!(answer.expect("an answer").status, 400 | 403), "{host:?}");
    }
    check_well(&alone);
}
