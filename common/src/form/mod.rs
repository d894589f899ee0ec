//! Form parameters, decoded in one pass.
//!
//! Names and values are decoded one behind the other into a single string. Providers send their parameters sorted,
//! and then that string already is what they signed: see [`Form::sorted_text`].
//!
//! `plain` decodes any bytes, a byte at a time, and says what is wrong with them. Where the processor has the
//! instructions, `wide` goes first: it decodes 64 bytes at a time what providers usually send, and leaves anything else
//! to `plain`. `spare` keeps the memory of one form for the next.

mod decoded;
mod plain;
#[cfg(test)]
mod reference;
mod spare;
#[cfg(target_arch = "x86_64")]
mod wide;

use std::borrow::Cow;

use decoded::Decoded;

const FIELDS_MAX: usize = 1000;

static NONE: Decoded = Decoded::EMPTY;

/// Decoded parameters, in the order received.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Form(Option<Box<Decoded>>);

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
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if u32::try_from(bytes.len()).is_err() {
            return Err(FormError::TooLarge);
        }
        // From here on the memory goes back when the form is dropped, be it read or not.
        let mut form = Self(Some(spare::take()));
        if let Some(decoded) = &mut form.0 {
            #[cfg(target_arch = "x86_64")]
            let done = wide::decode(bytes, decoded);
            #[cfg(not(target_arch = "x86_64"))]
            let done = false;
            if !done {
                plain::decode(bytes, decoded)?;
            }
            decoded.compare_names();
        }
        Ok(form)
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.named(name).next()
    }

    /// The same of a parameter that says something: providers send those empty that they have no value for.
    #[must_use]
    pub fn said(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|text| !text.is_empty())
    }

    /// Names and values, decoded, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.decoded().fields().map(|field| (field.name(), field.value()))
    }

    /// Whether this name has values that differ.
    #[must_use]
    pub fn is_ambiguous(&self, name: &str) -> bool {
        // Ascending means strictly so: no name is there twice.
        if self.decoded().ascending {
            return false;
        }
        let mut values = self.named(name);
        values.next().is_some_and(|first| values.any(|other| other != first))
    }

    /// Each name followed by its value, names in ascending byte order, of one name each distinct value once and in
    /// ascending byte order.
    #[must_use]
    pub fn sorted_text(&self) -> Cow<'_, str> {
        let decoded = self.decoded();
        if decoded.ascending {
            return Cow::Borrowed(&decoded.text);
        }
        let mut fields = decoded.sorted();
        fields.dedup_by_key(|field| (field.name(), field.value()));
        Cow::Owned(fields.into_iter().map(|field| field.name_and_value()).collect())
    }

    /// Gives each name and value to `put`, names in ascending byte order, of one name its values in ascending byte order.
    /// What is there twice is given twice.
    pub fn each_sorted(&self, mut put: impl FnMut(&str, &str)) {
        let decoded = self.decoded();
        if decoded.ascending {
            decoded.fields().for_each(|field| put(field.name(), field.value()));
        } else {
            decoded.sorted().into_iter().for_each(|field| put(field.name(), field.value()));
        }
    }

    /// Whether it has no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decoded().ends.is_empty()
    }

    /// The values of this name. Most names differ in length already, so that few are compared.
    fn named(&self, name: &str) -> impl Iterator<Item = &str> {
        let Decoded { text, ends, .. } = self.decoded();
        let mut start = 0;
        ends.iter().filter_map(move |[name_end, end]| {
            let field = start as usize..*name_end as usize;
            start = *end;
            let same = field.len() == name.len() && text.as_bytes()[field] == *name.as_bytes();
            same.then(|| &text[*name_end as usize..*end as usize])
        })
    }

    fn decoded(&self) -> &Decoded {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        if let Some(decoded) = self.0.take() {
            spare::give(decoded);
        }
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
