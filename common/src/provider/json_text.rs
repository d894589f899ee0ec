//! Text in JSON: borrowed from the body where it has no escapes, and written one entry after the other.

use std::borrow::Cow;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A text. Unlike a `Cow`, an `Option` of it is borrowed too.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The text, for a field that nothing depends on: `None` when it is absent, empty or something else.
pub fn optional(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let Text(text) = serde_json::from_str(raw?.get()).ok()?;
    (!text.is_empty()).then_some(text)
}

/// An object of texts: calls its function with what takes a name and a value. Names have to differ.
pub struct Texts<F>(pub F);

impl<F: Fn(&mut dyn FnMut(&str, &str))> Serialize for Texts<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut failed = None;
        (self.0)(&mut |name, value| {
            if failed.is_none() {
                failed = map.serialize_entry(name, value).err();
            }
        });
        failed.map_or_else(|| map.end(), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_borrowed_and_anything_else_is_none() {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            a: Option<Text<'a>>,
            #[serde(borrow)]
            b: Option<&'a RawValue>,
        }
        let read = |json: &'static str| serde_json::from_str::<Body<'_>>(json).unwrap();
        let body = read(r#"{"a":"x","b":"y"}"#);
        assert!(matches!(body.a, Some(Text(Cow::Borrowed("x")))));
        assert!(matches!(optional(body.b), Some(Cow::Borrowed("y"))));
        assert_eq!(optional(read(r#"{"b":"\u00e9"}"#).b).as_deref(), Some("é"));
        for json in [r#"{}"#, r#"{"b":null}"#, r#"{"b":""}"#, r#"{"b":7}"#, r#"{"b":[{"c":1}]}"#] {
            assert_eq!(optional(read(json).b), None, "{json}");
        }
    }

    #[test]
    fn an_object_is_written_entry_by_entry() {
        let texts = Texts(|put: &mut dyn FnMut(&str, &str)| {
            put("a", "1");
            put("b", "\"");
        });
        assert_eq!(serde_json::to_string(&texts).unwrap(), r#"{"a":"1","b":"\""}"#);
    }
}
