//! Tools that a voice agent may call and that are answered from its location alone: hours, services, staff, and what
//! may be open to a caller on a day.
//!
//! Results are sentences on one line that an agent can speak as they are. So are errors: they say what is wanted.

mod arguments;
mod availability;
mod business;
mod hours;
mod people;
mod speech;
mod when;
mod windows;

use std::borrow::Cow;

use arguments::Arguments;

use crate::location::Location;

/// A tool that is answered here.
#[derive(Debug)]
pub struct BuiltIn {
    /// Its name. Agents may write it in any case, with underscores, hyphens or neither.
    pub name: &'static str,
    /// Other names by which agents know it.
    pub aliases: &'static [&'static str],
    /// What it does, as the model is told.
    pub description: &'static str,
    /// The JSON schema of its parameters, as the model is told.
    pub parameters: &'static str,
    answer: fn(&Arguments<'_>, &Location<'_>) -> Result<String, String>,
}

/// All built-in tools.
pub static BUILT_INS: [BuiltIn; 7] = [
    BuiltIn {
        name: "get_hours",
        aliases: &["get_business_hours", "get_opening_hours", "business_hours", "opening_hours"],
        description: "Opening hours of a day; without a date, of the coming week.",
        parameters: r#"{"type":"object","properties":{
            "date":{"type":"string","description":"YYYY-MM-DD, a weekday, today or tomorrow"}}}"#,
        answer: hours::get_hours,
    },
    BuiltIn {
        name: "is_open",
        aliases: &["open_now", "is_open_now", "check_open"],
        description: "Whether it is open, now or at a time, and until or from when.",
        parameters: r#"{"type":"object","properties":{
            "date":{"type":"string","description":"YYYY-MM-DD, a weekday, today or tomorrow; today when left out"},
            "time":{"type":"string","description":"HH:MM; now when date and time are left out"}}}"#,
        answer: hours::is_open,
    },
    BuiltIn {
        name: "check_availability",
        aliases: &["is_available", "get_availability", "availability"],
        description: "When a customer could come on a day, by opening hours and the staff's working hours. Appointments \
                      that others have booked are not known.",
        parameters: r#"{"type":"object","required":["date"],"properties":{
            "date":{"type":"string","description":"YYYY-MM-DD, a weekday, today or tomorrow"},
            "time":{"type":"string","description":"HH:MM"},
            "service":{"type":"string","description":"What the customer wants"},
            "staff":{"type":"string","description":"Whom the customer wants"}}}"#,
        answer: availability::check,
    },
    BuiltIn {
        name: "get_services",
        aliases: &["list_services", "services"],
        description: "What is offered, how long it takes and what it costs.",
        parameters: r#"{"type":"object","properties":{
            "service":{"type":"string","description":"One service; all when left out"}}}"#,
        answer: people::get_services,
    },
    BuiltIn {
        name: "get_staff",
        aliases: &["list_staff", "staff"],
        description: "Who works here and what each of them does.",
        parameters: r#"{"type":"object","properties":{
            "service":{"type":"string","description":"Only those who do this"}}}"#,
        answer: people::get_staff,
    },
    BuiltIn {
        name: "staff_on_duty",
        aliases: &["get_staff_on_duty", "who_is_on_duty", "on_duty"],
        description: "Who works now, at a time, or on a day.",
        parameters: r#"{"type":"object","properties":{
            "date":{"type":"string","description":"YYYY-MM-DD, a weekday, today or tomorrow"},
            "time":{"type":"string","description":"HH:MM; now when date and time are left out"}}}"#,
        answer: people::staff_on_duty,
    },
    BuiltIn {
        name: "get_tenant_info",
        aliases: &["tenant_info", "get_business_info", "business_info", "get_location_info", "location_info"],
        description: "Name, address and telephone number of the business, and whether it is open.",
        parameters: r#"{"type":"object","properties":{}}"#,
        answer: business::get_tenant_info,
    },
];

/// Answers a tool call of this name; `None` when it isn't built in. `arguments` is the text of a JSON object.
///
/// # Errors
/// Words that can be spoken: what is wanted instead of these arguments.
#[must_use]
pub fn answer(name: &str, arguments: &str, location: &Location<'_>) -> Option<Result<String, String>> {
    let tool = BUILT_INS.iter().find(|tool| tool.is_called(name))?;
    let outcome = Arguments::read(arguments).and_then(|arguments| (tool.answer)(&arguments, location));
    let line = |text: String| one_line(&text).into_owned();
    Some(outcome.map(line).map_err(line))
}

impl BuiltIn {
    /// Whether an agent means this tool by `name`.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        same_name(self.name, name) || self.aliases.iter().any(|alias| same_name(alias, name))
    }
}

/// Whether two names are the same but for case, blanks, underscores and other punctuation.
fn same_name(a: &str, b: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = char> {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
    }
    letters(a).eq(letters(b)) && letters(a).next().is_some()
}

/// `text` on one line: whatever breaks lines becomes a blank.
#[must_use]
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
mod salon;
