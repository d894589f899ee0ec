//! Numbers as providers write them that leave the plus out.

use std::borrow::Cow;

use crate::e164::E164;

/// The number with its plus, when the text is the digits of one; any other text as it is: a SIP URI, a short code,
/// a word for a withheld number, a number in its national form that begins with a zero.
pub fn with_plus(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0')
        && text.parse().ok().and_then(E164::from_u64).is_some();
    if is_number { Cow::Owned(format!("+{text}")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_get_their_plus_and_nothing_else_does() {
        for (text, expected) in [
            ("442079460958", "+442079460958"),
            ("1234567", "+1234567"),
            ("+442079460958", "+442079460958"),
            ("02079460958", "02079460958"),
            ("40404", "40404"),
            ("1234567890123456", "1234567890123456"),
            ("Unknown", "Unknown"),
            ("", ""),
            ("sip:a@h", "sip:a@h"),
        ] {
            assert_eq!(with_plus(text.into()), expected);
        }
    }
}
