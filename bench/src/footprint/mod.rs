//! Memory of a snapshot for each of its numbers, and what a change costs while calls are answered.

mod change;

use std::process::Command;
use std::sync::Arc;

use dialplane_common::feed::keyring::Keyring;

use crate::counts::allocator::grown;
use crate::population::Population;
use crate::report::say;
use crate::system::{FEED_KEY, program};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Numbers of the snapshot.
    #[arg(long, default_value_t = 1_000_000)]
    numbers: u64,
    /// The share of them that have settings of their own, 0 to 1. Without it: none, then 0.3.
    #[arg(long)]
    own_settings: Option<f64>,
    /// Only the memory.
    #[arg(long)]
    only_memory: bool,
}

/// Bytes a number for key, ids, indexes and the reference to its plan.
const LIMIT_BYTES: f64 = 64.0;
/// What the strings that a number sets itself may take, to their length.
const STRINGS_RATIO: f64 = 1.2;

/// Measures and prints.
///
/// # Errors
/// When the workload is wrong.
pub fn run(options: &Options) -> Result<(), String> {
    match options.own_settings {
        Some(own_settings) => of_one(options, own_settings),
        // A process each, so that each begins with an empty heap.
        None => ["0", "0.3"].iter().try_for_each(|own_settings| {
            let mut command = Command::new(program("dialplane-bench"));
            command.args(["footprint", "--numbers", &options.numbers.to_string()]);
            command.args(["--own-settings", own_settings]);
            if options.only_memory {
                command.arg("--only-memory");
            }
            let status = command.status().map_err(|error| error.to_string())?;
            if status.success() { Ok(()) } else { Err(format!("--own-settings {own_settings} failed")) }
        }),
    }
}

fn of_one(options: &Options, own_settings: f64) -> Result<(), String> {
    let keys = Arc::new(Keyring::feed(FEED_KEY).map_err(|error| error.to_string())?);
    let population = Population { own_settings, ..Population::of(options.numbers) };
    let resident_before = resident_bytes()?;
    let (snapshot, all) = grown(|| population.snapshot(&keys, true));
    let snapshot = snapshot?;
    let resident = resident_bytes()? - resident_before;
    let (owners, owners_bytes) = grown(|| population.snapshot(&keys, false));
    drop(owners?);

    let numbers = options.numbers as f64;
    let (all, owners) = (all as f64, owners_bytes as f64);
    let strings = population.own_string_bytes() as f64;
    let of_numbers = (all - owners) / numbers;
    let without_strings = (all - owners - STRINGS_RATIO * strings) / numbers;
    say(&format!(
        "{numbers} numbers, ten a tenant, {:.0} % with settings of their own (place, hours, rules)\n\
         | | bytes a number | |\n| --- | --- | --- |\n\
         | numbers | {of_numbers:.1} | heap, as allocated |\n\
         | numbers without the strings that they set themselves | {without_strings:.1} | strings counted as {STRINGS_RATIO} times \
         their length; wanted: {LIMIT_BYTES} |\n\
         | the length of those strings | {:.1} | |\n\
         | tenants and agents | {:.1} | heap; one of each for ten numbers |\n\
         | all of it, resident | {:.1} | {:.0} MiB more than before |",
        own_settings * 100.0,
        strings / numbers,
        owners / numbers,
        resident / numbers,
        resident / f64::from(1 << 20),
    ));
    if options.only_memory {
        return Ok(());
    }
    change::measure(snapshot, population, &keys)?;
    if own_settings > 0.0 { Ok(()) } else { change::tenant_wide(options.numbers.min(1_000_000), &keys) }
}

/// What this process has in memory. Source: proc(5), `VmRSS`.
fn resident_bytes() -> Result<f64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| "/proc/self/status has no VmRSS".into())
}
