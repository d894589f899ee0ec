//! The router beside a bare hyper server that reads the body and answers 300 fixed bytes: same core, same client, same
//! requests, in turn.
//!
//! What counts is the server's processor time a request, as the system accounts it: on a noisy machine it says more
//! than the rate. The client keeps a fixed number of connections busy from a core of its own.

pub mod bare;
pub mod client;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::signing::twilio;
use crate::stats::median;
use crate::system::{Process, Router, TempDir, program};
use crate::{snapshot_file, workload};

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
}

const ACCOUNT_SID: &str = "AC5f0c2f1e8d7b4a6c9e3d2b1a0f9e8d7c";
const AUTH_TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const PUBLIC_URL: &str = "https://calls.example.com";

/// One run of one server.
struct Run {
    requests_per_s: f64,
    cpu_us: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the snapshot can't be written, or the router answers anything else than its document.
pub fn run(options: &Options) -> Result<(), String> {
    let dir = TempDir::new();
    let file = dir.path("snapshot");
    let keys =
        dialplane_common::feed::keyring::Keyring::feed(crate::system::FEED_KEY).map_err(|e| e.to_string())?;
    let source = snapshot_file::Source::Count(options.numbers);
    snapshot_file::write(&source, ACCOUNT_SID, AUTH_TOKEN, &keys, &file)?;
    let requests = requests(options);
    on_core("1", std::process::id());

    let router = start_router(&file);
    let (bare, bare_address) = start_bare()?;
    on_core("0", router.process.id());
    on_core("0", bare.id());
    let measure = |address, pid, expected| measure(options, address, pid, &requests, expected);
    // Once without counting, for caches and the allocator.
    measure(bare_address, bare.id(), "<Response>")?;
    measure(router.address, router.process.id(), "<Stream url=")?;
    let (mut bares, mut routers) = (Vec::new(), Vec::new());
    let mut out = std::io::stdout().lock();
    for index in 0..options.runs {
        let bare = measure(bare_address, bare.id(), "<Response>")?;
        let router = measure(router.address, router.process.id(), "<Stream url=")?;
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

fn start_router(file: &Path) -> Router {
    let file = file.to_string_lossy();
    Router::start(&[("ROUTER_SNAPSHOT_FILE", &file), ("PUBLIC_URLS", PUBLIC_URL), ("ROUTER_WORKERS", "1")])
}

fn start_bare() -> Result<(Process, SocketAddr), String> {
    let mut command = Command::new(program("dialplane-bench"));
    command.arg("bare");
    let (process, address) = Process::start(command, "bare");
    Ok((process, address))
}

/// Signed requests for random numbers of the workload, as bytes for the wire.
fn requests(options: &Options) -> Arc<[Vec<u8>]> {
    let target = format!("/webhooks/twilio/voice/{}", workload::ACCOUNT);
    let url = format!("{PUBLIC_URL}{target}");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let request = |index: u64| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let to = workload::number((random >> 20) % options.numbers)?.to_string();
        let call_sid = format!("CA{index:032x}");
        let parameters = workload::voice_parameters(ACCOUNT_SID, &call_sid, &to);
        let signature = twilio::signature(AUTH_TOKEN, &url, &parameters);
        let body = workload::form(&parameters);
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: calls.example.com\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n\
             Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nX-Twilio-Signature: {signature}\r\n\
             I-Twilio-Idempotency-Token: 9f0c2b5e-9e51-4f4e-9b6e-55c58dd1d8a7\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Some([head, body].concat().into_bytes())
    };
    (0..options.requests).map_while(request).collect()
}

fn measure(
    options: &Options,
    address: SocketAddr,
    pid: u32,
    requests: &Arc<[Vec<u8>]>,
    expected: &'static str,
) -> Result<Run, String> {
    let cpu_before = cpu_us(pid)?;
    let duration = Duration::from_secs(options.seconds);
    let done = client::keep_busy(address, requests, expected, options.connections, duration)?;
    let cpu = cpu_us(pid)? - cpu_before;
    Ok(Run { requests_per_s: done.count as f64 / done.seconds, cpu_us: cpu / done.count as f64 })
}

/// User and system time of a process, in microseconds. Source: proc(5), schedstat counts nanoseconds per thread.
fn cpu_us(pid: u32) -> Result<f64, String> {
    let failed = |error: std::io::Error| format!("read a process's CPU time: {error}");
    let mut total_ns = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).map_err(failed)? {
        let text = std::fs::read_to_string(task.map_err(failed)?.path().join("schedstat")).map_err(failed)?;
        total_ns += text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default();
    }
    Ok(total_ns / 1e3)
}

/// Keeps a process and its threads on one core; where that isn't allowed, the runs are only noisier.
pub(crate) fn on_core(core: &str, pid: u32) {
    let _ = Command::new("taskset").args(["-a", "-c", "-p", core, &pid.to_string()]).output();
}
