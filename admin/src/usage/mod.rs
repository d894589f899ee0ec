//! What came together of calls, and what it cost: which periods are asked for ([`period`]), how groups are put together
//! ([`grouping`]), tables for spreadsheets ([`csv`]), and the work that is done ahead ([`roll_up`]).
//!
//! The sums themselves are worked out in Postgres (migration 0019), where money is exact; `store::usage` asks for them.

pub mod csv;
pub mod grouping;
pub mod period;
pub mod roll_up;

/// Milliseconds as minutes: a decimal of four places, rounded half up.
#[must_use]
pub fn minutes(ms: i64) -> String {
    let parts = (i128::from(ms) * 10_000 + 30_000).div_euclid(60_000);
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_exact_to_the_fourth_place() {
        let check = |ms, expected: &str| assert_eq!(minutes(ms), expected, "{ms}");
        check(0, "0.0000");
        check(60_000, "1.0000");
        check(1, "0.0000");
        check(3, "0.0001");
        check(20_000, "0.3333");
        check(40_000, "0.6667");
        check(i64::MAX, "153722867280912.9301");
    }
}
