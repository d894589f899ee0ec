//! Opening hours, and whether it is open.

use jiff::ToSpan;
use jiff::civil::Date;

use super::arguments::Arguments;
use super::speech::{clock, clock_and_day, date_name, day, day_at_end, spans};
use super::when::{When, today, wall_date};
use super::windows::{bounds, of_location};
use crate::location::Location;
use crate::route::{next_closing, next_opening, open_at};
use crate::time::UnixSeconds;

pub fn get_hours(arguments: &Arguments<'_>, location: &Location<'_>) -> Result<String, String> {
    Ok(match When::read(arguments, location)?.date {
        Some(date) => of_day(location, date),
        None => of_week(location),
    })
}

fn of_day(location: &Location<'_>, date: Date) -> String {
    let windows = of_location(location, date);
    if windows.is_empty() {
        let holiday = if is_holiday(location, date) { ", a holiday" } else { "" };
        return format!("Closed {}{holiday}.", day_at_end(location, date));
    }
    format!("Open {} {}.", day(location, date), spans(location, date, &windows))
}

fn of_week(location: &Location<'_>) -> String {
    let today = today(location);
    let days = (0..7).filter_map(|ahead| today.checked_add(ahead.days()).ok()).map(|date| {
        let windows = of_location(location, date);
        let hours = match (windows.is_empty(), is_holiday(location, date)) {
            (false, _) => spans(location, date, &windows),
            (true, false) => "closed".to_owned(),
            (true, true) => "closed, a holiday".to_owned(),
        };
        let name = if date == today { format!("Today, {}", date_name(date)) } else { date_name(date) };
        format!("{name}: {hours}.")
    });
    days.collect::<Vec<_>>().join(" ")
}

fn is_holiday(location: &Location<'_>, date: Date) -> bool {
    let start = bounds(location, date).map(|(start, _)| start);
    start.is_some_and(|start| open_at(&location.hours, location.zone, start).holiday)
}

pub fn is_open(arguments: &Arguments<'_>, location: &Location<'_>) -> Result<String, String> {
    let when = When::read(arguments, location)?;
    Ok(match when.instant(location) {
        Some(instant) if when.time.is_none() => state_now(location, instant),
        Some(instant) => state_at(location, instant),
        None => of_day(location, when.date.unwrap_or_else(|| today(location))),
    })
}

fn state_now(location: &Location<'_>, now: UnixSeconds) -> String {
    if location.open().open {
        format!("Yes, open now{}.", until(location, now))
    } else {
        format!("No, closed now.{}", opening(location, now))
    }
}

fn state_at(location: &Location<'_>, instant: UnixSeconds) -> String {
    let open = open_at(&location.hours, location.zone, instant).open;
    let day = day(location, wall_date(location, instant));
    let time = clock(location, instant);
    if open {
        format!("Yes, open {day} at {time}{}.", until(location, instant))
    } else {
        format!("No, closed {day} at {time}.{}", opening(location, instant))
    }
}

/// `, until 17:00`; nothing when no end is in sight.
pub fn until(location: &Location<'_>, from: UnixSeconds) -> String {
    let closing = next_closing(&location.hours, location.zone, from);
    let date = wall_date(location, from);
    closing.map(|at| format!(", until {}", clock_and_day(location, at, date))).unwrap_or_default()
}

/// ` Opens on Tuesday 24 November 2026 at 09:00.`, as a sentence of its own.
pub fn opening(location: &Location<'_>, from: UnixSeconds) -> String {
    match next_opening(&location.hours, location.zone, from) {
        Some(at) => format!(" Opens {} at {}.", day(location, wall_date(location, at)), clock(location, at)),
        None => " When it opens again is not known.".to_owned(),
    }
}
