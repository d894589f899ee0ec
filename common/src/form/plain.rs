//! Any bytes, decoded one at a time.

use super::decoded::Decoded;
use super::{FIELDS_MAX, FormError};

/// Decodes `bytes`, of which there are fewer than 4 GiB. What `decoded` held before is gone, after an error too.
pub fn decode(bytes: &[u8], decoded: &mut Decoded) -> Result<(), FormError> {
    let mut text = std::mem::take(&mut decoded.text).into_bytes();
    let ends = &mut decoded.ends;
    text.clear();
    text.reserve(bytes.len());
    ends.clear();
    let mut rest = bytes;
    while !rest.is_empty() {
        if ends.len() == FIELDS_MAX {
            return Err(FormError::TooMany);
        }
        let start = text.len();
        let mut name_end = None;
        loop {
            let plain = rest.iter().position(|byte| SPECIAL[usize::from(*byte)]).unwrap_or(rest.len());
            text.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
            match rest {
                [] => break,
                [b'&', after @ ..] => {
                    rest = after;
                    break;
                }
                [b'=', after @ ..] => {
                    if name_end.is_none() {
                        name_end = Some(text.len());
                    } else {
                        text.push(b'=');
                    }
                    rest = after;
                }
                [b'+', after @ ..] => {
                    text.push(b' ');
                    rest = after;
                }
                [b'%', high, low, after @ ..] => {
                    let (Some(high), Some(low)) = (hex(*high), hex(*low)) else {
                        return Err(FormError::Percent { at: bytes.len() - rest.len() });
                    };
                    text.push(high << 4 | low);
                    rest = after;
                }
                _ => return Err(FormError::Percent { at: bytes.len() - rest.len() }),
            }
        }
        let end = text.len();
        if name_end.is_some() || end > start {
            ends.push([name_end.unwrap_or(end) as u32, end as u32]);
        }
    }
    decoded.text = String::from_utf8(text).map_err(|_| FormError::Utf8)?;
    let text = &decoded.text;
    let whole = |end: &u32| text.is_char_boundary(*end as usize);
    if text.is_ascii() || ends.as_flattened().iter().all(whole) { Ok(()) } else { Err(FormError::Utf8) }
}

/// Bytes that are not copied as they are.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    special[b'%' as usize] = true;
    special[b'&' as usize] = true;
    special[b'+' as usize] = true;
    special[b'=' as usize] = true;
    special
};

/// What a hexadecimal digit stands for.
pub const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
