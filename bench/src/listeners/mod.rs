//! Which way of sharing connections among workers is best: the same server in four ways, with two workers on both
//! processors, asked in turn by the same client.
//!
//! The client has no processor of its own. It takes from the servers what they could do, from each way alike, and which
//! of the two workers it takes most from is the system's to say: rates and latencies are good for comparing ways in one
//! run, and for nothing else. Each round opens its connections anew, one after the other, so that each way shares them anew.

mod report;
pub mod server;

use std::process::Command;
use std::time::Duration;

use self::report::{Round, report};
use self::server::Way;
use crate::cores::{BOTH, keep_on};
use crate::load::server::Server;
use crate::load::traffic::{self, Traffic};
use crate::report::say;
use crate::system::{Process, program};

/// Numbers that requests are for. No server here looks one up.
const NUMBERS: u64 = 1_000;

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Connections kept busy: one number for each table, with commas between.
    #[arg(long, value_delimiter = ',', default_values_t = [16, 64])]
    connections: Vec<usize>,
    /// Seconds of one run: short ones, as a shared machine's mood changes.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Runs of each way, in turn. The median counts.
    #[arg(long, default_value_t = 21)]
    runs: usize,
    /// Different requests.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
}

/// Measures and prints.
///
/// # Errors
/// When a server answers anything else than its document.
pub fn run(options: &Options) -> Result<(), String> {
    let requests = traffic::requests(options.requests, NUMBERS);
    let servers = Way::ALL.map(start);
    keep_on(BOTH, std::process::id());
    for connections in &options.connections {
        let duration = Duration::from_secs_f64(options.seconds);
        let traffic = Traffic { requests: requests.clone(), connections: *connections, duration };
        let rounds = measure(&servers, &traffic, options.runs)?;
        say(&format!(
            "\n{connections} connections, each with one request at a time; two workers and the client share two \
             processors; medians of {} rounds of {} s:\n{}",
            options.runs,
            options.seconds,
            report(&rounds),
        ));
    }
    Ok(())
}

/// So many rounds, each way first in its turn. One round before them counts for nothing but caches and the allocator.
fn measure(servers: &[Server; 4], traffic: &Traffic, count: usize) -> Result<Vec<Round>, String> {
    let mut rounds = Vec::with_capacity(count);
    for index in 0..=count {
        let mut runs = [None; 4];
        for turn in 0..servers.len() {
            let at = (index + turn) % servers.len();
            runs[at] = Some(servers[at].measure(traffic)?);
        }
        let [Some(shared), Some(each), Some(spread), Some(multi)] = runs else { continue };
        let round = Round([shared, each, spread, multi]);
        if index > 0 {
            say(&format!("round {index}: {round}"));
            rounds.push(round);
        }
    }
    Ok(rounds)
}

fn start(way: Way) -> Server {
    let mut command = Command::new(program("dialplane-bench"));
    command.args(["listener", way.name()]);
    let (process, address) = Process::start(command, "listener");
    let server = Server::new(process, address, "<Response>");
    server.keep_on(BOTH);
    server
}
