//! A million simulated calls with webhooks that are lost, come again, or come in any order, while admin planes and Redis are
//! killed: what is recorded, and what tenants are shown to have used, beside what routers were told.

mod caller;
mod course;
mod mischief;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::caller::Calls;
use self::course::Mishaps;
use self::mischief::{Mischief, Victims};
use crate::calls::PUBLIC_URL;
use crate::http;
use crate::operator::{Operator, Salon};
use crate::report::say;
use crate::system::{Router, TempDir};

/// How to try.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many calls are made.
    #[arg(long, default_value_t = 1_000_000)]
    calls: u64,
    /// How often an admin plane or Redis is killed meanwhile, at most.
    #[arg(long, default_value_t = 40)]
    kills: u32,
    /// How many tenants they are for.
    #[arg(long, default_value_t = 20)]
    tenants: u32,
    /// What chance is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const CONNECTIONS: usize = 32;
const ROUTERS: usize = 2;
const ADMINS: usize = 2;
const MISHAPS: Mishaps = Mishaps { lost: 0.02, repeated: 0.05, shuffled: 0.1 };
/// What waits is stored by then, or never.
const STORED_TIMEOUT: Duration = Duration::from_secs(600);
/// Routers say once a second how much waits.
const NONE_FOR: Duration = Duration::from_secs(3);

impl Options {
    /// For a test: so many calls and kills.
    #[must_use]
    pub fn of(calls: u64, kills: u32, seed: u64) -> Self {
        Self { calls, kills, seed, tenants: 3 }
    }
}

/// Tries and says what came of it.
///
/// # Errors
/// What doesn't agree.
pub fn run(options: &Options) -> Result<(), String> {
    let victims = Victims::start(ADMINS, &[("ADMIN_RATE_LIMIT", "0"), ("LOG_LEVEL", "warn")]);
    let folder = TempDir::new();
    let routers = routers(&victims.redis.url(), &folder);
    let operator = Operator::new(victims.admins[0].address);
    let salons = (1..=options.tenants).map(|suffix| Salon::create(&operator, suffix)).collect();
    let Options { calls: count, seed, .. } = *options;
    let calls = Arc::new(Calls { count, seed, salons, mishaps: MISHAPS });
    let mischief = Mischief::begin(victims, seed, options.kills);
    let addresses: Vec<_> = routers.iter().map(|router| router.address).collect();
    let began = Instant::now();
    let told = calls.make(&addresses, CONNECTIONS)?;
    let told_s = began.elapsed().as_secs_f64();
    let (victims, kills) = mischief.end()?;
    let dropped = stored(&routers)?;
    let stored_s = (began.elapsed() - NONE_FOR).as_secs_f64();
    let operator = Operator::new(victims.admins[0].address);
    let verdict = verdict::of(&calls, &victims.database, &operator);
    say(&format!(
        "{verdict}\n({told} webhooks in {told_s:.0} s, all stored after {stored_s:.0} s: {:.0} a second; {dropped} dropped; \
         killed: admin planes {} times, Redis {} times; seed {seed})",
        told as f64 / stored_s,
        kills.admins,
        kills.redis,
    ));
    if dropped > 0 {
        return Err(format!("{dropped} events were dropped"));
    }
    verdict.problems()
}

fn routers(redis: &str, folder: &TempDir) -> Vec<Router> {
    let start = |index: usize| {
        let (events, id) = (folder.path(&format!("events-{index}")), format!("router-{index}"));
        let events = events.to_string_lossy().into_owned();
        Router::start(&[
            ("REDIS_URL", redis),
            ("PUBLIC_URLS", PUBLIC_URL),
            ("ROUTER_ID", &id),
            ("ROUTER_EVENTS_FOLDER", &events),
            ("LOG_LEVEL", "warn"),
        ])
    };
    (0..ROUTERS).map(start).collect()
}

/// Waits until all that the routers were told is stored; how many events they dropped.
fn stored(routers: &[Router]) -> Result<u64, String> {
    let began = Instant::now();
    let mut none_since = None;
    while none_since.is_none_or(|since: Instant| since.elapsed() < NONE_FOR) {
        if began.elapsed() > STORED_TIMEOUT {
            return Err(format!("events still wait after {STORED_TIMEOUT:?}"));
        }
        if sum(routers, "dialplane_router_call_event_bytes") > 0 {
            none_since = None;
        } else {
            none_since.get_or_insert_with(Instant::now);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(sum(routers, "dialplane_router_call_events_dropped_total"))
}

/// What a metric adds up to.
fn sum(routers: &[Router], metric: &str) -> u64 {
    let of = |router: &Router| {
        let text = http::request(router.ops, "GET", "/metrics", &[], b"").map(|answer| answer.body);
        let text = text.unwrap_or_default();
        let series = text.lines().filter(|line| line.starts_with(metric));
        series
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .map(|value| value as u64)
            .sum::<u64>()
    };
    routers.iter().map(of).sum()
}
