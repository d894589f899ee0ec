//! What a model passes to a tool: a JSON object whose names and values are nearly those that it was told.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::same_name;

/// The arguments of one call.
pub struct Arguments<'a>(BTreeMap<String, &'a RawValue>);

/// An argument and the names that models give it.
#[derive(Clone, Copy)]
pub struct Argument {
    /// What it is called when it is asked for.
    pub spoken: &'static str,
    pub names: &'static [&'static str],
}

pub const DATE: Argument =
    Argument { spoken: "date", names: &["date", "day", "appointment_date", "preferred_date", "date_time"] };
pub const TIME: Argument =
    Argument { spoken: "time", names: &["time", "appointment_time", "preferred_time", "start_time"] };
pub const SERVICE: Argument =
    Argument { spoken: "service", names: &["service", "service_name", "service_type"] };
pub const STAFF: Argument = Argument {
    spoken: "person",
    names: &["staff", "staff_name", "staff_member", "employee", "person", "stylist"],
};

impl<'a> Arguments<'a> {
    /// Reads the text of an object; no text is none.
    pub fn read(text: &'a str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        let read = serde_json::from_str(text).map(Self);
        read.map_err(|_| "I did not understand what is wanted. Please say it again.".to_owned())
    }

    /// The text of an argument; `None` when it isn't there or empty. Numbers count as text.
    pub fn text(&self, argument: Argument) -> Result<Option<String>, String> {
        let is_meant = |name: &str| argument.names.iter().any(|known| same_name(known, name));
        let Some((_, raw)) = self.0.iter().find(|(name, raw)| is_meant(name) && raw.get() != "null") else {
            return Ok(None);
        };
        let text = match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(raw.get()).ok(),
            Some(b'0'..=b'9') => Some(raw.get().to_owned()),
            _ => None,
        };
        let text = text.ok_or_else(|| format!("Which {} do you mean?", argument.spoken))?;
        let text = text.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_read_leniently() {
        let check = |json: &str, expected: Result<Option<&str>, ()>| {
            let found = Arguments::read(json).and_then(|arguments| arguments.text(DATE));
            let found = found.as_ref().map(Option::as_deref).map_err(|_| ());
            assert_eq!(found, expected, "{json}");
        };
        check(r#"{"date":" friday "}"#, Ok(Some("friday")));
        check(r#"{"appointmentDate":"friday"}"#, Ok(Some("friday")));
        check(r#"{"Date":null,"day":"friday"}"#, Ok(Some("friday")));
        check(r#"{"date":2026}"#, Ok(Some("2026")));
        for nothing in ["", "{}", r#"{"date":""}"#, r#"{"date":null}"#, r#"{"update":"x"}"#] {
            check(nothing, Ok(None));
        }
        for wrong in ["[]", "{", "7", r#"{"date":[]}"#, r#"{"date":{"a":1}}"#, r#"{"date":true}"#] {
            check(wrong, Err(()));
        }
    }
}
