//! When a server that fails is left alone: a circuit breaker. Pure; time is a parameter.
//!
//! ```text
//! closed ──5 failures in a row──▶ open ──10 s──▶ half-open (one probe) ──success──▶ closed
//!                                  ▲                    │
//!                                  └──────failure───────┘
//! ```

use std::time::{Duration, Instant};

/// How many failures in a row open it.
pub const FAILURES_MAX: u8 = 5;

/// How long it stays open before a probe.
pub const OPEN: Duration = Duration::from_secs(10);

/// Whether one server is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breaker {
    /// It is.
    Closed {
        /// How often it failed since it last did not.
        failures: u8,
    },
    /// It isn't.
    Open {
        /// Before this.
        until: Instant,
    },
    /// One request tells whether it is again.
    HalfOpen,
}

/// Leave to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ticket {
    /// As usual.
    Usual,
    /// The one request whose end decides.
    Probe,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Leave to ask now, if there is any. Who has it says how it ended.
    pub fn admit(&mut self, now: Instant) -> Option<Ticket> {
        match *self {
            Self::Closed { .. } => Some(Ticket::Usual),
            Self::Open { until } if now >= until => {
                *self = Self::HalfOpen;
                Some(Ticket::Probe)
            }
            Self::Open { .. } | Self::HalfOpen => None,
        }
    }

    /// The server answered, or did not. Once it is open, only the probe's end counts: the others were sent before.
    pub fn ended(&mut self, ticket: Ticket, outage: bool, now: Instant) {
        *self = match (*self, ticket, outage) {
            (Self::Closed { .. }, Ticket::Usual, false) | (Self::HalfOpen, Ticket::Probe, false) => {
                Self::default()
            }
            (Self::Closed { failures }, Ticket::Usual, true) if failures + 1 < FAILURES_MAX => {
                Self::Closed { failures: failures + 1 }
            }
            (Self::Closed { .. }, Ticket::Usual, true) | (Self::HalfOpen, Ticket::Probe, true) => {
                Self::Open { until: now + OPEN }
            }
            (unchanged, ..) => unchanged,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ticket::{Probe, Usual};

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(breaker.admit(now), Some(Usual));
            breaker.ended(Usual, true, now);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_starts_anew() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for outage in [true, true, true, true, false, true, true, true, true] {
            assert_eq!(breaker.admit(now), Some(Usual));
            breaker.ended(Usual, outage, now);
        }
        assert_eq!(breaker, Breaker::Closed { failures: 4 });
        breaker.ended(Usual, true, now);
        assert_eq!(breaker.admit(now), None);
    }

    #[test]
    fn after_ten_seconds_one_probe_decides() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.admit(now + OPEN - Duration::from_millis(1)), None);
        let then = now + OPEN;
        assert_eq!([breaker.admit(then), breaker.admit(then)], [Some(Probe), None]);
        breaker.ended(Probe, true, then);
        assert_eq!(breaker, Breaker::Open { until: then + OPEN });
        assert_eq!(breaker.admit(then + OPEN), Some(Probe));
        breaker.ended(Probe, false, then + OPEN);
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn requests_from_before_it_opened_change_nothing() {
        let now = Instant::now();
        for probing in [false, true] {
            let mut breaker = opened(now);
            if probing {
                breaker.admit(now + OPEN);
            }
            for outage in [false, true] {
                let before = breaker;
                breaker.ended(Usual, outage, now + OPEN);
                assert_eq!(breaker, before);
            }
        }
    }
}
