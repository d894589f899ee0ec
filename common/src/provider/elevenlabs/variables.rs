//! The variables that an agent is told of a call. Always the same names: one that an agent's prompt uses and an answer
//! lacks fails the call.

use std::borrow::Cow;

use crate::call::InboundCall;
use crate::location::VARIABLE_NAMES;
use crate::provider::literal::literal;
use crate::provider::reply::{Action, Refusal, Reply};
use crate::route::{Dialable, Prompt};

/// The names that ElevenLabs fills in itself.
const RESERVED: &str = "system__";

/// What an agent is to do that has answered already, and what a location's variables don't hold.
#[derive(Default)]
pub struct Task<'a> {
    prompt: &'a str,
    call_id: &'a str,
    transfer_to: Cow<'a, str>,
    route_action: &'static str,
    route_text: &'a str,
    route_to: Cow<'a, str>,
    refused: Option<Refusal>,
}

/// The names of [`Task::each`].
const NAMES: [&str; 8] = [
    "prompt",
    "call_id",
    "transfer_to",
    "route_action",
    "route_text",
    "route_to",
    "call_refused",
    "refusal_reason",
];

/// The names that every answer has.
pub fn names() -> impl Iterator<Item = &'static str> {
    VARIABLE_NAMES.into_iter().filter(|name| !NAMES.contains(name)).chain(NAMES)
}

impl<'a> Task<'a> {
    pub fn of(reply: &Reply<'a>, prompt: Option<&'a str>) -> Self {
        let (route_action, route_text, route_to) = match reply.action {
            Action::Message(prompt) => ("message", spoken(prompt), None),
            Action::Voicemail { prompt, .. } => ("voicemail", spoken(prompt), None),
            Action::Dial { to, .. } => ("forward", "", to.first()),
            Action::Reject { busy: false } => ("reject", Refusal::UnknownNumber.spoken(), None),
            Action::Reject { busy: true } => ("reject", Refusal::NoRoute.spoken(), None),
            Action::Hangup => ("hangup", "", None),
            // The agent that is linked to the number, whichever was decided.
            Action::Hosted { .. } | Action::Stream(_) | Action::AgentSip(_) | Action::Redirect(_) => {
                ("agent", "", None)
            }
        };
        let transfer_to = reply.location.transfer_to().or(reply.fallback);
        Self {
            prompt: prompt.unwrap_or_default(),
            call_id: &reply.call.call_id,
            transfer_to: transfer_to.map(address).unwrap_or_default(),
            route_action,
            route_text,
            route_to: route_to.map(address).unwrap_or_default(),
            refused: None,
        }
    }

    fn each(&self, put: &mut dyn FnMut(&str, &str)) {
        let values = [
            self.prompt,
            self.call_id,
            &self.transfer_to,
            self.route_action,
            self.route_text,
            &self.route_to,
            if self.refused.is_some() { "true" } else { "false" },
            self.refused.map_or("", reason),
        ];
        NAMES.into_iter().zip(values).for_each(|(name, value)| put(name, &literal(value)));
    }
}

/// Gives each variable of an answered call to `put`. Names that people set don't replace those that are ours or
/// ElevenLabs's.
pub fn each(reply: &Reply<'_>, task: &Task<'_>, put: &mut dyn FnMut(&str, &str)) {
    reply.location.variables(reply.call).each(|name, value| {
        if !NAMES.contains(&name) && !name.starts_with(RESERVED) {
            put(name, &literal(value));
        }
    });
    task.each(put);
}

/// Gives each variable of a refused call to `put`: the same names, and nothing about anybody in them.
pub fn each_neutral(call: &InboundCall<'_>, refusal: Refusal, put: &mut dyn FnMut(&str, &str)) {
    for name in VARIABLE_NAMES {
        let value = match name {
            "phone_number" => &*call.to,
            "caller" => &*call.from,
            "open_now" => "false",
            "timezone" => "UTC",
            _ => "",
        };
        put(name, &literal(value));
    }
    let task = Task {
        call_id: &call.call_id,
        route_action: "reject",
        route_text: refusal.spoken(),
        refused: Some(refusal),
        ..Task::default()
    };
    task.each(put);
}

/// What an agent can say of a prompt: a recording it can't.
pub fn spoken(prompt: &Prompt) -> &str {
    match prompt {
        Prompt::Say { text, .. } => text,
        Prompt::Play { .. } => "",
    }
}

fn address(address: &Dialable) -> Cow<'_, str> {
    match address {
        Dialable::Number(number) => number.to_string().into(),
        Dialable::Sip(uri) => uri.as_str().into(),
    }
}

const fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownNumber => "unknown_number",
        Refusal::InactiveNumber => "inactive_number",
        Refusal::SuspendedTenant => "suspended_tenant",
        Refusal::NoRoute => "no_route",
    }
}
