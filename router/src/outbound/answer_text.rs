//! What a tool server answered, as one line of text for an agent.
//!
//! `{"result": ...}` gives the result and `{"error": ...}` what the agent says instead; any other JSON, or plain text,
//! is the result itself. Texts are taken as they are, everything else as compact JSON.

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;

/// The most characters that an agent is told: what providers take, with some room.
pub const CHARACTERS_MAX: usize = 15_000;

/// What an agent is told of an answer without a body.
const DONE: &str = "Done.";

/// What an agent says when there is an error without words.
const NO_WORDS: &str = "Our system couldn't do that.";

/// What a server said: a result, or its own words for why there is none. One line.
pub type Said = Result<String, String>;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// What an answer with status 2xx says.
///
/// # Errors
/// [`Failure::Unreadable`]: it is neither JSON nor plain text, or no UTF-8.
pub fn line(headers: &HeaderMap, body: &[u8]) -> Result<Said, Failure> {
    let body = std::str::from_utf8(body).map_err(|_| Failure::Unreadable)?.trim();
    if body.is_empty() {
        return Ok(Ok(DONE.to_owned()));
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let plain = matches!(media_type.as_str(), "" | "text/plain");
    match serde_json::from_str::<&RawValue>(body) {
        Ok(json) if media_type != "text/plain" => Ok(of_json(json.get())),
        _ if plain => Ok(Ok(one_line(body))),
        _ => Err(Failure::Unreadable),
    }
}

fn of_json(json: &str) -> Said {
    // An array would be read as the envelope's fields in order.
    let envelope = if json.starts_with('{') { serde_json::from_str::<Envelope<'_>>(json).ok() } else { None };
    match envelope {
        Some(Envelope { error: Some(error), .. }) => {
            let words = text(error.get());
            Err(if words.is_empty() { NO_WORDS.to_owned() } else { words })
        }
        Some(Envelope { result: Some(result), .. }) => Ok(text(result.get())),
        _ => Ok(text(json)),
    }
}

/// A JSON string's text; other JSON as it is, compact.
fn text(json: &str) -> String {
    match serde_json::from_str::<String>(json) {
        Ok(text) => one_line(&text),
        Err(_) => one_line(&compact(json)),
    }
}

/// Valid JSON without the space between its parts: names in their order and numbers in all their digits.
fn compact(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let keep = |c: &char| {
        let kept = inside || !c.is_ascii_whitespace();
        inside ^= *c == '"' && !escaped;
        escaped = inside && *c == '\\' && !escaped;
        kept
    };
    json.chars().filter(keep).collect()
}

/// The text with each run of line breaks and other control characters as one space, cut at [`CHARACTERS_MAX`].
fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let mut line = String::with_capacity(text.len());
    for part in text.split(breaks).map(str::trim).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    if let Some((end, _)) = line.char_indices().nth(CHARACTERS_MAX) {
        line.truncate(end);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(media_type: &str, body: &[u8]) -> Result<Said, Failure> {
        let mut headers = HeaderMap::new();
        if !media_type.is_empty() {
            headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
        }
        line(&headers, body)
    }

    #[test]
    fn answers_become_one_line() {
        let check = |media_type: &str, body: &str, expected: Result<&str, &str>| {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(read(media_type, body.as_bytes()), Ok(expected), "{media_type} {body}");
        };
        let json = "application/json; charset=utf-8";
        check(json, r#"{"result": "Booked for\nnoon."}"#, Ok("Booked for noon."));
        check(
            json,
            r#"{"result": {"b": 1.50, "a": "x  \" y"}, "more": 1}"#,
            Ok(r#"{"b":1.50,"a":"x  \" y"}"#),
        );
        check(json, r#"{"result": 12345678901234567890123}"#, Ok("12345678901234567890123"));
        check(json, r#"{"error": "We are\r\n\r\nfull."}"#, Err("We are full."));
        check(json, r#"{"error": {"code": 7}}"#, Err(r#"{"code":7}"#));
        check(json, r#"{"error": ""}"#, Err(NO_WORDS));
        check(json, r#"{"error": null, "result": true}"#, Ok("true"));
        check(json, r#"["a", "b"]"#, Ok(r#"["a","b"]"#));
        check(json, r#""Noon.""#, Ok("Noon."));
        check(json, "{\n  \"slots\": [\n 9, 10 ]\n}", Ok(r#"{"slots":[9,10]}"#));
        check(json, r#"{"a": "\\", "b": " \\\" "}"#, Ok(r#"{"a":"\\","b":" \\\" "}"#));
        check("", r#"{"result": "x"}"#, Ok("x"));
        check("text/html", r#"{"result": "x"}"#, Ok("x"));
        check("text/plain", r#"{"result": "x"}"#, Ok(r#"{"result": "x"}"#));
        check("Text/Plain", " one\r\ntwo\u{2028}three\t\u{0}four \n", Ok("one two three four"));
        check("", "hello", Ok("hello"));
        check(json, "", Ok(DONE));
        check("", " \n", Ok(DONE));
    }

    #[test]
    fn what_is_neither_json_nor_text_is_unreadable() {
        for (media_type, body) in [
            ("application/json", &b"{"[..]),
            ("text/html", b"<p>"),
            ("text/plain", b"\xff"),
            ("image/png", b"x"),
        ] {
            assert_eq!(read(media_type, body), Err(Failure::Unreadable), "{media_type}");
        }
        let deep = "[".repeat(60_000);
        assert_eq!(read("application/json", deep.as_bytes()), Err(Failure::Unreadable));
    }

    #[test]
    fn long_lines_end_at_a_character() {
        let long = "é".repeat(CHARACTERS_MAX + 1);
        assert_eq!(read("text/plain", long.as_bytes()), Ok(Ok("é".repeat(CHARACTERS_MAX))));
    }
}
