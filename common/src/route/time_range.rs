//! Ranges of wall time.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::{Date, Interval};

/// When a location's clock and calendar show this: all that is set has to hold.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TimeRange {
    /// Days of the week, Monday the lowest bit; 0: all.
    pub days: u8,
    /// From and before which minute of the day. Past midnight it belongs to the day it starts on.
    pub interval: Option<Interval>,
    /// First and last date.
    pub dates: Option<(Date, Date)>,
}

impl TimeRange {
    /// Whether `wall` lies in it.
    #[must_use]
    pub fn holds(&self, wall: DateTime) -> bool {
        let minute = u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs());
        let today =
            self.day_holds(wall.date()) && self.interval.is_none_or(|interval| interval.holds_today(minute));
        let yesterday = || wall.date().yesterday().is_ok_and(|date| self.day_holds(date));
        today || (self.interval.is_some_and(|interval| interval.holds_tomorrow(minute)) && yesterday())
    }

    fn day_holds(&self, date: jiff::civil::Date) -> bool {
        let day = date.weekday().to_monday_zero_offset().unsigned_abs();
        let in_dates = |(first, last): (Date, Date)| (first..=last).contains(&date.into());
        (self.days == 0 || self.days & 1 << day != 0) && self.dates.is_none_or(in_dates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &TimeRange, wall: &str, expected: bool) {
        assert_eq!(range.holds(wall.parse().unwrap()), expected, "{wall}");
    }

    #[test]
    fn every_part_has_to_hold_and_nights_belong_to_the_day_before() {
        let date = |day| Date { year: 2026, month: 12, day };
        let range = TimeRange {
            days: 1 << 4 | 1 << 5,
            interval: Interval::new(22 * 60, 2 * 60),
            dates: Some((date(1), date(18))),
        };
        check(&range, "2026-12-11T22:00:00", true);
        check(&range, "2026-12-11T21:59:59", false);
        check(&range, "2026-12-12T01:59:00", true);
        check(&range, "2026-12-11T01:00:00", false);
        check(&range, "2026-12-13T01:00:00", true);
        check(&range, "2026-12-13T02:00:00", false);
        check(&range, "2026-12-19T01:00:00", true);
        check(&range, "2026-12-19T22:00:00", false);
        check(&TimeRange { days: 1, ..TimeRange::default() }, "2026-12-14T00:00:00", true);
        check(&TimeRange { days: 1, ..TimeRange::default() }, "2026-12-15T00:00:00", false);
    }
}
