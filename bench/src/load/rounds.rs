//! Two servers asked in turn, many times: what disturbs the machine for longer than a round disturbs both.

use std::io::Write;

use super::server::{Run, Server};
use super::traffic::Traffic;
use crate::stats::{median, percentile};

/// A server with what it is called in the report.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// At most a dozen characters.
    pub name: &'a str,
    /// The server.
    pub server: &'a Server,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Rounds {
    first: Vec<Run>,
    second: Vec<Run>,
    first_requests: u64,
}

impl Rounds {
    /// Measures so many rounds and prints each; the servers take turns in being asked first. One round before them counts
    /// for nothing but caches and the allocator.
    ///
    /// # Errors
    /// When a server answers anything else than expected.
    pub fn measure(
        traffic: &Traffic,
        count: usize,
        first: Named<'_>,
        second: Named<'_>,
    ) -> Result<Self, String> {
        let mut rounds = Self::default();
        let mut out = std::io::stdout().lock();
        for index in 0..=count {
            let (one, other) = if index % 2 == 0 {
                let one = first.server.measure(traffic)?;
                (one, second.server.measure(traffic)?)
            } else {
                let other = second.server.measure(traffic)?;
                (first.server.measure(traffic)?, other)
            };
            rounds.first_requests += one.requests;
            if index == 0 {
                continue;
            }
            let line = format!(
                "round {index}: {} {:7.0}/s {:5.2} us CPU   {} {:7.0}/s {:5.2} us CPU   ratio by CPU {:.3}",
                first.name,
                one.requests_per_s,
                one.cpu_us,
                second.name,
                other.requests_per_s,
                other.cpu_us,
                one.cpu_us / other.cpu_us,
            );
            let _ = writeln!(out, "{line}");
            rounds.first.push(one);
            rounds.second.push(other);
        }
        Ok(rounds)
    }

    /// How many requests the first server has answered, those that don't count too.
    #[must_use]
    pub const fn first_requests(&self) -> u64 {
        self.first_requests
    }

    /// The median of the rounds' ratios by the processor time of the routers' workers alone.
    #[must_use]
    pub fn workers_ratio(&self) -> f64 {
        let ratio = |(one, other): (&Run, &Run)| one.workers_us / other.workers_us;
        median(&self.first.iter().zip(&self.second).map(ratio).collect::<Vec<_>>())
    }

    /// A table of medians, and the median of the rounds' ratios with the middle half of them: the first server's processor
    /// time a request by the second's.
    #[must_use]
    pub fn report(&self, [first, second]: [&str; 2]) -> String {
        let row = |name: &str, runs: &[Run]| {
            let of = |pick: fn(&Run) -> f64| median(&runs.iter().map(pick).collect::<Vec<_>>());
            format!(
                "| {name:<12} | {:10.0} | {:10.2} us |",
                of(|run| run.requests_per_s),
                of(|run| run.cpu_us)
            )
        };
        let pairs = || self.first.iter().zip(&self.second);
        let cpu: Vec<f64> = pairs().map(|(one, other)| one.cpu_us / other.cpu_us).collect();
        let rate: Vec<f64> = pairs().map(|(one, other)| other.requests_per_s / one.requests_per_s).collect();
        format!(
            "| server       | requests/s | CPU a request |\n{}\n{}\nratio by CPU time {:.3} (half of the rounds from {:.3} to \
             {:.3}), by rate {:.3}",
            row(first, &self.first),
            row(second, &self.second),
            median(&cpu),
            percentile(&cpu, 0.25),
            percentile(&cpu, 0.75),
            median(&rate),
        )
    }
}
