//! What it costs to note what happens to calls: the router with events, to a real Redis from which they are taken as the
//! admin plane takes them, beside the same router without; in turn, on the same core.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use dialplane_common::calls::event::first_frame_bytes;

use super::Options;
use super::rounds::{Named, Rounds};
use super::server::Server;
use super::traffic::Traffic;
use crate::calls::PUBLIC_URL;
use crate::events::EventStream;
use crate::http;
use crate::system::{Redis, Router, wait_for};

/// With events a request takes at most so many times the processor time that it takes without.
const RATIO_MAX: f64 = 1.03;

/// Measures and prints.
///
/// # Errors
/// When a router answers anything else than its document, or not every event arrives.
pub fn run(options: &Options, file: &Path, traffic: &Traffic) -> Result<(), String> {
    let redis = Redis::start();
    let taking = Taking::start(EventStream::of(&redis)?);
    let (off, _) = start(file, &redis, "off");
    let (on, ops) = start(file, &redis, "on");
    let [first, second] = [("on", &on), ("off", &off)].map(|(name, server)| Named { name, server });
    let rounds = Rounds::measure(traffic, options.runs, first, second)?;
    let asked = rounds.first_requests();
    let metrics =
        || http::request(ops, "GET", "/metrics", &[], b"").map(|answer| answer.body).unwrap_or_default();
    wait_for("all events", || taking.events() + dropped(&metrics()) >= asked);
    let lines = format!(
        "\n{} (wanted: at most {RATIO_MAX})\n\
         of the workers' threads alone {:.3}\n\
         {asked} calls with events: {} events taken from Redis in {} batches, {} dropped",
        rounds.report(["events on", "events off"]),
        rounds.workers_ratio(),
        taking.events(),
        taking.stop()?,
        dropped(&metrics()),
    );
    let _ = writeln!(std::io::stdout(), "{lines}");
    Ok(())
}

fn start(file: &Path, redis: &Redis, events: &str) -> (Server, std::net::SocketAddr) {
    let (file, url) = (file.to_string_lossy(), redis.url());
    let settings = [
        ("ROUTER_SNAPSHOT_FILE", &*file),
        ("PUBLIC_URLS", PUBLIC_URL),
        ("ROUTER_WORKERS", "1"),
        ("REDIS_URL", &url),
        ("ROUTER_EVENTS", events),
    ];
    let Router { process, address, ops, .. } = Router::start(&settings);
    (Server::new(process, address, "<Stream url="), ops)
}

/// The sum of all series of lost events.
fn dropped(metrics: &str) -> u64 {
    let series =
        metrics.lines().filter(|line| line.starts_with("dialplane_router_call_events_dropped_total{"));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// A thread that takes batches from the stream as soon as they are there.
struct Taking {
    events: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<usize, String>>,
}

impl Taking {
    fn start(mut stream: EventStream) -> Self {
        let (events, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ends) = (Arc::clone(&events), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut batches = 0;
            while !ends.load(Ordering::Relaxed) {
                let taken = stream.take(|_, frames| {
                    count.fetch_add(frame_count(frames), Ordering::Relaxed);
                })?;
                batches += taken;
                if taken == 0 {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Ok(batches)
        });
        Self { events, stop, thread }
    }

    fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    fn stop(self) -> Result<usize, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the reader of events panicked".to_owned())?
    }
}

fn frame_count(frames: &[u8]) -> u64 {
    let mut rest = frames;
    let mut count = 0;
    while let Some(length) = first_frame_bytes(rest) {
        rest = &rest[length..];
        count += 1;
    }
    count
}
