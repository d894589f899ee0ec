//! What TLS costs: handshakes and requests of the router beside nginx and HAProxy, in turn; same core, same certificate,
//! same client on the other core. And what it costs those who don't use it: the router with the port for TLS beside one
//! without.
//!
//! nginx and HAProxy answer a constant, the router verifies and looks up: what TLS adds to a request is the difference
//! to the same request without it.

pub mod authority;
mod client;
mod http2;
mod report;
mod servers;
mod session;

use std::io::Write;
use std::time::Duration;

use self::client::{Client, Life, Opening};
use self::report::Series;
use self::servers::{Entrant, Setup};
use crate::load::server::{Run, pin_client};
use crate::load::traffic::{self, Traffic};
use crate::load::write_snapshot;
use crate::system::TempDir;

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Numbers in the router's snapshot.
    #[arg(long, default_value_t = 1_000)]
    numbers: u64,
    /// Connections at a time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Milliseconds of one run.
    #[arg(long, default_value_t = 1_000)]
    milliseconds: u64,
    /// Runs of each kind of each server, in turn. The median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Kind {
    name: &'static str,
    opening: Opening,
    life: Life,
}

const PLAIN_REQUESTS: Kind = Kind { name: "requests, plain", opening: Opening::Plain, life: Life::Long };
const TLS_REQUESTS: Kind = Kind { name: "requests, TLS", opening: Opening::Full, life: Life::Long };
const HTTP2_REQUESTS: Kind = Kind { name: "requests, HTTP/2", opening: Opening::Http2, life: Life::Long };
const PLAIN_CONNECTIONS: Kind =
    Kind { name: "connections, plain", opening: Opening::Plain, life: Life::Short };
const FULL_HANDSHAKES: Kind = Kind { name: "connections, full", opening: Opening::Full, life: Life::Short };
const RESUMED_HANDSHAKES: Kind =
    Kind { name: "connections, resumed", opening: Opening::Resumed, life: Life::Short };

/// In the order of a round.
const KINDS: [Kind; 6] =
    [PLAIN_REQUESTS, TLS_REQUESTS, HTTP2_REQUESTS, PLAIN_CONNECTIONS, FULL_HANDSHAKES, RESUMED_HANDSHAKES];

/// Measures and prints.
///
/// # Errors
/// When a server that is here can't be measured.
pub fn run(options: &Options) -> Result<(), String> {
    let dir = TempDir::new();
    let snapshot = dir.path("snapshot");
    write_snapshot(options.numbers, &snapshot)?;
    let traffic = Traffic {
        requests: traffic::requests(2_000, options.numbers),
        connections: options.connections,
        duration: Duration::from_millis(options.milliseconds),
    };
    pin_client();
    let setup = Setup::new()?;
    let mut entrants = vec![setup.router(&snapshot), setup.plain_router(&snapshot)];
    let mut out = std::io::stdout();
    for other in [setup.nginx(), setup.haproxy()] {
        match other {
            Ok(entrant) => entrants.push(entrant),
            Err(reason) => drop(writeln!(out, "not measured: {reason}")),
        }
    }
    let mut series: Vec<Series> = Vec::new();
    // The first round warms up.
    for round in 0..=options.runs {
        for kind in KINDS {
            for entrant in &entrants {
                let Some(run) = measure(entrant, kind, &traffic)? else { continue };
                if round > 0 {
                    report::add(&mut series, entrant.name, kind, run);
                }
            }
        }
        entrants.rotate_left(1);
    }
    let _ = writeln!(out, "{}", report::text(options, &series));
    Ok(())
}

/// `None`: the server doesn't do this.
fn measure(entrant: &Entrant, kind: Kind, traffic: &Traffic) -> Result<Option<Run>, String> {
    let address = match (kind.opening, entrant.tls) {
        (Opening::Plain, _) => entrant.server.address,
        (_, Some(address)) => address,
        (_, None) => return Ok(None),
    };
    let failed = |error: String| format!("{}, {}: {error}", entrant.name, kind.name);
    let client = Client::new(address, kind.opening, traffic).map_err(failed)?;
    let before = entrant.server.cpu_us()?;
    let done = client.keep_busy(kind.life).map_err(failed)?;
    let cpu_us = entrant.server.cpu_us()? - before;
    let requests_per_s = done.count as f64 / done.seconds;
    Ok(Some(Run {
        requests_per_s,
        cpu_us: cpu_us / done.count as f64,
        workers_us: 0.0,
        requests: done.count,
        p99_us: 0.0,
    }))
}
