//! Decimal numbers as text: money and spans of time, which no binary fraction holds exactly.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json_text::optional;

/// A second, for [`millis`].
pub const SECOND_MS: i64 = 1_000;

/// No amount has more characters; what is longer isn't one.
const CHARS_MAX: usize = 40;

/// Digits behind the point that a span of time is read to: of a minute, the twelfth is less than a nanosecond.
const FRACTION_DIGITS_MAX: usize = 12;

/// The text, when it is a decimal number: digits, perhaps a minus in front of them and a fraction behind. An exponent
/// makes it none.
pub fn plain(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (_, whole, fraction) = parts(&text);
    let is_one = text.len() <= CHARS_MAX && digits(whole) && fraction.is_none_or(digits);
    is_one.then_some(text)
}

/// The decimal number in a JSON field, written as a number or as text.
pub fn in_json(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let raw = raw?;
    if raw.get().starts_with('"') { plain(optional(Some(raw))?) } else { plain(raw.get().into()) }
}

/// The hundredth part of a decimal number: cents in units of their currency.
pub fn hundredth(number: &str) -> String {
    let (sign, whole, fraction) = parts(number);
    let whole = format!("{whole:0>3}");
    let (units, cents) = whole.split_at(whole.len() - 2);
    format!("{sign}{units}.{cents}{}", fraction.unwrap_or_default())
}

/// How many milliseconds `number` units of `unit_ms` are, to the nearest. `None` when it is no decimal number, or one
/// that nobody can count.
pub fn millis(number: &str, unit_ms: i64) -> Option<i64> {
    let number = plain(number.into())?;
    let (sign, whole, fraction) = parts(&number);
    let fraction = fraction.unwrap_or_default();
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
    let scale = fraction.bytes().fold(1_i128, |scale, _| scale * 10);
    let behind: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let units = i128::from(whole.parse::<i64>().ok()?) * scale + behind;
    let millis = (units * i128::from(unit_ms) + scale / 2) / scale;
    i64::try_from(if sign.is_empty() { millis } else { -millis }).ok()
}

/// The minus, if any, the digits in front of the point, and those behind it.
fn parts(number: &str) -> (&str, &str, Option<&str>) {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    match digits.split_once('.') {
        Some((whole, fraction)) => (sign, whole, Some(fraction)),
        None => (sign, digits, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_decimal_numbers_are_read() {
        for good in ["0", "-1", "0.10300000000000001", "00.50", "-0.0"] {
            assert_eq!(plain(good.into()).as_deref(), Some(good));
        }
        let long = "1".repeat(41);
        for bad in ["", "-", ".5", "5.", "1e3", "+1", "1,5", "1.2.3", "--1", " 1", "0x1", "٣", "NaN", &long]
        {
            assert_eq!(plain(bad.into()), None, "{bad}");
        }
    }

    #[test]
    fn a_field_holds_a_number_or_its_text() {
        let check = |json: &str, expected: Option<&str>| {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            assert_eq!(in_json(Some(&raw)).as_deref(), expected, "{json}");
        };
        check("0.1123", Some("0.1123"));
        check("\"0.00277500\"", Some("0.00277500"));
        check("-7", Some("-7"));
        for json in ["1e-7", "null", "true", "[1]", "\"\"", "\"x\"", "{\"a\":1}"] {
            check(json, None);
        }
        assert_eq!(in_json(None), None);
    }

    #[test]
    fn cents_become_units() {
        for (cents, units) in [
            ("70", "0.70"),
            ("12.345", "0.12345"),
            ("1234.5", "12.345"),
            ("0", "0.00"),
            ("-3", "-0.03"),
            ("100", "1.00"),
        ] {
            assert_eq!(hundredth(cents), units);
        }
    }

    #[test]
    fn spans_are_exact_and_absurd_ones_are_kept() {
        let check = |text: &str, unit_ms: i64, expected: Option<i64>| {
            assert_eq!(millis(text, unit_ms), expected, "{text}");
        };
        check("37", SECOND_MS, Some(37_000));
        check("107.4", SECOND_MS, Some(107_400));
        check("1.35", 60_000, Some(81_000));
        check("1.3499999999999999", 60_000, Some(81_000));
        check("0.0004", SECOND_MS, Some(0));
        check("-5", SECOND_MS, Some(-5_000));
        check("-0.0015", SECOND_MS, Some(-2));
        check("9000000000000", SECOND_MS, Some(9_000_000_000_000_000));
        check("64000", 1, Some(64_000));
        check(&i64::MAX.to_string(), SECOND_MS, None);
        check("99999999999999999999", 1, None);
        check("", SECOND_MS, None);
        check("1e3", SECOND_MS, None);
    }
}
