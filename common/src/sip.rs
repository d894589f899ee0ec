//! The little that is needed of SIP URIs.

use crate::e164::E164;

/// The user part of `sip:user@host` or `sips:user@host`, without parameters; `None` for anything else.
///
/// Source: RFC 3261, 19.1.1.
#[must_use]
pub fn user(uri: &str) -> Option<&str> {
    let rest = strip_scheme(uri)?;
    let (user, host) = rest.split_once('@')?;
    let user = user.split([';', ':']).next()?;
    (!user.is_empty() && !host.is_empty()).then_some(user)
}

/// The telephone number that a SIP URI's user part is, when it is one in the strict form.
#[must_use]
pub fn number(uri: &str) -> Option<E164> {
    E164::parse(user(uri)?.as_bytes()).ok()
}

/// Whether `uri` is a SIP URI that can be dialled: scheme, host, and no byte that would end the URI early.
#[must_use]
pub fn is_uri(uri: &str) -> bool {
    let Some(rest) = strip_scheme(uri) else { return false };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    !host.is_empty()
        && !host.starts_with([';', '?', ':'])
        && rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b',' | b'\\'))
}

/// A URI without its headers, and each header's name and decoded value.
///
/// Source: RFC 3261, 19.1.1: what stands behind the question mark.
pub fn split_headers(uri: &str) -> (&str, impl Iterator<Item = (&str, String)>) {
    let (address, headers) = uri.split_once('?').unwrap_or((uri, ""));
    let header = |text| -> (&str, &str) { str::split_once(text, '=').unwrap_or((text, "")) };
    let headers = headers.split('&').filter(|text| !text.is_empty()).map(header);
    (address, headers.map(|(name, value)| (name, decoded(value))))
}

/// Without percent signs that stand for bytes. What isn't right is left as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let byte = match rest {
            [b'%', high, low, ..] => std::str::from_utf8(&[*high, *low])
                .ok()
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &rest[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn strip_scheme(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    (scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips")).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_number_in_a_uri() {
        let check = |uri: &str, expected: Option<&str>| {
            assert_eq!(number(uri).map(|n| n.to_string()).as_deref(), expected, "{uri:?}");
        };
        check("sip:+14155550123@acme.sip.twilio.com;transport=tls", Some("+14155550123"));
        check("SIPS:+14155550123;phone-context=x@host", Some("+14155550123"));
        check("sip:14155550123@host", None);
        check("sip:desk7@host", None);
        check("sip:+14155550123", None);
        check("sip:+14155550123@", None);
        check("tel:+14155550123", None);
        check("", None);
    }

    #[test]
    fn splits_off_headers() {
        let check = |uri: &str, address: &str, headers: &[(&str, &str)]| {
            let (found, split) = split_headers(uri);
            let split: Vec<(&str, String)> = split.collect();
            assert_eq!(found, address, "{uri}");
            assert!(split.iter().map(|(name, value)| (*name, &**value)).eq(headers.iter().copied()), "{uri}");
        };
        check("sip:a@h;transport=tls", "sip:a@h;transport=tls", &[]);
        check(
            "sip:a@h?x-a=1&x-b=%C3%A9+%2B&x-c",
            "sip:a@h",
            &[("x-a", "1"), ("x-b", "\u{e9}++"), ("x-c", "")],
        );
        check("sip:a@h?x-a=%2&x-b=%zz%", "sip:a@h", &[("x-a", "%2"), ("x-b", "%zz%")]);
        check("sip:a@h?x-a=%+1", "sip:a@h", &[("x-a", "%+1")]);
        check("sip:a@h?&&", "sip:a@h", &[]);
    }

    #[test]
    fn tells_uris_from_other_text() {
        for uri in ["sip:desk7@sip.example.com", "sip:sip.example.com;transport=tcp", "sips:a@h?x-a=1"] {
            assert!(is_uri(uri), "{uri}");
        }
        for text in
            ["", "sip:", "sip:@", "sip:a@;x", "desk7@host", "sip:a b@host", "sip:a@ho\"st", "sip:a@h,sip:b@h"]
        {
            assert!(!is_uri(text), "{text}");
        }
    }
}
