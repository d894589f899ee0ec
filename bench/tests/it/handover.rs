//! One router replaces another on the same port, and no client notices.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use dialplane_bench::http::{self, Response};
use dialplane_bench::operator::Salon;
use dialplane_bench::system::{Router, TempDir, wait_for};

use crate::alone::{STREAM, snapshot_file};
use crate::call::{stream, twiml};
use crate::lifecycle::{call, connect};
use crate::ops;

const HANDOVERS: usize = 4;

/// A client that asks on and on until it is told to stop.
struct Client {
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Client {
    /// `ask` sends one request. What isn't the expected answer is kept.
    fn start(expected: String, mut ask: impl FnMut() -> io::Result<Response> + Send + 'static) -> Self {
        let (answered, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
            move || {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match ask() {
                        Ok(answer) if (answer.status, &answer.body) == (200, &expected) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        other => failed.push(format!("{other:?}")),
                    }
                }
                failed
            }
        });
        Self { answered, stop, thread }
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Everything that wasn't answered as it should.
    fn failures(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the client's thread")
    }
}

fn send(stream: &mut TcpStream, request: &[u8]) -> io::Result<Response> {
    stream.write_all(request)?;
    http::read(stream)
}

/// Keeps its connection until an answer says that it was the last, as HTTP clients do.
fn kept(address: SocketAddr, request: Vec<u8>) -> impl FnMut() -> io::Result<Response> {
    let mut open = None;
    move || {
        let mut stream = open.take().unwrap_or_else(|| connect(address));
        let answer = send(&mut stream, &request)?;
        open = (answer.header("connection") != Some("close")).then_some(stream);
        Ok(answer)
    }
}

/// A new connection each time.
fn new(address: SocketAddr, request: Vec<u8>) -> impl FnMut() -> io::Result<Response> {
    move || send(&mut TcpStream::connect(address)?, &request)
}

fn start(address: &str, ops: &str, dir: &TempDir) -> Router {
    let (file, path) =
        (dir.path("snapshot").display().to_string(), dir.path("handover").display().to_string());
    Router::start(&[
        ("ROUTER_LISTEN", address),
        ("ROUTER_OPS_LISTEN", ops),
        ("ROUTER_SNAPSHOT_FILE", &file),
        ("ROUTER_HANDOVER_SOCKET", &path),
    ])
}

/// Head and body of a call of the salon.
fn request(salon: &Salon, address: SocketAddr) -> Vec<u8> {
    let (head, body) = call(salon, address, "");
    [head, body].concat().into_bytes()
}

#[test]
fn a_router_is_replaced_again_and_again_and_no_request_fails() {
    let dir = TempDir::new();
    let salon = snapshot_file(&dir.path("snapshot").display().to_string());
    let mut router = start("127.0.0.1:0", "127.0.0.1:0", &dir);
    let (address, ops) = (router.address, router.ops);
    let expected = twiml(&format!("<Connect>{}</Connect>", stream(&salon, STREAM)));
    let sent = request(&salon, address);
    let clients: Vec<Client> = (0..4)
        .flat_map(|_| {
            let kept = Client::start(expected.clone(), kept(address, sent.clone()));
            [kept, Client::start(expected.clone(), new(address, sent.clone()))]
        })
        .collect();
    let all_answered_more = || {
        let before: Vec<u64> = clients.iter().map(Client::answered).collect();
        wait_for("each client to be answered", || {
            clients.iter().zip(&before).all(|(client, before)| client.answered() > before + 10)
        });
    };
    for _ in 0..HANDOVERS {
        all_answered_more();
        let next = start(&address.to_string(), &ops.to_string(), &dir);
        assert_eq!((next.address, next.ops), (address, ops));
        assert_eq!(router.process.wait().code(), Some(0), "the old one ends: {}", router.process.log());
        assert_eq!(ops::readiness(ops).0, 200);
        router = next;
    }
    all_answered_more();
    let failures: Vec<String> = clients.into_iter().flat_map(Client::failures).collect();
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn one_that_cannot_start_changes_nothing() {
    let dir = TempDir::new();
    let salon = snapshot_file(&dir.path("snapshot").display().to_string());
    let router = start("127.0.0.1:0", "127.0.0.1:0", &dir);
    let path = dir.path("handover").display().to_string();
    let missing = dir.path("missing").display().to_string();
    let (status, line) = Router::fail(&[
        ("ROUTER_LISTEN", &router.address.to_string()),
        ("ROUTER_HANDOVER_SOCKET", &path),
        ("ROUTER_SNAPSHOT_FILE", &missing),
    ]);
    assert!(line.contains("ROUTER_SNAPSHOT_FILE") && status.is_some_and(|status| status != 0), "{line}");
    assert_eq!(salon.ring(router.address).status, 200);
    let nowhere = dir.path("no/such/folder").display().to_string();
    let file = dir.path("snapshot").display().to_string();
    let (_, line) = Router::fail(&[("ROUTER_HANDOVER_SOCKET", &nowhere), ("ROUTER_SNAPSHOT_FILE", &file)]);
    assert!(line.contains("ROUTER_HANDOVER_SOCKET") && line.contains(&nowhere), "{line}");
}
