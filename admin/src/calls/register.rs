//! Registers: places that keep one of several values, whichever order these come in and however often.

use serde::{Deserialize, Serialize};

/// How far a provider's clock may be from the router's: beyond, the router's counts.
pub const CLOCK_OFF_MS: i64 = 24 * 60 * 60 * 1_000;

/// What may be told of one thing in several ways.
pub trait Told: Ord + Clone {
    /// Lower ranks are told better, and go before others whenever they are told.
    fn rank(&self) -> u8 {
        0
    }

    /// What two that agree have in common.
    fn agrees(&self, other: &Self) -> bool {
        self == other
    }
}

impl Told for i64 {}
impl Told for String {}
impl Told for uuid::Uuid {}

/// The best told value: of the lowest rank; then the earliest, by the router's clock; then the least.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Earliest<T> {
    /// When it was told: milliseconds since 1970.
    pub at: i64,
    /// The value.
    pub value: T,
    /// Whether another value of its rank, which doesn't agree, was told as well.
    #[serde(default, skip_serializing_if = "is_false")]
    pub differs: bool,
}

impl<T: Told> Earliest<T> {
    /// One that was told once.
    pub const fn new(at: i64, value: T) -> Self {
        Self { at, value, differs: false }
    }

    fn join(&mut self, other: &Self) {
        let key = |one: &Self| (one.value.rank(), one.at);
        if self.value.rank() == other.value.rank() {
            self.differs |= other.differs || !self.value.agrees(&other.value);
        }
        if (key(other), &other.value) < (key(self), &self.value) {
            let differs = if self.value.rank() == other.value.rank() { self.differs } else { other.differs };
            *self = Self { differs, ..other.clone() };
        }
    }
}

/// The latest told value; of several at one time, the greatest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Latest<T> {
    /// When it was told: milliseconds since 1970.
    pub at: i64,
    /// The value.
    pub value: T,
}

/// When something happened: when a router heard of it, and what the provider says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Moment {
    /// When it was heard of first: milliseconds since 1970, by the router's clock.
    pub heard: i64,
    /// What the provider said first, by its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Earliest<i64>>,
}

impl Moment {
    /// One that was told once.
    pub fn new(heard: i64, said: Option<i64>) -> Self {
        Self { heard, said: said.map(|said| Earliest::new(heard, said)) }
    }

    /// Milliseconds since 1970 that count: the provider's, unless its clock is off.
    pub fn at(&self) -> i64 {
        self.said.as_ref().filter(|said| !is_off(said)).map_or(self.heard, |said| said.value)
    }

    /// Whether the provider's clock is off.
    pub fn is_off(&self) -> bool {
        self.said.as_ref().is_some_and(is_off)
    }
}

fn is_off(said: &Earliest<i64>) -> bool {
    said.value.abs_diff(said.at) > CLOCK_OFF_MS.unsigned_abs()
}

/// What two of a kind are together.
pub trait Join {
    /// Takes in all that the other says.
    fn join(&mut self, other: &Self);
}

impl<T: Told> Join for Option<Earliest<T>> {
    fn join(&mut self, other: &Self) {
        match (self.as_mut(), other) {
            (Some(own), Some(other)) => own.join(other),
            (None, Some(other)) => *self = Some(other.clone()),
            (_, None) => {}
        }
    }
}

impl<T: Ord + Clone> Join for Option<Latest<T>> {
    fn join(&mut self, other: &Self) {
        // Nothing is less than anything.
        if *other > *self {
            self.clone_from(other);
        }
    }
}

impl Join for Option<Moment> {
    fn join(&mut self, other: &Self) {
        match (self.as_mut(), other) {
            (Some(own), Some(other)) => {
                own.heard = own.heard.min(other.heard);
                Join::join(&mut own.said, &other.said);
            }
            (None, Some(other)) => *self = Some(other.clone()),
            (_, None) => {}
        }
    }
}

impl Join for bool {
    fn join(&mut self, other: &Self) {
        *self |= other;
    }
}

/// For documents that leave out what is usual.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) const fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
    struct Ranked(u8, &'static str);

    impl Told for Ranked {
        fn rank(&self) -> u8 {
            self.0
        }
        fn agrees(&self, other: &Self) -> bool {
            self.1 == other.1
        }
    }

    fn joined(values: &[(i64, Ranked)]) -> Option<Earliest<Ranked>> {
        let mut register = None;
        for (at, value) in values {
            Join::join(&mut register, &Some(Earliest::new(*at, value.clone())));
        }
        register
    }

    #[test]
    fn the_best_told_value_wins_in_any_order_and_says_when_another_was_told() {
        let all = [(5, Ranked(1, "a")), (7, Ranked(0, "b")), (9, Ranked(0, "c")), (1, Ranked(1, "d"))];
        let expected = Some(Earliest { at: 7, value: Ranked(0, "b"), differs: true });
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let values: Vec<_> = order.iter().chain(&order).map(|at: &usize| all[*at].clone()).collect();
            assert_eq!(joined(&values), expected, "{order:?}");
        }
        // What is told worse contradicts nothing.
        assert!(!joined(&[(5, Ranked(1, "a")), (1, Ranked(1, "d")), (7, Ranked(0, "b"))]).unwrap().differs);
    }

    #[test]
    fn the_providers_time_counts_unless_its_clock_is_off() {
        let noon = 1_800_000_000_000;
        let check = |said: Option<i64>, expected: (i64, bool)| {
            let moment = Moment::new(noon, said);
            assert_eq!((moment.at(), moment.is_off()), expected, "{said:?}");
        };
        check(None, (noon, false));
        check(Some(noon - 1_500), (noon - 1_500, false));
        check(Some(noon + CLOCK_OFF_MS), (noon + CLOCK_OFF_MS, false));
        check(Some(noon + CLOCK_OFF_MS + 1), (noon, true));
        check(Some(i64::MIN), (noon, true));
        check(Some(0), (noon, true));
    }
}
