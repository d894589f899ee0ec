//! What the scopes come to: the intervals that start on a date, and a day as they make it.

use jiff::civil;

use super::{DAY_MINUTES, Holiday, Hours, Interval, Weekly};

/// The fields that decide, each from the nearest scope that sets it. What is set by hand isn't among them.
#[derive(Clone, Copy)]
pub(super) struct Schedule<'a> {
    weekly: Option<&'a Weekly>,
    holidays: &'a [Holiday],
}

/// A local date: what starts on it and what may run into it.
#[derive(Clone, Copy)]
pub(super) struct Day<'a> {
    /// Whether the date is a holiday.
    pub(super) holiday: bool,
    /// The intervals that start on it; `None` when nobody set hours: always open.
    pub(super) own: Option<&'a [Interval]>,
    /// The intervals that started on the date before.
    before: &'a [Interval],
}

impl<'a> Schedule<'a> {
    pub(super) fn of(scopes: &[Option<&'a Hours>]) -> Self {
        let scopes = || scopes.iter().copied().flatten();
        Self {
            weekly: scopes().find_map(|hours| hours.weekly.as_ref()),
            holidays: scopes().find_map(|hours| hours.holidays.as_deref()).unwrap_or_default(),
        }
    }

    /// The intervals that start on a date; `None` when nobody set hours.
    pub(super) fn starting_on(self, date: civil::Date) -> Option<&'a [Interval]> {
        self.intervals(self.holiday(date), date)
    }

    pub(super) fn day(self, date: civil::Date) -> Day<'a> {
        let holiday = self.holiday(date);
        let own = self.intervals(holiday, date);
        let before = date.yesterday().ok().and_then(|before| self.starting_on(before));
        Day { holiday: holiday.is_some(), own, before: before.unwrap_or_default() }
    }

    fn intervals(self, holiday: Option<&'a Holiday>, date: civil::Date) -> Option<&'a [Interval]> {
        match holiday {
            Some(holiday) => Some(&holiday.intervals),
            None => self.weekly.map(|weekly| weekly[weekday_index(date)].as_slice()),
        }
    }

    fn holiday(self, date: civil::Date) -> Option<&'a Holiday> {
        self.holidays.iter().find(|holiday| holiday.date == date.into())
    }
}

impl Day<'_> {
    /// Whether it is open at a minute of the day.
    pub(super) fn open(self, minute: u16) -> bool {
        self.own.is_none_or(|own| {
            self.before.iter().any(|interval| interval.holds_tomorrow(minute))
                || own.iter().any(|interval| interval.holds_today(minute))
        })
    }

    /// The first minute after this one at which [`Day::open`] can say something else; 24:00 when it doesn't any more.
    pub(super) fn next_change(self, minute: u16) -> u16 {
        let Some(own) = self.own else { return DAY_MINUTES };
        let late = self.before.iter().filter(|interval| interval.passes_midnight());
        let ends = own.iter().filter(|interval| !interval.passes_midnight()).chain(late);
        let changes = own.iter().map(|interval| interval.start()).chain(ends.map(|interval| interval.end()));
        changes.filter(|change| *change > minute).fold(DAY_MINUTES, u16::min)
    }
}

fn weekday_index(date: civil::Date) -> usize {
    usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())
}
