//! Telephone numbers as integers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DIGITS_MIN: usize = 7;
/// The most digits of a number. Source: ITU-T E.164, section 6.1.
pub const DIGITS_MAX: usize = 15;

/// A number in the E.164 form: a plus and 7 to 15 digits, the first not zero.
///
/// Fifteen digits fit an integer and a leading zero never occurs, so the integer says everything: it is `Copy`,
/// cheap to hash and can't be mistaken for text that still has to be cleaned. Source: ITU-T E.164 (11/2010), 6.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(u64);

/// Why a text is not an E.164 number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum E164Error {
    /// The text doesn't begin with a plus.
    #[error("wanted a number like +12125550001, beginning with +")]
    NoPlus,
    /// Too few or too many digits.
    #[error("wanted {DIGITS_MIN} to {DIGITS_MAX} digits after the +")]
    Length,
    /// Too few or too many digits for what a block of numbers begins with.
    #[error("wanted 4 to 14 digits after the +")]
    PrefixLength,
    /// Something else than a digit after the plus, or a zero in first place.
    #[error("wanted digits only after the +, the first not 0")]
    Digit,
}

impl E164 {
    /// Reads the strict form: `+` and digits, no spaces, no punctuation.
    ///
    /// # Errors
    /// See [`E164Error`]; never panics on any bytes.
    pub fn parse(text: &[u8]) -> Result<Self, E164Error> {
        let [b'+', digits @ ..] = text else { return Err(E164Error::NoPlus) };
        if digits.len() < DIGITS_MIN || digits.len() > DIGITS_MAX {
            return Err(E164Error::Length);
        }
        if digits[0] == b'0' {
            return Err(E164Error::Digit);
        }
        let mut value = 0_u64;
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return Err(E164Error::Digit);
            }
            value = value * 10 + u64::from(digit);
        }
        Ok(Self(value))
    }

    /// The digits as one integer, as the feed and the database keep them.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Takes back what [`E164::to_u64`] gave; `None` when no number has these digits.
    #[must_use]
    pub const fn from_u64(digits: u64) -> Option<Self> {
        if digits >= 1_000_000 && digits <= 999_999_999_999_999 { Some(Self(digits)) } else { None }
    }

    /// Whether the number's digits begin with `prefix`'s.
    #[must_use]
    pub fn starts_with(self, prefix: u64) -> bool {
        let mut rest = self.0;
        while rest > prefix {
            rest /= 10;
        }
        rest == prefix
    }
}

/// What the numbers of a block begin with: a plus and 4 to 14 digits, the first not zero. Each number of the block has
/// more digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u64);

impl Prefix {
    /// The digits as one integer, as the feed and the database keep them.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// Takes back what [`Prefix::to_u64`] gave; `None` when no prefix has these digits.
    #[must_use]
    pub const fn from_u64(digits: u64) -> Option<Self> {
        if digits >= 1_000 && digits <= 99_999_999_999_999 { Some(Self(digits)) } else { None }
    }

    /// All prefixes that `number` can have, the longest first.
    pub fn of(number: E164) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(number.0 / 10), |digits| Some(digits / 10)).map_while(Self::from_u64)
    }
}

impl FromStr for Prefix {
    type Err = E164Error;

    fn from_str(text: &str) -> Result<Self, E164Error> {
        let digits = text.strip_prefix('+').ok_or(E164Error::NoPlus)?;
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(E164Error::Digit);
        }
        digits.parse().ok().and_then(Self::from_u64).ok_or(E164Error::PrefixLength)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for E164 {
    type Err = E164Error;

    fn from_str(text: &str) -> Result<Self, E164Error> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// Text for people (JSON), the integer for the feed.
impl Serialize for E164 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for E164 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            let digits = u64::deserialize(deserializer)?;
            Self::from_u64(digits).ok_or_else(|| D::Error::custom("not an E.164 number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_strict_form_only() {
        let check = |text: &str, expected: Result<u64, E164Error>| {
            assert_eq!(E164::parse(text.as_bytes()).map(E164::to_u64), expected, "{text:?}");
        };
        check("+12125550001", Ok(12_125_550_001));
        check("+999999999999999", Ok(999_999_999_999_999));
        check("+6834000", Ok(6_834_000));
        check("12125550001", Err(E164Error::NoPlus));
        check(" 12125550001", Err(E164Error::NoPlus));
        check("", Err(E164Error::NoPlus));
        check("+", Err(E164Error::Length));
        check("+1212", Err(E164Error::Length));
        check("+1234567890123456", Err(E164Error::Length));
        check("+02125550001", Err(E164Error::Digit));
        check("+1212555000a", Err(E164Error::Digit));
        check("+1 212 555 0001", Err(E164Error::Digit));
        check("+1212555\u{663}", Err(E164Error::Digit));
    }

    #[test]
    fn comes_back_from_text_integer_and_json() {
        let number: E164 = "+12125550001".parse().unwrap();
        assert_eq!(E164::from_u64(number.to_u64()), Some(number));
        assert_eq!(number.to_string(), "+12125550001");
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"+12125550001\"");
        assert_eq!(serde_json::from_str::<E164>("\"+12125550001\"").unwrap(), number);
        assert_eq!(E164::from_u64(999_999), None);
        assert_eq!(E164::from_u64(1_000_000_000_000_000), None);
    }

    #[test]
    fn knows_its_prefixes() {
        let number: E164 = "+12125550001".parse().unwrap();
        assert!(number.starts_with(1) && number.starts_with(1212) && number.starts_with(12_125_550_001));
        assert!(!number.starts_with(2) && !number.starts_with(1213) && !number.starts_with(121_255_500_011));
    }
}
