//! Writing XML: providers' documents are small and built by hand, once for each call.

use std::fmt::Write;

use uuid::Uuid;

use super::reply::Rendered;

/// The media type of XML documents.
pub const MEDIA_TYPE: &str = "text/xml; charset=utf-8";

/// Bytes that may not be copied as they are: markup, control characters, and 0xEF, with which the two characters
/// begin that XML can't hold beyond the control characters (and many that it can).
const fn is_escaped(byte: u8) -> bool {
    // Without branches, so that many bytes are looked at in one step.
    (byte < 0x20) | (byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == b'"') | (byte == 0xEF)
}

/// Where the first byte is that [`is_escaped`].
fn first_escaped(text: &[u8]) -> Option<usize> {
    let (chunks, _) = text.as_chunks::<32>();
    let plain =
        chunks.iter().take_while(|chunk| !chunk.iter().fold(false, |any, byte| any | is_escaped(*byte)));
    let start = plain.count() * 32;
    text[start..].iter().position(|byte| is_escaped(*byte)).map(|at| start + at)
}

/// An XML document being written.
#[derive(Debug)]
pub struct Xml(String);

impl Xml {
    /// A document with its declaration.
    #[must_use]
    pub fn new() -> Self {
        let mut text = String::with_capacity(768);
        text.push_str(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
        Self(text)
    }

    /// The document.
    #[must_use]
    pub fn finish(self) -> Rendered {
        Rendered::document(MEDIA_TYPE, self.0)
    }

    /// The document as text, for who sends it as something else than an answer.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }

    /// Markup, as it is.
    pub fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// An id: 36 characters that need no escaping.
    pub fn id(&mut self, id: Uuid) -> &mut Self {
        self.raw(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }

    /// A number, which needs no escaping.
    pub fn display(&mut self, value: &dyn std::fmt::Display) -> &mut Self {
        // Writing to a string doesn't fail.
        let _ = write!(self.0, "{value}");
        self
    }

    /// Text of any kind, in an element or an attribute. Characters that XML can't hold are left out.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        while let Some(at) = first_escaped(rest.as_bytes()) {
            self.0.push_str(&rest[..at]);
            let mut tail = rest[at..].chars();
            match tail.next() {
                Some('&') => self.0.push_str("&amp;"),
                Some('<') => self.0.push_str("&lt;"),
                Some('>') => self.0.push_str("&gt;"),
                Some('"') => self.0.push_str("&quot;"),
                Some('\t') => self.0.push_str("&#9;"),
                Some('\n') => self.0.push_str("&#10;"),
                Some('\r') => self.0.push_str("&#13;"),
                Some('\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}') | None => {}
                Some(other) => self.0.push(other),
            }
            rest = tail.as_str();
        }
        self.0.push_str(rest);
        self
    }
}

impl Default for Xml {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_what_xml_cannot_hold_left_out() {
        let mut xml = Xml::new();
        xml.raw("<a>").text("<&>\"\u{0}\u{ffff}\u{feff}é\n").raw("</a>").display(&7).id(Uuid::nil());
        let body = String::from_utf8(xml.finish().body.into_owned()).unwrap();
        let expected = "<a>&lt;&amp;&gt;&quot;\u{feff}é&#10;</a>700000000-0000-0000-0000-000000000000";
        assert_eq!(body.split_once("?>").unwrap().1, expected);
        // Text is looked at by the piece: wherever one stands, the first is found.
        for at in 0..70 {
            let (before, after) = ("a".repeat(at), "b".repeat(70 - at));
            let mut xml = Xml::new();
            xml.text(&format!("{before}&{after}<"));
            assert!(xml.into_text().ends_with(&format!("?>{before}&amp;{after}&lt;")), "{at}");
        }
    }
}
