//! Where a number's calling code ends: one digit, two or three.
//!
//! Source: ITU-T E.164 (11/2010), Annex D: the codes of one and two digits are these, all others have three.

use crate::e164::E164;

const TWO_DIGITS: [u32; 44] = [
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// The calling code that these digits begin with.
pub(super) fn of(digits: u64) -> u32 {
    let digits = digits.to_string();
    let code = |length: usize| digits.get(..length).and_then(|code| code.parse().ok()).unwrap_or_default();
    match code(2) {
        10..=19 => 1,
        70..=79 => 7,
        two if TWO_DIGITS.contains(&two) => two,
        _ => code(digits.len().min(3)),
    }
}

/// What follows the calling code.
#[must_use]
pub fn national(number: E164) -> String {
    let digits = number.to_u64().to_string();
    let code = of(number.to_u64()).to_string();
    digits.strip_prefix(&code).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country::Country;

    #[test]
    fn the_rest_of_a_number_is_national() {
        let check = |number: &str, expected: &str| {
            assert_eq!(national(number.parse().unwrap()), expected, "{number}");
        };
        check("+12125550001", "2125550001");
        check("+442079460958", "2079460958");
        check("+35319605860", "19605860");
        check("+79261234567", "9261234567");
        check("+989121234567", "9121234567");
        check("+85221234567", "21234567");
    }

    #[test]
    fn countries_have_a_calling_code() {
        for (country, expected) in
            [("US", 1), ("CA", 1), ("JM", 1), ("GB", 44), ("JE", 44), ("IE", 353), ("KZ", 7), ("DE", 49)]
        {
            assert_eq!(country.parse::<Country>().unwrap().calling_code(), expected, "{country}");
        }
    }
}
