//! Which time is asked for, and its parts: days and months of a time zone, hours.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use crate::invalid::Invalid;

/// Usage is kept in quarters of an hour: no time zone's days begin at anything finer.
const QUARTER_S: i64 = 900;
const DAYS_MAX: i64 = 400;
const HOURS_DAYS_MAX: i64 = 31;

/// How long a part is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// An hour of the time zone.
    Hour,
    /// A day of the time zone.
    Day,
    /// A month of the time zone.
    Month,
    /// All of it is one.
    All,
}

/// A time that is asked for, in a time zone.
#[derive(Clone, Debug)]
pub struct Period {
    /// The first instant.
    pub since: Timestamp,
    /// The first instant behind.
    pub upto: Timestamp,
    zone: TimeZone,
}

/// A part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its first instant within the period.
    pub since: Timestamp,
    /// `2026-11-21`, `2026-11`, or an hour's first instant; empty: all.
    pub name: String,
}

impl Period {
    /// Reads where a time begins and ends: dates of the time zone, or instants (RFC 3339). Absent: from the beginning of the
    /// month, until now.
    ///
    /// # Errors
    /// What is wanted of `from`, `to` or `timezone`.
    pub fn parse(
        from: Option<&str>,
        to: Option<&str>,
        timezone: &str,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let zone =
            TimeZone::get(timezone).map_err(|_| Invalid::new("timezone", "wanted an IANA time zone"))?;
        let out_of_range = || Invalid::new("from", "wanted a time of this age");
        let upto = match to {
            Some(text) => instant("to", text, &zone)?,
            None => next_quarter(now).ok_or_else(out_of_range)?,
        };
        let since = match from {
            Some(text) => instant("from", text, &zone)?,
            None => {
                let before = upto.checked_sub(SignedDuration::from_secs(1)).map_err(|_| out_of_range())?;
                let first = before.to_zoned(zone.clone()).date().first_of_month();
                start_of(first, &zone).ok_or_else(out_of_range)?
            }
        };
        if since >= upto {
            return Err(Invalid::new("to", "wanted a time behind from"));
        }
        Ok(Self { since, upto, zone })
    }

    /// The time zone's name.
    #[must_use]
    pub fn timezone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// Its parts, in order; the first and the last may be shorter than others.
    ///
    /// # Errors
    /// `to`: 31 days at most by the hour, else 400.
    pub fn parts(&self, step: Step) -> Result<Vec<Part>, Invalid> {
        let days = if step == Step::Hour { HOURS_DAYS_MAX } else { DAYS_MAX };
        // An hour more, for the day on which clocks go back.
        if self.upto.duration_since(self.since) > SignedDuration::from_hours(days * 24 + 1) {
            let by = if step == Step::Hour { " by the hour" } else { "" };
            return Err(Invalid::new("to", format!("wanted at most {days} days behind from{by}")));
        }
        let mut parts = Vec::new();
        let mut since = Some(self.since);
        while let Some(at) = since.filter(|at| *at < self.upto) {
            let local = at.to_zoned(self.zone.clone());
            parts.push(Part { since: at, name: name(&local, step) });
            // Never back, whatever a time zone does.
            since = next(&local, step).filter(|next| *next > at);
        }
        Ok(parts)
    }

    /// The whole months that it has a part in: where each begins, where the next one does, and its name.
    #[must_use]
    pub fn months(&self) -> Vec<(Timestamp, Timestamp, String)> {
        let mut months = Vec::new();
        let mut first = self.since.to_zoned(self.zone.clone()).date().first_of_month();
        while let Some((since, next)) = start_of(first, &self.zone).zip(first.checked_add(1.month()).ok())
            && since < self.upto
            && let Some(upto) = start_of(next, &self.zone)
        {
            months.push((since, upto, first.strftime("%Y-%m").to_string()));
            first = next;
        }
        months
    }
}

fn instant(field: &str, text: &str, zone: &TimeZone) -> Result<Timestamp, Invalid> {
    let date = text.parse::<Date>().ok().filter(|_| text.len() == "2026-11-21".len());
    let found = date.map_or_else(|| text.parse().ok(), |date| start_of(date, zone));
    let found = found.filter(|at: &Timestamp| at.as_microsecond() % (QUARTER_S * 1_000_000) == 0);
    // Postgres's own range is wider, and nobody called before or will by then.
    let found = found.filter(|at| (0..=253_000_000_000).contains(&at.as_second()));
    found.ok_or_else(|| {
        Invalid::new(field, "wanted a date, or a time at a quarter of an hour: 2026-11-21T14:30:00Z")
    })
}

fn start_of(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_zoned(date.at(0, 0, 0, 0)).ok()?.start_of_day().ok().map(|start| start.timestamp())
}

fn next_quarter(now: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second((now.as_second() / QUARTER_S + 1) * QUARTER_S).ok()
}

fn name(local: &Zoned, step: Step) -> String {
    match step {
        Step::Hour => local.timestamp().to_string(),
        Step::Day => local.date().to_string(),
        Step::Month => local.strftime("%Y-%m").to_string(),
        Step::All => String::new(),
    }
}

/// Where the part behind begins.
fn next(local: &Zoned, step: Step) -> Option<Timestamp> {
    let zone = local.time_zone();
    match step {
        Step::Hour => {
            // To the full hour of the clock on the wall, an hour on.
            let past_s = i64::from(local.minute()) * 60 + i64::from(local.second());
            local.timestamp().checked_add(SignedDuration::from_secs(3_600 - past_s)).ok()
        }
        Step::Day => start_of(local.date().tomorrow().ok()?, zone),
        Step::Month => start_of(local.date().first_of_month().checked_add(1.month()).ok()?, zone),
        Step::All => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T14:07:01Z";

    fn parse(from: Option<&str>, to: Option<&str>, zone: &str) -> Result<Period, Invalid> {
        Period::parse(from, to, zone, NOW.parse().unwrap())
    }

    fn names(from: &str, to: &str, zone: &str, step: Step) -> Vec<String> {
        let parts = parse(Some(from), Some(to), zone).unwrap().parts(step).unwrap();
        assert!(parts.is_sorted_by(|a, b| a.since < b.since), "{parts:?}");
        parts.into_iter().map(|part| part.name).collect()
    }

    #[test]
    fn without_a_word_it_is_this_month_until_now() {
        let period = parse(None, None, "America/New_York").unwrap();
        let since: Timestamp = "2026-11-01T04:00:00Z".parse().unwrap();
        let upto: Timestamp = "2026-11-21T14:15:00Z".parse().unwrap();
        assert_eq!((period.since, period.upto, period.timezone()), (since, upto, "America/New_York"));
    }

    #[test]
    fn days_are_the_time_zones() {
        // Clocks go back on the first.
        let days = names("2026-10-31", "2026-11-03", "America/New_York", Step::Day);
        assert_eq!(days, ["2026-10-31", "2026-11-01", "2026-11-02"]);
        let part = names("2026-11-01T12:30:00Z", "2026-11-02T00:00:00Z", "Asia/Kolkata", Step::Day);
        assert_eq!(part, ["2026-11-01", "2026-11-02"]);
        assert_eq!(names("2026-01-15", "2026-03-02", "UTC", Step::Month), ["2026-01", "2026-02", "2026-03"]);
        assert_eq!(names("2026-01-15", "2026-03-02", "UTC", Step::All), [""]);
    }

    #[test]
    fn a_day_has_as_many_hours_as_it_has() {
        for (day, next, hours) in [("2026-11-01", "2026-11-02", 25), ("2026-03-08", "2026-03-09", 23)] {
            assert_eq!(names(day, next, "America/New_York", Step::Hour).len(), hours, "{day}");
        }
        let kolkata = names("2026-11-01", "2026-11-02", "Asia/Kolkata", Step::Hour);
        assert_eq!((kolkata.len(), &*kolkata[0]), (24, "2026-10-31T18:30:00Z"));
        let broken = names("2026-11-01T12:15:00Z", "2026-11-01T14:15:00Z", "UTC", Step::Hour);
        assert_eq!(broken, ["2026-11-01T12:15:00Z", "2026-11-01T13:00:00Z", "2026-11-01T14:00:00Z"]);
        // Clocks go half an hour there and back.
        assert!(names("2026-04-04", "2026-04-06", "Australia/Lord_Howe", Step::Hour).len() >= 48);
    }

    #[test]
    fn months_are_whole() {
        let period = parse(Some("2026-10-31T23:45:00Z"), Some("2026-11-02"), "UTC").unwrap();
        let months = period.months();
        assert_eq!(months.iter().map(|(.., name)| &**name).collect::<Vec<_>>(), ["2026-10", "2026-11"]);
        assert_eq!(months[0].1, months[1].0);
    }

    #[test]
    fn what_cant_be_is_refused() {
        let refused = |from: &str, to: &str| parse(Some(from), Some(to), "UTC").unwrap_err().field;
        for from in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-11-01T00:00",
            "2026-11-01T00:07:00Z",
            "-009999-01-01",
            "1969-12-31",
        ] {
            assert_eq!(refused(from, "2026-11-02"), "from", "{from}");
        }
        assert_eq!(refused("2026-11-02", "2026-11-02"), "to");
        assert_eq!(refused("2026-11-01", "9999-12-31"), "to");
        assert_eq!(parse(None, None, "Mars").unwrap_err().field, "timezone");
        let year = parse(Some("2025-10-01"), Some("2026-11-05"), "UTC").unwrap();
        assert_eq!(year.parts(Step::Day).unwrap().len(), 400);
        assert_eq!(year.parts(Step::Hour).unwrap_err().field, "to");
        let longer = parse(Some("2025-10-01"), Some("2026-11-06"), "UTC").unwrap();
        for step in [Step::Day, Step::Month, Step::All] {
            assert_eq!(longer.parts(step).unwrap_err().field, "to");
        }
    }
}
