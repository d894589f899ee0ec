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
        match self {
            Self::Map(map) => in_map(map, name).next(),
            Self::List(list) => in_list(list, name).next(),
        }
    }

    /// A header's one value. Absent, repeated or unprintable: `None`.
    #[must_use]
    pub fn one(self, name: &HeaderName) -> Option<&'a str> {
        match self {
            Self::Map(map) => only(in_map(map, name)),
            Self::List(list) => only(in_list(list, name)),
        }
    }

    /// Whether a header is there, whatever its value.
    #[must_use]
    pub fn has(self, name: &HeaderName) -> bool {
        self.first(name).is_some()
    }
}

// A request has few headers: to look at all is quicker than to hash a name.
fn in_map<'a>(map: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    map.iter().filter(move |(found, _)| *found == name).map(|(_, value)| value.as_bytes())
}

fn in_list<'a>(list: &'a [(&'a str, &'a [u8])], name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let name = name.as_str();
    // Lengths differ nearly always.
    let is = move |found: &str| found.len() == name.len() && found.eq_ignore_ascii_case(name);
    list.iter().filter(move |(found, _)| is(found)).map(|(_, value)| *value)
}

fn only<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<&'a str> {
    let value = values.next()?;
    if values.next().is_some() { None } else { text(value) }
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
        let several: [&[&[u8]]; 6] = [&[], &[b"a"], &[b"a", b"b"], &[b"a\xff"], &[b"a\tb c"], &[b""]];
        for values in several {
            let map: HeaderMap =
                values.iter().map(|value| (NAME.clone(), HeaderValue::from_bytes(value).unwrap())).collect();
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
