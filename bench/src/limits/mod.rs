//! Limits of calls at a time across several routers: how far they are overshot, how soon a place is free again that was
//! freed at another router, and what all that costs those who have no limit.

mod cost;
mod fleet;
mod freed;
mod offered;

use std::io::Write;
use std::time::Duration;

use dialplane_router::live::sync::PUBLISH_EVERY;

use crate::stats::{median, percentile};
use fleet::Fleet;
use offered::Offer;

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Routers.
    #[arg(long, default_value_t = 3)]
    routers: usize,
    /// Calls offered a second, to all routers together.
    #[arg(long, default_value_t = 1_500)]
    rate: u64,
    /// Seconds of one run.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How long a call lasts at most, in milliseconds; half of that on average.
    #[arg(long, default_value_t = 400)]
    call_ms: u64,
    /// Places that are freed, one after the other.
    #[arg(long, default_value_t = 200)]
    freed: usize,
}

/// A beginning is known everywhere within this: what is promised.
const SYNC: Duration = Duration::from_millis(100);

/// Measures and prints.
///
/// # Errors
/// When a request fails, or a place never becomes free.
pub fn run(options: &Options) -> Result<(), String> {
    if options.routers < 2 || options.rate == 0 {
        return Err("--routers, --rate: wanted at least 2 routers and 1 call a second".into());
    }
    let fleet = Fleet::start(options.routers)?;
    let others = (options.routers - 1) as f64 / options.routers as f64;
    let arrivals = |within: Duration| options.rate as f64 * others * within.as_secs_f64();
    let mut out = format!(
        "{} routers, one Redis, {} calls/s offered to all at random, up to {} ms long, for {} s\n\
         | limit | offered | taken | most at a time | overshoot | bound ({} ms: {:.0}) |\n",
        options.routers,
        options.rate,
        options.call_ms,
        options.seconds,
        SYNC.as_millis(),
        arrivals(SYNC),
    );
    for limit in fleet::LIMITS {
        let offer = Offer {
            rate: options.rate,
            duration: Duration::from_secs(options.seconds),
            call: Duration::from_millis(options.call_ms),
        };
        let done = offered::run(&fleet, limit, &offer)?;
        // All places are free at first: no router takes more than there are.
        let bound = arrivals(SYNC).min(f64::from(limit) * (options.routers - 1) as f64);
        out += &format!(
            "| {limit} | {} | {} | {} | {} | {bound:.0} |\n",
            done.offered,
            done.taken,
            done.most,
            done.most.saturating_sub(u64::from(limit)),
        );
    }
    let freed = freed::run(&fleet, options.freed)?;
    out += &format!(
        "a place freed at one router is free at another after {:.1} ms at the median, {:.1} ms at the 99th percentile, \
         {:.1} ms at most (sent every {} ms; wanted: {} ms), of {} tries\n",
        median(&freed),
        percentile(&freed, 0.99),
        percentile(&freed, 1.0),
        PUBLISH_EVERY.as_millis(),
        SYNC.as_millis(),
        freed.len(),
    );
    let cost = cost::run(&fleet)?;
    out += &format!(
        "one answer, by the router's own clock: {:.2} µs without a limit, {:.2} µs while {} other calls count, {:.2} µs with \
         a limit\n",
        cost.unlimited_us, cost.unlimited_beside_us, cost.beside, cost.limited_us,
    );
    write!(std::io::stdout(), "{out}").map_err(|error| error.to_string())
}
