//! The router beside a bare hyper server that reads the body and answers 300 fixed bytes: same core, same client, same
//! requests, in turn.
//!
//! What counts is the server's processor time a request, as the system accounts it: on a noisy machine it says more
//! than the rate. The client keeps a fixed number of connections busy from a core of its own.

pub mod bare;
pub mod client;
mod events;
pub mod server;
pub mod traffic;

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use self::server::{Run, Server, pin_client};
use self::traffic::Traffic;
use crate::calls::{ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL};
use crate::snapshot_file;
use crate::stats::median;
use crate::system::{FEED_KEY, Process, Router, TempDir, program};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Numbers in the snapshot.
    #[arg(long, default_value_t = 1_000_000)]
    numbers: u64,
    /// Connections kept busy.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds of one run.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Runs of each server, in turn. The median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Different requests, each for another number.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// The router with events beside the router without, instead of beside hyper.
    #[arg(long)]
    events: bool,
}

/// Measures and prints.
///
/// # Errors
/// When the snapshot can't be written, or the router answers anything else than its document.
pub fn run(options: &Options) -> Result<(), String> {
    let dir = TempDir::new();
    let file = dir.path("snapshot");
    write_snapshot(options.numbers, &file)?;
    let traffic = Traffic {
        requests: traffic::requests(options.requests, options.numbers),
        connections: options.connections,
        duration: Duration::from_secs(options.seconds),
    };
    pin_client();
    if options.events {
        return events::run(options, &file, &traffic);
    }
    let (router, bare) = (start_router(&file), start_bare());
    // Once without counting, for caches and the allocator.
    bare.measure(&traffic)?;
    router.measure(&traffic)?;
    let (mut bares, mut routers) = (Vec::new(), Vec::new());
    let mut out = std::io::stdout().lock();
    for index in 0..options.runs {
        let (bare, router) = (bare.measure(&traffic)?, router.measure(&traffic)?);
        let line = format!(
            "run {}: bare hyper {:7.0}/s {:5.2} us CPU   router {:7.0}/s {:5.2} us CPU   ratio by CPU {:.3}",
            index + 1,
            bare.requests_per_s,
            bare.cpu_us,
            router.requests_per_s,
            router.cpu_us,
            bare.cpu_us / router.cpu_us,
        );
        let _ = writeln!(out, "{line}");
        bares.push(bare);
        routers.push(router);
    }
    let rate = |runs: &[Run]| median(&runs.iter().map(|run| run.requests_per_s).collect::<Vec<_>>());
    let cpu = |runs: &[Run]| median(&runs.iter().map(|run| run.cpu_us).collect::<Vec<_>>());
    let ratios: Vec<f64> =
        bares.iter().zip(&routers).map(|(bare, router)| bare.cpu_us / router.cpu_us).collect();
    let lines = format!(
        "\nTwilio voice webhook, 25 parameters, signature verified, {} numbers, {} connections; medians of {} runs:\n\
         | server     | requests/s | CPU a request |\n\
         | bare hyper | {:10.0} | {:10.2} us |\n\
         | router     | {:10.0} | {:10.2} us |\n\
         ratio by CPU time {:.3}, by rate {:.3} (wanted: 0.9)",
        options.numbers,
        options.connections,
        options.runs,
        rate(&bares),
        cpu(&bares),
        rate(&routers),
        cpu(&routers),
        median(&ratios),
        rate(&routers) / rate(&bares),
    );
    let _ = writeln!(out, "{lines}");
    Ok(())
}

/// Writes the generated workload as a router's snapshot file.
///
/// # Errors
/// When it can't be written.
pub fn write_snapshot(numbers: u64, file: &Path) -> Result<(), String> {
    let keys = dialplane_common::feed::keyring::Keyring::feed(FEED_KEY).map_err(|error| error.to_string())?;
    let source = snapshot_file::Source::Count(numbers);
    snapshot_file::write(&source, ACCOUNT_SID, AUTH_TOKEN, &keys, file).map(drop)
}

/// The router with a snapshot file, on one worker.
#[must_use]
pub fn start_router(file: &Path) -> Server {
    let file = file.to_string_lossy();
    let settings = [("ROUTER_SNAPSHOT_FILE", &*file), ("PUBLIC_URLS", PUBLIC_URL), ("ROUTER_WORKERS", "1")];
    let Router { process, address, .. } = Router::start(&settings);
    Server::new(process, address, "<Stream url=")
}

/// The bare hyper server.
#[must_use]
pub fn start_bare() -> Server {
    let mut command = Command::new(program("dialplane-bench"));
    command.arg("bare");
    let (process, address) = Process::start(command, "bare");
    Server::new(process, address, "<Response>")
}
