//! Patterns of key names: `*`, `?`, and classes like `[0-9a-f]`.

/// Whether a name is of a pattern.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|from| matches(rest, &name[from..])),
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let [first, others @ ..] = name else { return false };
            class(&rest[..end], *first) && matches(&rest[end + 1..], others)
        }
        [one, rest @ ..] => match name {
            [first, others @ ..] => (*one == b'?' || one == first) && matches(rest, others),
            [] => false,
        },
    }
}

fn class(members: &[u8], byte: u8) -> bool {
    match members {
        [from, b'-', to, rest @ ..] => (from..=to).contains(&&byte) || class(rest, byte),
        [one, rest @ ..] => *one == byte || class(rest, byte),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_epochs_are_found() {
        let check = |pattern: &str, name: &str, is: bool| {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), is, "{pattern} {name}");
        };
        check("a:[0-9a-f][0-9a-f]:*", "a:7f:feed", true);
        check("a:[0-9a-f][0-9a-f]:*", "a:7g:feed", false);
        check("a:[0-9a-f][0-9a-f]:*", "a:7:feed", false);
        check("a?c", "abc", true);
        check("*", "", true);
        check("[", "[", false);
    }
}
