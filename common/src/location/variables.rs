//! The variables that a voice agent's prompt may use.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Location;
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
        let language = voice.language.as_deref().unwrap_or_default();
        put("tenant_id", &location.tenant_id.to_string());
        put("tenant_name", &location.business.name);
        put("phone_number_id", &location.phone_number_id.map(|id| id.to_string()).unwrap_or_default());
        let number = location.number.map(|number| number.to_string());
        put("phone_number", number.as_deref().unwrap_or(&self.call.to));
        put("location_name", location.name());
        put("location_address", location.address().unwrap_or_default());
        put("timezone", location.zone.iana_name().unwrap_or("UTC"));
        put("local_time", &wall_time(location, location.now));
        put("open_now", if location.open().open { "true" } else { "false" });
        let next_opening = location.next_opening().map(|at| wall_time(location, at));
        put("next_opening", &next_opening.unwrap_or_default());
        put("language", language);
        put("greeting", voice.greeting.as_deref().unwrap_or_default());
        put("rules", &conversation.rules.as_deref().unwrap_or_default().join("\n"));
        put("intents", &intents(location, language));
        put("caller", &self.call.from);
        for (name, value) in &conversation.variables {
            if !NAMES.contains(&name.as_str()) {
                put(name, value);
            }
        }
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

/// What the clock on the location's wall shows, with the day of the week.
fn wall_time(location: &Location<'_>, at: UnixSeconds) -> String {
    Timestamp::from_second(at.0)
        .map(|at| at.to_zoned(location.zone.clone()).strftime("%A %Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}

/// One line for each intent: its name, what callers say, what is answered.
fn intents(location: &Location<'_>, language: &str) -> String {
    let line = |intent: &super::Intent| {
        let response = intent.response(language).unwrap_or_default();
        format!("{} ({}): {response}", intent.name, intent.phrases.join("; "))
    };
    location.business.intents.iter().map(line).collect::<Vec<_>>().join("\n")
}
