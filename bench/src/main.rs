//! `dialplane-bench`: the measurements that need processes, and snapshot files of any size.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use dialplane_bench::counts::allocator::Counting;
use dialplane_bench::snapshot_file::{self, Source};
use dialplane_bench::{
    api, counts, crash, documents, footprint, import, latency, limits, listeners, load, plots, pressure,
    propagation, records, rivals, simulation, start, tls, usage, workload,
};
use dialplane_common::feed::keyring::Keyring;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Measures Dialplane.
#[derive(Parser)]
#[command(name = "dialplane-bench", version)]
enum Command {
    /// Writes a snapshot file, so that a router can be measured alone.
    Snapshot(Snapshot),
    /// The router beside a bare hyper server, in turn: processor time a request and the ratio.
    Load(load::Options),
    /// Ways of sharing connections among a server's workers, in turn: rates, processor time, latency.
    Listeners(listeners::Options),
    /// A server that shares connections in one of these ways, by itself.
    #[command(hide = true)]
    Listener(listeners::server::Options),
    /// The router beside other servers, in turn: rates, processor time and memory. Those with PostgreSQL want
    /// DATABASE_URL: deploy/services exec.
    Rivals(rivals::Options),
    /// One of the rivals that are written here.
    Rival(rivals::servers::Options),
    /// Draws what `rivals --json` wrote.
    Plots(plots::Options),
    /// What TLS costs, beside nginx and HAProxy: handshakes, requests, and those who don't use it.
    Tls(tls::Options),
    /// From a change over REST to the router's answers. Wants DATABASE_URL: deploy/services exec.
    Propagation(propagation::Options),
    /// The REST API beside PostGraphile, its writes beside pgbench. Wants DATABASE_URL: deploy/services exec.
    Api(api::Options),
    /// A million numbers from a file, into the tables, into a router, and out again. Wants DATABASE_URL: deploy/services
    /// exec.
    Import(import::Options),
    /// Jobs that buy numbers at simulated providers with faults, while the admin plane is killed again and again: what was
    /// bought beside what is believed. Wants DATABASE_URL: deploy/services exec.
    Crash(crash::Options),
    /// Calls with webhooks that are lost, come again or in any order, while admin planes and Redis are killed: what is
    /// recorded beside what was told. Wants DATABASE_URL: deploy/services exec.
    Records(records::Options),
    /// How long a tenant with a million calls in a month waits for its usage, over REST. Wants DATABASE_URL: deploy/services
    /// exec.
    Usage(usage::Options),
    /// The router at several times its limit, and among connections that say nothing.
    Pressure(pressure::Options),
    /// Limits of calls at a time across several routers: how far they are overshot, how soon a place is free again.
    Limits(limits::Options),
    /// The router at a fixed arrival rate, without and with changes, beside a bare hyper server.
    Latency(latency::Options),
    /// Allocations and instructions of each step, compared with the committed figures.
    Counts(counts::Options),
    /// Memory a number, and the time of one change.
    Footprint(footprint::Options),
    /// From a router's start until it serves: from its file, from Redis.
    Start(start::Options),
    /// Publisher and followers on virtual time, with faults: ten thousand seeds.
    Simulate(simulation::Options),
    /// Every answer that every provider renders, as JSON lines.
    Documents,
    /// The bare hyper server by itself.
    Bare,
}

#[derive(Args)]
struct Snapshot {
    /// Numbers from a CSV file with the columns number, stream_url, agent, tenant.
    #[arg(long, required_unless_present = "count", conflicts_with = "count")]
    csv: Option<PathBuf>,
    /// So many generated numbers: +12000000000 and on, ten a tenant.
    #[arg(long)]
    count: Option<u64>,
    /// The Twilio account's name, which webhooks claim.
    #[arg(long)]
    account_sid: String,
    /// What the account's webhooks are signed with.
    #[arg(long)]
    auth_token: String,
    /// Where to write.
    #[arg(long)]
    out: PathBuf,
    /// The key that signs the file: the router's FEED_KEY.
    #[arg(long, env = "FEED_KEY", hide_env_values = true)]
    feed_key: String,
}

impl Snapshot {
    fn write(&self) -> Result<(), String> {
        let keys = Keyring::feed(&self.feed_key).map_err(|error| format!("FEED_KEY: {error}"))?;
        let source = match (&self.csv, self.count) {
            (Some(path), _) => Source::Csv(path),
            (None, count) => Source::Count(count.unwrap_or_default()),
        };
        let snapshot = snapshot_file::write(&source, &self.account_sid, &self.auth_token, &keys, &self.out)?;
        let counts = snapshot.record_counts().map(|(kind, count)| format!("{count} {kind}")).join(", ");
        let (out, account) = (self.out.display(), workload::ACCOUNT);
        let _ = writeln!(std::io::stdout(), "{out}: {counts}\nwebhooks: /webhooks/twilio/voice/{account}");
        Ok(())
    }
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Snapshot(snapshot) => snapshot.write(),
        Command::Load(options) => load::run(&options),
        Command::Listeners(options) => listeners::run(&options),
        Command::Listener(options) => listeners::server::serve(&options).map_err(|error| error.to_string()),
        Command::Rivals(options) => rivals::run(&options),
        Command::Rival(options) => rivals::servers::serve(&options),
        Command::Plots(options) => plots::run(&options),
        Command::Tls(options) => tls::run(&options),
        Command::Propagation(options) => propagation::run(&options),
        Command::Api(options) => api::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Crash(options) => crash::run(&options),
        Command::Records(options) => records::run(&options),
        Command::Usage(options) => usage::run(&options),
        Command::Pressure(options) => pressure::run(&options),
        Command::Latency(options) => latency::run(&options),
        Command::Limits(options) => limits::run(&options),
        Command::Counts(options) => counts::run(&options),
        Command::Footprint(options) => footprint::run(&options),
        Command::Start(options) => start::run(&options),
        Command::Simulate(options) => simulation::run(&options),
        Command::Documents => documents::print(),
        Command::Bare => load::bare::serve().map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("dialplane-bench: {line}");
            ExitCode::FAILURE
        }
    }
}
