//! Form parameters, decoded.

/// The names and values of `application/x-www-form-urlencoded` text, in its order; those without `=` have no value.
/// What isn't UTF-8 is replaced. Source: <https://url.spec.whatwg.org/#urlencoded-parsing>.
#[must_use]
pub fn decode(form: &str) -> Vec<(String, String)> {
    let pairs = form.split('&').filter(|field| !field.is_empty());
    let pair = |field: &str| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (text(name), text(value))
    };
    pairs.map(pair).collect()
}

/// The query of a URL; empty when there is none.
#[must_use]
pub fn query(url: &str) -> &str {
    url.split_once('?').map_or("", |(_, query)| query)
}

fn text(encoded: &str) -> String {
    let encoded = encoded.as_bytes();
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while at < encoded.len() {
        let digits = encoded.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (encoded[at], escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_escapes_are_decoded_and_empty_values_kept() {
        let check = |form: &str, expected: &[(&str, &str)]| {
            let pairs = decode(form);
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(pairs, expected, "{form}");
        };
        check("", &[]);
        check("To=%2B1+2&a=%26%3D%C3%A9&b=&c", &[("To", "+1 2"), ("a", "&=\u{e9}"), ("b", ""), ("c", "")]);
        check("a=%&b=%2&c=%zz", &[("a", "%"), ("b", "%2"), ("c", "%zz")]);
    }
}
