//! Amounts of money, exactly: hundred-thousandths of a unit, as finely as any provider tells its prices.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const PARTS: i64 = 100_000;

/// An amount. Its currency stands beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many hundredths.
    pub const fn cents(cents: i64) -> Self {
        Self(cents * (PARTS / 100))
    }

    /// Reads a decimal of at most five places: `1.15`.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        if part.len() > 5 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let whole: i64 = whole.parse().ok().filter(|whole| *whole >= 0)?;
        let part: i64 = format!("{part:0<5}").parse().ok()?;
        whole.checked_mul(PARTS)?.checked_add(part)?.checked_mul(sign).map(Self)
    }

    /// As a decimal of `places` places, at most five; what is finer is cut off.
    pub fn text(self, places: usize) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.abs() / PARTS, self.0.abs() % PARTS);
        let part = format!("{part:05}");
        match part.get(..places.min(5)) {
            Some(part) if !part.is_empty() => format!("{sign}{whole}.{part}"),
            _ => format!("{sign}{whole}"),
        }
    }

    /// The sum.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of it when `other` is taken; `None` when it isn't enough.
    pub fn less(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).filter(|left| *left >= 0).map(Self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole_cents = self.0 % (PARTS / 100) == 0;
        f.write_str(&self.text(if whole_cents { 2 } else { 5 }))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom("wanted a decimal with at most five places, as text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_kept_exactly() {
        for (text, shown) in [("1.15", "1.15"), ("0.00850", "0.00850"), ("2", "2.00"), ("-3.5", "-3.50")] {
            assert_eq!(Money::parse(text).map(|money| money.to_string()).as_deref(), Some(shown));
        }
        for text in ["", ".", "1.123456", "1,5", "--1", "1.-5"] {
            assert_eq!(Money::parse(text), None, "{text}");
        }
        assert_eq!(Money::cents(80).text(5), "0.80000");
        assert_eq!(Money::cents(100).less(Money::cents(101)), None);
    }
}
