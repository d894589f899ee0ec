//! Countries, as the digits of a telephone number tell them.

pub mod calling_code;
mod table;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use table::{NO_ONE, PREFIX_DIGITS_MAX, PREFIXES};

use crate::e164::E164;

/// A country or territory that has telephone numbers, by its ISO 3166-1 alpha-2 code: two capital letters.
///
/// Besides the assigned codes there are those that ISO reserves or leaves to users and everybody knows: `AC`
/// Ascension, `TA` Tristan da Cunha, `XK` Kosovo.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// The text is no country's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wanted the ISO 3166-1 code of a country that has telephone numbers, like US or GB, in capitals")]
pub struct UnknownCountry;

impl Country {
    /// Reads the two capital letters.
    ///
    /// # Errors
    /// When no telephone number belongs to a country of this code; never panics on any bytes.
    pub fn parse(text: &[u8]) -> Result<Self, UnknownCountry> {
        let code: [u8; 2] = text.try_into().map_err(|_| UnknownCountry)?;
        let known = code != NO_ONE && PREFIXES.iter().any(|(_, of)| *of == code);
        if known { Ok(Self(code)) } else { Err(UnknownCountry) }
    }

    /// The country that a number belongs to, by the longest prefix that is known. It says where the number is from, not
    /// where its phone is, nor whether the number is in use.
    ///
    /// `None`: a calling code that isn't assigned or is shared by the world (+800, satellites), or a number of the +1
    /// plan that belongs to no one country (toll-free, premium, personal). Other numbers of the +1 plan whose area code
    /// nobody else has are the United States'.
    #[must_use]
    pub fn of(number: E164) -> Option<Self> {
        let mut digits = number.to_u64();
        while digits >= 10_u64.pow(PREFIX_DIGITS_MAX) {
            digits /= 10;
        }
        let mut prefix = u32::try_from(digits).ok()?;
        while prefix > 0 {
            if let Ok(place) = PREFIXES.binary_search_by_key(&prefix, |(prefix, _)| *prefix) {
                let (_, code) = PREFIXES[place];
                return (code != NO_ONE).then_some(Self(code));
            }
            prefix /= 10;
        }
        None
    }

    /// What its numbers begin with, as ITU-T E.164 assigned it: 1 for the United States, 44 for the United Kingdom.
    #[must_use]
    pub fn calling_code(self) -> u32 {
        let prefixes = PREFIXES.iter().filter(|(_, of)| *of == self.0).map(|(prefix, _)| *prefix);
        prefixes.min().map_or(0, |prefix| calling_code::of(prefix.into()))
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always text: nothing but the table's codes gets in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: &str, expected: &str) {
        let country = Country::of(number.parse().unwrap());
        let code = country.as_ref().map_or("", Country::as_str);
        assert_eq!(code, expected, "{number}");
    }

    #[test]
    fn one_code_one_country() {
        check("+4930123456", "DE");
        check("+97235555555", "IL");
        check("+551155256325", "BR");
        check("+6834000", "NU");
        check("+997123456789", "KZ");
    }

    #[test]
    fn the_plan_of_plus_one_is_shared_by_area_code() {
        check("+12125550001", "US");
        check("+14165550001", "CA");
        check("+19425550001", "CA");
        check("+16005550001", "CA");
        check("+18765550001", "JM");
        check("+16585550001", "JM");
        check("+18295550001", "DO");
        check("+19395550001", "PR");
        check("+16715550001", "GU");
        check("+17105550001", "US");
    }

    #[test]
    fn numbers_of_the_plan_of_plus_one_that_are_no_ones() {
        for area in [800, 833, 844, 855, 866, 877, 888, 900, 500, 533, 700] {
            check(&format!("+1{area}5550001"), "");
        }
    }

    #[test]
    fn a_longer_prefix_is_an_exception_from_a_shorter() {
        check("+74951234567", "RU");
        check("+77123456789", "KZ");
        check("+76123456789", "KZ");
        check("+73362212345", "KZ");
        check("+442071838750", "GB");
        check("+441481256789", "GG");
        check("+447911123456", "GG");
        check("+447911223456", "GB");
        check("+441534456789", "JE");
        check("+447700312345", "JE");
        check("+447700900123", "GB");
        check("+441624756789", "IM");
        check("+447924123456", "IM");
        check("+390612345678", "IT");
        check("+390669812345", "VA");
        check("+4779123456", "SJ");
        check("+61891641234", "CX");
        check("+61891621234", "CC");
        check("+61891661234", "AU");
        check("+262269601234", "YT");
        check("+262262161234", "RE");
        check("+212528812345", "EH");
        check("+212528712345", "MA");
        check("+358181234567", "AX");
        check("+358912345678", "FI");
        check("+590590271234", "BL");
        check("+590590871234", "MF");
        check("+590590201234", "GP");
        check("+5997151234", "BQ");
        check("+59994351234", "CW");
    }

    #[test]
    fn codes_of_the_world_and_codes_of_nobody() {
        for number in ["+80012345678", "+870123456789", "+881612345678", "+883512345678", "+979123456789"] {
            check(number, "");
        }
        for number in ["+2101234567", "+9991234567", "+999999999999999"] {
            check(number, "");
        }
    }

    #[test]
    fn comes_back_from_text() {
        let country: Country = "GB".parse().unwrap();
        assert_eq!(country.to_string(), "GB");
        assert_eq!(serde_json::to_string(&country).unwrap(), "\"GB\"");
        assert_eq!(serde_json::from_str::<Country>("\"GB\"").unwrap(), country);
        let bytes = postcard::to_stdvec(&country).unwrap();
        assert_eq!(postcard::from_bytes::<Country>(&bytes).unwrap(), country);
    }

    #[test]
    fn refuses_what_is_no_country_with_numbers() {
        for text in ["", "G", "gb", "GBR", "UK", "ZZ", "BV", "--", "\0\0", "Ü", "G\u{301}"] {
            assert_eq!(text.parse::<Country>(), Err(UnknownCountry), "{text:?}");
        }
        assert!(serde_json::from_str::<Country>("\"ZZ\"").is_err());
    }

    #[test]
    fn the_table_is_sorted_and_each_row_says_something() {
        for pair in PREFIXES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{pair:?}");
        }
        for (prefix, code) in PREFIXES {
            assert!(*code == NO_ONE || code.iter().all(u8::is_ascii_uppercase), "{prefix}");
            assert!(*prefix < 10_u32.pow(PREFIX_DIGITS_MAX), "{prefix}");
            let shorter = (1..PREFIX_DIGITS_MAX).map(|digits| prefix / 10_u32.pow(digits));
            let behind = shorter
                .filter(|shorter| *shorter > 0)
                .find_map(|shorter| PREFIXES.iter().find(|(prefix, _)| *prefix == shorter));
            assert_ne!(behind.map(|(_, code)| code), Some(code), "{prefix} says what its shorter one says");
        }
    }
}
