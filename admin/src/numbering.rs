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
    use dialplane_common::country::Country;
    use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};

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

    /// The router tells countries by a table of prefixes; the library, by patterns of whole numbers.
    #[test]
    fn countries_by_prefix_are_those_of_the_numbering_plans() {
        /// Region, its example number, and the country by prefix, where the library says another one.
        const EXCEPTIONS: [(&str, &str, &str); 3] = [
            // The library doesn't tell Western Sahara from Morocco. 5288 and 5289 are Laayoune's.
            ("EH", "+212528812345", "EH"),
            // 7924 is the Isle of Man's; the library takes the whole of it for Great Britain's as well.
            ("IM", "+447924123456", "IM"),
            // 1 is the Australian bases in Antarctica, which have no region in the library.
            ("NF", "+672106609", "AQ"),
        ];
        let mut regions = 0;
        let mut met = 0;
        for region in PHONE_NUMBER_UTIL.get_supported_regions() {
            let example = |kind| PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind).ok();
            regions += usize::from(example(PhoneNumberType::FixedLine).is_some());
            for number in
                [PhoneNumberType::FixedLine, PhoneNumberType::Mobile].into_iter().filter_map(example)
            {
                let text = number.format_as(PhoneNumberFormat::E164).into_owned();
                let by_prefix = Country::of(text.parse().unwrap()).map(|country| country.to_string());
                let by_pattern = number.get_region_code().map(|region| region.to_string());
                if by_prefix == by_pattern {
                    continue;
                }
                met += 1;
                let name = region.to_string();
                let case = (&*name, text.as_str(), by_prefix.as_deref().unwrap_or_default());
                assert!(EXCEPTIONS.contains(&case), "{case:?}, the library: {by_pattern:?}");
            }
        }
        assert!(regions >= 240, "{regions} regions");
        assert_eq!(met, EXCEPTIONS.len(), "an exception that is none any more");
    }
}
