//! The variables that a voice agent's prompt may use.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use uuid::Uuid;

use super::{DAY_NAMES, Location};
use crate::call::InboundCall;
use crate::time::UnixSeconds;

/// A location's variables for one call, by name. All values are text: every provider takes that.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    location: &'a Location<'a>,
    call: &'a InboundCall<'a>,
}

impl<'a> Location<'a> {
    /// The variables for this call: `tenant_id`, `tenant_name`, `phone_number_id`, `phone_number`, `location_name`,
    /// `location_address`, `timezone`, `local_time`, `open_now` (`true` or `false`), `next_opening` (local time, such as
    /// `Monday 2026-11-23 09:00`; empty when it isn't known), `language`, `greeting`, `rules`, `intents`, `caller`,
    /// and those that people set. Names that people set don't replace these.
    #[must_use]
    pub const fn variables(&'a self, call: &'a InboundCall<'a>) -> Variables<'a> {
        Variables { location: self, call }
    }
}

impl Variables<'_> {
    /// Gives each variable to `put`, in a fixed order.
    pub fn each(&self, mut put: impl FnMut(&str, &str)) {
        let location = self.location;
        let (voice, conversation) = (location.voice(), location.conversation());
        let language = voice.language.unwrap_or_default();
        let mut id = Uuid::encode_buffer();
        put("tenant_id", location.tenant_id.0.hyphenated().encode_lower(&mut id));
        put("tenant_name", &location.business.name);
        let number_id = location.phone_number_id.map(|number| &*number.0.hyphenated().encode_lower(&mut id));
        put("phone_number_id", number_id.unwrap_or_default());
        let number = location.number.map(|number| number.to_string());
        put("phone_number", number.as_deref().unwrap_or(&self.call.to));
        put("location_name", location.name());
        put("location_address", location.address().unwrap_or_default());
        put("timezone", location.zone.iana_name().unwrap_or("UTC"));
        put("local_time", &wall_time(location, location.now));
        let open = location.open().open;
        put("open_now", if open { "true" } else { "false" });
        let next_opening = if open { Some(location.now) } else { location.next_opening() };
        put("next_opening", &next_opening.map(|at| wall_time(location, at)).unwrap_or_default());
        put("language", language);
        put("greeting", voice.greeting.unwrap_or_default());
        put("rules", &conversation.rules.unwrap_or_default().join("\n"));
        put("intents", &intents(location, language));
        put("caller", &self.call.from);
        for (name, value) in conversation.variables {
            if !NAMES.contains(&name) {
                put(name, value);
            }
        }
    }

    /// `text` with each `{{name}}` of these variables replaced by its value. Other braces stay as they are, and so do
    /// those in values: what a caller says is never a template.
    #[must_use]
    pub fn fill<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains("{{") {
            return Cow::Borrowed(text);
        }
        let mut values = BTreeMap::new();
        self.each(|name, value| drop(values.insert(name.to_owned(), value.to_owned())));
        let mut filled = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            filled.push_str(before);
            let tag = behind.split_once("}}");
            match tag.and_then(|(name, after)| Some((values.get(name.trim())?, after))) {
                Some((value, after)) => {
                    filled.push_str(value);
                    rest = after;
                }
                None => {
                    filled.push_str("{{");
                    rest = behind;
                }
            }
        }
        filled.push_str(rest);
        Cow::Owned(filled)
    }
}

/// The names that people can't set.
pub const NAMES: [&str; 15] = [
    "tenant_id",
    "tenant_name",
    "phone_number_id",
    "phone_number",
    "location_name",
    "location_address",
    "timezone",
    "local_time",
    "open_now",
    "next_opening",
    "language",
    "greeting",
    "rules",
    "intents",
    "caller",
];

impl Serialize for Variables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut failed = None;
        self.each(|name, value| {
            if failed.is_none() {
                failed = map.serialize_entry(name, value).err();
            }
        });
        failed.map_or_else(|| map.end(), Err)
    }
}

/// What the clock on the location's wall shows, with the day of the week: `Monday 2026-11-23 09:00`.
fn wall_time(location: &Location<'_>, at: UnixSeconds) -> String {
    let Ok(at) = Timestamp::from_second(at.0) else { return String::new() };
    let wall = location.zone.to_datetime(at);
    let weekday = DAY_NAMES[usize::from(wall.weekday().to_monday_zero_offset().unsigned_abs())];
    let (year, month, day) = (wall.year(), wall.month(), wall.day());
    format!("{weekday} {year:04}-{month:02}-{day:02} {:02}:{:02}", wall.hour(), wall.minute())
}

/// One line for each intent: its name, what callers say, what is answered.
fn intents(location: &Location<'_>, language: &str) -> String {
    let line = |intent: &super::Intent| {
        let response = intent.response(language).unwrap_or_default();
        format!("{} ({}): {response}", intent.name, intent.phrases.join("; "))
    };
    location.business.intents.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use crate::provider::reply::{Action, Rendered};
    use crate::provider::samples;

    fn check(text: &str, expected: &str) {
        samples::with_reply(Action::Hangup, None, |reply| {
            assert_eq!(reply.location.variables(reply.call).fill(text), expected);
            Rendered::empty(204)
        });
    }

    #[test]
    fn text_is_filled_with_variables_and_nothing_else() {
        check("Welcome to {{tenant_name}}, {{ parking }}.", "Welcome to Sparkle Nails, in the yard.");
        check("{{local_time}}", "Monday 2026-11-23 12:00");
        check("{{unknown}} {{ {{caller}}", "{{unknown}} {{ anonymous");
        check("{{tenant_name", "{{tenant_name");
        check("{tenant_name} }}", "{tenant_name} }}");
        check("{{greeting}}", "Sparkle Nails, \"Broadway\"!");
    }
}
