//! Call Control: Telnyx posts events, each is answered at once with nothing, and commands go to its REST API.
//!
//! A step of a route is a small conversation of commands and events. What comes next travels with the call: every
//! command sets the leg's `client_state`, and every later event of that leg brings it back (see [`state`]), so that any
//! router goes on. A command's id is made from the id of the event that led to it: an event that is delivered twice
//! acts once.
//!
//! ```text
//! agent by stream   answer → call.answered → streaming_start → streaming.stopped, .failed → what follows
//! voicemail         answer → call.answered → speak, playback_start → …ended → record_start → call.recording.saved → hangup
//! message           answer → call.answered → speak, playback_start → …ended → hangup
//! forward, ring     transfer → call.hangup of the new leg → the next address, or what follows
//! ```
//!
//! Refused: to start the stream with `answer`, which saves a round trip but can't tell the agent whose call it is.
//! Source: <https://developers.telnyx.com/api/call-control/>, and the types in Telnyx's Python SDK 4.189.

mod command;
mod notice;
mod reply;
mod report;
mod state;
#[cfg(test)]
mod walk;

use std::borrow::Cow;

use command::{Commands, Context};
use notice::{Notice, Payload};
pub use reply::{refusal, reply};
use state::{Phase, State};

use crate::call::InboundCall;
use crate::calls::report::{Progress, Report};
use crate::provider::event::{Event, StepEnd, StepResult};
use crate::provider::request::{ParseError, WebhookRequest};
use crate::provider::{Claim, twiml_form};

/// The status of an event of a leg that we dialled, or that a tenant's own program did.
const LEG: &str = "leg";

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    let Ok(notice) = Notice::read(request) else { return Claim::default() };
    let to = match notice.state {
        Some(state) => Some(Cow::Owned(state.to)),
        None => notice.payload.to,
    };
    Claim { external_id: notice.payload.connection_id, to }
}

pub fn event<'r>(request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let notice = Notice::read(request)?;
    let Notice { id, event_type, payload, state } = notice;
    let commands = |state: &State| Commands::new(&id, &state.call_id);
    Ok(match (&*event_type, state) {
        ("call.initiated", None) if payload.is_incoming() => {
            Event::Call(call(payload, Context { event_id: &id, is_answered: false })?)
        }
        ("call.answered", Some(mut state)) => {
            let report = report::of(request, Progress::Answered);
            match std::mem::replace(&mut state.phase, Phase::Idle) {
                Phase::Answering(task) => {
                    let mut commands = commands(&state);
                    commands.begin(task, &mut state);
                    continued(&id, state, commands, Some(report))
                }
                _ => told(&id, payload, Some(state), "other", report),
            }
        }
        ("streaming.failed", Some(state)) if state.phase == Phase::Streaming => {
            after(&id, state, StepResult::Failed)
        }
        // The agent has hung up, or was never heard: when that was tells which.
        ("streaming.stopped", Some(state)) if state.phase == Phase::Streaming => {
            after(&id, state, StepResult::Unknown)
        }
        ("call.speak.ended" | "call.playback.ended", Some(mut state)) if !payload.is_hung_up() => {
            match std::mem::replace(&mut state.phase, Phase::Idle) {
                Phase::Speaking(then) => {
                    let mut commands = commands(&state);
                    commands.then(then, &mut state);
                    continued(&id, state, commands, None)
                }
                _ => other(),
            }
        }
        ("call.recording.saved" | "call.recording.error", Some(state)) if state.phase == Phase::Recording => {
            let mut commands = commands(&state);
            commands.hangup();
            let is_saved = event_type == "call.recording.saved";
            let report = is_saved.then(|| report::of(request, Progress::Voicemail));
            continued(&id, state, commands, report)
        }
        ("call.hangup", Some(state)) if matches!(state.phase, Phase::Ringing { .. }) => {
            leg_ended(request, &id, payload, state)
        }
        ("call.hangup", state) if payload.is_incoming() => {
            let (end, status) = payload.end();
            told(&id, payload, state, status, report::of_end(request, end))
        }
        ("call.hangup", state) => {
            let (end, _) = payload.end();
            told(&id, payload, state, LEG, report::of_end(request, end))
        }
        ("call.cost", state) => told(&id, payload, state, "other", report::of_cost(request)),
        (_, state) if !payload.is_incoming() => told(&id, payload, state, LEG, Report::default()),
        _ => other(),
    })
}

/// An event after which nothing is to be done.
fn other<'r>() -> Event<'r> {
    Event::Status { call: None, status: "other", report: Report::default() }
}

/// What is told of a leg. One that was dialled for a caller's is a call of its own, whose carrier's is the caller's:
/// what becomes of it becomes of it alone.
fn told<'r>(
    event_id: &str,
    payload: Payload<'r>,
    state: Option<State>,
    status: &'static str,
    report: Report<'r>,
) -> Event<'r> {
    let dialled = |state: &State| payload.call_control_id.as_deref().is_some_and(|leg| leg != state.call_id);
    let is_outbound = !payload.is_incoming() || state.as_ref().is_some_and(dialled);
    let report = Report { is_outbound, ..report };
    let call = match (payload.call_control_id.clone(), state) {
        (Some(leg), Some(state)) if is_outbound => {
            let caller = state.into_call(event_id);
            Some(InboundCall { call_id: leg, carrier_call_id: Some(caller.call_id), ..caller })
        }
        (_, Some(state)) => Some(state.into_call(event_id)),
        // What somebody else's program dials isn't to one of our numbers.
        (Some(leg), None) => Some(InboundCall {
            to: payload.to.filter(|_| !is_outbound).unwrap_or_default(),
            from: payload.from.filter(|_| !is_outbound).unwrap_or_default(),
            context: Cow::Owned(Context { event_id, is_answered: true }.to_string()),
            ..InboundCall::unnumbered(leg)
        }),
        (None, None) => None,
    };
    Event::Status { call: call.filter(|call| !call.call_id.is_empty()), status, report }
}

/// A leg that was dialled for a caller has ended. When somebody had answered, Telnyx ends the caller's too.
fn leg_ended<'r>(
    request: &'r WebhookRequest<'_>,
    event_id: &str,
    payload: Payload<'r>,
    mut state: State,
) -> Event<'r> {
    if payload.was_served() {
        let (end, _) = payload.end();
        return told(event_id, payload, Some(state), LEG, report::of_end(request, end));
    }
    let Phase::Ringing { mut rest, timeout_s } = std::mem::replace(&mut state.phase, Phase::Idle) else {
        return other();
    };
    if rest.is_empty() {
        return after(event_id, state, StepResult::Failed);
    }
    let next = rest.remove(0);
    let mut commands = Commands::new(event_id, &state.call_id);
    commands.transfer(&next, rest, timeout_s, &[], &mut state);
    continued(event_id, state, commands, None)
}

/// A step has ended. Where nothing follows, so does the call.
fn after<'r>(event_id: &str, mut state: State, result: StepResult) -> Event<'r> {
    match state.after.take() {
        Some(after) => {
            let call = state.into_call(event_id);
            Event::After(StepEnd { call, result, state: Some(Cow::Owned(after)), report: None })
        }
        None => {
            let mut commands = Commands::new(event_id, &state.call_id);
            commands.hangup();
            continued(event_id, state, commands, None)
        }
    }
}

fn continued<'r>(event_id: &str, state: State, commands: Commands, report: Option<Report<'r>>) -> Event<'r> {
    Event::Continued { call: state.into_call(event_id), rendered: commands.finish(), report }
}

fn call<'r>(payload: Payload<'r>, context: Context<'_>) -> Result<InboundCall<'r>, ParseError> {
    Ok(InboundCall {
        call_id: twiml_form::wanted(payload.call_control_id, "data.payload.call_control_id")?,
        to: twiml_form::wanted(payload.to, "data.payload.to")?,
        from: payload.from.unwrap_or_default(),
        number_id: None,
        carrier_call_id: None,
        context: Cow::Owned(context.to_string()),
    })
}
