//! Opening hours: the document, what it compiles to, and what one scope inherits from another.

use std::collections::BTreeSet;

use dialplane_common::route::{Date, Forced, Holiday, Hours, Interval, Weekly};
use dialplane_common::time::UnixSeconds;
use jiff::Timestamp;
use jiff::civil;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::Invalid;

const INTERVALS_MAX: usize = 20;
const HOLIDAYS_MAX: usize = 400;
const DAY_MINUTES: i64 = 24 * 60;
const WEEK_MINUTES: i64 = 7 * DAY_MINUTES;

/// `["09:00","17:00"]`: from the first to before the second, on the wall clock; an end at or before the start is on
/// the next day; `24:00` is an end.
pub type IntervalDocument = Vec<String>;

/// Opening hours. A field that is absent or null is inherited.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoursDocument {
    /// The week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<WeeklyDocument>,
    /// Days that aren't as their weekday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays: Option<Vec<HolidayDocument>>,
    /// Open or closed whatever the week says.
    #[serde(default, rename = "override")]
    pub forced: Option<OverrideDocument>,
}

/// The intervals of each day of the week; a day that is absent is closed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names of the days say it")]
pub struct WeeklyDocument {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mon: Vec<IntervalDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tue: Vec<IntervalDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wed: Vec<IntervalDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thu: Vec<IntervalDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fri: Vec<IntervalDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sat: Vec<IntervalDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sun: Vec<IntervalDocument>,
}

/// A day that isn't as its weekday: `closed`, or with `intervals` of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HolidayDocument {
    /// `2026-12-25`.
    pub date: String,
    /// Closed all day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// When it is open all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Vec<IntervalDocument>>,
}

/// Open or closed by hand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideDocument {
    /// Which of the two.
    pub open: bool,
    /// Until before this instant (RFC 3339); absent or null: until somebody ends it.
    #[serde(default)]
    pub until: Option<String>,
}

impl HoursDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where: `weekly.fri[0][1]`.
    pub fn compile(&self) -> Result<Hours, Invalid> {
        Ok(Hours {
            weekly: self.weekly.as_ref().map(WeeklyDocument::compile).transpose()?,
            holidays: self.holidays.as_deref().map(compile_holidays).transpose()?,
            forced: self.forced.as_ref().map(OverrideDocument::compile).transpose()?,
        })
    }

    /// These hours, with each field that they don't set taken from `behind`; an override that is over sets nothing.
    #[must_use]
    pub fn over(&self, behind: &Self, now: UnixSeconds) -> Self {
        let forced = |hours: &Self| hours.forced.clone().filter(|forced| !forced.is_over(now));
        Self {
            weekly: self.weekly.clone().or_else(|| behind.weekly.clone()),
            holidays: self.holidays.clone().or_else(|| behind.holidays.clone()),
            forced: forced(self).or_else(|| forced(behind)),
        }
    }
}

impl WeeklyDocument {
    fn days(&self) -> [(&'static str, &[IntervalDocument]); 7] {
        [
            ("mon", &self.mon),
            ("tue", &self.tue),
            ("wed", &self.wed),
            ("thu", &self.thu),
            ("fri", &self.fri),
            ("sat", &self.sat),
            ("sun", &self.sun),
        ]
    }

    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where: `weekly.fri[0][1]`.
    pub fn compile(&self) -> Result<Weekly, Invalid> {
        let mut weekly = Weekly::default();
        let mut spans = Vec::new();
        for ((day, (name, documents)), start) in
            weekly.iter_mut().zip(self.days()).zip((0..WEEK_MINUTES).step_by(DAY_MINUTES as usize))
        {
            let place = format!("weekly.{name}");
            *day = compile_intervals(&place, documents)?;
            spans.extend(
                day.iter()
                    .enumerate()
                    .map(|(index, interval)| Span::new(format!("{place}[{index}]"), start, *interval)),
            );
        }
        refuse_overlap(spans, Some(WEEK_MINUTES))?;
        Ok(weekly)
    }
}

impl OverrideDocument {
    fn compile(&self) -> Result<Forced, Invalid> {
        let until = self.until.as_deref().map(|text| {
            text.parse::<Timestamp>().map(|at| UnixSeconds(at.as_second())).map_err(|_| {
                Invalid::new("override.until", "wanted an instant such as 2026-12-24T18:00:00Z, or null")
            })
        });
        Ok(Forced { open: self.open, until: until.transpose()? })
    }

    fn is_over(&self, now: UnixSeconds) -> bool {
        self.compile().ok().and_then(|forced| forced.until).is_some_and(|until| until <= now)
    }
}

fn compile_holidays(documents: &[HolidayDocument]) -> Result<Vec<Holiday>, Invalid> {
    if documents.len() > HOLIDAYS_MAX {
        return Err(Invalid::new("holidays", format!("wanted at most {HOLIDAYS_MAX} days")));
    }
    let mut dates = BTreeSet::new();
    let mut holidays = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let place = format!("holidays[{index}]");
        let date = date(&format!("{place}.date"), &document.date)?;
        if !dates.insert(date) {
            return Err(Invalid::new(format!("{place}.date"), "wanted each date once"));
        }
        holidays.push(Holiday { date, intervals: holiday_intervals(&place, document)? });
    }
    refuse_overlap_of_days(&holidays)?;
    holidays.sort_by_key(|holiday| holiday.date);
    Ok(holidays)
}

/// Two holidays in a row: the night of the first belongs to it, whatever the second says. (A holiday beside an ordinary
/// day is another matter: their intervals come from two settings, of which either may be inherited.)
fn refuse_overlap_of_days(holidays: &[Holiday]) -> Result<(), Invalid> {
    let mut spans = Vec::new();
    for (index, holiday) in holidays.iter().enumerate() {
        let start = days_since_1970(holiday.date) * DAY_MINUTES;
        let span = |(of, interval): (usize, &Interval)| {
            Span::new(format!("holidays[{index}].intervals[{of}]"), start, *interval)
        };
        spans.extend(holiday.intervals.iter().enumerate().map(span));
    }
    refuse_overlap(spans, None)
}

fn days_since_1970(date: Date) -> i64 {
    let parts = (i8::try_from(date.month), i8::try_from(date.day));
    let (Ok(month), Ok(day)) = parts else { return 0 };
    let date = civil::Date::new(date.year, month, day).unwrap_or_default();
    i64::from(civil::date(1970, 1, 1).until(date).map(|span| span.get_days()).unwrap_or_default())
}

fn holiday_intervals(place: &str, document: &HolidayDocument) -> Result<Vec<Interval>, Invalid> {
    match (document.closed, document.intervals.as_deref()) {
        (true, None | Some([])) => Ok(Vec::new()),
        (false, Some(documents @ [_, ..])) => {
            let place = format!("{place}.intervals");
            compile_intervals(&place, documents)
        }
        (true, Some(_)) => Err(Invalid::new(place, "wanted closed or intervals, not both")),
        (false, _) => Err(Invalid::new(place, "wanted \"closed\": true or intervals")),
    }
}

/// Reads a date in the one form `2026-12-25`; the library behind reads others as well.
///
/// # Errors
/// What is wanted at `field`.
pub fn date(field: &str, text: &str) -> Result<Date, Invalid> {
    let date = text.parse::<civil::Date>().ok().filter(|date| date.to_string() == text);
    date.map(Date::from).ok_or_else(|| Invalid::new(field, "wanted a date such as 2026-12-25"))
}

fn compile_intervals(place: &str, documents: &[IntervalDocument]) -> Result<Vec<Interval>, Invalid> {
    if documents.len() > INTERVALS_MAX {
        return Err(Invalid::new(place, format!("wanted at most {INTERVALS_MAX} intervals a day")));
    }
    let compile = |(index, document): (usize, &IntervalDocument)| {
        let place = format!("{place}[{index}]");
        let [start, end] = document.as_slice() else {
            return Err(Invalid::new(place, "wanted a start and an end: [\"09:00\",\"17:00\"]"));
        };
        interval(&place, (&format!("{place}[0]"), start), (&format!("{place}[1]"), end))
    };
    documents.iter().enumerate().map(compile).collect()
}

/// Reads an interval from the texts of its start and its end, each with its field.
///
/// # Errors
/// What is wanted at one of the fields, or at `place` when they are equal.
pub fn interval(
    place: &str,
    (start_field, start): (&str, &str),
    (end_field, end): (&str, &str),
) -> Result<Interval, Invalid> {
    let (start, end) = (minutes(start_field, start, false)?, minutes(end_field, end, true)?);
    Interval::new(start, end).ok_or_else(|| {
        Invalid::new(place, "wanted a start and an end that differ; all day is 00:00 to 24:00")
    })
}

fn minutes(field: &str, text: &str, is_end: bool) -> Result<u16, Invalid> {
    let number = |text: &str| {
        (text.len() == 2).then(|| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()))??
    };
    let clock = |text: &str| -> Option<u16> {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute): (u16, u16) = (number(hour)?, number(minute)?);
        let is_midnight = is_end && hour == 24 && minute == 0;
        ((hour < 24 && minute < 60) || is_midnight).then_some(hour * 60 + minute)
    };
    let last = if is_end { "24:00" } else { "23:59" };
    clock(text).ok_or_else(|| Invalid::new(field, format!("wanted HH:MM from 00:00 to {last}")))
}

/// An interval on the line of a week's minutes, or of all minutes since 1970.
struct Span {
    place: String,
    start: i64,
    end: i64,
}

impl Span {
    fn new(place: String, day_start: i64, interval: Interval) -> Self {
        let (start, end) = (i64::from(interval.start()), i64::from(interval.end()));
        let end = if interval.passes_midnight() { end + DAY_MINUTES } else { end };
        Self { place, start: day_start + start, end: day_start + end }
    }
}

/// `circle`: the minutes after which the line begins again.
fn refuse_overlap(mut spans: Vec<Span>, circle: Option<i64>) -> Result<(), Invalid> {
    spans.sort_by_key(|span| (span.start, span.end));
    let refuse = |span: &Span, other: &Span| {
        Err(Invalid::new(span.place.clone(), format!("overlaps {}: wanted intervals apart", other.place)))
    };
    for pair in spans.windows(2) {
        if pair[1].start < pair[0].end {
            return refuse(&pair[1], &pair[0]);
        }
    }
    if let (Some(circle), Some(first), Some(last)) = (circle, spans.first(), spans.last())
        && spans.len() > 1
        && last.end > first.start + circle
    {
        return refuse(first, last);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(json: &str) -> Result<Hours, String> {
        let document: HoursDocument = serde_json::from_str(json).unwrap();
        document.compile().map_err(|invalid| invalid.field)
    }

    fn check(json: &str, field: &str) {
        assert_eq!(compile(json), Err(field.to_owned()), "{json}");
    }

    #[test]
    fn the_smallest_session_compiles() {
        let hours = compile(
            r#"{"weekly":{"mon":[["09:00","17:00"]],"fri":[["18:00","02:00"]]},
                "holidays":[{"date":"2026-12-25","closed":true}],"override":null}"#,
        )
        .unwrap();
        let weekly = hours.weekly.unwrap();
        assert_eq!(weekly[0], [Interval::new(540, 1020).unwrap()]);
        assert_eq!(weekly[4], [Interval::new(1080, 120).unwrap()]);
        assert_eq!(hours.holidays.unwrap()[0].date, Date { year: 2026, month: 12, day: 25 });
        assert_eq!(hours.forced, None);
    }

    #[test]
    fn errors_name_the_place() {
        check(r#"{"weekly":{"fri":[["18:00","2:00"]]}}"#, "weekly.fri[0][1]");
        check(r#"{"weekly":{"fri":[["24:00","02:00"]]}}"#, "weekly.fri[0][0]");
        check(r#"{"weekly":{"fri":[["09:00","24:01"]]}}"#, "weekly.fri[0][1]");
        check(r#"{"weekly":{"fri":[["+9:00","12:00"]]}}"#, "weekly.fri[0][0]");
        check(r#"{"weekly":{"fri":[["09:00"]]}}"#, "weekly.fri[0]");
        check(r#"{"weekly":{"fri":[["09:00","09:00"]]}}"#, "weekly.fri[0]");
        check(r#"{"holidays":[{"date":"2026-02-30","closed":true}]}"#, "holidays[0].date");
        check(r#"{"holidays":[{"date":"20261225","closed":true}]}"#, "holidays[0].date");
        check(r#"{"holidays":[{"date":"2026-12-25"}]}"#, "holidays[0]");
        check(
            r#"{"holidays":[{"date":"2026-12-25","closed":true,"intervals":[["10:00","11:00"]]}]}"#,
            "holidays[0]",
        );
        check(
            r#"{"holidays":[{"date":"2026-12-25","closed":true},{"date":"2026-12-25","closed":true}]}"#,
            "holidays[1].date",
        );
        check(r#"{"override":{"open":true,"until":"tomorrow"}}"#, "override.until");
    }

    #[test]
    fn intervals_never_overlap() {
        check(r#"{"weekly":{"mon":[["09:00","12:00"],["11:00","13:00"]]}}"#, "weekly.mon[1]");
        check(r#"{"weekly":{"fri":[["18:00","02:00"]],"sat":[["01:00","03:00"]]}}"#, "weekly.sat[0]");
        check(r#"{"weekly":{"sun":[["18:00","02:00"]],"mon":[["01:00","03:00"]]}}"#, "weekly.mon[0]");
        check(
            r#"{"holidays":[{"date":"2026-12-25","intervals":[["10:00","12:00"],["11:00","13:00"]]}]}"#,
            "holidays[0].intervals[1]",
        );
        check(
            r#"{"holidays":[{"date":"2027-01-01","intervals":[["01:00","03:00"]]},
                            {"date":"2026-12-31","intervals":[["18:00","02:00"]]}]}"#,
            "holidays[0].intervals[0]",
        );
        assert!(
            compile(
                r#"{"holidays":[{"date":"2026-12-31","intervals":[["18:00","02:00"]]},
                                {"date":"2027-01-01","intervals":[["02:00","03:00"]]},
                                {"date":"2027-12-31","intervals":[["00:00","24:00"]]}]}"#
            )
            .is_ok()
        );
        assert!(
            compile(r#"{"weekly":{"mon":[["12:00","24:00"],["09:00","12:00"]],"tue":[["00:00","24:00"]]}}"#)
                .is_ok()
        );
        assert!(compile(r#"{"weekly":{"sun":[["18:00","02:00"]],"mon":[["02:00","03:00"]]}}"#).is_ok());
    }

    #[test]
    fn fields_are_inherited_one_by_one() {
        let read = |json| serde_json::from_str::<HoursDocument>(json).unwrap();
        let own = read(r#"{"override":{"open":false,"until":"2026-01-01T00:00:00Z"}}"#);
        let behind = read(r#"{"weekly":{"mon":[["09:00","17:00"]]},"override":{"open":true}}"#);
        let during = own.over(&behind, UnixSeconds(1_700_000_000));
        assert_eq!((during.weekly, during.forced), (behind.weekly.clone(), own.forced.clone()));
        let after = own.over(&behind, UnixSeconds(1_800_000_000));
        assert_eq!(after.forced, behind.forced);
    }
}
