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
