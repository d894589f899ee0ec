//! Latency at a fixed arrival rate, with and without changes, beside a bare hyper server: in turn, from the time at
//! which each request was due.
//!
//! The server has a core of its own. The client has the other, and shares it with Redis and with whoever writes the
//! changes, since there they can't take time from the server. That the client then has less time isn't the router's
//! doing, so there is a third kind of run: Redis takes the same changes in a stream that the router doesn't follow.

mod arrivals;
mod changes;
mod client;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arrivals::{Arrivals, Pattern};
use client::{Client, Done};
use dialplane_common::feed::keyring::Keyring;

use crate::calls::{PUBLIC_URL, calls};
use crate::cores::{CLIENT, SERVER, keep_on};
use crate::feed::{Appender, Feed};
use crate::histogram::Histogram;
use crate::others::{SHARE_MAX, Used};
use crate::population::Population;
use crate::report::say;
use crate::start;
use crate::stats::median;
use crate::system::{FEED_KEY, Process, Redis, Router, program, wait_for};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Numbers that the router holds.
    #[arg(long, default_value_t = 1_000_000)]
    numbers: u64,
    /// Requests a second. Without it: a share of what the router can answer, which is found first.
    #[arg(long)]
    rate: Option<f64>,
    /// Which share of that, 0 to 1.
    #[arg(long, default_value_t = 0.7)]
    share: f64,
    /// How requests arrive.
    #[arg(long, value_enum, default_value = "poisson")]
    arrivals: Pattern,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Changes a second, in the runs that have them.
    #[arg(long, default_value_t = 1_000)]
    changes: u64,
    /// Milliseconds of one run. Short, as whatever disturbs the machine then disturbs few of them.
    #[arg(long, default_value_t = 50)]
    run_ms: u64,
    /// Runs of each kind, in turn. Medians count.
    #[arg(long, default_value_t = 61)]
    runs: u64,
    /// Has the router note what happens to calls, and send it to the same Redis, on the client's core.
    #[arg(long)]
    events: bool,
    /// Different requests, each for another number.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
}

/// What is measured, in the order of a round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bare,
    Quiet,
    Elsewhere,
    Followed,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Bare, Self::Quiet, Self::Elsewhere, Self::Followed];

    const fn label(self) -> &'static str {
        match self {
            Self::Bare => "bare hyper",
            Self::Quiet => "router",
            Self::Elsewhere => "router, changes in a stream that it doesn't follow",
            Self::Followed => "router, changes that it follows",
        }
    }
}

/// At the beginning of a run what the server needs isn't in a cache: others have run meanwhile.
const WARM_UP: Duration = Duration::from_millis(400);

/// How much the 99th percentile may grow by the changes.
const RATIO_WANTED: f64 = 1.2;

struct Bench<'a> {
    options: &'a Options,
    requests: &'a [Vec<u8>],
    redis: Redis,
    feed: Feed,
    /// What is written where the router doesn't look.
    elsewhere: Feed,
    router: Router,
    bare: SocketAddr,
    /// All processes that belong to the measurement.
    own: Vec<u32>,
}

/// Measures and prints.
///
/// # Errors
/// When a server doesn't start, or answers anything else than a document, or can't keep up with the rate; and when other
/// processes took so much of the cores that the figures, which are printed all the same, don't count.
pub fn run(options: &Options) -> Result<(), String> {
    // What is started from here on, Redis among it, stays on the client's core.
    keep_on(CLIENT, std::process::id());
    let redis = Redis::start();
    let keyring = Arc::new(Keyring::feed(FEED_KEY).map_err(|error| error.to_string())?);
    let (feed, _) = Feed::begin(&redis, keyring, Population::of(options.numbers))?;
    let settings = [
        ("REDIS_URL", &*redis.url()),
        ("PUBLIC_URLS", PUBLIC_URL),
        ("ROUTER_WORKERS", "1"),
        ("ROUTER_EVENTS", if options.events { "on" } else { "off" }),
    ];
    let router = Router::start(&settings);
    keep_on(SERVER, router.process.id());
    start::until_ready(&router)?;
    let mut command = Command::new(program("dialplane-bench"));
    command.arg("bare");
    let (bare_process, bare) = Process::start(command, "bare");
    keep_on(SERVER, bare_process.id());

    let requests: Vec<Vec<u8>> =
        calls(options.requests, options.numbers).map(|call| call.to_bytes()).collect();
    let own = [Some(std::process::id()), redis.id(), Some(router.process.id()), Some(bare_process.id())];
    let own = own.into_iter().flatten().collect();
    let elsewhere = feed.clone();
    let mut bench = Bench { options, requests: &requests, redis, elsewhere, feed, router, bare, own };
    let before = Used::now(&bench.own)?;
    let rate = match options.rate {
        Some(rate) => rate,
        None => bench.reachable()? * options.share,
    };
    bench.compare(rate)?;
    let others = Used::now(&bench.own)?.by_others_since(&before);
    say(&format!("others took {:.1} % of the cores meanwhile", others * 100.0));
    if others <= SHARE_MAX {
        return Ok(());
    }
    Err(format!(
        "these figures don't count: other processes took more than {:.0} % of the cores",
        SHARE_MAX * 100.0
    ))
}

impl Bench<'_> {
    /// How many requests a second the router answers when each connection asks again at once.
    fn reachable(&self) -> Result<f64, String> {
        let duration = Duration::from_secs(1);
        let mut client = Client::open(self.router.address, self.requests, self.options.connections)?;
        // Once without counting, for caches and the allocator.
        client.run(Arrivals::as_fast_as_answered(duration), Duration::ZERO)?;
        let rates = (0..3).map(|_| {
            client.run(Arrivals::as_fast_as_answered(duration), Duration::ZERO).map(|done| done.rate())
        });
        let reached = median(&rates.collect::<Result<Vec<_>, _>>()?);
        say(&format!(
            "the router reaches {reached:.0} requests/s on {} connections",
            self.options.connections
        ));
        Ok(reached)
    }

    fn compare(&mut self, rate: f64) -> Result<(), String> {
        let mut runs: [Vec<Histogram>; 4] = Default::default();
        for round in 1..=self.options.runs {
            for kind in Kind::ALL {
                runs[kind as usize].push(self.measure(kind, rate, round)?.latency_ns);
            }
            let p99 = |kind: Kind| runs[kind as usize].last().map_or(0.0, |run| us(run, 0.99));
            say(&format!(
                "round {round}: p99 bare {:.0} us, router {:.0} us, changes elsewhere {:.0} us, changes {:.0} us",
                p99(Kind::Bare),
                p99(Kind::Quiet),
                p99(Kind::Elsewhere),
                p99(Kind::Followed),
            ));
        }
        let Options { numbers, connections, changes, arrivals, .. } = self.options;
        say(&format!(
            "\n{numbers} numbers, {rate:.0} requests/s ({arrivals:?}), {connections} connections, {changes} changes/s; server on \
             core {SERVER}; client, Redis and the writer of changes on core {CLIENT}; medians of {} runs in turn,\n\
             microseconds from when a request was due:",
            self.options.runs
        ));
        say("| | p50 | p90 | p99 | p99.9 | max |\n| --- | --- | --- | --- | --- | --- |");
        for (kind, runs) in Kind::ALL.iter().zip(&runs) {
            let at = |share| median(&runs.iter().map(|run| us(run, share)).collect::<Vec<_>>());
            let [p50, p90, p99, p999, max] = [0.5, 0.9, 0.99, 0.999, 1.0].map(at);
            say(&format!("| {} | {p50:.0} | {p90:.0} | {p99:.0} | {p999:.0} | {max:.0} |", kind.label()));
        }
        let ratio = |kind: Kind, to: Kind| {
            let pairs = runs[kind as usize].iter().zip(&runs[to as usize]);
            median(&pairs.map(|(run, to)| us(run, 0.99) / us(to, 0.99)).collect::<Vec<_>>())
        };
        say(&format!(
            "p99 with changes to p99 without: {:.2} (wanted: {RATIO_WANTED}); to p99 with the same changes elsewhere: {:.2}; \
             router to bare hyper: {:.2}",
            ratio(Kind::Followed, Kind::Quiet),
            ratio(Kind::Followed, Kind::Elsewhere),
            ratio(Kind::Quiet, Kind::Bare),
        ));
        Ok(())
    }

    fn measure(&mut self, kind: Kind, rate: f64, round: u64) -> Result<Done, String> {
        let Options { run_ms, connections, arrivals, changes, numbers, .. } = *self.options;
        let duration = WARM_UP + Duration::from_millis(run_ms);
        let address = if kind == Kind::Bare { self.bare } else { self.router.address };
        // Signing and opening connections comes before the clock runs.
        let deltas = match kind {
            Kind::Followed => changes::sign(&mut self.feed, changes, duration, numbers)?,
            Kind::Elsewhere => changes::sign(&mut self.elsewhere, changes, duration, numbers)?,
            _ => Vec::new(),
        };
        let mut client = Client::open(address, self.requests, connections)?;
        let due = Arrivals::new(arrivals, rate, duration, round);
        let appender = Appender::new(&self.redis, kind == Kind::Followed);
        let appending = changes::append(appender, deltas, changes);
        let done = client.run(due, WARM_UP)?;
        appending.join().map_err(|_| "the writer of changes panicked")??;
        if kind == Kind::Followed {
            let wanted = self.feed.revision();
            wait_for("the router to serve the last change", || start::revision(&self.router) == Some(wanted));
        }
        Ok(done)
    }
}

fn us(run: &Histogram, share: f64) -> f64 {
    run.percentile(share) as f64 / 1e3
}
