//! What came out: as a table, as JSON, as CSV.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::check::Does;
use super::rows::BASELINE;
use super::start::Absent;
use super::{Entrant, Options};
use crate::stats::median;

/// One contest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Numbers that each server held.
    pub numbers: u64,
    /// Connections kept busy.
    pub connections: usize,
    /// Runs of each server.
    pub runs: usize,
    /// Seconds of one run.
    pub seconds: u64,
    /// Medians of each server.
    pub rows: Vec<Measured>,
    /// Those that weren't measured.
    pub left_out: Vec<LeftOut>,
}

/// One server's medians.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Its name on the command line.
    pub name: String,
    /// What it is.
    pub what: String,
    /// What it does with a webhook.
    pub does: Does,
    /// Answers a second.
    pub requests_per_s: f64,
    /// Processor time a request, in microseconds.
    pub cpu_us: f64,
    /// Its rate as a part of the bare hyper server's in the same round.
    pub rate_ratio: f64,
    /// The bare hyper server's processor time as a part of its own, in the same round.
    pub cpu_ratio: f64,
    /// Memory after the last run, in bytes.
    pub memory_bytes: u64,
    /// The same for each number that it holds; none for those that hold none.
    pub number_bytes: Option<f64>,
}

/// One that wasn't measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name on the command line.
    pub name: String,
    /// Why.
    pub why: String,
    /// Whether it is here and doesn't do what it should.
    pub broken: bool,
}

impl LeftOut {
    pub(super) fn new(name: &str, absent: Absent) -> Self {
        let (why, broken) = match absent {
            Absent::Missing(why) => (why, false),
            Absent::Broken(why) => (why, true),
        };
        Self { name: name.to_owned(), why, broken }
    }
}

impl Report {
    pub(super) fn new(
        options: &Options,
        entrants: &[Entrant],
        left_out: Vec<LeftOut>,
    ) -> Result<Self, String> {
        let baseline = entrants.iter().find(|entrant| entrant.row.name == BASELINE);
        let baseline = baseline.ok_or("the bare hyper server couldn't be measured")?;
        let rows = entrants.iter().map(|entrant| measured(entrant, baseline, options.numbers)).collect();
        let Options { numbers, connections, runs, seconds, .. } = *options;
        Ok(Self { numbers, connections, runs, seconds, rows, left_out })
    }

    /// How much of its core the bare hyper server had. The client is the faster of the two, so it could have used most.
    fn core_share(&self) -> f64 {
        let baseline = self.rows.iter().find(|row| row.name == BASELINE);
        baseline.map_or(0.0, |row| row.requests_per_s * row.cpu_us / 1e6)
    }

    /// Those that are here and couldn't be measured, as one line.
    pub(super) fn broken(&self) -> Option<String> {
        let names: Vec<_> = self.left_out.iter().filter(|row| row.broken).map(|row| &*row.name).collect();
        (!names.is_empty()).then(|| format!("not measured, though they are here: {}", names.join(", ")))
    }

    pub(super) fn write(&self, json: Option<&Path>, csv: Option<&Path>) -> Result<(), String> {
        if let Some(path) = json {
            let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
            std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
        }
        if let Some(path) = csv {
            let failed = |error: csv::Error| format!("{}: {error}", path.display());
            let mut writer = csv::Writer::from_path(path).map_err(failed)?;
            self.rows.iter().try_for_each(|row| writer.serialize(row)).map_err(failed)?;
            writer.flush().map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

fn measured(entrant: &Entrant, baseline: &Entrant, numbers: u64) -> Measured {
    let of = |value: fn(&crate::load::server::Run) -> f64| {
        median(&entrant.runs.iter().map(value).collect::<Vec<_>>())
    };
    let rounds = || entrant.runs.iter().zip(&baseline.runs);
    let rate_ratios: Vec<f64> =
        rounds().map(|(own, other)| own.requests_per_s / other.requests_per_s).collect();
    let cpu_ratios: Vec<f64> = rounds().map(|(own, other)| other.cpu_us / own.cpu_us).collect();
    let memory_bytes = entrant.server.memory_bytes();
    Measured {
        name: entrant.row.name.to_owned(),
        what: entrant.row.what.to_owned(),
        does: entrant.row.does,
        requests_per_s: of(|run| run.requests_per_s),
        cpu_us: of(|run| run.cpu_us),
        rate_ratio: median(&rate_ratios),
        cpu_ratio: median(&cpu_ratios),
        memory_bytes,
        number_bytes: (entrant.row.does != Does::Answers).then(|| memory_bytes as f64 / numbers as f64),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { numbers, connections, runs, seconds, .. } = self;
        let share = self.core_share() * 100.0;
        writeln!(
            f,
            "Twilio voice webhook, 25 parameters, {numbers} numbers, {connections} connections; medians of {runs} \
             interleaved runs of {seconds} s; ratios to hyper, which had {share:.0} % of its core (much less than 90: \
             other work was on the machine, and rates say little)\n\n\
             | server | does | requests/s | ratio | CPU a request | ratio | memory |\n\
             | --- | --- | ---: | ---: | ---: | ---: | ---: |"
        )?;
        for row in &self.rows {
            let (rate, cpu_us, mib) = (row.requests_per_s, row.cpu_us, row.memory_bytes as f64 / 1_048_576.0);
            write!(f, "| {} | {} | {rate:.0} | {:.2} | ", row.what, row.does.label(), row.rate_ratio)?;
            write!(f, "{cpu_us:.1} µs | {:.2} | {mib:.0} MiB", row.cpu_ratio)?;
            match row.number_bytes {
                Some(bytes) => writeln!(f, ", {bytes:.0} bytes a number |")?,
                None => writeln!(f, " |")?,
            }
        }
        for LeftOut { name, why, .. } in &self.left_out {
            writeln!(f, "\n{name} was left out: {}", why.trim_end())?;
        }
        Ok(())
    }
}
