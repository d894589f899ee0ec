//! Instants as providers write them, in milliseconds since 1970. What can't be read is none: nothing depends on it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use super::decimal::{self, SECOND_MS};
use super::json_text::optional;

/// Twilio's days of the week aren't worth an instant.
static RFC_2822: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// An instant of RFC 3339 or RFC 2822, or a date and time without a zone, which is UTC.
pub fn of_text(text: &str) -> Option<i64> {
    let of_rfc_3339 = || text.parse::<Timestamp>().ok();
    let of_rfc_2822 = || RFC_2822.parse_timestamp(text).ok();
    let of_utc = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    of_rfc_3339().or_else(of_rfc_2822).or_else(of_utc).map(Timestamp::as_millisecond)
}

/// The instant that a JSON field has as text.
pub fn in_json(raw: Option<&RawValue>) -> Option<i64> {
    of_text(&optional(raw)?)
}

/// The instant that a JSON field has in seconds since 1970, as a number or its text.
pub fn of_seconds(raw: Option<&RawValue>) -> Option<i64> {
    decimal::millis(&decimal::in_json(raw)?, SECOND_MS)
}

/// The instant that a JSON field has in milliseconds since 1970, as a number or its text.
pub fn of_millis(raw: Option<&RawValue>) -> Option<i64> {
    decimal::millis(&decimal::in_json(raw)?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_every_providers_way() {
        for (text, expected) in [
            ("Fri, 20 Nov 2026 18:13:42 +0000", Some(1_795_198_422_000)),
            ("Mon, 20 Nov 2026 18:13:42 +0000", Some(1_795_198_422_000)),
            ("2026-11-20T18:13:42Z", Some(1_795_198_422_000)),
            ("2026-11-20T19:13:42.521992+01:00", Some(1_795_198_422_521)),
            ("2026-11-20 18:13:42", Some(1_795_198_422_000)),
            ("2026-11-20 18:13:42.521992", Some(1_795_198_422_521)),
            ("1969-12-31T23:59:59Z", Some(-1_000)),
            ("2026-11-20", Some(1_795_132_800_000)),
            ("18:13:42", None),
            ("2026-13-20T18:13:42Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        let raw = |json: &str| serde_json::from_str::<Box<RawValue>>(json).unwrap();
        assert_eq!(of_seconds(Some(&raw("1793534398"))), Some(1_793_534_398_000));
        assert_eq!(of_seconds(Some(&raw("\"1793534398\""))), Some(1_793_534_398_000));
        assert_eq!(of_millis(Some(&raw("1793534399750"))), Some(1_793_534_399_750));
        assert_eq!(of_millis(Some(&raw("[1]"))), None);
        assert_eq!(in_json(Some(&raw("\"2026-11-01T11:59:57.000Z\""))), Some(1_793_534_397_000));
        assert_eq!(in_json(Some(&raw("1793534397"))), None);
    }
}
