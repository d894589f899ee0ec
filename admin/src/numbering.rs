//! Whether a phone number can exist.

use dialplane_common::e164::E164;
use rlibphonenumber::{NumberLengthType, PhoneNumber};

use crate::invalid::Invalid;

/// Reads a number in the strict E.164 form and checks it against the numbering plans: a country code that is in use,
/// and a length that its country has.
///
/// It doesn't ask whether the number's range is in use. Ranges are opened before the libraries learn of them, and a
/// good number refused is a customer who can't be called.
///
/// # Errors
/// What is wanted at `field`.
pub fn possible(field: &str, text: &str) -> Result<E164, Invalid> {
    let number: E164 = text
        .parse()
        .map_err(|error| Invalid::new(field, format!("{error}, without blanks or punctuation")))?;
    let parsed = PhoneNumber::parse(text, None)
        .map_err(|_| Invalid::new(field, "wanted a number with a country code that is in use"))?;
    match parsed.is_possible_with_reason() {
        Ok(NumberLengthType::IsPossible) => Ok(number),
        _ => Err(Invalid::new(field, "wanted a number as long as its country's numbers are")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_country_codes_and_lengths() {
        for text in ["+12125550001", "+442071838750", "+4930123456", "+390612345678", "+97235555555"] {
            assert!(possible("phone_number", text).is_ok(), "{text}: {:?}", possible("phone_number", text));
        }
        for text in [
            "",
            "12125550001",
            "+1 212 555 0001",
            "+1212555",
            "+121255500011",
            "+2101234567",
            "+9991234567",
            "+1",
        ] {
            assert!(possible("phone_number", text).is_err(), "{text:?}");
        }
    }
}
