//! A request's headers, as the connection keeps them.

use http::{HeaderMap, HeaderName};

/// The headers of a request.
#[derive(Clone, Copy, Debug)]
pub enum Headers<'a> {
    /// In a map.
    Map(&'a HeaderMap),
    /// Names and values as they were received, in the request's own buffer.
    List(&'a [(&'a str, &'a [u8])]),
}

impl<'a> From<&'a HeaderMap> for Headers<'a> {
    fn from(map: &'a HeaderMap) -> Self {
        Self::Map(map)
    }
}

impl<'a> Headers<'a> {
    /// A header's first value; absent: `None`.
    #[must_use]
    pub fn first(self, name: &HeaderName) -> Option<&'a [u8]> {
        self.first_two(name).0
    }

    /// A header's one value. Absent, repeated or unprintable: `None`.
    #[must_use]
    pub fn one(self, name: &HeaderName) -> Option<&'a str> {
        match self.first_two(name) {
            (Some(value), None) => text(value),
            _ => None,
        }
    }

    /// Whether a header is there, whatever its value.
    #[must_use]
    pub fn has(self, name: &HeaderName) -> bool {
        self.first(name).is_some()
    }

    // A request has few headers: to look at all is quicker than to hash a name.
    fn first_two(self, name: &HeaderName) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
        match self {
            Self::Map(map) => {
                let mut values = map.iter().filter(|(found, _)| *found == name).map(|found| found.1.as_bytes());
                (values.next(), values.next())
            }
            Self::List(list) => {
                let mut values = list
                    .iter()
                    .filter(|(found, _)| found.eq_ignore_ascii_case(name.as_str()))
                    .map(|(_, value)| *value);
                (values.next(), values.next())
            }
        }
    }
}

/// A value of visible characters, spaces and tabs.
#[must_use]
pub fn text(value: &[u8]) -> Option<&str> {
    let printable = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    std::str::from_utf8(value).ok().filter(|_| printable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    static NAME: HeaderName = HeaderName::from_static("x-one");

    #[test]
    fn a_list_and_a_map_of_the_same_headers_say_the_same() {
        for values in [&[][..], &[b"a"], &[b"a", b"b"], &[b"a\xff"], &[b"a\tb c"], &[b""]] {
            let map: HeaderMap = values
                .iter()
                .map(|value| (NAME.clone(), HeaderValue::from_bytes(value).unwrap()))
                .collect();
            let mut list: Vec<(&str, &[u8])> = vec![("Host", b"h")];
            list.extend(values.iter().map(|value| ("X-One", &value[..])));
            let (map, list) = (Headers::from(&map), Headers::List(&list));
            assert_eq!(map.first(&NAME), list.first(&NAME));
            assert_eq!(map.one(&NAME), list.one(&NAME));
            assert_eq!(map.has(&NAME), list.has(&NAME));
        }
        let list = Headers::List(&[("X-One", b"a"), ("x-onE", b"b")]);
        assert_eq!((list.first(&NAME), list.one(&NAME)), (Some(&b"a"[..]), None));
    }
}
