//! The variables that a voice agent's prompt may use.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{DAY_NAMES, EffectiveConversation, EffectiveVoice, Location};
use crate::call::InboundCall;
use crate::time::UnixSeconds;

/// How long a text may get by being filled: many times the longest prompt that can be set. One that repeats a tenant's
/// longest variable would be gigabytes, for each call.
pub const FILLED_BYTES_MAX: usize = 256 << 10;

/// The longest name and some blanks around it, with the closing braces: a tag that isn't closed costs no look at all that
/// follows.
const TAG_BYTES_MAX: usize = 80;

/// A location's variables for one call, by name. All values are text: every provider takes that.
#[derive(Clone, Debug)]
pub struct Variables<'a> {
    location: &'a Location<'a>,
    call: &'a InboundCall<'a>,
    voice: EffectiveVoice<'a>,
    conversation: EffectiveConversation<'a>,
}

impl<'a> Location<'a> {
    /// The variables for this call: `tenant_id`, `tenant_name`, `phone_number_id`, `phone_number`, `location_name`,
    /// `location_address`, `timezone`, `local_time`, `open_now` (`true` or `false`), `next_opening` (local time, such as
    /// `Monday 2026-11-23 09:00`; empty when it isn't known), `language`, `greeting`, `rules`, `intents`, `caller`,
    /// and those that people set. Names that people set don't replace these.
    #[must_use]
    pub fn variables(&'a self, call: &'a InboundCall<'a>) -> Variables<'a> {
        Variables { location: self, call, voice: self.voice(), conversation: self.conversation() }
    }
}

/// A variable that people can't set, and its value.
type Own = (&'static str, for<'v> fn(&'v Variables<'_>) -> Cow<'v, str>);

const OWN: [Own; 15] = [
    ("tenant_id", |of| of.location.tenant_id.to_string().into()),
    ("tenant_name", |of| of.location.business.name.as_str().into()),
    ("phone_number_id", |of| of.location.phone_number_id.map(|id| id.to_string()).unwrap_or_default().into()),
    ("phone_number", |of| match of.location.number {
        Some(number) => number.to_string().into(),
        None => (&*of.call.to).into(),
    }),
    ("location_name", |of| of.location.name().into()),
    ("location_address", |of| of.location.address().unwrap_or_default().into()),
    ("timezone", |of| of.location.zone.iana_name().unwrap_or("UTC").into()),
    ("local_time", |of| wall_time(of.location, of.location.now).into()),
    ("open_now", |of| if of.location.open().open { "true" } else { "false" }.into()),
    ("next_opening", |of| {
        of.location.next_opening().map(|at| wall_time(of.location, at)).unwrap_or_default().into()
    }),
    ("language", |of| of.voice.language.unwrap_or_default().into()),
    ("greeting", |of| of.voice.greeting.unwrap_or_default().into()),
    ("rules", |of| of.conversation.rules.unwrap_or_default().join("\n").into()),
    ("intents", |of| intents(of.location, of.voice.language.unwrap_or_default()).into()),
    ("caller", |of| (&*of.call.from).into()),
];

/// The names that people can't set.
pub const NAMES: [&str; 15] = {
    let mut names = [""; 15];
    let mut index = 0;
    while index < names.len() {
        names[index] = OWN[index].0;
        index += 1;
    }
    names
};

impl<'a> Variables<'a> {
    /// The voice that applies.
    #[must_use]
    pub const fn voice(&self) -> &EffectiveVoice<'a> {
        &self.voice
    }

    /// What applies of the conversation.
    #[must_use]
    pub const fn conversation(&self) -> &EffectiveConversation<'a> {
        &self.conversation
    }

    /// Gives each variable to `put`, in a fixed order.
    pub fn each(&self, mut put: impl FnMut(&str, &str)) {
        for (name, value) in &OWN {
            put(name, &value(self));
        }
        for (name, value) in &self.conversation.variables {
            if !NAMES.contains(name) {
                put(name, value);
            }
        }
    }

    /// The variable of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        match OWN.iter().find(|(own, _)| *own == name) {
            Some((_, value)) => Some(value(self)),
            None => self.conversation.variables.get(name).map(|value| Cow::Borrowed(*value)),
        }
    }

    /// `text` with each `{{name}}` of these variables replaced by its value. Other braces stay as they are, and so do
    /// those in values: what a caller says is never a template.
    ///
    /// From the first value on that would make it longer than 256 KiB, values are left out.
    #[must_use]
    pub fn fill<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains("{{") {
            return Cow::Borrowed(text);
        }
        let mut filled = String::with_capacity(text.len() + 64);
        let (mut rest, mut is_full) = (text, false);
        while let Some((before, behind)) = rest.split_once("{{") {
            filled.push_str(before);
            match tag(behind).and_then(|(name, after)| Some((self.value_to_fill(name, is_full)?, after))) {
                Some((value, after)) => {
                    is_full = is_full || filled.len() + value.len() > FILLED_BYTES_MAX;
                    if !is_full {
                        filled.push_str(&value);
                    }
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

    /// The variable of this name; where it is left out anyway, it isn't worked out.
    fn value_to_fill(&self, name: &str, is_left_out: bool) -> Option<Cow<'_, str>> {
        let is_known = || NAMES.contains(&name) || self.conversation.variables.contains_key(name);
        if is_left_out { is_known().then_some(Cow::Borrowed("")) } else { self.get(name) }
    }
}

/// The name in a tag whose opening braces were taken off, and what stands behind it.
fn tag(text: &str) -> Option<(&str, &str)> {
    let near = text.as_bytes().get(..TAG_BYTES_MAX).unwrap_or(text.as_bytes());
    let end = near.windows(2).position(|pair| pair == b"}}")?;
    Some((text.get(..end)?.trim(), text.get(end + 2..)?))
}

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
    location.intents().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
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
        check("{{é}} {{caller}}}", "{{é}} anonymous}");
        check(&format!("{{{{{}caller}}}}", " ".repeat(80)), &format!("{{{{{}caller}}}}", " ".repeat(80)));
    }

    #[test]
    fn no_text_grows_without_bound() {
        samples::with_reply(Action::Hangup, None, |reply| {
            let call = InboundCall { from: "x".repeat(100_000).into(), ..reply.call.clone() };
            let variables = reply.location.variables(&call);
            let filled = variables.fill(&"{{caller}},".repeat(1_800)).into_owned();
            assert!(filled.starts_with('x') && filled.ends_with(",,,"));
            assert_eq!(filled.len(), 2 * 100_000 + 1_800);
            Rendered::empty(204)
        });
    }
}
