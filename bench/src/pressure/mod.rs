//! The router with more to do than it can: four times the rate it reaches, and connections that want to be waited for.
//!
//! The webhooks are Telnyx's: checking Ed25519 takes most of their time, so that a client on the other core can send
//! several times what the router can answer. Everything is one run, as ratios to what the router does without pressure.

mod arrivals;
mod idle;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::{AccountRecord, Record, SignaturePolicy};
use dialplane_common::provider::credentials::Credential;
use dialplane_router::server::listen::raise_descriptors;
use dialplane_router::snapshot::file;

use crate::cores::{CLIENT, SERVER, keep_on};
use crate::load::client;
use crate::signing::telnyx;
use crate::snapshot_file::Builder;
use crate::stats::{median, percentile};
use crate::system::{FEED_KEY, Router, TempDir};
use crate::workload::{self, ACCOUNT};
use arrivals::Outcome;

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many times what the router can answer is sent.
    #[arg(long, default_value_t = 4.0)]
    times: f64,
    /// Connections that the client has at most. What finds none of them free isn't sent.
    #[arg(long, default_value_t = 4_000)]
    connections: usize,
    /// Seconds of one run.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Runs of each kind, in turn. The median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Connections that were answered once and then say nothing.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Connections that send a byte a second.
    #[arg(long, default_value_t = 1_000)]
    slow: usize,
}

/// A setting's name and value.
type Setting<'a> = (&'a str, &'a str);

const SEED: [u8; 32] = [7; 32];
const CONNECTION_ID: &str = "1568109700606592442";
const NUMBERS: u64 = 1_000;

/// Connections that find out what the router can answer.
const BUSY: usize = 32;

/// What a webhook's answer contains.
const EXPECTED: &str = "<Stream url=";

/// Measures and prints.
///
/// # Errors
/// When a process doesn't start, or the router answers with anything else than its document or a refusal.
pub fn run(options: &Options) -> Result<(), String> {
    let _ = raise_descriptors();
    keep_on(CLIENT, std::process::id());
    let dir = TempDir::new();
    let file = dir.path("snapshot");
    let keys = Keyring::feed(FEED_KEY).map_err(|error| error.to_string())?;
    file::write(&file, &snapshot(&keys)?, &keys, || {}).map_err(|error| error.to_string())?;
    let requests: Arc<[Vec<u8>]> = (0..NUMBERS).filter_map(request).collect();
    let settings = [("ROUTER_SNAPSHOT_FILE", file.display().to_string())];
    let start = |more: &[Setting<'_>]| {
        let own = settings.iter().map(|(name, value)| (*name, value.as_str()));
        let common = [
            ("ROUTER_WORKERS", "1"),
            ("ROUTER_CONNECTIONS_PER_PEER_MAX", "20000"),
            ("ROUTER_HEADER_TIMEOUT_MS", "600000"),
        ];
        let router = Router::start(&own.chain(common).chain(more.iter().copied()).collect::<Vec<_>>());
        keep_on(SERVER, router.process.id());
        router
    };
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{}", overload(options, start, &requests)?);
    let _ = write!(out, "{}", idle::measure(options, &start(&[]), &requests)?);
    Ok(())
}

/// The router at its limit, then far above it; with refusing, and without for comparison.
fn overload(
    options: &Options,
    start: impl Fn(&[Setting<'_>]) -> Router,
    requests: &Arc<[Vec<u8>]>,
) -> Result<String, String> {
    let (refusing, patient) = (start(&[]), start(&[("ROUTER_LAG_MAX_MS", "3600000")]));
    let duration = Duration::from_secs(options.seconds);
    let mut rows = [Vec::new(), Vec::new()];
    for _ in 0..options.runs {
        for (router, row) in [&refusing, &patient].into_iter().zip(&mut rows) {
            let capacity = capacity(router.address, requests, duration / 2)?;
            let rate = capacity * options.times;
            let outcome = arrivals::send(router.address, requests, options.connections, rate, duration)?;
            row.push((capacity, outcome));
        }
    }
    let mut text = format!(
        "{} times what the router can answer, {} connections at most, {} runs of {duration:?} in turn; medians:\n\
         | router | limit/s | offered/s | answered/s | share of the limit | answered in p50, p99, max | refused/s | \
         refused in p50, p99 | not sent/s |\n",
        options.times, options.connections, options.runs
    );
    for (name, row) in ["refusing", "patient"].iter().zip(&rows) {
        let of = |value: &dyn Fn(f64, &Outcome) -> f64| {
            median(&row.iter().map(|(capacity, outcome)| value(*capacity, outcome)).collect::<Vec<_>>())
        };
        let _ = writeln!(
            text,
            "| {name} | {:.0} | {:.0} | {:.0} | {:.2} | {:.1} ms, {:.1} ms, {:.1} ms | {:.0} | {:.1} ms, {:.1} ms | {:.0} |",
            of(&|capacity, _| capacity),
            of(&|_, outcome| outcome.offered_per_s()),
            of(&|_, outcome| outcome.answered_per_s()),
            of(&|capacity, outcome| outcome.answered_per_s() / capacity),
            of(&|_, outcome| percentile(&outcome.answered_ms, 0.5)),
            of(&|_, outcome| percentile(&outcome.answered_ms, 0.99)),
            of(&|_, outcome| percentile(&outcome.answered_ms, 1.0)),
            of(&|_, outcome| outcome.refused_per_s()),
            of(&|_, outcome| percentile(&outcome.refused_ms, 0.5)),
            of(&|_, outcome| percentile(&outcome.refused_ms, 0.99)),
            of(&|_, outcome| outcome.unsent as f64 / outcome.seconds),
        );
    }
    Ok(text)
}

/// How many requests a second the router answers when it always has some to do.
fn capacity(address: SocketAddr, requests: &Arc<[Vec<u8>]>, duration: Duration) -> Result<f64, String> {
    let done = client::keep_busy(address, requests, EXPECTED, BUSY, duration)?;
    Ok(done.count as f64 / done.seconds)
}

/// Numbers bound to a Telnyx account.
fn snapshot(keys: &Keyring) -> Result<dialplane_router::snapshot::Snapshot, String> {
    let key = Credential::new("ed25519_public_key", &telnyx::public_key(&SEED));
    let plain = postcard::to_stdvec([key].as_slice()).unwrap_or_default();
    let account = AccountRecord {
        tenant_id: None,
        provider: "telnyx".into(),
        external_id: CONNECTION_ID.into(),
        calling_code: None,
        signature_policy: SignaturePolicy::Enforce,
        sealed_credentials: keys.seal([7; 24], ACCOUNT.as_bytes(), &plain),
    };
    let mut builder = Builder::new(keys);
    builder.add(&Record::Account(ACCOUNT, account))?;
    let mut seen = std::collections::HashSet::new();
    for location in (0..NUMBERS).map_while(workload::location) {
        builder.add_location(&location, &mut seen)?;
    }
    builder.finish()
}

/// A signed request for a number, as bytes for the wire.
fn request(index: u64) -> Option<Vec<u8>> {
    let (call, to) = (format!("v3:{index:032x}"), workload::number(index)?.to_string());
    let body = workload::form(&[
        ("CallSid", &call),
        ("CallStatus", "ringing"),
        ("ConnectionId", CONNECTION_ID),
        ("From", "+15105550198"),
        ("To", &to),
    ]);
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
    let signature = telnyx::signature(&SEED, &now, body.as_bytes());
    let head = format!(
        "POST /webhooks/telnyx/texml/{ACCOUNT} HTTP/1.1\r\nHost: calls.example.com\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTelnyx-Timestamp: {now}\r\n\
         Telnyx-Signature-Ed25519: {signature}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Some([head, body].concat().into_bytes())
}
