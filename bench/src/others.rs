//! How much of the processor others took while something was measured.
//!
//! Somebody else's work on the same cores doesn't only make figures worse: the scheduler shares the cores otherwise with
//! a server that is woken often than with one that isn't, so that ratios turn out wrong as well, to either side.

use std::fs;

/// Above this share of all cores, figures of latency say nothing of the server.
pub const SHARE_MAX: f64 = 0.03;

/// Processor time until now, in ticks.
pub struct Used {
    by_all: f64,
    by_own: f64,
    possible: f64,
}

impl Used {
    /// As it stands; `own` are the processes that belong to the measurement.
    ///
    /// # Errors
    /// When the system doesn't tell.
    pub fn now(own: &[u32]) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("read processor times: {error}");
        let stat = fs::read_to_string("/proc/stat").map_err(failed)?;
        let (by_all, possible) = all(&stat).ok_or("/proc/stat has no line for all cores")?;
        let mut by_own = 0.0;
        for pid in own {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(failed)?;
            by_own += one(&stat).ok_or("/proc/PID/stat has no times")?;
        }
        Ok(Self { by_all, by_own, possible })
    }

    /// The share of all cores, 0 to 1, that others took from `before` on.
    #[must_use]
    pub fn by_others_since(&self, before: &Self) -> f64 {
        let others = (self.by_all - before.by_all) - (self.by_own - before.by_own);
        (others / (self.possible - before.possible).max(1.0)).max(0.0)
    }
}

/// Ticks of all cores: user, nice and system time and what the host took; and all there were. Interrupts aren't counted
/// as anybody's: they are the measurement's own packets. Source: proc(5), the fields of `cpu`.
fn all(stat: &str) -> Option<(f64, f64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = line.split_whitespace().map_while(|tick| tick.parse().ok()).collect();
    let [user, nice, system, _, _, _, _, steal] = *ticks.first_chunk()?;
    Some((user + nice + system + steal, ticks.iter().take(8).sum()))
}

/// Ticks of one process: user and system time. Source: proc(5), fields 14 and 15; the name before may hold anything.
fn one(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_of_ours_used_was_used_by_others() {
        assert_eq!(all("cpu  10 1 5 80 0 7 3 4 2 0\ncpu0 1"), Some((20.0, 110.0)));
        assert_eq!(one("7 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 30 12 0 0"), Some(42.0));
        assert_eq!((all("intr 1"), one("7 (a) S 1")), (None, None));
        let used = |by_all, by_own, possible| Used { by_all, by_own, possible };
        assert_eq!(used(170.0, 50.0, 300.0).by_others_since(&used(100.0, 30.0, 100.0)), 0.25);
        assert_eq!(used(110.0, 45.0, 300.0).by_others_since(&used(100.0, 30.0, 100.0)), 0.0);
    }
}
