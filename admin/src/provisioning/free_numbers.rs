//! How many of the free numbers that accounts may have they have.

use dialplane_common::provider::provider;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::holdings::FreeNumbers;

const WARNING_PERCENT: i64 = 70;
const CRITICAL_PERCENT: i64 = 90;

/// How full an account is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FreeNumbersLevel)]
pub enum Level {
    /// Less than 70 percent are used.
    Ok,
    /// 70 percent or more.
    Warning,
    /// 90 percent or more.
    Critical,
}

impl Level {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// So many of so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// How many there are.
    pub total: i64,
    /// How many there may be.
    pub limit: i64,
}

impl Used {
    /// How many more there may be.
    #[must_use]
    pub fn remaining(self) -> i64 {
        (self.limit - self.total).max(0)
    }

    /// The share that is used, in percent with one place. Where there may be none, none is 0 percent, and any 100.
    #[must_use]
    pub fn percent(self) -> f64 {
        let per_mille =
            if self.limit == 0 { 1_000 * self.total.min(1) } else { 1_000 * self.total / self.limit };
        #[expect(clippy::cast_precision_loss, reason = "numbers are far fewer")]
        let per_mille = per_mille as f64;
        per_mille / 10.0
    }

    /// How full that is.
    #[must_use]
    pub fn level(self) -> Level {
        let is_at = |percent: i64| self.total > 0 && 100 * self.total >= percent * self.limit;
        match () {
            () if is_at(CRITICAL_PERCENT) => Level::Critical,
            () if is_at(WARNING_PERCENT) => Level::Warning,
            () => Level::Ok,
        }
    }
}

/// Whether it has, or could have, free numbers.
#[must_use]
pub fn concerns(account: &FreeNumbers) -> bool {
    let numbers = provider(&account.provider).and_then(|provider| provider.numbers());
    account.total > 0 || numbers.is_some_and(|numbers| numbers.abilities().free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_begin_at_70_and_90_percent() {
        let check = |total: i64, limit: i64, percent: f64, remaining: i64, level: Level| {
            let used = Used { total, limit };
            assert!((used.percent() - percent).abs() < 1e-9, "{used:?} {}", used.percent());
            assert_eq!((used.remaining(), used.level()), (remaining, level), "{used:?}");
        };
        check(0, 5, 0.0, 5, Level::Ok);
        check(3, 5, 60.0, 2, Level::Ok);
        check(7, 10, 70.0, 3, Level::Warning);
        check(69, 99, 69.6, 30, Level::Ok);
        check(4, 5, 80.0, 1, Level::Warning);
        check(9, 10, 90.0, 1, Level::Critical);
        check(12, 10, 120.0, 0, Level::Critical);
        // Nothing is wanted, and nothing had.
        check(0, 0, 0.0, 0, Level::Ok);
        check(1, 0, 100.0, 0, Level::Critical);
    }
}
