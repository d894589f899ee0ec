//! Opening hours: open at an instant when its wall time in the location's zone lies in an interval.
//!
//! Intervals are half open, `[start, end)`. One that ends at or before its start runs past midnight and belongs to
//! the day it starts on. A holiday replaces the intervals that start on its date; one from the evening before still
//! runs into it. Wall time is worked out at call time, so gaps and folds of daylight saving need no rule of their
//! own: what the clock on the wall shows decides.

mod openings;
#[cfg(test)]
mod scan;
mod schedule;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
pub use openings::{LOOK_AHEAD_DAYS, Openings, next_closing, next_opening, openings_on};
use schedule::Schedule;
use serde::{Deserialize, Serialize};

use crate::time::UnixSeconds;

const DAY_MINUTES: u16 = 24 * 60;

/// Opening hours as one scope sets them. What is absent comes from the scope behind: field by field.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Hours {
    /// The week; absent: as the scope behind says.
    pub weekly: Option<Weekly>,
    /// The holidays, in order of date; absent: as the scope behind says.
    pub holidays: Option<Vec<Holiday>>,
    /// Open or closed whatever the week says; absent: as the scope behind says.
    pub forced: Option<Forced>,
}

/// The intervals of each day of the week, Monday first.
pub type Weekly = [Vec<Interval>; 7];

/// From `start` to before `end`, in minutes of wall time since midnight. `end <= start`: past midnight.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Interval {
    start: u16,
    end: u16,
}

impl Interval {
    /// `None` when the minutes aren't on a clock (`end` may be 24:00) or are equal.
    #[must_use]
    pub const fn new(start: u16, end: u16) -> Option<Self> {
        if start < DAY_MINUTES && end <= DAY_MINUTES && start != end {
            Some(Self { start, end })
        } else {
            None
        }
    }

    /// First minute.
    #[must_use]
    pub const fn start(self) -> u16 {
        self.start
    }

    /// The minute after the last one.
    #[must_use]
    pub const fn end(self) -> u16 {
        self.end
    }

    /// Whether it runs into the next day.
    #[must_use]
    pub const fn passes_midnight(self) -> bool {
        self.end < self.start
    }

    /// Whether `minute` of the day it starts on lies in it.
    pub(super) const fn holds_today(self, minute: u16) -> bool {
        minute >= self.start && (minute < self.end || self.passes_midnight())
    }

    /// Whether `minute` of the day after the one it starts on lies in it.
    pub(super) const fn holds_tomorrow(self, minute: u16) -> bool {
        self.passes_midnight() && minute < self.end
    }
}

/// A date on a wall calendar, ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Date {
    /// Year of the common era.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// The same on jiff's calendar; `None` when there is no such day.
    fn on_calendar(self) -> Option<civil::Date> {
        civil::Date::new(self.year, i8::try_from(self.month).ok()?, i8::try_from(self.day).ok()?).ok()
    }
}

impl From<civil::Date> for Date {
    fn from(date: civil::Date) -> Self {
        Self { year: date.year(), month: date.month().unsigned_abs(), day: date.day().unsigned_abs() }
    }
}

/// A day that isn't as its weekday.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holiday {
    /// Which day.
    pub date: Date,
    /// When it is open all the same; empty: closed.
    pub intervals: Vec<Interval>,
}

/// Open or closed by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forced {
    /// Which of the two.
    pub open: bool,
    /// Until before this instant; absent: until somebody ends it.
    pub until: Option<UnixSeconds>,
}

/// Whether a location is open, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenState {
    /// Whether it is open.
    pub open: bool,
    /// Whether the local date is a holiday.
    pub holiday: bool,
    /// What decided.
    pub reason: OpenReason,
}

/// What decided whether a location is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenReason {
    /// Nobody set hours: always open.
    Unset,
    /// By hand.
    Forced,
    /// The week.
    Weekly,
    /// A holiday.
    Holiday,
}

/// Whether a location in `zone` is open at `now`. `scopes` are the hours set for it, the nearest first: a field that
/// one doesn't set comes from the next.
#[must_use]
pub fn open_at(scopes: &[Option<&Hours>], zone: &TimeZone, now: UnixSeconds) -> OpenState {
    let wall = wall_time(zone, now);
    let day = Schedule::of(scopes).day(wall.date());
    let (open, reason) = match (forced_at(scopes, now), day.own) {
        (Some(forced), _) => (forced.open, OpenReason::Forced),
        (None, None) => (true, OpenReason::Unset),
        (None, Some(_)) if day.holiday => (day.open(minute_of_day(wall)), OpenReason::Holiday),
        (None, Some(_)) => (day.open(minute_of_day(wall)), OpenReason::Weekly),
    };
    OpenState { open, holiday: day.holiday, reason }
}

/// What the clock on the wall shows. An instant beyond the calendar (year 9999) counts as its end.
pub(super) fn wall_time(zone: &TimeZone, now: UnixSeconds) -> civil::DateTime {
    zone.to_datetime(instant(now))
}

/// What is set by hand and hasn't ended, from the nearest scope that has such.
fn forced_at(scopes: &[Option<&Hours>], now: UnixSeconds) -> Option<Forced> {
    let mut forced = scopes.iter().flatten().filter_map(|hours| hours.forced);
    forced.find(|forced| forced.until.is_none_or(|until| now < until))
}

/// An instant beyond the calendar (year 9999) counts as its end.
fn instant(now: UnixSeconds) -> Timestamp {
    Timestamp::from_second(now.0).unwrap_or(if now.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn minute_of_day(wall: civil::DateTime) -> u16 {
    u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: &str, end: &str) -> Interval {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':').unwrap();
            hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
        };
        Interval::new(minutes(start), minutes(end)).unwrap()
    }

    fn at(zone: &str, wall: &str) -> (TimeZone, UnixSeconds) {
        let zone = TimeZone::get(zone).unwrap();
        let wall: civil::DateTime = wall.parse().unwrap();
        let now = wall.to_zoned(zone.clone()).unwrap().timestamp().as_second();
        (zone, UnixSeconds(now))
    }

    /// The smallest session's hours: Monday 9 to 5, Friday 18 to 2, closed on Christmas.
    fn salon() -> Hours {
        let mut weekly = Weekly::default();
        weekly[0] = vec![interval("09:00", "17:00")];
        weekly[4] = vec![interval("18:00", "02:00")];
        let christmas = Holiday { date: Date { year: 2026, month: 12, day: 25 }, intervals: vec![] };
        Hours { weekly: Some(weekly), holidays: Some(vec![christmas]), forced: None }
    }

    fn check(hours: &Hours, wall: &str, expected: bool) {
        let (zone, now) = at("America/New_York", wall);
        assert_eq!(open_at(&[Some(hours)], &zone, now).open, expected, "{wall}");
    }

    #[test]
    fn open_from_start_to_before_end() {
        check(&salon(), "2026-11-23T08:59:59", false);
        check(&salon(), "2026-11-23T09:00:00", true);
        check(&salon(), "2026-11-23T16:59:59", true);
        check(&salon(), "2026-11-23T17:00:00", false);
        check(&salon(), "2026-11-24T12:00:00", false);
    }

    #[test]
    fn past_midnight_belongs_to_the_day_it_starts_on() {
        check(&salon(), "2026-11-27T17:59:00", false);
        check(&salon(), "2026-11-27T23:59:59", true);
        check(&salon(), "2026-11-28T01:59:59", true);
        check(&salon(), "2026-11-28T02:00:00", false);
        check(&salon(), "2026-11-27T01:00:00", false);
    }

    #[test]
    fn a_holiday_replaces_what_starts_on_it_and_no_more() {
        check(&salon(), "2026-12-25T19:00:00", false);
        check(&salon(), "2026-12-26T01:00:00", false);
        let mut hours = salon();
        hours.holidays = Some(vec![Holiday {
            date: Date { year: 2026, month: 11, day: 28 },
            intervals: vec![interval("10:00", "11:00")],
        }]);
        check(&hours, "2026-11-28T01:00:00", true);
        check(&hours, "2026-11-28T10:30:00", true);
        check(&hours, "2026-11-28T11:00:00", false);
    }

    #[test]
    fn to_midnight_and_around_the_clock() {
        let all_day = Hours {
            weekly: Some(std::array::from_fn(|_| vec![interval("00:00", "24:00")])),
            ..Hours::default()
        };
        check(&all_day, "2026-11-23T00:00:00", true);
        check(&all_day, "2026-11-23T23:59:59", true);
        assert_eq!(Interval::new(540, 540), None);
        assert_eq!(Interval::new(0, 1441), None);
        assert_eq!(Interval::new(1440, 60), None);
        assert!(!interval("09:00", "24:00").passes_midnight());
        assert!(interval("09:00", "00:00").passes_midnight());
    }

    #[test]
    fn forced_until_its_end() {
        let (zone, noon) = at("America/New_York", "2026-11-23T12:00:00");
        let mut hours = salon();
        hours.forced = Some(Forced { open: false, until: Some(noon) });
        let before = open_at(&[Some(&hours)], &zone, UnixSeconds(noon.0 - 1));
        assert_eq!((before.open, before.reason), (false, OpenReason::Forced));
        let after = open_at(&[Some(&hours)], &zone, noon);
        assert_eq!((after.open, after.reason), (true, OpenReason::Weekly));
    }

    #[test]
    fn each_field_comes_from_the_nearest_scope_that_sets_it() {
        let (zone, noon) = at("America/New_York", "2026-12-25T12:00:00");
        let tenant = salon();
        let number = Hours {
            weekly: Some(std::array::from_fn(|_| vec![interval("00:00", "24:00")])),
            ..Hours::default()
        };
        let state = open_at(&[Some(&number), Some(&tenant), None], &zone, noon);
        assert_eq!(state, OpenState { open: false, holiday: true, reason: OpenReason::Holiday });
        let unset = open_at(&[None, None, None], &zone, noon);
        assert_eq!(unset, OpenState { open: true, holiday: false, reason: OpenReason::Unset });
    }

    #[test]
    fn the_clock_on_the_wall_decides_in_gaps_and_folds() {
        let mut hours = Hours { weekly: Some(Weekly::default()), ..Hours::default() };
        hours.weekly.as_mut().unwrap()[6] = vec![interval("01:30", "02:30")];
        let zone = TimeZone::get("America/New_York").unwrap();
        let minutes_open = |from: &str| {
            let from: Timestamp = from.parse().unwrap();
            (0..24 * 60)
                .filter(|minute| {
                    open_at(&[Some(&hours)], &zone, UnixSeconds(from.as_second() + minute * 60)).open
                })
                .count()
        };
        assert_eq!(minutes_open("2026-03-08T05:00:00Z"), 30, "02:00 to 03:00 doesn't exist");
        assert_eq!(minutes_open("2026-11-01T04:00:00Z"), 90, "01:00 to 02:00 comes twice");
        assert_eq!(minutes_open("2026-11-08T05:00:00Z"), 60);
    }

    #[test]
    fn instants_beyond_the_calendar_are_no_panic() {
        let zone = TimeZone::get("Asia/Kathmandu").unwrap();
        for now in [i64::MIN, i64::MAX] {
            let _ = open_at(&[Some(&salon())], &zone, UnixSeconds(now));
        }
    }
}
