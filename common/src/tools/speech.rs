//! Days, times and lists in words.

use jiff::civil::Date;

use super::when::{today, wall_date};
use super::windows::{Window, bounds};
use crate::location::{DAY_NAMES, Location};
use crate::time::UnixSeconds;

const MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `Monday 23 November 2026`.
pub fn date_name(date: Date) -> String {
    let weekday = DAY_NAMES[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())];
    let month =
        usize::from(date.month().unsigned_abs()).checked_sub(1).and_then(|index| MONTH_NAMES.get(index));
    format!("{weekday} {} {} {}", date.day(), month.copied().unwrap_or_default(), date.year())
}

/// `today, Monday 23 November 2026,` or `on Tuesday 24 November 2026`: for the middle of a sentence.
pub fn day(location: &Location<'_>, date: Date) -> String {
    let (today, name) = (today(location), date_name(date));
    if date == today {
        format!("today, {name},")
    } else if today.tomorrow().is_ok_and(|tomorrow| date == tomorrow) {
        format!("tomorrow, {name},")
    } else {
        format!("on {name}")
    }
}

/// The same for the end of a sentence.
pub fn day_at_end(location: &Location<'_>, date: Date) -> String {
    day(location, date).trim_end_matches(',').to_owned()
}

/// `09:00`, as the clock on the wall shows.
pub fn clock(location: &Location<'_>, at: UnixSeconds) -> String {
    let instant = jiff::Timestamp::from_second(at.0).unwrap_or_default();
    let wall = location.zone.to_datetime(instant);
    format!("{:02}:{:02}", wall.hour(), wall.minute())
}

/// `17:00`, or `02:00 on Saturday 28 November 2026` when that is another day than `date`.
pub fn clock_and_day(location: &Location<'_>, at: UnixSeconds, date: Date) -> String {
    let (clock, other) = (clock(location, at), wall_date(location, at));
    if other == date { clock } else { format!("{clock} {}", day_at_end(location, other)) }
}

/// `from 09:00 to 12:00 and from 13:00 to 17:00`.
pub fn spans(location: &Location<'_>, date: Date, windows: &[Window]) -> String {
    list(windows.iter().map(|window| span(location, date, *window)), "and")
}

fn span(location: &Location<'_>, date: Date, window: Window) -> String {
    let (start, end) = bounds(location, date).unwrap_or((window.from, window.from));
    let from = clock(location, window.from);
    let Some(to) = window.to else {
        return if window.from <= start { "around the clock".into() } else { format!("from {from} on") };
    };
    let to_text = clock(location, to);
    if window.from <= start && to >= end {
        if to == end {
            "around the clock".into()
        } else {
            format!("all day, to {}", clock_and_day(location, to, date))
        }
    } else if window.began_before {
        format!("until {to_text}")
    } else if to == end {
        format!("from {from} to midnight")
    } else if to < end {
        format!("from {from} to {to_text}")
    } else if wall_date(location, to) == date.tomorrow().unwrap_or(date) {
        format!("from {from} to {to_text} the next day")
    } else {
        format!("from {from} to {}", clock_and_day(location, to, date))
    }
}

/// `a, b and c`.
pub fn list(items: impl IntoIterator<Item = String>, last: &str) -> String {
    let mut items: Vec<String> = items.into_iter().collect();
    match items.pop() {
        None => String::new(),
        Some(only) if items.is_empty() => only,
        Some(end) => format!("{} {last} {end}", items.join(", ")),
    }
}
