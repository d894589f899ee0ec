//! Publisher, followers and the feed between them on virtual time, with whatever can go wrong.
//!
//! The deciding code is the real one: [`admin`] runs `dialplane_admin::publisher`, [`router`] runs
//! `dialplane_router::follower`, both with the real Redis client, on a clock that jumps to the next instant at which
//! anybody has something to do. Simulated are [`redis`] (in memory, behind its protocol), [`postgres`] (the feed's
//! tables) and the ways to them ([`link`], [`outbox`]). [`faults`] strikes, [`scenes`] follow, [`truth`] watches,
//! [`world`] has all of it, and [`mod@run`] is one seed's run: the same seed is the same run.

pub mod admin;
pub mod dice;
pub mod faults;
pub mod link;
pub mod outbox;
pub mod postgres;
pub mod redis;
pub mod router;
pub mod run;
pub mod scenes;
pub mod truth;
pub mod world;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use dialplane_common::feed::keyring::Keyring;

use crate::stats::percentile;
use run::Outcome;
use world::Shape;

/// Keys in the simulated Redis lie below this.
pub const NAMESPACE: &str = "dialplane";

/// How much to simulate.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// So many seeds, from `--first` on.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// This seed alone, with all that went wrong in it.
    #[arg(long)]
    seed: Option<u64>,
    /// Routers in the seeds that have many.
    #[arg(long, default_value_t = 1_000)]
    followers: usize,
    /// Each how many seeds one has many routers; the others have five.
    #[arg(long, default_value_t = 500)]
    many_each: u64,
    /// From a router to Redis, one way, in milliseconds.
    #[arg(long, default_value_t = 1)]
    latency_ms: u64,
}

const FEW: usize = 5;

impl Options {
    fn shape(&self, seed: u64) -> Shape {
        let followers = if seed.is_multiple_of(self.many_each) { self.followers } else { FEW };
        Shape { followers, router_ms: self.latency_ms, admin_ms: 1 }
    }
}

/// Simulates and prints.
///
/// # Errors
/// The seeds in which something wasn't as it must be.
pub fn run(options: &Options) -> Result<(), String> {
    let keys = Keyring::feed("a-feed-key-of-the-simulation").map_err(|error| error.to_string())?;
    let keys = Arc::new(keys);
    if let Some(seed) = options.seed {
        let outcome = run::run(seed, options.shape(seed), &keys);
        print(&outcome.faults.join("\n"));
        print(&format!("trace {:016x}", outcome.trace));
        return if outcome.violations.is_empty() { Ok(()) } else { Err(outcome.violations.join("\n")) };
    }
    let outcomes = all(options, &keys);
    let violated: Vec<_> = outcomes.iter().filter(|(_, outcome)| !outcome.violations.is_empty()).collect();
    for (seed, outcome) in &violated {
        print(&format!("seed {seed}: {}", outcome.violations[0]));
    }
    for (name, is) in [("five routers", false), ("many routers", true)] {
        let of: Vec<_> =
            outcomes.iter().filter(|(seed, _)| seed.is_multiple_of(options.many_each) == is).collect();
        print(&figures(name, &of));
    }
    if violated.is_empty() { Ok(()) } else { Err(format!("{} seeds failed", violated.len())) }
}

fn all(options: &Options, keys: &Arc<Keyring>) -> BTreeMap<u64, Outcome> {
    let next = AtomicU64::new(options.first);
    let outcomes = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= options.first + options.seeds {
                        return;
                    }
                    let outcome = run::run(seed, options.shape(seed), keys);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn figures(name: &str, outcomes: &[(&u64, &Outcome)]) -> String {
    let line = |what: &str, of: fn(&Outcome) -> &Vec<f64>| {
        let values: Vec<f64> = outcomes.iter().flat_map(|(_, outcome)| of(outcome)).copied().collect();
        let at = |share| percentile(&values, share);
        format!("| {what} | {:.0} ms | {:.0} ms | {:.0} ms |", at(0.5), at(0.99), at(1.0))
    };
    [
        format!("{} seeds with {name}, virtual time", outcomes.len()),
        "| from | median | 99th | max |".into(),
        line("all started at once, to serving", |outcome| &outcome.start_ms),
        line("commit, to serving, no faults", |outcome| &outcome.propagation_ms),
        line("end of faults, to the last state", |outcome| &outcome.catch_up_ms),
    ]
    .join("\n")
}

fn print(lines: &str) {
    let _ = writeln!(std::io::stdout(), "{lines}");
}
