//! What came out: medians of each way, and its ratios to the way that the router takes.

use std::fmt::{self, Display};

use super::server::Way;
use crate::load::server::Run;
use crate::stats::median;

/// A run of each way, in the order of [`Way::ALL`].
#[derive(Debug)]
pub struct Round(pub [Run; 4]);

impl Round {
    fn of(&self, way: Way) -> &Run {
        let [shared, each, spread, multi] = &self.0;
        match way {
            Way::Shared => shared,
            Way::Each => each,
            Way::Spread => spread,
            Way::Multi => multi,
        }
    }
}

impl Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for way in Way::ALL {
            let run = self.of(way);
            write!(f, "{} {:.0}/s {:.2} us CPU   ", way.name(), run.requests_per_s, run.cpu_us)?;
        }
        Ok(())
    }
}

/// A table of medians. Ratios are those of two runs of one round: the rate by that of `spread`, and likewise the
/// processor time.
pub fn report(rounds: &[Round]) -> String {
    let mut table = "| way    | requests/s | CPU a request | 99 of 100 within | rate by spread's | CPU by spread's |\n\
                     | ---    |       ---: |          ---: |             ---: |             ---: |            ---: |"
        .to_owned();
    for way in Way::ALL {
        let of = |value: &dyn Fn(&Round) -> f64| median(&rounds.iter().map(value).collect::<Vec<_>>());
        let ratio =
            |value: fn(&Run) -> f64| of(&|round: &Round| value(round.of(way)) / value(round.of(Way::Spread)));
        table.push_str(&format!(
            "\n| {:<6} | {:10.0} | {:10.2} us | {:13.0} us | {:16.3} | {:15.3} |",
            way.name(),
            of(&|round| round.of(way).requests_per_s),
            of(&|round| round.of(way).cpu_us),
            of(&|round| round.of(way).p99_us),
            ratio(|run| run.requests_per_s),
            ratio(|run| run.cpu_us),
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(requests_per_s: f64, cpu_us: f64) -> Run {
        Run { requests_per_s, cpu_us, workers_us: cpu_us, requests: 1, p99_us: 100.0 * cpu_us }
    }

    #[test]
    fn ratios_are_medians_of_the_rounds_ratios() {
        // The machine is twice as slow in the second round, which changes rates and no ratio.
        let round =
            |speed: f64| Round([300.0, 200.0, 100.0, 50.0].map(|rate| run(rate * speed, 400.0 / rate)));
        let table = report(&[round(1.0), round(0.5), round(0.5)]);
        let row = |way: Way| {
            let row = table.lines().find(|line| line.starts_with(&format!("| {} ", way.name()))).unwrap();
            row.split('|')
                .map(|cell| cell.trim().to_owned())
                .filter(|cell| !cell.is_empty())
                .collect::<Vec<_>>()
        };
        assert_eq!(row(Way::Each), ["each", "100", "2.00 us", "200 us", "2.000", "0.500"]);
        assert_eq!(row(Way::Spread)[4..], ["1.000", "1.000"]);
        assert_eq!(row(Way::Multi)[4..], ["0.500", "2.000"]);
    }
}
