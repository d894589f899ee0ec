//! Draws results as SVG that reads in light and in dark, for the README.

mod bars;

use std::path::{Path, PathBuf};

use self::bars::{Bar, Bars, Tone};
use crate::rivals::{Does, Measured, Report};

/// What to draw.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What `rivals --json` wrote.
    #[arg(long)]
    rivals: PathBuf,
    /// The folder for the drawings.
    #[arg(long)]
    out: PathBuf,
}

/// Draws `rates.svg` and `memory.svg`.
///
/// # Errors
/// When the result can't be read, or a drawing can't be written.
pub fn run(options: &Options) -> Result<(), String> {
    let named = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(&options.rivals).map_err(|error| named(&options.rivals, &error))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| named(&options.rivals, &error))?;
    for (name, drawing) in [("rates.svg", rates(&report)), ("memory.svg", memory(&report))] {
        let path = options.out.join(name);
        std::fs::write(&path, drawing.to_string()).map_err(|error| named(&path, &error))?;
    }
    Ok(())
}

fn rates(report: &Report) -> Bars {
    let mut rows: Vec<&Measured> = report.rows.iter().collect();
    rows.sort_by(|one, other| other.requests_per_s.total_cmp(&one.requests_per_s));
    let bar = |row: &&Measured| Bar {
        label: row.what.clone(),
        value: row.requests_per_s / 1e3,
        note: format!("{:.1} · {:.1} µs", row.requests_per_s / 1e3, row.cpu_us),
        tone: tone(row),
    };
    Bars {
        title: "Signed Twilio webhooks on one core".into(),
        axis: "thousand requests a second · processor time a request".into(),
        legend: LEGEND.to_vec(),
        bars: rows.iter().map(bar).collect(),
    }
}

fn memory(report: &Report) -> Bars {
    let holds = |row: &&Measured| row.number_bytes.is_some();
    let mut rows: Vec<&Measured> = report.rows.iter().filter(holds).collect();
    rows.sort_by_key(|row| row.memory_bytes);
    let bar = |row: &&Measured| Bar {
        label: row.what.clone(),
        value: row.number_bytes.unwrap_or_default(),
        note: format!("{:.0}", row.number_bytes.unwrap_or_default()),
        tone: tone(row),
    };
    Bars {
        title: format!("Memory of the whole server with {} numbers", grouped(report.numbers)),
        axis: "bytes a number; with PostgreSQL its table is added".into(),
        legend: LEGEND.to_vec(),
        bars: rows.iter().map(bar).collect(),
    }
}

const LEGEND: [(Tone, &str); 4] = [
    (Tone::Own, "Dialplane"),
    (Tone::Full, "verifies and looks up"),
    (Tone::Half, "looks up"),
    (Tone::Faint, "fixed answer"),
];

fn tone(row: &Measured) -> Tone {
    match (&*row.name, row.does) {
        ("router", _) => Tone::Own,
        (_, Does::Verifies) => Tone::Full,
        (_, Does::LooksUp) => Tone::Half,
        (_, Does::Answers) => Tone::Faint,
    }
}

/// With a comma at each thousand.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let place = |index: usize| digits.len() - index;
    let comma = |index: usize| if index > 0 && place(index).is_multiple_of(3) { "," } else { "" };
    digits.char_indices().map(|(index, digit)| format!("{}{digit}", comma(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([7, 123, 1_000, 10_000_000].map(grouped), ["7", "123", "1,000", "10,000,000"]);
    }
}
