//! Clients that want more than there is: too much work, or to be waited for.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dialplane_bench::http;
use dialplane_bench::system::wait_for;

use crate::alone::Alone;
use crate::lifecycle::{call, connect};
use crate::ops;

/// How many clients ask without a pause. Together they take far longer than the limit below for one turn.
const CLIENTS: usize = 128;

#[test]
fn more_than_can_be_answered_in_time_is_refused_and_the_rest_answered() {
    let alone = Alone::start(&[("ROUTER_WORKERS", "1"), ("ROUTER_LAG_MAX_MS", "1")]);
    let (address, ops) = (alone.router.address, alone.router.ops);
    let (head, body) = call(&alone.salon, address, "");
    let request = [head, body].concat();
    let refused = || ops::outcomes(ops, "voice", "overloaded");
    assert_eq!(refused(), 0.0);
    let stop = AtomicBool::new(false);
    let endings = std::thread::scope(|scope| {
        let client = || {
            let mut endings = BTreeMap::new();
            let mut open: Option<TcpStream> = None;
            while !stop.load(Ordering::Relaxed) {
                let mut stream = open.take().unwrap_or_else(|| connect(address));
                // A refused connection may be reset while the request is still on its way.
                let sent = stream.write_all(request.as_bytes());
                let Ok(answer) = sent.and_then(|()| http::read(&mut stream)) else { continue };
                let outcome = answer.header("dialplane-outcome").unwrap_or("answered").to_owned();
                let closes = answer.header("connection") == Some("close");
                let retry = answer.header("retry-after").is_some();
                *endings.entry((answer.status, outcome, closes, retry)).or_insert(0) += 1;
                open = (!closes).then_some(stream);
            }
            endings
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        wait_for("requests to be refused", || refused() > 100.0);
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect::<BTreeMap<_, u32>>()
    });
    // Some with a close, where not even all refusals find time.
    let told = |status, outcome: &str, closes, retry| {
        endings.contains_key(&(status, outcome.to_owned(), closes, retry))
    };
    assert!(told(200, "answered", false, false) && told(503, "overloaded", false, true), "{endings:?}");
    assert!(endings.len() - usize::from(told(503, "overloaded", true, true)) == 2, "{endings:?}");
    assert_eq!(ops::metric(ops, "router_requests_waiting"), 0.0);
    wait_for("the router to be itself again", || alone.salon.ring(address).status == 200);
}

#[test]
fn who_does_not_take_its_answers_is_not_waited_for() {
    let alone = Alone::start(&[("ROUTER_HEADER_TIMEOUT_MS", "200")]);
    let (head, body) = call(&alone.salon, alone.router.address, "");
    let request = [head, body].concat();
    let mut stream = connect(alone.router.address);
    stream.set_write_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // Until the router reads no more, as its answers lie unread, and then until it has ended the connection.
    while stream.write_all(request.as_bytes()).is_ok() {}
    wait_for("the connection to be gone", || ops::metric(alone.router.ops, "router_connections") == 0.0);
    let _ = stream.read(&mut [0]);
    assert_eq!(alone.salon.ring(alone.router.address).status, 200);
}

#[test]
fn many_silent_connections_take_no_answer_from_others() {
    let alone = Alone::start(&[("ROUTER_WORKERS", "1")]);
    let address = alone.router.address;
    let silent: Vec<TcpStream> = (0..500).map(|_| connect(address)).collect();
    let slow = |mut stream: &TcpStream| stream.write_all(b"P");
    silent.iter().take(250).try_for_each(slow).expect("the router reads");
    wait_for("all to be open", || ops::metric(alone.router.ops, "router_connections") == 500.0);
    for _ in 0..50 {
        assert_eq!(alone.salon.ring(address).status, 200);
    }
}
