//! The searches for openings and closings against asking [`open_at`] at each minute, with random hours.

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use super::{
    Date, Forced, Holiday, Hours, Interval, LOOK_AHEAD_DAYS, Weekly, next_closing, next_opening, open_at,
};
use crate::time::UnixSeconds;

/// Zones and an instant near which something happens there: gaps and folds, at midnight, over midnight, of half an hour
/// and of two hours, a date left out, a date that comes twice, a whole zone's move.
const PLACES: [(&str, &str); 17] = [
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("America/St_Johns", "2026-11-01T04:30:00Z"),
    ("America/Nuuk", "2026-10-25T01:00:00Z"),
    ("America/Santiago", "2026-09-06T04:00:00Z"),
    ("America/Santiago", "2026-04-05T03:00:00Z"),
    ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("Asia/Almaty", "2024-02-29T18:00:00Z"),
    ("Asia/Kathmandu", "2026-01-01T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Pacific/Chatham", "2026-09-26T14:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),
];

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    /// True once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Either side of zero.
    fn around(&mut self, far: i64) -> i64 {
        self.below(far.unsigned_abs() * 2).cast_signed() - far
    }

    fn interval(&mut self) -> Interval {
        loop {
            // Ends that meet, midnight, and the hours in which clocks are changed are likelier than by chance.
            let mut minute = || match self.below(4) {
                0 => self.below(25) * 60,
                1 => self.below(5 * 12) * 5,
                _ => self.below(1441),
            };
            let [start, end] = [minute(), minute()].map(|minute| u16::try_from(minute).unwrap());
            if let Some(interval) = Interval::new(start, end) {
                return interval;
            }
        }
    }

    fn intervals(&mut self) -> Vec<Interval> {
        let count = if self.once_in(2) { 0 } else { self.below(4) };
        (0..count).map(|_| self.interval()).collect()
    }

    fn forced(&mut self, now: i64) -> Forced {
        let until = (!self.once_in(24)).then(|| UnixSeconds(now + self.around(5 * 86_400)));
        Forced { open: self.once_in(2), until }
    }

    fn hours(&mut self, now: i64) -> Hours {
        let weekly: Option<Weekly> = match self.below(24) {
            0 => None,
            1 => Some(Weekly::default()),
            _ => Some(std::array::from_fn(|_| self.intervals())),
        };
        let holidays = (!self.once_in(3)).then(|| {
            let today: civil::Date = TimeZone::UTC.to_datetime(Timestamp::from_second(now).unwrap()).date();
            let mut dates: Vec<Date> = (0..self.below(5))
                .map(|_| today.saturating_add(jiff::Span::new().days(self.around(6))).into())
                .collect();
            dates.sort_unstable();
            dates.dedup();
            dates.into_iter().map(|date| Holiday { date, intervals: self.intervals() }).collect()
        });
        let forced = self.once_in(4).then(|| self.forced(now));
        Hours { weekly, holidays, forced }
    }
}

/// The first instant that a minute-by-minute scan finds. Clocks are changed at whole minutes in all of [`PLACES`], so
/// nothing happens between them but ends of what was set by hand.
fn scan(scopes: &[Option<&Hours>], zone: &TimeZone, now: i64, wanted: bool) -> Option<UnixSeconds> {
    let last = now + LOOK_AHEAD_DAYS * 86_400;
    let mut ends: Vec<i64> = scopes
        .iter()
        .flatten()
        .filter_map(|hours| Some(hours.forced?.until?.0))
        .filter(|end| *end > now)
        .collect();
    ends.sort_unstable();
    let first_minute = now - now.rem_euclid(60) + 60;
    let minutes = std::iter::once(now).chain((first_minute..=last).step_by(60));
    let mut ends = ends.into_iter().peekable();
    for minute in minutes {
        while let Some(end) = ends.next_if(|end| *end <= minute) {
            if open_at(scopes, zone, UnixSeconds(end)).open == wanted {
                return Some(UnixSeconds(end));
            }
        }
        if open_at(scopes, zone, UnixSeconds(minute)).open == wanted {
            return Some(UnixSeconds(minute));
        }
    }
    None
}

#[test]
fn the_searches_find_what_a_scan_of_each_minute_finds() {
    const CASES: usize = 500;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let [mut opened, mut closed, mut never] = [0; 3];
    for case in 0..CASES {
        let (name, near) = PLACES[case % PLACES.len()];
        let zone = TimeZone::get(name).unwrap();
        let near = near.parse::<Timestamp>().unwrap().as_second();
        let now = near + if random.once_in(3) { random.around(3_600) } else { random.around(4 * 86_400) };
        let scopes: [Hours; 2] = std::array::from_fn(|_| random.hours(now));
        let scopes = scopes.each_ref().map(Some);

        let opening = scan(&scopes, &zone, now, true);
        assert_eq!(
            next_opening(&scopes, &zone, UnixSeconds(now)),
            opening,
            "{case}: {name} {now} {scopes:?}"
        );
        let closing = if opening == Some(UnixSeconds(now)) { scan(&scopes, &zone, now, false) } else { None };
        assert_eq!(
            next_closing(&scopes, &zone, UnixSeconds(now)),
            closing,
            "{case}: {name} {now} {scopes:?}"
        );

        opened += usize::from(opening.is_some_and(|at| at.0 > now));
        closed += usize::from(closing.is_some());
        never += usize::from(opening.is_none());
    }
    // The cases are of all kinds.
    for count in [opened, closed, never] {
        assert!(count > CASES / 50, "opened {opened}, closed {closed}, never {never} of {CASES}");
    }
}
