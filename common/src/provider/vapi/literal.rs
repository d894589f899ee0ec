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
}
