//! A field of a request that isn't what is wanted.

use std::fmt;

use serde_path_to_error::{Path, Segment};

/// Where in the request, and what is wanted there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid {
    /// The place, as a path: `credentials.auth_token`, `weekly.fri[0][1]`.
    pub field: String,
    /// What is wanted.
    pub wanted: String,
}

impl Invalid {
    /// Names a place and what is wanted there.
    pub fn new(field: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { field: field.into(), wanted: wanted.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.wanted)
    }
}

/// The field and what is wanted there, from what the reader says at `path`, itself below `parent`.
#[must_use]
pub fn at_path(parent: Option<&str>, path: &Path, text: &str) -> Invalid {
    let mut field = parent.unwrap_or_default().to_owned();
    let push = |field: &mut String, name: &str| {
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(name);
    };
    for segment in path {
        match segment {
            Segment::Map { key } | Segment::Enum { variant: key } => push(&mut field, key),
            Segment::Seq { index } => field.push_str(&format!("[{index}]")),
            Segment::Unknown => {}
        }
    }
    let quoted = |text: &str| text.split('`').nth(1).map(str::to_owned);
    if (text.starts_with("unknown field") || text.starts_with("missing field"))
        && let Some(name) = quoted(text)
    {
        // The reader counts an unknown field as part of the path, or doesn't.
        if !field.ends_with(&format!(".{name}")) && field != name {
            push(&mut field, &name);
        }
    }
    let wanted = match text {
        _ if text.starts_with("missing field") => "wanted",
        _ if text.starts_with("UUID parsing failed") => "wanted an id, a UUID",
        _ => text,
    };
    Invalid::new(if field.is_empty() { "body".to_owned() } else { field }, wanted)
}

/// The most characters of a name or a label.
pub const NAME_CHARS_MAX: usize = 200;
/// Far beyond what one business has.
const COUNT_MAX: i32 = 1_000_000;

/// Refuses what is no amount of money: a decimal of at most two places.
///
/// # Errors
/// What is wanted at `field`.
pub fn amount(field: &str, text: &str) -> Result<(), Invalid> {
    let (units, cents) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |digits: &str, most: usize| {
        (1..=most).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    };
    if is_digits(units, 7) && is_digits(cents, 2) {
        return Ok(());
    }
    Err(Invalid::new(field, "wanted an amount such as 50.00"))
}

/// Refuses what is no price: a decimal of at most eight digits and six places.
///
/// # Errors
/// What is wanted at `field`.
pub fn price(field: &str, text: &str) -> Result<(), Invalid> {
    let (units, parts) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |digits: &str, most: usize| {
        (1..=most).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    };
    if is_digits(units, 8) && is_digits(parts, 6) {
        return Ok(());
    }
    Err(Invalid::new(field, "wanted an amount of at most six places, such as 0.0085"))
}

/// Refuses what is no currency's code.
///
/// # Errors
/// What is wanted at `field`.
pub fn currency(field: &str, text: &str) -> Result<(), Invalid> {
    if text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(Invalid::new(field, "wanted a currency's code (ISO 4217), such as USD"))
}

/// The most that may be spent for one tenant in a month, in units of the platform's currency.
const SPEND_UNITS_MAX: u32 = 1_000_000;

/// Checks how much may be spent, and writes it with two places: `7.5` is `7.50`.
///
/// # Errors
/// What is wanted at `field`.
pub fn spend_max(field: &str, text: &str) -> Result<String, Invalid> {
    let wanted = || Invalid::new(field, format!("wanted an amount from 0.00 to {SPEND_UNITS_MAX}.00"));
    amount(field, text).map_err(|_| wanted())?;
    let (units, cents) = text.split_once('.').unwrap_or((text, "0"));
    let units: u32 = units.parse().map_err(|_| wanted())?;
    let written = format!("{units}.{cents:0<2}");
    let is_more = units > SPEND_UNITS_MAX || (units == SPEND_UNITS_MAX && !written.ends_with(".00"));
    if is_more { Err(wanted()) } else { Ok(written) }
}

/// Checks a name: 1 to [`NAME_CHARS_MAX`] characters, no control characters, not blank.
///
/// # Errors
/// What is wanted at `field`.
pub fn name(field: &str, text: &str) -> Result<(), Invalid> {
    line(field, text, NAME_CHARS_MAX)
}

/// Checks a text of one line: 1 to `chars_max` characters, no control characters, not blank.
///
/// # Errors
/// What is wanted at `field`.
pub fn line(field: &str, text: &str, chars_max: usize) -> Result<(), Invalid> {
    let ends_line = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    if text.trim().is_empty() || text.chars().count() > chars_max || text.chars().any(ends_line) {
        let wanted = format!("wanted 1 to {chars_max} characters, no control characters");
        return Err(Invalid::new(field, wanted));
    }
    Ok(())
}

/// Checks how many calls at a time are allowed: 1 to 1000.
///
/// # Errors
/// What is wanted at `field`.
pub fn calls_max(field: &str, calls: u32) -> Result<i32, Invalid> {
    let in_range = i32::try_from(calls).ok().filter(|calls| (1..=1000).contains(calls));
    in_range.ok_or_else(|| Invalid::new(field, "wanted 1 to 1000, or null for any number"))
}

/// Checks how many of something a tenant may have: 0 to 1000000.
///
/// # Errors
/// What is wanted at `field`.
pub fn count_max(field: &str, most: u32) -> Result<i32, Invalid> {
    let in_range = i32::try_from(most).ok().filter(|most| *most <= COUNT_MAX);
    in_range.ok_or_else(|| Invalid::new(field, format!("wanted 0 to {COUNT_MAX}, or null for any number")))
}

/// Checks a text that is spoken: not blank, at most `chars_max` characters, line breaks allowed.
///
/// # Errors
/// What is wanted at `field`.
pub fn spoken(field: &str, text: &str, chars_max: usize) -> Result<(), Invalid> {
    let stray = |char: char| char.is_control() && !matches!(char, '\n' | '\r' | '\t');
    if text.trim().is_empty() || text.chars().count() > chars_max || text.chars().any(stray) {
        let wanted = format!("wanted 1 to {chars_max} characters, no control characters but line breaks");
        return Err(Invalid::new(field, wanted));
    }
    Ok(())
}

/// Checks the shape of a language tag: `en`, `en-US`, `zh-Hant-TW`.
///
/// # Errors
/// What is wanted at `field`.
pub fn language(field: &str, text: &str) -> Result<(), Invalid> {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let letters = (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let rest = parts
        .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if letters && rest && text.len() <= 35 {
        Ok(())
    } else {
        Err(Invalid::new(field, "wanted a language tag such as en or en-US"))
    }
}

/// Checks an IANA time zone and gives the zone's own spelling of its name.
///
/// The names are those of the database in the program, which the routers have as well.
///
/// # Errors
/// What is wanted at `field`.
pub fn timezone(field: &str, text: &str) -> Result<String, Invalid> {
    let zone = jiff::tz::TimeZone::get(text).ok();
    let name = zone.as_ref().filter(|zone| !zone.is_unknown()).and_then(|zone| zone.iana_name());
    name.map(str::to_owned)
        .ok_or_else(|| Invalid::new(field, "wanted an IANA time zone such as America/New_York"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_plain_decimals() {
        for text in ["0", "0.0085", "12345678.123456"] {
            price("amount", text).unwrap();
        }
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "123456789", "0.1234567", "NaN", " 1"] {
            assert_eq!(price("amount", text).unwrap_err().field, "amount", "{text:?}");
        }
        currency("currency", "EUR").unwrap();
        for text in ["", "eur", "EURO", "€€€", "US1"] {
            assert_eq!(currency("currency", text).unwrap_err().field, "currency", "{text:?}");
        }
    }

    #[test]
    fn names_have_an_end_and_no_nul() {
        assert!(name("name", "Sparkle Nails").is_ok());
        for text in ["", "  ", "a\0b", "a\nb", &"x".repeat(201)] {
            assert!(name("name", text).is_err(), "{text:?}");
        }
        assert!(line("address", &"x".repeat(300), 300).is_ok());
        assert!(line("address", "1 Main St\u{2028}New York", 300).is_err());
        assert!(spoken("say", "Hello.\nBye.", 20).is_ok());
        assert!(spoken("say", "Hello\0", 20).is_err());
    }

    #[test]
    fn what_may_be_spent_has_two_places_and_an_end() {
        for (text, expected) in
            [("0", "0.00"), ("7.5", "7.50"), ("007.25", "7.25"), ("50", "50.00"), ("1000000", "1000000.00")]
        {
            assert_eq!(spend_max("spend_max", text).unwrap(), expected);
        }
        for text in ["", "-1", "1.", ".5", "1.234", "1e3", "1000000.01", "1000001", "USD 5", " 5"] {
            assert_eq!(spend_max("spend_max", text).unwrap_err().field, "spend_max", "{text:?}");
        }
    }

    #[test]
    fn limits_of_calls_are_small_numbers() {
        for (calls, expected) in [(0, None), (1, Some(1)), (1000, Some(1000)), (1001, None), (u32::MAX, None)]
        {
            assert_eq!(calls_max("calls_max", calls).ok(), expected, "{calls}");
        }
    }

    #[test]
    fn languages_look_like_tags() {
        for text in ["en", "en-US", "zh-Hant-TW", "fil"] {
            assert!(language("language", text).is_ok(), "{text}");
        }
        for text in ["", "e", "english", "en_US", "en-", "12"] {
            assert!(language("language", text).is_err(), "{text}");
        }
    }

    #[test]
    fn zones_are_iana_zones() {
        assert_eq!(timezone("timezone", "America/New_York").unwrap(), "America/New_York");
        assert_eq!(timezone("timezone", "america/new_york").unwrap(), "America/New_York");
        assert_eq!(timezone("timezone", "UTC").unwrap(), "UTC");
        for text in ["", "EST5", "New York", "+02:00", "Etc/Unknown", "America/New_York\0"] {
            assert!(timezone("timezone", text).is_err(), "{text:?}");
        }
    }
}
