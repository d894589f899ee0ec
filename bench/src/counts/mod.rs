//! What each step of a call and of a change allocates and executes, compared with the committed figures: these don't
//! depend on how busy the machine is.
//!
//! Allocations are counted by the program's own allocator, instructions by callgrind, since many virtual machines have
//! no counters of their own. Callgrind's processor has no SHA instructions, so `verify` and `answer` execute more there
//! than anywhere else; what counts is the difference from the committed figure.

pub mod allocator;
mod callgrind;
pub mod steps;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use steps::{Fixture, Measure};

use crate::population::Population;
use crate::report::say;

/// Enough for the tables to be as deep as they ever are at small sizes, and few enough for callgrind to build them.
const NUMBERS: u64 = 10_000;

/// Runs of a step that are counted, after as many that aren't: what is allocated once doesn't count.
const RUNS: u64 = 500;

/// The committed figures.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.json");

/// How to count.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only allocations.
    #[arg(long)]
    only_allocations: bool,
    /// Write the figures here, as those to compare with: bench/counts.json.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Runs this one step and nothing else: how callgrind sees it.
    #[arg(long, hide = true)]
    step: Option<String>,
}

/// The figures of all steps.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// What may be worse, as shares of the committed figures.
    pub tolerance: Tolerance,
    /// By the step's name.
    pub steps: BTreeMap<String, Count>,
}

/// By which share a figure may be larger than the committed one.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tolerance {
    allocations: f64,
    bytes: f64,
    instructions: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { allocations: 0.0, bytes: 0.02, instructions: 0.03 }
    }
}

/// What one step needs, on the average.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    /// How often it allocates.
    pub allocations: f64,
    /// How many bytes.
    pub bytes: f64,
    /// How many instructions it executes; absent: not counted.
    pub instructions: Option<f64>,
}

impl Counts {
    /// The committed figures.
    ///
    /// # Errors
    /// When `bench/counts.json` can't be read.
    pub fn committed() -> Result<Self, String> {
        let read = || Ok(serde_json::from_slice(&std::fs::read(COMMITTED)?)?);
        read().map_err(|error: std::io::Error| format!("{COMMITTED}: {error}"))
    }

    /// What each step allocates in this program, whose allocator has to be [`allocator::Counting`].
    ///
    /// # Errors
    /// When the workload is wrong, or another allocator is used.
    pub fn of_this_program() -> Result<Self, String> {
        if allocator::allocated(|| drop(std::hint::black_box(Box::new(1)))).count == 0 {
            return Err("this program's allocator doesn't count".into());
        }
        let mut counted = Counted::default();
        each_step(&mut counted)?;
        Ok(Self { tolerance: Tolerance::default(), steps: counted.0 })
    }

    /// One line for each figure that is worse than `committed` allows, and for each step that isn't in it.
    #[must_use]
    pub fn worse_than(&self, committed: &Self) -> Vec<String> {
        let mut worse = Vec::new();
        for (step, now) in &self.steps {
            let Some(before) = committed.steps.get(step) else {
                worse.push(format!("{step}: there is no committed figure"));
                continue;
            };
            let Tolerance { allocations, bytes, instructions } = committed.tolerance;
            let executed = now.instructions.zip(before.instructions);
            let figures = [
                ("allocations", Some((now.allocations, before.allocations)), allocations),
                ("bytes allocated", Some((now.bytes, before.bytes)), bytes),
                ("instructions", executed, instructions),
            ];
            for (what, figure, tolerance) in figures {
                let Some((now, before)) = figure else { continue };
                // A figure of a few may differ by what one call in many does otherwise.
                if now > before * (1.0 + tolerance) + 0.01 {
                    let times = now / before;
                    worse
                        .push(format!("{step}: {now:.2} {what}, {times:.2} times the committed {before:.2}"));
                }
            }
        }
        worse
    }
}

/// Counts, prints and compares; or writes.
///
/// # Errors
/// When a figure is worse than the committed one: which and by how much.
pub fn run(options: &Options) -> Result<(), String> {
    if let Some(step) = &options.step {
        return each_step(&mut callgrind::Executed(step));
    }
    let mut counts = Counts::of_this_program()?;
    let has_valgrind = callgrind::is_installed();
    if !options.only_allocations && !has_valgrind {
        say("valgrind isn't installed (apt-get install valgrind): instructions are not counted");
        if options.write.is_some() {
            return Err("--write wants valgrind: the committed figures have instructions".into());
        }
    }
    if !options.only_allocations && has_valgrind {
        for (step, count) in &mut counts.steps {
            count.instructions = Some(callgrind::instructions(step, RUNS)?);
        }
    }
    let committed = Counts::committed()?;
    say("| step | allocations | bytes | instructions | committed |\n| --- | --- | --- | --- | --- |");
    for (step, Count { allocations, bytes, instructions }) in &counts.steps {
        let instructions = instructions.map_or("-".into(), |count| format!("{count:.0}"));
        let before = committed.steps.get(step).copied().unwrap_or_default();
        let executed = before.instructions.map_or("-".into(), |count| format!("{count:.0}"));
        say(&format!(
            "| {step} | {allocations:.2} | {bytes:.0} | {instructions} | {:.2}, {:.0}, {executed} |",
            before.allocations, before.bytes
        ));
    }
    if let Some(path) = &options.write {
        counts.tolerance = committed.tolerance;
        let json = serde_json::to_string_pretty(&counts).map_err(|error| error.to_string())?;
        return std::fs::write(path, json + "\n").map_err(|error| format!("--write: {error}"));
    }
    let worse = counts.worse_than(&committed);
    if worse.is_empty() {
        Ok(())
    } else {
        Err(format!("worse than bench/counts.json:\n{}", worse.join("\n")))
    }
}

/// Every step, on the same population each time.
fn each_step(measure: &mut impl Measure) -> Result<(), String> {
    let fixture = Fixture::new(Population::of(NUMBERS), RUNS)?;
    fixture.call(measure)?;
    fixture.change(measure)?;
    steps::hours(measure)
}

#[derive(Default)]
struct Counted(BTreeMap<String, Count>);

impl Measure for Counted {
    fn step(&mut self, name: &'static str, mut run: impl FnMut()) {
        (0..RUNS).for_each(|_| run());
        let allocated = allocator::allocated(|| (0..RUNS).for_each(|_| run()));
        let each = |total: u64| total as f64 / RUNS as f64;
        let count =
            Count { allocations: each(allocated.count), bytes: each(allocated.bytes), instructions: None };
        self.0.insert(name.to_owned(), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(allocations: f64, bytes: f64, instructions: Option<f64>) -> Counts {
        let steps = BTreeMap::from([("form".to_owned(), Count { allocations, bytes, instructions })]);
        Counts { steps, ..Counts::default() }
    }

    #[test]
    fn only_what_is_worse_than_the_tolerance_is_named() {
        let committed = counts(3.0, 1_000.0, Some(10_000.0));
        let check = |now: Counts, expected: &[&str]| assert_eq!(now.worse_than(&committed), expected);
        check(counts(3.0, 1_019.0, Some(10_299.0)), &[]);
        check(counts(1.0, 10.0, None), &[]);
        check(counts(4.0, 1_000.0, None), &["form: 4.00 allocations, 1.33 times the committed 3.00"]);
        check(
            counts(3.0, 1_100.0, Some(20_000.0)),
            &[
                "form: 1100.00 bytes allocated, 1.10 times the committed 1000.00",
                "form: 20000.00 instructions, 2.00 times the committed 10000.00",
            ],
        );
        assert_eq!(committed.worse_than(&Counts::default()), ["form: there is no committed figure"]);
    }
}
