//! The router beside others that answer the same webhooks: same core, same client, same requests, in turn.
//!
//! Each is loaded with the same numbers and asked for its answers before it is measured: one that says to verify
//! signatures and doesn't is left out, as is one that isn't installed. Rounds are interleaved, each begins with
//! another server, and ratios are those to the bare hyper server in the same round.

mod check;
mod report;
mod rows;
pub mod servers;
mod start;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

pub use self::check::Does;
pub use self::report::{LeftOut, Measured, Report};
use self::rows::{BASELINE, ROWS, Row};
use self::start::{Absent, Setup};
use crate::load::server::{Run, Server, pin_client};
use crate::load::traffic::{self, Traffic};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Numbers that each holds.
    #[arg(long, default_value_t = 1_000_000)]
    numbers: u64,
    /// Connections kept busy.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds of one run.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Runs of each server, in turn. The median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Different requests, each for another number.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// Only these, and the bare hyper server.
    #[arg(long, value_delimiter = ',', value_parser = rows::names())]
    only: Vec<String>,
    /// Also writes the result here, for `plots`.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Also writes the rows here.
    #[arg(long)]
    csv: Option<PathBuf>,
}

/// One server in the contest, with its runs so far.
struct Entrant {
    row: &'static Row,
    server: Server,
    runs: Vec<Run>,
}

/// Measures and prints.
///
/// # Errors
/// When a server that is here can't be measured: it doesn't start, or its answers are wrong. The others are measured and
/// printed nevertheless.
pub fn run(options: &Options) -> Result<(), String> {
    let traffic = Traffic {
        requests: traffic::requests(options.requests, options.numbers),
        connections: options.connections,
        duration: Duration::from_secs(options.seconds),
    };
    pin_client();
    let setup = Setup::new(options.numbers)?;
    let (mut entrants, mut left_out) = (Vec::new(), Vec::new());
    for row in ROWS.iter().filter(|row| options.wants(row)) {
        match enter(row, &setup, &traffic) {
            Ok(entrant) => entrants.push(entrant),
            Err(absent) => left_out.push(LeftOut::new(row.name, absent)),
        }
    }
    for round in 0..options.runs {
        say(&format!("round {} of {}, {} servers", round + 1, options.runs, entrants.len()));
        if round > 0 && !entrants.is_empty() {
            entrants.rotate_left(1);
        }
        measure_round(&mut entrants, &mut left_out, &traffic);
    }
    entrants.sort_by_key(|entrant| ROWS.iter().position(|row| row.name == entrant.row.name));
    let report = Report::new(options, &entrants, left_out)?;
    let _ = writeln!(std::io::stdout(), "{report}");
    report.write(options.json.as_deref(), options.csv.as_deref())?;
    report.broken().map_or(Ok(()), Err)
}

/// Starts one server with so many numbers and holds its answers against what it says to do, without measuring it.
///
/// # Errors
/// When there is no such row, or it would be left out.
pub fn check(name: &str, numbers: u64) -> Result<(), LeftOut> {
    let broken = |why| LeftOut::new(name, Absent::Broken(why));
    let row = ROWS.iter().find(|row| row.name == name).ok_or_else(|| broken("no such row".into()))?;
    let setup = Setup::new(numbers).map_err(broken)?;
    let server = (row.start)(&setup).map_err(|absent| LeftOut::new(name, absent))?;
    row.does.check(&server, numbers).map_err(broken)
}

impl Options {
    fn wants(&self, row: &Row) -> bool {
        self.only.is_empty() || row.name == BASELINE || self.only.iter().any(|name| name == row.name)
    }
}

/// Starts a server, holds its answers against what it says to do, and warms it up.
fn enter(row: &'static Row, setup: &Setup, traffic: &Traffic) -> Result<Entrant, Absent> {
    say(&format!("starting {}", row.name));
    let server = (row.start)(setup)?;
    row.does.check(&server, setup.numbers).map_err(Absent::Broken)?;
    let warm_up = Traffic { duration: Duration::from_secs(1), ..traffic.clone() };
    server.measure(&warm_up).map_err(Absent::Broken)?;
    Ok(Entrant { row, server, runs: Vec::new() })
}

/// One run of each; one that fails is out.
fn measure_round(entrants: &mut Vec<Entrant>, left_out: &mut Vec<LeftOut>, traffic: &Traffic) {
    entrants.retain_mut(|entrant| match entrant.server.measure(traffic) {
        Ok(run) => {
            entrant.runs.push(run);
            true
        }
        Err(error) => {
            left_out.push(LeftOut::new(entrant.row.name, Absent::Broken(error)));
            false
        }
    });
}

/// Progress goes where the result doesn't.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "rivals: {line}");
}
