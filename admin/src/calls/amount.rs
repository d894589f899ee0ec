//! Amounts of money, exact: no binary fraction ever holds one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Places behind the point that are kept: providers bill in millionths at the finest.
const PLACES: u32 = 12;
const ONE: i128 = 10_i128.pow(PLACES);
/// No call costs a million of anything.
const MAX: i128 = 1_000_000 * ONE;

/// An amount, in units of 10⁻¹²; a decimal in documents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(i128);

impl Amount {
    /// Reads a decimal (`0.12`, `-0.0085`, `1.2e-05`), without its sign: some providers write what they want as what the
    /// account loses. `None` for what is none, or is more than a call can cost.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['-', '+']);
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok().filter(|exponent| (-24..=24).contains(exponent))?;
        let (units, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = [units, fraction].concat();
        if all.is_empty() || all.len() > 30 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let scale = exponent + 12 - i32::try_from(fraction.len()).ok()?;
        let digits: i128 = all.parse().ok()?;
        let power = 10_i128.checked_pow(scale.unsigned_abs())?;
        // What is finer than is kept is cut off.
        let value = if scale < 0 { digits / power } else { digits.checked_mul(power)? };
        (value <= MAX).then_some(Self(value))
    }

    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:012}", self.0 % ONE);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{point}{fraction}", self.0 / ONE)
    }
}

impl TryFrom<String> for Amount {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::read(&text).ok_or("no amount")
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_kept_exactly() {
        for (text, expected) in [
            ("0.12", Some("0.12")),
            ("-0.00750", Some("0.0075")),
            ("3", Some("3")),
            (".5", Some("0.5")),
            ("1.2e-05", Some("0.000012")),
            ("12E1", Some("120")),
            ("0", Some("0")),
            ("0.1234567890123", Some("0.123456789012")),
            ("1000000", Some("1000000")),
            ("1000001", None),
            ("1e400", None),
            ("NaN", None),
            ("", None),
            ("-", None),
            ("0,12", None),
            ("1.2.3", None),
        ] {
            assert_eq!(Amount::read(text).map(|amount| amount.to_string()).as_deref(), expected, "{text}");
        }
        let sum = Amount::read("0.1").unwrap().plus(Amount::read("0.2").unwrap());
        assert_eq!(sum.to_string(), "0.3");
    }
}
