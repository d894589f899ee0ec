//! What a caller is told about opening hours: a day's, when it opens next, when it closes.
//!
//! Between two changes of the clock on the wall, whether it is open can change only where an interval begins or ends,
//! at midnight, or where something set by hand ends. So the search goes from one such instant to the next and asks at
//! each, by the same rules as [`open_at`](super::open_at), instead of asking at each minute.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use super::schedule::Schedule;
use super::{Date, Hours, Interval, forced_at, instant, minute_of_day, wall_time};
use crate::time::UnixSeconds;

/// How far ahead openings and closings are looked for: beyond two months, callers are told nothing.
pub const LOOK_AHEAD_DAYS: i64 = 60;

const DAY_S: i64 = 24 * 60 * 60;

/// The hours of one date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Openings<'a> {
    /// Nobody set hours: open around the clock.
    Always,
    /// The intervals that start on it, as they were set; none: closed.
    Intervals(&'a [Interval]),
}

/// The intervals that start on a local date: its holiday's, else its weekday's. One may run into the next date, and one
/// of the date before into this. What is set by hand isn't asked. A date that no calendar has is closed.
#[must_use]
pub fn openings_on<'a>(scopes: &[Option<&'a Hours>], date: Date) -> Openings<'a> {
    let Some(date) = date.on_calendar() else { return Openings::Intervals(&[]) };
    Schedule::of(scopes).starting_on(date).map_or(Openings::Always, Openings::Intervals)
}

/// The first instant from `now` on at which a location in `zone` is open: `now` itself when it is open then. `None`
/// when it doesn't open within [`LOOK_AHEAD_DAYS`], the last second included.
#[must_use]
pub fn next_opening(scopes: &[Option<&Hours>], zone: &TimeZone, now: UnixSeconds) -> Option<UnixSeconds> {
    next(scopes, zone, now, true)
}

/// The first instant after `now` at which a location in `zone` that is open at `now` no longer is. `None` when it is
/// closed at `now`, or doesn't close within [`LOOK_AHEAD_DAYS`], the last second included.
#[must_use]
pub fn next_closing(scopes: &[Option<&Hours>], zone: &TimeZone, now: UnixSeconds) -> Option<UnixSeconds> {
    next(scopes, zone, now, false).filter(|closing| *closing > now)
}

/// The first instant from `now` on at which it is open, or closed, as wanted.
fn next(scopes: &[Option<&Hours>], zone: &TimeZone, now: UnixSeconds, wanted: bool) -> Option<UnixSeconds> {
    let last = UnixSeconds(now.0.saturating_add(LOOK_AHEAD_DAYS * DAY_S));
    let schedule = Schedule::of(scopes);
    let mut clock = WallClock::new(zone);
    let mut at = now;
    while at <= last {
        at = match forced_at(scopes, at) {
            Some(forced) if forced.open == wanted => return Some(at),
            Some(forced) => forced.until?,
            None => {
                let wall = clock.read(at);
                let day = schedule.day(wall.date());
                let minute = minute_of_day(wall);
                if day.open(minute) == wanted {
                    return Some(at);
                }
                clock.instant_of(day.next_change(minute), at, wall)?
            }
        };
    }
    None
}

/// The clock on a zone's wall. It remembers when it is set to another offset next, because to find out costs more than
/// all the rest.
struct WallClock<'a> {
    zone: &'a TimeZone,
    /// The next change of offset, and from when on that is known.
    change: Option<(UnixSeconds, Option<UnixSeconds>)>,
}

impl<'a> WallClock<'a> {
    const fn new(zone: &'a TimeZone) -> Self {
        Self { zone, change: None }
    }

    fn read(&self, at: UnixSeconds) -> civil::DateTime {
        wall_time(self.zone, at)
    }

    /// When the clock, which shows `wall` at `at`, comes to a later minute of the same day or is set to another offset,
    /// whichever is first. `None` at the calendar's end, where it stands still.
    fn instant_of(&mut self, minute: u16, at: UnixSeconds, wall: civil::DateTime) -> Option<UnixSeconds> {
        if at.0 > Timestamp::MAX.as_second() {
            return None;
        }
        if at.0 < Timestamp::MIN.as_second() {
            return Some(UnixSeconds(Timestamp::MIN.as_second()));
        }
        let second = i64::from(minute_of_day(wall)) * 60 + i64::from(wall.second());
        let comes = UnixSeconds(at.0 + i64::from(minute) * 60 - second);
        Some(self.change_after(at).map_or(comes, |change| comes.min(change)))
    }

    fn change_after(&mut self, at: UnixSeconds) -> Option<UnixSeconds> {
        match self.change {
            Some((known_from, change)) if at >= known_from && change.is_none_or(|change| at < change) => {
                change
            }
            _ => {
                let following = self.zone.following(instant(at)).next();
                let change = following.map(|change| UnixSeconds(change.timestamp().as_second()));
                self.change = Some((at, change));
                change
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Forced, Holiday, Weekly, open_at};
    use super::*;

    const NEW_YORK: &str = "America/New_York";

    fn interval(start: u16, end: u16) -> Interval {
        Interval::new(start, end).unwrap()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn instant(text: &str) -> UnixSeconds {
        UnixSeconds(text.parse::<Timestamp>().unwrap().as_second())
    }

    fn date(year: i16, month: u8, day: u8) -> Date {
        Date { year, month, day }
    }

    /// Monday 9 to 5, Friday 18 to 2, closed on Christmas, a Friday in 2026.
    fn salon() -> Hours {
        let mut weekly = Weekly::default();
        weekly[0] = vec![interval(540, 1020)];
        weekly[4] = vec![interval(1080, 120)];
        let christmas = Holiday { date: date(2026, 12, 25), intervals: vec![] };
        Hours { weekly: Some(weekly), holidays: Some(vec![christmas]), forced: None }
    }

    /// The same intervals on all days.
    fn daily(intervals: &[Interval]) -> Hours {
        Hours { weekly: Some(std::array::from_fn(|_| intervals.to_vec())), ..Hours::default() }
    }

    /// Checks both searches from one instant.
    fn check(hours: &Hours, name: &str, now: &str, opening: Option<&str>, closing: Option<&str>) {
        let (scopes, zone, now) = ([Some(hours)], zone(name), instant(now));
        assert_eq!(next_opening(&scopes, &zone, now), opening.map(instant), "opening after {now:?}");
        assert_eq!(next_closing(&scopes, &zone, now), closing.map(instant), "closing after {now:?}");
    }

    #[test]
    fn while_closed_the_next_interval_and_while_open_its_end() {
        let check = |now, opening, closing| check(&salon(), NEW_YORK, now, opening, closing);
        check("2026-11-23T13:59:59Z", Some("2026-11-23T14:00:00Z"), None);
        check("2026-11-23T14:00:00Z", Some("2026-11-23T14:00:00Z"), Some("2026-11-23T22:00:00Z"));
        check("2026-11-23T21:59:59Z", Some("2026-11-23T21:59:59Z"), Some("2026-11-23T22:00:00Z"));
        check("2026-11-23T22:00:00Z", Some("2026-11-27T23:00:00Z"), None);
        check("2026-11-28T03:00:00Z", Some("2026-11-28T03:00:00Z"), Some("2026-11-28T07:00:00Z"));
        // Christmas is passed over.
        check("2026-12-22T12:00:00Z", Some("2026-12-28T14:00:00Z"), None);
    }

    #[test]
    fn intervals_that_meet_are_one() {
        let hours = daily(&[interval(540, 720), interval(720, 1020)]);
        check(
            &hours,
            "UTC",
            "2026-11-23T09:30:00Z",
            Some("2026-11-23T09:30:00Z"),
            Some("2026-11-23T17:00:00Z"),
        );
        let always = daily(&[interval(0, 1440)]);
        check(&always, "UTC", "2026-11-23T09:30:00Z", Some("2026-11-23T09:30:00Z"), None);
    }

    #[test]
    fn an_interval_in_a_gap_is_left_out_and_one_in_a_fold_comes_twice() {
        let hours = daily(&[interval(130, 160)]);
        // 02:10 doesn't exist on 8 March 2026 in New York.
        check(&hours, NEW_YORK, "2026-03-08T06:00:00Z", Some("2026-03-09T06:10:00Z"), None);
        let hours = daily(&[interval(70, 100)]);
        check(&hours, NEW_YORK, "2026-11-01T05:40:00Z", Some("2026-11-01T06:10:00Z"), None);
        // A gap from one interval into another: it stays open.
        let hours = daily(&[interval(90, 130), interval(170, 190)]);
        check(
            &hours,
            NEW_YORK,
            "2026-03-08T06:40:00Z",
            Some("2026-03-08T06:40:00Z"),
            Some("2026-03-08T07:10:00Z"),
        );
        // 01:50 comes again after 01:59: it closes at 01:55, and opens as the clock goes back.
        let hours = daily(&[interval(60, 115)]);
        check(&hours, NEW_YORK, "2026-11-01T05:57:00Z", Some("2026-11-01T06:00:00Z"), None);
    }

    #[test]
    fn what_is_set_by_hand_ends() {
        let with = |open, until: Option<&str>| {
            let forced = Some(Forced { open, until: until.map(instant) });
            Hours { forced, ..salon() }
        };
        let now = "2026-11-23T15:00:00Z";
        check(&with(false, None), NEW_YORK, now, None, None);
        check(&with(true, None), NEW_YORK, now, Some(now), None);
        let until = "2026-11-23T16:00:01Z";
        check(&with(false, Some(until)), NEW_YORK, now, Some(until), None);
        check(&with(true, Some(until)), NEW_YORK, now, Some(now), Some("2026-11-23T22:00:00Z"));
        check(
            &with(true, Some("2026-11-24T00:00:07Z")),
            NEW_YORK,
            now,
            Some(now),
            Some("2026-11-24T00:00:07Z"),
        );
        let years = "2036-01-01T00:00:00Z";
        check(&with(false, Some(years)), NEW_YORK, now, None, None);
    }

    #[test]
    fn hours_set_by_hand_in_a_scope_behind_hold_when_the_nearer_ones_end() {
        let number =
            Hours { forced: Some(Forced { open: false, until: Some(UnixSeconds(600)) }), ..Hours::default() };
        let tenant =
            Hours { forced: Some(Forced { open: false, until: Some(UnixSeconds(900)) }), ..daily(&[]) };
        let platform =
            Hours { forced: Some(Forced { open: true, until: Some(UnixSeconds(1200)) }), ..Hours::default() };
        let (scopes, utc) = ([Some(&number), Some(&tenant), Some(&platform)], TimeZone::UTC);
        assert_eq!(next_opening(&scopes, &utc, UnixSeconds(0)), Some(UnixSeconds(900)));
        assert_eq!(next_closing(&scopes, &utc, UnixSeconds(900)), Some(UnixSeconds(1200)));
    }

    #[test]
    fn looks_two_months_ahead_and_no_further() {
        let mut hours = daily(&[]);
        hours.holidays = Some(vec![Holiday { date: date(2026, 3, 2), intervals: vec![interval(0, 60)] }]);
        check(&hours, "UTC", "2026-01-01T00:00:00Z", Some("2026-03-02T00:00:00Z"), None);
        check(&hours, "UTC", "2025-12-31T23:59:59Z", None, None);
        check(&daily(&[]), "UTC", "2026-01-01T00:00:00Z", None, None);
        check(&Hours::default(), "UTC", "2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z"), None);
    }

    #[test]
    fn a_day_is_its_holidays_else_its_weekdays() {
        let hours = salon();
        let monday = [interval(540, 1020)];
        let check = |scopes: &[Option<&Hours>], date, expected| {
            assert_eq!(openings_on(scopes, date), expected, "{date:?}");
        };
        check(&[None, Some(&hours)], date(2026, 11, 23), Openings::Intervals(&monday));
        check(&[Some(&hours)], date(2026, 11, 24), Openings::Intervals(&[]));
        check(&[Some(&hours)], date(2026, 12, 25), Openings::Intervals(&[]));
        check(&[Some(&hours)], date(2026, 2, 30), Openings::Intervals(&[]));
        check(&[Some(&hours)], date(2026, 200, 200), Openings::Intervals(&[]));
        check(&[None, None], date(2026, 11, 23), Openings::Always);
        let forced = Hours { forced: Some(Forced { open: false, until: None }), ..Hours::default() };
        check(&[Some(&forced)], date(2026, 11, 23), Openings::Always);
    }

    #[test]
    fn the_calendars_ends_are_no_panic() {
        let zone = zone("Asia/Kathmandu");
        let ends = [Timestamp::MIN, Timestamp::MAX].map(Timestamp::as_second);
        for now in [i64::MIN, i64::MAX].into_iter().chain(ends) {
            for now in [-100_000, -1, 0, 1, 100_000].map(|seconds| UnixSeconds(now.saturating_add(seconds))) {
                for hours in [salon(), daily(&[]), Hours::default()] {
                    let opening = next_opening(&[Some(&hours)], &zone, now);
                    assert!(opening.is_none_or(|at| open_at(&[Some(&hours)], &zone, at).open));
                    let _ = next_closing(&[Some(&hours)], &zone, now);
                }
            }
        }
    }
}
