//! A route's step as commands.

use super::command::{Commands, Context};
use super::state::{Phase, State, Task, Then};
use crate::call::InboundCall;
use crate::provider::reply::{Action, Refusal, Rendered, Reply};
use crate::route::{Dialable, Prompt};

/// How long a SIP agent may take to answer, in seconds.
const AGENT_TIMEOUT_S: u16 = 20;

/// The shortest time that each of several addresses rings, in seconds.
const TURN_S_MIN: u16 = 10;

/// A header's value and a stream's parameter are cut to this many characters.
const FACT_CHARS_MAX: usize = 400;

/// Not answered, so not billed. A call that was answered can only be ended.
pub fn refusal(call: &InboundCall<'_>, refusal: Refusal) -> Rendered {
    let context = Context::read(&call.context);
    let mut commands = Commands::new(context.event_id, &call.call_id);
    reject(&mut commands, context, refusal.is_busy());
    commands.finish()
}

/// The commands of a step.
pub fn reply(reply: &Reply<'_>) -> Rendered {
    let call = reply.call;
    let context = Context::read(&call.context);
    let mut commands = Commands::new(context.event_id, &call.call_id);
    let mut state = State {
        call_id: call.call_id.to_string(),
        to: call.to.to_string(),
        from: call.from.to_string(),
        is_answered: context.is_answered,
        after: reply.after.as_ref().map(|after| after.state.clone()),
        phase: Phase::Idle,
    };
    match reply.action {
        Action::Stream(url) => {
            let task = Task::Stream { url: url.to_owned(), parameters: facts(reply) };
            commands.answer_and(task, &mut state);
        }
        Action::AgentSip(uri) => {
            let header = |(name, value): (String, String)| (format!("X-{}", name.replace('_', "-")), value);
            let headers: Vec<_> = facts(reply).into_iter().map(header).collect();
            commands.transfer(uri, Vec::new(), AGENT_TIMEOUT_S, &headers, &mut state);
        }
        Action::Dial { to, timeout_s } => ring(&mut commands, to, timeout_s, &mut state),
        Action::Voicemail { prompt, length_max_s } => {
            commands.answer_and(heard(prompt, Then::Record { length_max_s }), &mut state);
        }
        Action::Message(prompt) => commands.answer_and(heard(prompt, Then::Hangup), &mut state),
        Action::Reject { busy } => reject(&mut commands, context, busy),
        Action::Redirect(url) if !context.is_answered => commands.hand_over(url),
        // Only an answer can name another server. Agents of Telnyx's own aren't something that rules name.
        Action::Redirect(_) | Action::Hosted { .. } | Action::Hangup => commands.hangup(),
    }
    commands.finish()
}

fn reject(commands: &mut Commands, context: Context<'_>, busy: bool) {
    if context.is_answered { commands.hangup() } else { commands.reject(busy) }
}

/// A call is transferred to one address at a time. Several ring one after the other, each for its part of the time.
fn ring(commands: &mut Commands, to: &[Dialable], timeout_s: u16, state: &mut State) {
    let address = |address: &Dialable| match address {
        Dialable::Number(number) => number.to_string(),
        Dialable::Sip(uri) => uri.clone(),
    };
    let Some((first, rest)) = to.split_first() else { return commands.hangup() };
    let timeout_s = match u16::try_from(to.len()) {
        Ok(1) => timeout_s,
        Ok(count) => (timeout_s / count).max(TURN_S_MIN),
        Err(_) => TURN_S_MIN,
    };
    // Telnyx takes 5 to 600 seconds.
    let rest = rest.iter().map(address).collect();
    commands.transfer(&address(first), rest, timeout_s.clamp(5, 600), &[], state);
}

fn heard(prompt: &Prompt, then: Then) -> Task {
    match prompt {
        Prompt::Say { text, language } => {
            Task::Speak { text: text.clone(), language: language.clone(), then }
        }
        Prompt::Play { url } => Task::Play { url: url.clone(), then },
    }
}

/// What an agent is told of the call.
fn facts(reply: &Reply<'_>) -> Vec<(String, String)> {
    let (call, location) = (reply.call, reply.location);
    let text = |text: &str| {
        let text = text.chars().filter(|character| !character.is_control());
        text.take(FACT_CHARS_MAX).collect::<String>()
    };
    let facts = [
        ("tenant_id", Some(location.tenant_id.to_string())),
        ("phone_number_id", location.phone_number_id.map(|id| id.to_string())),
        ("call_id", Some(text(&call.call_id))),
        ("from", Some(text(&call.from))),
        ("to", Some(text(&call.to))),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
