//! Text that Vapi is to take as it is: it reads `{{ }}` and `{% %}` in nearly all text as LiquidJS.

use std::borrow::Cow;

/// `text` with a blank behind each brace that would begin a tag. Nobody hears the difference.
pub fn literal(text: &str) -> Cow<'_, str> {
    let begins_tag = |pair: &[u8]| matches!(pair, b"{{" | b"{%");
    if !text.contains('{') || !text.as_bytes().windows(2).any(begins_tag) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        out.push(character);
        if character == '{' && matches!(characters.peek(), Some('{' | '%')) {
            out.push(' ');
        }
    }
    Cow::Owned(out)
}

/// `text` on one line: Vapi reads a tool's result up to the first line break.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) {
        let words = text.split(|character: char| breaks(character) || character == ' ');
        Cow::Owned(words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tag_is_left() {
        for (text, expected) in [
            ("Hello {name}!", "Hello {name}!"),
            ("{{ name }}", "{ { name }}"),
            ("{{{ é {% if %}", "{ { { é { % if %}"),
            ("{", "{"),
        ] {
            assert_eq!(literal(text), expected);
        }
    }

    #[test]
    fn line_breaks_become_blanks() {
        for (text, expected) in [("a b", "a b"), ("a\r\nb\u{2028}c\t d\n", "a b c d"), ("", "")] {
            assert_eq!(one_line(text), expected);
        }
    }
}
