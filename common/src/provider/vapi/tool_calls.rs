//! Tool calls, in all the shapes in which they are described or seen: the name and the arguments in `function` or
//! beside it, the arguments as `arguments` or `parameters`, each an object or the text of one.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::provider::event::ToolCall;
use crate::provider::json_text::Text;
use crate::provider::request::ParseError;

/// The most calls that one message may have: models ask for a handful.
const CALLS_MAX: usize = 64;

/// What a tool is given whose arguments aren't there, or were cut off (Vapi ends them at the tool's `maxTokens`).
const NO_ARGUMENTS: &str = "{}";

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
}

/// The calls of a `tool-calls` message, in its order.
pub fn list(raw: &RawValue) -> Result<Vec<ToolCall<'_>>, ParseError> {
    let calls: Calls<'_> = read(raw)?;
    Ok(calls.0)
}

/// The call of a `function-call` message, which has no id.
pub fn function(raw: &RawValue) -> Result<ToolCall<'_>, ParseError> {
    let function: Function<'_> = read(raw)?;
    Ok(call(None, function))
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, ParseError> {
    serde_json::from_str(raw.get()).map_err(|error| ParseError::Json(error.to_string()))
}

/// A bounded list: an entry may be three bytes long, and a message eight million.
struct Calls<'a>(Vec<ToolCall<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Calls<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl<'de> Visitor<'de> for Bounded {
            type Value = Calls<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {CALLS_MAX} tool calls")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Calls<'de>, A::Error> {
                let mut calls = Vec::with_capacity(2);
                while calls.len() < CALLS_MAX {
                    let Some(tool) = entries.next_element::<Tool<'de>>()? else { return Ok(Calls(calls)) };
                    let inner = tool.function.unwrap_or_default();
                    let function = Function {
                        name: inner.name.or(tool.name),
                        arguments: inner.arguments.or(inner.parameters),
                        parameters: tool.arguments.or(tool.parameters),
                    };
                    calls.push(call(tool.id, function));
                }
                match entries.next_element::<IgnoredAny>()? {
                    None => Ok(Calls(calls)),
                    Some(_) => Err(Error::invalid_length(CALLS_MAX + 1, &self)),
                }
            }
        }
        deserializer.deserialize_seq(Bounded)
    }
}

/// A call without a name is one of a tool that nobody knows: the others of its message are answered all the same.
fn call<'a>(id: Option<Text<'a>>, function: Function<'a>) -> ToolCall<'a> {
    let arguments = function.arguments.or(function.parameters);
    ToolCall {
        id: id.map(|id| id.0).unwrap_or_default(),
        name: function.name.map(|name| name.0).unwrap_or_default(),
        arguments: arguments.and_then(object).unwrap_or(Cow::Borrowed(NO_ARGUMENTS)),
    }
}

/// The text of an object, which may itself stand in a text.
fn object(raw: &RawValue) -> Option<Cow<'_, str>> {
    if raw.get().starts_with('{') {
        return Some(Cow::Borrowed(raw.get()));
    }
    let text: Text<'_> = serde_json::from_str(raw.get()).ok()?;
    let is_object =
        text.0.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&text.0).is_ok();
    is_object.then_some(text.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &str, expected: [&str; 3]) {
        let json = format!("[{entry}]");
        let raw: &RawValue = serde_json::from_str(&json).unwrap();
        let calls = list(raw).unwrap();
        let found = &calls[0];
        assert_eq!([&*found.id, &*found.name, &*found.arguments], expected, "{entry}");
        assert_eq!(calls.len(), 1);
    }

    #[test]
    fn all_shapes_say_the_same() {
        let same = ["c1", "get_hours", r#"{"date":"2026-11-03"}"#];
        for arguments in [r#"{"date":"2026-11-03"}"#, r#""{\"date\":\"2026-11-03\"}""#] {
            for field in ["arguments", "parameters"] {
                check(
                    &format!(
                        r#"{{"id":"c1","type":"function","function":{{"name":"get_hours","{field}":{arguments}}}}}"#
                    ),
                    same,
                );
                check(&format!(r#"{{"id":"c1","name":"get_hours","{field}":{arguments}}}"#), same);
                check(
                    &format!(
                        r#"{{"id":"c1","name":"x","function":{{"name":"get_hours"}},"{field}":{arguments}}}"#
                    ),
                    same,
                );
            }
        }
    }

    #[test]
    fn arguments_that_are_no_object_are_none() {
        for arguments in ["null", "[]", "7", r#""""#, r#""{\"date\":\"2026""#, r#""[1]""#, r#""{} {}""#] {
            check(
                &format!(r#"{{"id":"c","function":{{"name":"n","arguments":{arguments}}}}}"#),
                ["c", "n", "{}"],
            );
        }
        check("{}", ["", "", "{}"]);
    }

    #[test]
    fn a_flood_of_calls_is_refused() {
        let of = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        let count = |json: &str| list(serde_json::from_str(json).unwrap()).map(|calls| calls.len());
        assert_eq!(count(&of(CALLS_MAX)).unwrap(), CALLS_MAX);
        assert!(count(&of(CALLS_MAX + 1)).is_err());
        for json in ["{}", "[1]", r#"[{"id":1}]"#, r#"[{"id":"a","id":"b"}]"#, "null"] {
            assert!(count(json).is_err(), "{json}");
        }
    }
}
