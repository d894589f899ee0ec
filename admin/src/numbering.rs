//! What the numbering plans say: whether a phone number or a block of them can exist, and countries' calling codes.

use dialplane_common::country::Country;
use dialplane_common::e164::{E164, Prefix};
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber};

use crate::invalid::Invalid;

const NUMBER_DIGITS_MAX: usize = 15;

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

/// Reads what the numbers of a block begin with, and checks that there can be such numbers: a country code that is in
/// use, and a length of the country's that is longer.
///
/// # Errors
/// What is wanted at `field`.
pub fn possible_range(field: &str, text: &str) -> Result<Prefix, Invalid> {
    let prefix: Prefix = text
        .parse()
        .map_err(|error| Invalid::new(field, format!("{error}, without blanks or punctuation")))?;
    // Which digits follow says nothing of whether the length is one.
    let longer =
        (1..=NUMBER_DIGITS_MAX + 1 - text.len()).map(|digits| format!("{text}{}", "0".repeat(digits)));
    if longer.into_iter().any(|number| possible(field, &number).is_ok()) {
        Ok(prefix)
    } else {
        Err(Invalid::new(field, "wanted what numbers of a country begin with, shorter than they are"))
    }
}

/// The calling code of a country: 49 of Germany. `None` for the few whose numbers the plans count as another's.
#[must_use]
pub fn calling_code(country: Country) -> Option<u16> {
    let region =
        PHONE_NUMBER_UTIL.get_supported_regions().find(|region| region.to_string() == country.as_str())?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).and_then(|code| u16::try_from(code).ok())
}

/// Reads a country whose numbers a provider may write in their national form.
///
/// # Errors
/// What is wanted at `field`.
pub fn country(field: &str, text: &str) -> Result<Country, Invalid> {
    let country: Country = text.parse().map_err(|error| Invalid::new(field, format!("{error}")))?;
    match calling_code(country) {
        Some(_) => Ok(country),
        None => Err(Invalid::new(field, "wanted a country with a calling code")),
    }
}

#[cfg(test)]
mod tests {
    use rlibphonenumber::{PhoneNumberFormat, PhoneNumberType};

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

    #[test]
    fn a_range_is_shorter_than_its_numbers() {
        for text in ["+1212", "+1212555000", "+4930123", "+44207183", "+49301234567890"] {
            assert!(possible_range("prefix", text).is_ok(), "{text}: {:?}", possible_range("prefix", text));
        }
        for text in ["", "4930123", "+49 30", "+493", "+0493", "+12125550001", "+9991", "+123456789012345"] {
            let refused = possible_range("prefix", text).map_err(|invalid| invalid.field);
            assert_eq!(refused, Err("prefix".to_owned()), "{text}");
        }
    }

    #[test]
    fn countries_have_calling_codes() {
        let check = |text: &str, expected: Option<u16>| {
            let code = country("country", text).ok().and_then(calling_code);
            assert_eq!(code, expected, "{text}");
        };
        check("DE", Some(49));
        check("US", Some(1));
        check("JM", Some(1));
        check("KZ", Some(7));
        for text in ["", "de", "UK", "ZZ", "DEU", "001"] {
            check(text, None);
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
