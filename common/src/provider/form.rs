//! Form parameters, decoded in one pass.
//!
//! Names and values are decoded one behind the other into a single string. Providers send their parameters sorted,
//! and then that string already is what they signed: see [`Form::sorted_text`].

use std::borrow::Cow;

const FIELDS_MAX: usize = 1000;

/// Decoded parameters, in the order received.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Form {
    text: String,
    fields: Vec<Field>,
    sorted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Field {
    name: u32,
    value: u32,
    end: u32,
}

/// Why bytes aren't a form. Positions count bytes of the body from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormError {
    /// A percent sign without two hexadecimal digits behind it.
    #[error("malformed percent-encoding at byte {at}: wanted % and two hexadecimal digits")]
    Percent {
        /// Where.
        at: usize,
    },
    /// Bytes that aren't UTF-8 once decoded.
    #[error("a parameter is not UTF-8")]
    Utf8,
    /// More parameters than any provider sends.
    #[error("more than {FIELDS_MAX} parameters")]
    TooMany,
    /// More bytes than a webhook may have.
    #[error("form too large")]
    TooLarge,
}

impl Form {
    /// Reads `application/x-www-form-urlencoded` bytes: a plus is a space, `%2B` is a plus.
    ///
    /// # Errors
    /// See [`FormError`]; never panics on any bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(FormError::TooLarge);
        }
        let mut text = Vec::with_capacity(bytes.len());
        let mut fields = Vec::with_capacity(32);
        let mut rest = bytes;
        while !rest.is_empty() {
            if fields.len() == FIELDS_MAX {
                return Err(FormError::TooMany);
            }
            let name = text.len() as u32;
            let mut value = None;
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
                        if value.is_none() {
                            value = Some(text.len() as u32);
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
            let end = text.len() as u32;
            if value.is_some() || end > name {
                fields.push(Field { name, value: value.unwrap_or(end), end });
            }
        }
        let text = String::from_utf8(text).map_err(|_| FormError::Utf8)?;
        let whole = |at: u32| text.is_char_boundary(at as usize);
        if !fields.iter().all(|field| whole(field.name) && whole(field.value)) {
            return Err(FormError::Utf8);
        }
        let mut form = Self { text, fields, sorted: false };
        form.sorted = form.fields.is_sorted_by(|a, b| form.name(a) < form.name(b));
        Ok(form)
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let field = self.named(name).next()?;
        Some(self.value(field))
    }

    /// Names and values, decoded, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|field| (&self.text[field.name as usize..field.value as usize], self.value(field)))
    }

    /// Whether this name has values that differ.
    #[must_use]
    pub fn is_ambiguous(&self, name: &str) -> bool {
        // Sorted means strictly ascending: no name is there twice.
        if self.sorted {
            return false;
        }
        let mut values = self.named(name).map(|field| self.value(field));
        values.next().is_some_and(|first| values.any(|other| other != first))
    }

    /// Each name followed by its value, names in ascending byte order, of one name each distinct value once and in
    /// ascending byte order.
    #[must_use]
    pub fn sorted_text(&self) -> Cow<'_, str> {
        if self.sorted {
            return Cow::Borrowed(&self.text);
        }
        let mut fields: Vec<_> = self.fields.iter().collect();
        let name_and_value = |field: &Field| (self.name(field), self.value(field));
        fields.sort_unstable_by(|a, b| name_and_value(a).cmp(&name_and_value(b)));
        fields.dedup_by(|a, b| name_and_value(a) == name_and_value(b));
        Cow::Owned(
            fields.into_iter().map(|field| &self.text[field.name as usize..field.end as usize]).collect(),
        )
    }

    /// Gives each name and value to `put`, names in ascending byte order, of one name its values in ascending byte order.
    /// What is there twice is given twice.
    pub fn each_sorted(&self, mut put: impl FnMut(&str, &str)) {
        // Whole characters begin and end where names and values do: checked when the form was read.
        let mut put =
            |field: &Field| put(&self.text[field.name as usize..field.value as usize], self.value(field));
        if self.sorted {
            return self.fields.iter().for_each(put);
        }
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort_unstable_by_key(|field| (self.name(field), self.value(field)));
        fields.into_iter().for_each(&mut put);
    }

    /// Whether it has no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields of this name. Most differ in length already, so that few names are compared.
    fn named(&self, name: &str) -> impl Iterator<Item = &Field> {
        let length = name.len() as u32;
        let same =
            move |field: &&Field| field.value - field.name == length && self.name(field) == name.as_bytes();
        self.fields.iter().filter(same)
    }

    fn name(&self, field: &Field) -> &[u8] {
        &self.text.as_bytes()[field.name as usize..field.value as usize]
    }

    /// The ends are character boundaries: checked when the form was read.
    fn value(&self, field: &Field) -> &str {
        &self.text[field.value as usize..field.end as usize]
    }
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

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_as_browsers_encode() {
        let form = Form::parse(b"a=1&b=x+y%2Bz%c3%a9&c=&d&=e&&f=1=2").unwrap();
        let check = |name: &str, expected: Option<&str>| assert_eq!(form.get(name), expected, "{name}");
        check("a", Some("1"));
        check("b", Some("x y+z\u{e9}"));
        check("c", Some(""));
        check("d", Some(""));
        check("", Some("e"));
        check("f", Some("1=2"));
        check("g", None);
        let all = [("a", "1"), ("b", "x y+z\u{e9}"), ("c", ""), ("d", ""), ("", "e"), ("f", "1=2")];
        assert!(form.iter().eq(all));
    }

    #[test]
    fn refuses_what_cannot_be_decoded() {
        let check =
            |bytes: &[u8], expected: FormError| assert_eq!(Form::parse(bytes), Err(expected), "{bytes:?}");
        check(b"a=%", FormError::Percent { at: 2 });
        check(b"a=1&b=%4", FormError::Percent { at: 6 });
        check(b"a=%zz", FormError::Percent { at: 2 });
        check(b"a=%ff", FormError::Utf8);
        check(b"a=\xff", FormError::Utf8);
        check(b"a=%c3&%a9=1", FormError::Utf8);
        check("a&".repeat(1001).as_bytes(), FormError::TooMany);
    }

    #[test]
    fn sorts_by_bytes_and_drops_repeats() {
        let check = |body: &str, expected: &str| {
            assert_eq!(Form::parse(body.as_bytes()).unwrap().sorted_text(), expected, "{body}");
        };
        check("A=1&B=2", "A1B2");
        check("b=1&Z=2&a=3", "Z2a3b1");
        check("a=2&a=1&a=2", "a1a2");
        check("a=&b=", "ab");
        check("ab=c&a=bc", "abcabc");
        check("", "");
    }

    #[test]
    fn sorts_by_bytes_and_keeps_repeats() {
        let check = |body: &str, expected: &str| {
            let mut text = String::new();
            Form::parse(body.as_bytes()).unwrap().each_sorted(|name, value| {
                text.push_str(&format!("{name}={value} "));
            });
            assert_eq!(text, expected, "{body}");
        };
        check("A=1&B=2", "A=1 B=2 ");
        check("a=2&a=1&a=2&Z=%C3%A9", "Z=é a=1 a=2 a=2 ");
        check("b&a=", "a= b= ");
        check("", "");
        assert!(Form::default().is_empty() && !Form::parse(b"a").unwrap().is_empty());
    }

    #[test]
    fn repeats_are_ambiguous_only_when_they_differ() {
        let form = Form::parse(b"To=1&From=2&To=1&X=1&X=2").unwrap();
        assert!(!form.is_ambiguous("To") && !form.is_ambiguous("From") && !form.is_ambiguous("Y"));
        assert!(form.is_ambiguous("X"));
    }
}
