//! How long a router takes from its start until it serves: from the snapshot file in memory, from the file on disk, and
//! from Redis, beside a client that only reads the same bytes from the same Redis.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dialplane_common::feed::Revision;
use dialplane_common::feed::keyring::Keyring;
use dialplane_router::snapshot::file;

use crate::cores::{CLIENT, SERVER, keep_on};
use crate::feed::{Checkpoint, Feed};
use crate::http;
use crate::population::Population;
use crate::report::say;
use crate::stats::median;
use crate::system::{FEED_KEY, Redis, Router, TempDir};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Numbers that the router holds.
    #[arg(long, default_value_t = 1_000_000)]
    numbers: u64,
    /// The share of them that have settings of their own, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    own_settings: f64,
    /// Starts of each kind, in turn. The median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only from the snapshot file: Redis wants as much memory again as the file has.
    #[arg(long)]
    only_file: bool,
}

/// A router that isn't ready by then never will be.
const READY_TIMEOUT: Duration = Duration::from_secs(300);

const MB: f64 = 1e6;

/// Measures and prints.
///
/// # Errors
/// When the snapshot can't be written, or the router doesn't become ready.
pub fn run(options: &Options) -> Result<(), String> {
    let keyring = Arc::new(Keyring::feed(FEED_KEY).map_err(|error| error.to_string())?);
    let population = Population { own_settings: options.own_settings, ..Population::of(options.numbers) };
    let dir = TempDir::new();
    let path = dir.path("snapshot");
    let snapshot = population.snapshot(&keyring, true)?;
    file::write(&path, &snapshot, &keyring, || {}).map_err(|error| error.to_string())?;
    drop(snapshot);
    let bytes = std::fs::metadata(&path).map_err(|error| error.to_string())?.len() as f64;

    say(&format!(
        "{} numbers, {:.0} % with settings of their own; from the start of the process until /readyz says 200; medians of {}",
        options.numbers,
        options.own_settings * 100.0,
        options.runs
    ));
    let (mut cached, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        drop_cached(&path)?;
        cold.push(from_file(&path)?);
        // The last start has read it.
        cached.push(from_file(&path)?);
    }
    say("| from | seconds | MB | MB/s |\n| --- | --- | --- | --- |");
    row("the snapshot file, in memory", &cached, bytes);
    row("the snapshot file, on disk", &cold, bytes);
    if options.only_file {
        return Ok(());
    }
    // A core each for the router and for Redis, as over a network.
    keep_on(CLIENT, std::process::id());
    let redis = Redis::start();
    let (_, checkpoint) = Feed::begin(&redis, keyring, population)?;
    let (mut raw, mut from_redis) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        keep_on(SERVER, std::process::id());
        raw.push(read_raw(&redis, &checkpoint)?);
        from_redis.push(seconds_until_ready(&[("REDIS_URL", &redis.url())])?);
    }
    row("Redis", &from_redis, checkpoint.bytes as f64);
    row("Redis, only reading the bytes", &raw, checkpoint.bytes as f64);
    let ratios: Vec<f64> = from_redis.iter().zip(&raw).map(|(router, raw)| router / raw).collect();
    say(&format!("from Redis to only reading: {:.1} times as long", median(&ratios)));
    Ok(())
}

fn row(from: &str, seconds: &[f64], bytes: f64) {
    let seconds = median(seconds);
    say(&format!("| {from} | {seconds:.2} | {:.0} | {:.0} |", bytes / MB, bytes / MB / seconds));
}

fn from_file(path: &Path) -> Result<f64, String> {
    seconds_until_ready(&[("ROUTER_SNAPSHOT_FILE", &path.to_string_lossy())])
}

fn seconds_until_ready(settings: &[(&str, &str)]) -> Result<f64, String> {
    let started = Instant::now();
    let router = Router::start(settings);
    until_ready(&router)?;
    Ok(started.elapsed().as_secs_f64())
}

/// Waits until a router serves.
///
/// # Errors
/// When it doesn't become ready; with what it logged.
pub fn until_ready(router: &Router) -> Result<(), String> {
    let deadline = Instant::now() + READY_TIMEOUT;
    while Instant::now() < deadline {
        let answer = http::request(router.ops, "GET", "/readyz", &[], b"");
        if answer.is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(format!("the router isn't ready after {READY_TIMEOUT:?}: {}", router.process.log()))
}

/// The revision that a router serves.
#[must_use]
pub fn revision(router: &Router) -> Option<Revision> {
    let answer = http::request(router.ops, "GET", "/readyz", &[], b"").ok()?;
    let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    body["serving"]["revision"].as_u64().map(Revision)
}

/// Makes the system forget what it holds of the file. It forgets only what has been written to disk.
fn drop_cached(path: &Path) -> Result<(), String> {
    let mut dd = Command::new("dd");
    dd.arg(format!("of={}", path.display())).args(["oflag=nocache", "conv=notrunc,fdatasync", "count=0"]);
    let done = dd.output().map_err(|error| format!("run dd: {error}"))?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// Seconds for the chunks' bytes to arrive, asked for all at once, looked at by nobody.
fn read_raw(redis: &Redis, checkpoint: &Checkpoint) -> Result<f64, String> {
    let failed = |error: std::io::Error| format!("read from Redis: {error}");
    let mut stream = TcpStream::connect(redis.address()).map_err(failed)?;
    let started = Instant::now();
    let ask: String = checkpoint
        .chunks
        .iter()
        .map(|key| format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()))
        .collect();
    stream.write_all(ask.as_bytes()).map_err(failed)?;
    let (mut buffer, mut read) = (vec![0; 1 << 20], 0);
    // Each answer has a few bytes around it, so that the last one's last bytes may be left unread.
    while read < checkpoint.bytes {
        read += match stream.read(&mut buffer).map_err(failed)? {
            0 => return Err("Redis closed the connection".into()),
            bytes => bytes as u64,
        };
    }
    Ok(started.elapsed().as_secs_f64())
}
