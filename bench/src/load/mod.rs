//! The router beside a bare hyper server that reads the body and answers 300 fixed bytes: same core, same client, same
//! requests, in turn.
//!
//! What counts is the server's processor time a request, as the system accounts it: on a noisy machine it says more
//! than the rate. The client keeps a fixed number of connections busy from a core of its own.

pub mod bare;
pub mod client;
mod events;
mod rounds;
pub mod server;
pub mod traffic;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use self::rounds::{Named, Rounds};
use self::server::{Server, pin_client};
use self::traffic::Traffic;
use crate::calls::{ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL};
use crate::snapshot_file;
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
    /// Seconds of one run: short ones, as a shared machine's mood changes.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Runs of each server, in turn. The median counts.
    #[arg(long, default_value_t = 41)]
    runs: usize,
    /// Different requests, each for another number.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// The router with events beside the router without, instead of beside hyper.
    #[arg(long, conflicts_with = "beside")]
    events: bool,
    /// Another build of the router, to compare this one with instead of with hyper.
    #[arg(long)]
    beside: Option<PathBuf>,
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
        duration: Duration::from_secs_f64(options.seconds),
    };
    pin_client();
    if options.events {
        return events::run(options, &file, &traffic);
    }
    let router = start_router(&program("dialplane-router"), &file);
    let other = options.beside.as_ref().map_or_else(start_bare, |program| start_router(program, &file));
    let names = [if options.beside.is_some() { "other" } else { "bare hyper" }, "router"];
    let [first, second] =
        [(names[0], &other), (names[1], &router)].map(|(name, server)| Named { name, server });
    let rounds = Rounds::measure(&traffic, options.runs, first, second)?;
    let lines = format!(
        "\nTwilio voice webhook, 25 parameters, signature verified, {} numbers, {} connections; medians of {} rounds:\n{}{}",
        options.numbers,
        options.connections,
        options.runs,
        rounds.report(names),
        if options.beside.is_some() { "" } else { " (wanted: 0.9)" },
    );
    let _ = writeln!(std::io::stdout(), "{lines}");
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

/// A router with a snapshot file, on one worker.
#[must_use]
pub fn start_router(program: &Path, file: &Path) -> Server {
    let file = file.to_string_lossy();
    let settings = [("ROUTER_SNAPSHOT_FILE", &*file), ("PUBLIC_URLS", PUBLIC_URL), ("ROUTER_WORKERS", "1")];
    let Router { process, address, .. } = Router::start_program(program, &settings);
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
