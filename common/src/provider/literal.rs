//! Text that a provider of voice agents is to take as it is, although it fills in `{{names}}`.

use std::borrow::Cow;

/// `text` with a blank behind each brace that another one or a percent sign follows, so that no placeholder is left.
/// Nobody hears the difference.
pub fn literal(text: &str) -> Cow<'_, str> {
    let opens = |at: usize| matches!(text.as_bytes().get(at..at + 2), Some(b"{{" | b"{%"));
    if !text.match_indices('{').any(|(at, _)| opens(at)) {
        return Cow::Borrowed(text);
    }
    let mut broken = String::with_capacity(text.len() + 8);
    for (at, character) in text.char_indices() {
        broken.push(character);
        if opens(at) {
            broken.push(' ');
        }
    }
    Cow::Owned(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_placeholder_is_left() {
        for (text, expected) in [
            ("a {name}, é {", "a {name}, é {"),
            ("{{name}}", "{ {name}}"),
            ("{{{é{%x%}", "{ { {é{ %x%}"),
            ("", ""),
        ] {
            assert_eq!(literal(text), expected);
            assert_eq!(literal(&literal(text)), expected, "nothing left to break");
        }
    }
}
