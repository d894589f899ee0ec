//! Days and times as models write them, read by the clock on the location's wall.

use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan};

use super::arguments::{Arguments, DATE, TIME};
use crate::location::{DAY_NAMES, Location};
use crate::time::UnixSeconds;

const WANTED_DATE: &str =
    "Which day do you mean? Please say a date with its month and year, a day of the week, today or tomorrow.";
const WANTED_TIME: &str = "Which time do you mean? Please say an hour and minutes.";

/// A day, a time, or both, as far as they were said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct When {
    pub date: Option<Date>,
    pub time: Option<Time>,
}

impl When {
    /// What the arguments say.
    pub fn read(arguments: &Arguments<'_>, location: &Location<'_>) -> Result<Self, String> {
        let mut time_text = arguments.text(TIME)?;
        let mut date_text = arguments.text(DATE)?;
        // `2026-11-24T10:00:00Z`: the zone that models add is the wall's, whatever they call it.
        if let Some(both) = date_text.clone()
            && let Some((date, time)) = both.split_once(['T', 't']).or_else(|| both.split_once(' '))
            && date.parse::<Date>().is_ok()
        {
            let clock = time.split(['Z', 'z', '+', '.', '-']).next().unwrap_or_default();
            time_text = time_text.or_else(|| Some(clock.trim().to_owned()).filter(|clock| !clock.is_empty()));
            date_text = Some(date.to_owned());
        }
        let today = today(location);
        let date = date_text.map(|text| date(&text, today).ok_or(WANTED_DATE)).transpose()?;
        let time = time_text.map(|text| time(&text).ok_or(WANTED_TIME)).transpose()?;
        Ok(Self { date, time })
    }

    /// The day, which has to be there and may not be over.
    pub fn wanted_date(&self, location: &Location<'_>) -> Result<Date, String> {
        let date = self.date.ok_or(WANTED_DATE)?;
        if date < today(location) {
            return Err("That day is over. Which day from today on do you mean?".to_owned());
        }
        Ok(date)
    }

    /// The instant: now when neither day nor time was said, today's when only a time was; `None` when only a day was.
    pub fn instant(&self, location: &Location<'_>) -> Option<UnixSeconds> {
        match (self.date, self.time) {
            (None, None) => Some(location.now),
            (date, Some(time)) => at(location, date.unwrap_or_else(|| today(location)), time),
            (Some(_), None) => None,
        }
    }
}

/// The date on the location's wall now.
pub fn today(location: &Location<'_>) -> Date {
    wall_date(location, location.now)
}

/// The date on the location's wall at an instant.
pub fn wall_date(location: &Location<'_>, at: UnixSeconds) -> Date {
    let instant =
        Timestamp::from_second(at.0).unwrap_or(if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX });
    location.zone.to_datetime(instant).date()
}

/// When the clock on the location's wall shows a time: the first time, where it does twice; after the gap, where it
/// never does. `None` beyond the calendar.
pub fn at(location: &Location<'_>, date: Date, time: Time) -> Option<UnixSeconds> {
    let instant = location.zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible().ok()?;
    Some(UnixSeconds(instant.as_second()))
}

fn date(text: &str, today: Date) -> Option<Date> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split([' ', ','])
        .filter(|word| !matches!(*word, "" | "on" | "this" | "coming" | "the"))
        .collect();
    match words.as_slice() {
        ["today" | "tonight" | "now"] => Some(today),
        ["tomorrow"] => today.tomorrow().ok(),
        ["day", "after", "tomorrow"] => today.checked_add(2.days()).ok(),
        ["next", day] => ahead(today.tomorrow().ok()?, day),
        [word] => iso(word).or_else(|| ahead(today, word)),
        // A weekday that stands beside the date says nothing more.
        [day, date] if weekday(day).is_some() => iso(date),
        _ => None,
    }
}

/// `2026-11-24`, and nothing that is nearly so.
fn iso(text: &str) -> Option<Date> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shape.then(|| text.parse().ok())?
}

/// The first such weekday from a date on.
fn ahead(from: Date, day: &str) -> Option<Date> {
    let wanted = weekday(day)?;
    let first = from.weekday().to_monday_zero_offset();
    from.checked_add((wanted - first).rem_euclid(7).days()).ok()
}

/// A weekday's name or its first three letters or more, as its distance from Monday.
fn weekday(text: &str) -> Option<i8> {
    let text = text.trim_end_matches('.');
    let is = |name: &str| {
        text.len() >= 3 && name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
    };
    DAY_NAMES.iter().position(|name| is(name)).and_then(|index| i8::try_from(index).ok())
}

/// `14:30`, `14:30:00`, `2:30 pm`, `2pm`, `14`, noon, midnight.
fn time(text: &str) -> Option<Time> {
    let lower = text.to_lowercase().replace("a.m.", "am").replace("p.m.", "pm");
    let lower = lower.trim();
    match lower {
        "noon" => return Time::new(12, 0, 0, 0).ok(),
        "midnight" => return Some(Time::midnight()),
        "now" => return None,
        _ => {}
    }
    let (clock, afternoon) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(clock), _) => (clock.trim_end(), Some(false)),
        (_, Some(clock)) => (clock.trim_end(), Some(true)),
        (None, None) => (lower, None),
    };
    let mut parts = clock.split(':');
    let mut number = || -> Option<Option<i8>> {
        match parts.next() {
            None => Some(None),
            Some(part) if (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) => {
                Some(part.parse().ok())
            }
            Some(_) => None,
        }
    };
    let (hour, minute, second) = (number()??, number()?.unwrap_or(0), number()?.unwrap_or(0));
    if parts.next().is_some() {
        return None;
    }
    let hour = match afternoon {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(afternoon) => hour % 12 + if afternoon { 12 } else { 0 },
    };
    Time::new(hour, minute, second, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday.
    const TODAY: Date = jiff::civil::date(2026, 11, 23);

    #[test]
    fn days_are_read_as_they_are_said() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(date(text, TODAY).map(|date| date.to_string()).as_deref(), expected, "{text}");
        };
        check("2026-12-25", Some("2026-12-25"));
        check("Friday, 2026-12-25", Some("2026-12-25"));
        check("today", Some("2026-11-23"));
        check("Tomorrow", Some("2026-11-24"));
        check("the day after tomorrow", Some("2026-11-25"));
        check("monday", Some("2026-11-23"));
        check("Next Monday", Some("2026-11-30"));
        check("on Friday", Some("2026-11-27"));
        check("this fri.", Some("2026-11-27"));
        check("sunday", Some("2026-11-29"));
        for wrong in
            ["", "fr", "someday", "2026-02-30", "11/24/2026", "+002026-11-24", "next", "fridays", "é"]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn times_are_read_as_they_are_said() {
        let check = |text: &str, expected: Option<&str>| {
            let found = time(text).map(|time| time.strftime("%H:%M").to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        for (text, expected) in [
            ("14:30", "14:30"),
            ("9:05:00", "09:05"),
            ("14", "14:00"),
            ("2 PM", "14:00"),
            ("2:30 p.m.", "14:30"),
            ("12am", "00:00"),
            ("12pm", "12:00"),
            ("noon", "12:00"),
            ("midnight", "00:00"),
        ] {
            check(text, Some(expected));
        }
        for wrong in
            ["", "24:00", "14:60", "13pm", "0am", "1:2:3:4", "-1", "morning", "14h", ":", "1430", "é"]
        {
            check(wrong, None);
        }
    }
}
