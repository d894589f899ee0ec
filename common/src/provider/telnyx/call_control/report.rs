//! What events tell of calls. The body is read once more for it, of those events alone that tell something.
//!
//! Source: <https://developers.telnyx.com/api/call-control/>, and the types in Telnyx's Python SDK 4.189.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::json_text::optional;
use crate::provider::request::WebhookRequest;
use crate::provider::{cost_stages, decimal, instant};

#[derive(Deserialize, Default)]
struct Body<'a> {
    #[serde(borrow, default)]
    data: Data<'a>,
}

#[derive(Deserialize, Default)]
struct Data<'a> {
    #[serde(borrow)]
    occurred_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    payload: Facts<'a>,
}

#[derive(Deserialize, Default)]
struct Facts<'a> {
    #[serde(borrow)]
    start_time: Option<&'a RawValue>,
    #[serde(borrow)]
    end_time: Option<&'a RawValue>,
    #[serde(borrow)]
    hangup_cause: Option<&'a RawValue>,
    #[serde(borrow)]
    total_cost: Option<&'a RawValue>,
    #[serde(borrow)]
    cost_parts: Option<&'a RawValue>,
}

/// What was charged for a part of a call, such as `sip-trunking`.
#[derive(Deserialize)]
struct CostPart<'a> {
    #[serde(borrow)]
    call_part: Option<&'a RawValue>,
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
    #[serde(borrow)]
    currency: Option<&'a RawValue>,
}

/// A leg has come so far.
pub fn of<'r>(request: &'r WebhookRequest<'_>, progress: Progress) -> Report<'r> {
    let data = data(request);
    Report { at_ms: instant::in_json(data.occurred_at), ..Report::of(progress) }
}

/// A leg has ended. How long it lasted Telnyx doesn't say: from its start to its end, ringing and all.
pub fn of_end<'r>(request: &'r WebhookRequest<'_>, end: End) -> Report<'r> {
    let data = data(request);
    let [started_at, ended_at] = [data.payload.start_time, data.payload.end_time].map(instant::in_json);
    let lasted = || ended_at?.checked_sub(started_at?);
    Report {
        at_ms: ended_at.or_else(|| instant::in_json(data.occurred_at)),
        duration_ms: if end == End::Completed { lasted() } else { None },
        reason: optional(data.payload.hangup_cause),
        ..Report::of(Progress::Ended(end))
    }
}

/// A leg's cost is known.
pub fn of_cost<'r>(request: &'r WebhookRequest<'_>) -> Report<'r> {
    let data = data(request);
    let facts = data.payload;
    let parts = cost_stages::parts::<CostPart<'r>>(facts.cost_parts);
    let currency = parts.iter().find_map(|part| optional(part.currency)).unwrap_or(Cow::Borrowed("USD"));
    let is_iso_4217 = currency.len() == 3 && currency.bytes().all(|letter| letter.is_ascii_uppercase());
    let amount = decimal::in_json(facts.total_cost).filter(|_| is_iso_4217);
    let stage = |part: CostPart<'r>| cost_stages::stage(part.call_part, decimal::in_json(part.cost));
    let stages = parts.into_iter().filter_map(stage).collect();
    let cost = amount.map(|amount| Cost { amount, currency, stages });
    Report { at_ms: instant::in_json(data.occurred_at), cost, ..Report::default() }
}

fn data<'r>(request: &'r WebhookRequest<'_>) -> Data<'r> {
    request.json::<Body<'r>>().unwrap_or_default().data
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::provider::event::Event;
    use crate::provider::signed;
    use crate::provider::telnyx::call_control::event;
    use crate::provider::telnyx::call_control::state::{Phase, State, Task, Then};

    /// Calls `check` with what an event tells: of which call, with the carrier's call and the called number; and what.
    fn with_told(event_type: &str, payload: Value, check: impl FnOnce(Option<[&str; 3]>, &Report<'_>)) {
        let data = json!({
            "id": "e1",
            "event_type": event_type,
            "occurred_at": "2026-11-20T18:14:27Z",
            "payload": payload,
        });
        let body = json!({ "data": data }).to_string();
        signed::with_json(body.as_bytes(), |request| {
            let (call, report) = match event(request).unwrap() {
                Event::Status { call, report, .. } => (call, Some(report)),
                Event::Continued { call, report, .. } => (Some(call), report),
                other => panic!("{other:?}"),
            };
            let names = call
                .as_ref()
                .map(|call| [&*call.call_id, call.carrier_call_id.as_deref().unwrap_or_default(), &*call.to]);
            check(names, &report.unwrap_or_default());
        });
    }

    const AT_MS: Option<i64> = Some(1_795_198_467_000);

    fn state(phase: Phase) -> String {
        let text = |text: &str| text.to_owned();
        let (call_id, to, from) = (text("caller"), text("+12125550001"), text("anonymous"));
        State { call_id, to, from, is_answered: true, after: None, phase }.write()
    }

    #[test]
    fn a_dialled_leg_is_not_its_callers_call() {
        let ringing = || state(Phase::Ringing { rest: Vec::new(), timeout_s: 20 });
        let leg = |event_type: &str, more: Value, expected: Progress| {
            let mut payload =
                json!({"call_control_id": "leg-b", "client_state": ringing(), "to": "+12025550147"});
            payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            with_told(event_type, payload, |call, report| {
                assert_eq!(call, Some(["leg-b", "caller", "+12125550001"]), "{event_type}");
                assert_eq!((report.progress, report.at_ms, report.is_outbound), (expected, AT_MS, true));
            });
        };
        leg("call.answered", json!({}), Progress::Answered);
        let served = json!({"hangup_cause": "normal_clearing", "sip_hangup_cause": "200"});
        leg("call.hangup", served, Progress::Ended(End::Completed));
        leg("call.hangup", json!({"hangup_cause": "originator_cancel"}), Progress::Ended(End::Canceled));
        let others = json!({"call_control_id": "x", "direction": "outgoing", "to": "+12025550147"});
        with_told("call.hangup", others, |call, report| {
            assert_eq!((call, report.is_outbound), (Some(["x", "", ""]), true));
        });
    }

    #[test]
    fn the_callers_leg_is_answered_left_a_message_and_ends() {
        let task = Task::Speak { text: String::new(), language: None, then: Then::Hangup };
        for (event_type, phase, expected) in [
            ("call.answered", Phase::Answering(task), Progress::Answered),
            ("call.answered", Phase::Idle, Progress::Answered),
            ("call.recording.saved", Phase::Recording, Progress::Voicemail),
        ] {
            let payload = json!({"call_control_id": "caller", "client_state": state(phase)});
            with_told(event_type, payload, |call, report| {
                assert_eq!(call, Some(["caller", "", "+12125550001"]), "{event_type}");
                assert_eq!(*report, Report { at_ms: AT_MS, ..Report::of(expected) });
            });
        }
        let payload = json!({"client_state": state(Phase::Recording)});
        with_told("call.recording.error", payload, |_, report| assert_eq!(*report, Report::default()));
        for (cause, end) in [
            ("timeout", End::NoAnswer),
            ("user_busy", End::Busy),
            ("originator_cancel", End::Canceled),
            ("call_rejected", End::Failed),
        ] {
            let payload = json!({"call_control_id": "caller", "to": "+12125550001", "hangup_cause": cause,
                "start_time": "2026-11-20T18:14:00Z", "end_time": "2026-11-20T18:14:20Z"});
            with_told("call.hangup", payload, |_, report| {
                let ended = (Progress::Ended(end), Some(1_795_198_460_000), None, Some(cause));
                let reason = report.reason.as_deref();
                assert_eq!((report.progress, report.at_ms, report.duration_ms, reason), ended);
            });
        }
    }

    #[test]
    fn a_cost_is_told_by_part() {
        let payload = json!({"call_control_id": "caller", "client_state": state(Phase::Idle), "total_cost": "0.0123",
            "cost_parts": [{"call_part": "sip-trunking", "cost": "0.0060", "currency": "USD", "rate": "0.0060"},
                {"call_part": "call-control", "cost": 0.0063}, {"cost": "1"}]});
        with_told("call.cost", payload, |call, report| {
            assert_eq!(call, Some(["caller", "", "+12125550001"]));
            let cost = report.cost.as_ref().unwrap();
            assert_eq!((&*cost.amount, &*cost.currency), ("0.0123", "USD"));
            let stages: Vec<_> = cost.stages.iter().map(|(name, amount)| (&**name, &**amount)).collect();
            assert_eq!(stages, [("sip-trunking", "0.0060"), ("call-control", "0.0063")]);
        });
        for payload in [
            json!({"call_control_id": "c"}),
            json!({"total_cost": 1e300, "cost_parts": {}}),
            json!({"total_cost": "1", "cost_parts": [{"currency": "credits"}]}),
        ] {
            with_told("call.cost", payload, |_, report| assert_eq!(report.cost, None));
        }
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |times: Value, expected: (Option<i64>, Option<i64>)| {
            let mut payload = json!({"call_control_id": "c", "to": "+1", "hangup_cause": "normal_clearing"});
            payload.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            with_told("call.hangup", payload, |_, report| {
                assert_eq!((report.at_ms, report.duration_ms), expected, "{times}");
            });
        };
        let (start, end) = ("2026-11-20T18:14:27Z", "2026-11-20T18:14:26.5Z");
        check(json!({"start_time": start, "end_time": end}), (Some(1_795_198_466_500), Some(-500)));
        check(json!({"start_time": 7, "end_time": []}), (AT_MS, None));
    }
}
