//! When a rule holds: the document and what it compiles to.

use std::collections::HashMap;

use dialplane_common::country::Country;
use dialplane_common::e164::{E164, E164Error};
use dialplane_common::route::{Callers, Condition, Date, Interval, LimitScope, Share, TimeRange};
use jiff::civil;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::hours;
use crate::invalid::Invalid;

const CALLERS_MAX: usize = 500;
const SHARE_KEY_CHARS_MAX: usize = 50;
/// Bits of all days of the week.
const ALL_DAYS: u8 = 0x7f;

/// When a rule holds: all that is set has to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionDocument {
    /// The location is open, or isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// The local date is a holiday, or isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holiday: Option<bool>,
    /// The caller is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallersDocument>,
    /// The caller is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_caller: Option<CallersDocument>,
    /// The location's clock and calendar show this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeDocument>,
    /// The call is one of this share of all calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareDocument>,
    /// As many calls are under way as `calls_max` allows, or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<LimitDocument>,
}

/// A set of callers: who is in any part of it is in it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallersDocument {
    /// These numbers, in the E.164 form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// Numbers that begin so: `+44`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Numbers of these countries, by their ISO 3166-1 codes: `GB`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Callers who withhold their number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
}

/// A range of wall time at the location: all that is set has to hold, and something has to be set.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeDocument {
    /// On these days of the week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<DayDocument>>,
    /// From this time of day, `HH:MM`; absent: midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until before this time of day; at or before `from` it is on the next day, and the night belongs to the day that
    /// it starts on. Absent: `24:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// On these dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<DatesDocument>,
}

/// A day of the week.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Day)]
#[expect(missing_docs, reason = "the names of the days say it")]
pub enum DayDocument {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// First and last date.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatesDocument {
    /// `2026-12-24`.
    pub from: String,
    /// The last one.
    pub to: String,
}

/// A share of all calls. The rules of one key in a list divide the calls between them, so that no call is one of two;
/// which one it is depends on the call's id alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareDocument {
    /// How many of a hundred calls: 1 to 99. All of one key together: at most 100.
    pub percent: u32,
    /// What divides, up to 50 characters: for each key calls are divided anew.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
}

/// Whose limit of calls at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LimitScope)]
pub enum LimitDocument {
    /// The number's.
    Number,
    /// The tenant's.
    Tenant,
    /// Either.
    Any,
}

/// How many of a hundred parts of the calls the rules so far have taken, by the key that divides them.
#[derive(Default)]
pub(super) struct Taken<'d>(HashMap<&'d str, u8>);

pub(super) fn compile<'d>(
    place: &str,
    document: &'d ConditionDocument,
    taken: &mut Taken<'d>,
) -> Result<Condition, Invalid> {
    let callers = |name: &str, callers: &Option<CallersDocument>| {
        let compiled = callers.as_ref().map(|callers| compile_callers(&format!("{place}.{name}"), callers));
        Ok::<_, Invalid>(compiled.transpose()?.map(Box::new))
    };
    let time = document.time.as_ref().map(|time| compile_time(&format!("{place}.time"), time));
    let share = document.share.as_ref().map(|share| taken.take(&format!("{place}.share"), share));
    Ok(Condition {
        open: document.open,
        holiday: document.holiday,
        caller: callers("caller", &document.caller)?,
        not_caller: callers("not_caller", &document.not_caller)?,
        // A range that is every day and all day is none.
        time: time.transpose()?.filter(|time| *time != TimeRange::default()),
        share: share.transpose()?.map(Box::new),
        over_limit: document.over_limit.map(|limit| match limit {
            LimitDocument::Number => LimitScope::Number,
            LimitDocument::Tenant => LimitScope::Tenant,
            LimitDocument::Any => LimitScope::Any,
        }),
    })
}

impl<'d> Taken<'d> {
    /// The next parts of the calls for this share.
    fn take(&mut self, place: &str, document: &'d ShareDocument) -> Result<Share, Invalid> {
        let percent = u8::try_from(document.percent).ok().filter(|percent| (1..=99).contains(percent));
        let percent = percent.ok_or_else(|| Invalid::new(format!("{place}.percent"), "wanted 1 to 99"))?;
        let key = document.key.as_str();
        if key.chars().count() > SHARE_KEY_CHARS_MAX || key.chars().any(char::is_control) {
            let wanted = format!("wanted at most {SHARE_KEY_CHARS_MAX} characters, no control characters");
            return Err(Invalid::new(format!("{place}.key"), wanted));
        }
        let taken = self.0.entry(key).or_default();
        let from = *taken;
        if percent > 100 - from {
            let wanted =
                format!("the rules before it with this key have {from} of 100: wanted at most 100 in all");
            return Err(Invalid::new(format!("{place}.percent"), wanted));
        }
        *taken += percent;
        Ok(Share { key: key.to_owned(), from, to: *taken })
    }
}

fn compile_time(place: &str, document: &TimeDocument) -> Result<TimeRange, Invalid> {
    if *document == TimeDocument::default() {
        return Err(Invalid::new(place, "wanted days, from, to or dates"));
    }
    let days = document.days.as_deref().map(|days| compile_days(&format!("{place}.days"), days));
    let days = days.transpose()?.filter(|days| *days != ALL_DAYS).unwrap_or_default();
    let dates = document.dates.as_ref().map(|dates| compile_dates(&format!("{place}.dates"), dates));
    let dates = dates.transpose()?;
    if let Some(dates) = dates
        && !has_one_of(dates, days)
    {
        return Err(Invalid::new(format!("{place}.days"), "can never match: none of these days is in dates"));
    }
    Ok(TimeRange { days, interval: compile_interval(place, document)?, dates })
}

fn compile_days(place: &str, days: &[DayDocument]) -> Result<u8, Invalid> {
    let mut bits = 0;
    for (index, day) in days.iter().enumerate() {
        let bit = 1 << *day as u8;
        if bits & bit != 0 {
            return Err(Invalid::new(format!("{place}[{index}]"), "wanted each day once"));
        }
        bits |= bit;
    }
    if bits == 0 { Err(Invalid::new(place, "wanted at least one day")) } else { Ok(bits) }
}

fn compile_dates(place: &str, dates: &DatesDocument) -> Result<(Date, Date), Invalid> {
    let first = hours::date(&format!("{place}.from"), &dates.from)?;
    let last = hours::date(&format!("{place}.to"), &dates.to)?;
    if last < first {
        return Err(Invalid::new(place, "can never match: wanted to on the date of from or after it"));
    }
    Ok((first, last))
}

/// `None`: all day.
fn compile_interval(place: &str, document: &TimeDocument) -> Result<Option<Interval>, Invalid> {
    if document.from.is_none() && document.to.is_none() {
        return Ok(None);
    }
    let from = document.from.as_deref().unwrap_or("00:00");
    let to = document.to.as_deref().unwrap_or("24:00");
    let interval = hours::interval(place, (&format!("{place}.from"), from), (&format!("{place}.to"), to))?;
    Ok(Some(interval).filter(|interval| Some(*interval) != Interval::new(0, 24 * 60)))
}

/// Whether one of the dates falls on one of the days; no days: all.
fn has_one_of((first, last): (Date, Date), days: u8) -> bool {
    let civil =
        |date: Date| civil::Date::new(date.year, date.month.try_into().ok()?, date.day.try_into().ok()?).ok();
    let Some(first) = civil(first) else { return false };
    let bit = |date: civil::Date| 1_u8 << date.weekday().to_monday_zero_offset().unsigned_abs();
    let week = std::iter::successors(Some(first), |date| date.tomorrow().ok()).take(7);
    days == 0 || week.take_while(|date| Date::from(*date) <= last).any(|date| days & bit(date) != 0)
}

fn compile_callers(place: &str, document: &CallersDocument) -> Result<Callers, Invalid> {
    let mut callers = Callers {
        numbers: list(place, "numbers", &document.numbers, |text| {
            text.parse::<E164>().map_err(|error: E164Error| error.to_string())
        })?,
        prefixes: list(place, "prefixes", &document.prefixes, prefix)?,
        countries: list(place, "countries", &document.countries, |text| {
            text.parse::<Country>().map_err(|error| error.to_string())
        })?,
        withheld: document.withheld,
    };
    if callers == Callers::default() {
        let wanted = "wanted numbers, prefixes, countries or \"withheld\": true";
        return Err(Invalid::new(place, wanted));
    }
    // The numbers are looked up by halving; all are in order so that equal sets are equal.
    callers.numbers.sort_unstable();
    callers.numbers.dedup();
    callers.prefixes.sort_unstable();
    callers.prefixes.dedup();
    callers.countries.sort_unstable();
    callers.countries.dedup();
    Ok(callers)
}

fn list<T>(
    place: &str,
    name: &str,
    texts: &[String],
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Invalid> {
    let place = format!("{place}.{name}");
    if texts.len() > CALLERS_MAX {
        return Err(Invalid::new(place, format!("wanted at most {CALLERS_MAX}")));
    }
    let read = |(index, text): (usize, &String)| {
        read(text).map_err(|wanted| Invalid::new(format!("{place}[{index}]"), wanted))
    };
    texts.iter().enumerate().map(read).collect()
}

/// A plus and 1 to 15 digits, without the plus.
fn prefix(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('+').filter(|digits| {
        (1..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let wanted = || "wanted + and 1 to 15 digits: +44".to_owned();
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(wanted)
}
