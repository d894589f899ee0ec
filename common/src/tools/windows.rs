//! When a day is open, as instants: what people set by hand, holidays, hours past midnight and changes of the clock are
//! all in it, because the route's own rules are asked.

use jiff::civil::{Date, Time};

use super::when::at;
use crate::location::{Location, Person};
use crate::route::{Hours, next_closing, next_opening, open_at};
use crate::time::UnixSeconds;

/// More than any day's hours have: a guard, not a limit.
const WINDOWS_MAX: usize = 64;

/// From `from` to before `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    pub from: UnixSeconds,
    /// `None`: not within the two months that are looked ahead.
    pub to: Option<UnixSeconds>,
    /// Whether it began before the day did, and `from` is only the day's first instant.
    pub began_before: bool,
}

impl Window {
    /// What both have in common, if they have.
    fn common(self, other: Self) -> Option<Self> {
        let from = self.from.max(other.from);
        let to = match (self.to, other.to) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        };
        let began_before = self.began_before && other.began_before;
        to.is_none_or(|to| from < to).then_some(Self { from, to, began_before })
    }

    /// What is left of it from an instant on.
    pub fn after(self, instant: UnixSeconds) -> Option<Self> {
        self.common(Self { from: instant, to: None, began_before: instant < self.from })
            .map(|left| Self { began_before: self.began_before && left.from == self.from, ..left })
    }

    /// Whether something that takes so long can begin at an instant and end in it.
    pub fn holds(self, instant: UnixSeconds, duration_s: i64) -> bool {
        self.from <= instant && instant_is_before(instant, self.to) && self.fits_from(instant, duration_s)
    }

    /// Whether it is long enough.
    pub fn fits(self, duration_s: i64) -> bool {
        self.fits_from(self.from, duration_s)
    }

    fn fits_from(self, from: UnixSeconds, duration_s: i64) -> bool {
        self.to.is_none_or(|to| from.0.saturating_add(duration_s) <= to.0)
    }
}

fn instant_is_before(instant: UnixSeconds, end: Option<UnixSeconds>) -> bool {
    end.is_none_or(|end| instant < end)
}

/// A date's first instant and the next one's; `None` at the calendar's end.
pub fn bounds(location: &Location<'_>, date: Date) -> Option<(UnixSeconds, UnixSeconds)> {
    let midnight = Time::midnight();
    Some((at(location, date, midnight)?, at(location, date.tomorrow().ok()?, midnight)?))
}

/// When the location is open on a date: what begins on it, and what runs into it.
pub fn of_location(location: &Location<'_>, date: Date) -> Vec<Window> {
    of(&location.hours, location, date)
}

/// When a person works on a date: in the person's own hours, while the location is open.
pub fn of_person(location: &Location<'_>, person: &Person, date: Date) -> Vec<Window> {
    let open = of_location(location, date);
    let Some(weekly) = &person.weekly else { return open };
    let own = Hours { weekly: Some(weekly.clone()), ..Hours::default() };
    let works = of(&[Some(&own)], location, date);
    open.iter().flat_map(|open| works.iter().filter_map(|works| open.common(*works))).collect()
}

fn of(scopes: &[Option<&Hours>], location: &Location<'_>, date: Date) -> Vec<Window> {
    let Some((start, end)) = bounds(location, date) else { return Vec::new() };
    let zone = location.zone;
    let mut windows = Vec::new();
    let mut after = start;
    while let Some(from) = next_opening(scopes, zone, after).filter(|from| *from < end) {
        let to = next_closing(scopes, zone, from);
        let before = UnixSeconds(start.0.saturating_sub(1));
        let began_before = from == start && open_at(scopes, zone, before).open;
        windows.push(Window { from, to, began_before });
        match to.filter(|_| windows.len() < WINDOWS_MAX) {
            Some(to) => after = to,
            None => break,
        }
    }
    windows
}
