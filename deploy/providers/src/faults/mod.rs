//! What goes wrong, and how often. Drawn for each request from the seed, or forced for the next request of a kind.

mod plan;

pub use plan::Plan;
use serde::{Deserialize, Serialize};

use crate::api::Route;
use crate::draw::Draw;

/// What goes wrong with one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fault {
    /// Too many requests: refused, nothing done.
    #[serde(rename = "429")]
    TooMany,
    /// The account has as many as it may have: refused, nothing done. Only where something is bought or made.
    #[serde(rename = "limit")]
    Limit,
    /// A server's error, nothing done.
    #[serde(rename = "500-before")]
    ErrorBefore,
    /// A gateway's error, although it is done.
    #[serde(rename = "500-after")]
    ErrorAfter,
    /// No answer, nothing done.
    #[serde(rename = "timeout-before")]
    TimeoutBefore,
    /// No answer, although it is done.
    #[serde(rename = "timeout-after")]
    TimeoutAfter,
    /// Done; the answer comes late.
    #[serde(rename = "slow")]
    Slow,
    /// Done; the answer breaks off in its middle.
    #[serde(rename = "broken-json")]
    Broken,
    /// Done twice; the second answer is given. Only for requests that change something.
    #[serde(rename = "duplicate")]
    Duplicate,
    /// The connection is closed at once, and it is done some seconds later. Only for requests that change something.
    #[serde(rename = "late")]
    Late,
}

/// All of them.
pub const ALL: &[Fault] = &[
    Fault::TooMany,
    Fault::Limit,
    Fault::ErrorBefore,
    Fault::ErrorAfter,
    Fault::TimeoutBefore,
    Fault::TimeoutAfter,
    Fault::Slow,
    Fault::Broken,
    Fault::Duplicate,
    Fault::Late,
];

impl Fault {
    /// Its name in plans, controls and the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooMany => "429",
            Self::Limit => "limit",
            Self::ErrorBefore => "500-before",
            Self::ErrorAfter => "500-after",
            Self::TimeoutBefore => "timeout-before",
            Self::TimeoutAfter => "timeout-after",
            Self::Slow => "slow",
            Self::Broken => "broken-json",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
        }
    }

    /// The fault of this name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|fault| fault.name() == name)
    }

    /// Whether it can befall this route.
    fn befalls(self, route: &Route) -> bool {
        match self {
            Self::Limit => route.costs,
            Self::Duplicate | Self::Late => route.method != http::Method::GET,
            _ => true,
        }
    }
}

/// A fault that is to befall the next requests of a kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// Which: `twilio.buy`, all of a provider's (`twilio`), or all (`*`).
    pub operation: String,
    /// What.
    pub fault: Fault,
    /// How many requests.
    #[serde(default = "once")]
    pub times: u32,
    /// How many are let through before.
    #[serde(default)]
    pub skip: u32,
}

const fn once() -> u32 {
    1
}

/// What goes wrong from now on.
#[derive(Debug)]
pub struct Faults {
    /// How often, of all requests.
    pub plan: Plan,
    next: Vec<Next>,
    draw: Draw,
}

impl Faults {
    /// Drawn from this seed.
    pub const fn new(seed: u64, plan: Plan) -> Self {
        Self { plan, next: Vec::new(), draw: Draw::new(seed) }
    }

    /// Forces a fault.
    pub fn force(&mut self, next: Next) {
        self.next.push(next);
    }

    /// Forces none any more.
    pub fn clear(&mut self) {
        self.next.clear();
    }

    /// What is forced still.
    pub fn forced(&self) -> &[Next] {
        &self.next
    }

    /// What befalls this request. One number is drawn for each, whatever is forced, so that the rest of a run stays
    /// the same.
    pub fn draw(&mut self, route: &Route) -> Option<Fault> {
        let share = self.draw.share();
        self.forced_now(route)
            .or_else(|| self.plan.fault(route.operation, share).filter(|fault| fault.befalls(route)))
    }

    fn forced_now(&mut self, route: &Route) -> Option<Fault> {
        let place = self.next.iter().position(|next| means(&next.operation, route.operation))?;
        let next = self.next.get_mut(place)?;
        if next.skip > 0 {
            next.skip -= 1;
            return None;
        }
        next.times = next.times.saturating_sub(1);
        let fault = next.fault;
        if next.times == 0 {
            self.next.remove(place);
        }
        Some(fault)
    }
}

/// Whether somebody who writes `pattern` means this operation.
fn means(pattern: &str, operation: &str) -> bool {
    let provider = operation.split('.').next().unwrap_or_default();
    pattern == "*" || pattern == operation || pattern == provider
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::reply::Reply;

    const BUY: Route = Route::buying("/n", "x.buy", |_| Ok(Reply::empty(201)));
    const LIST: Route = Route::new(Method::GET, "/n", "x.list", |_| Ok(Reply::empty(200)));

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let run = || {
            let mut faults = Faults::new(7, Plan::parse("429=0.1,late=0.2").unwrap());
            (0..200).map(|_| faults.draw(&BUY)).collect::<Vec<_>>()
        };
        let drawn = run();
        assert_eq!(run(), drawn);
        let count = |fault| drawn.iter().filter(|drawn| **drawn == fault).count();
        assert!(
            (5..40).contains(&count(Some(Fault::TooMany))) && (20..70).contains(&count(Some(Fault::Late)))
        );
    }

    #[test]
    fn what_is_forced_befalls_what_is_meant_so_often() {
        let mut faults = Faults::new(7, Plan::default());
        let next = |operation: &str, times, skip| Next {
            operation: operation.into(),
            fault: Fault::Slow,
            times,
            skip,
        };
        faults.force(next("x.buy", 2, 1));
        assert_eq!(faults.draw(&LIST), None);
        let drawn: Vec<_> = (0..4).map(|_| faults.draw(&BUY)).collect();
        assert_eq!(drawn, [None, Some(Fault::Slow), Some(Fault::Slow), None]);
        faults.force(next("x", 1, 0));
        faults.force(next("*", 1, 0));
        assert_eq!(
            [faults.draw(&LIST), faults.draw(&LIST), faults.draw(&LIST)],
            [Some(Fault::Slow), Some(Fault::Slow), None]
        );
    }

    #[test]
    fn what_changes_nothing_isn_t_done_twice() {
        let mut faults = Faults::new(7, Plan::parse("duplicate=1").unwrap());
        assert_eq!(faults.draw(&LIST), None);
        assert_eq!(faults.draw(&BUY), Some(Fault::Duplicate));
    }

    #[test]
    fn faults_are_known_by_their_names() {
        for fault in ALL {
            assert_eq!(Fault::named(fault.name()), Some(*fault));
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
        }
    }
}
