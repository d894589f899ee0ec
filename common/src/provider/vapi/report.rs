//! What Vapi tells of a call: the fields of `ServerMessageStatusUpdate` and `ServerMessageEndOfCallReport`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::decimal::{self, SECOND_MS};
use crate::provider::instant;
use crate::provider::json_text::optional;
use crate::provider::request::WebhookRequest;

/// The message that comes when a call is over and worked up.
pub const END_OF_CALL: &str = "end-of-call-report";

#[derive(Deserialize, Default)]
struct Body<'a> {
    #[serde(borrow, default)]
    message: Facts<'a>,
}

/// What is said in a message; of older ones, in its call.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Facts<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    ended_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    started_at: Option<&'a RawValue>,
    #[serde(borrow)]
    ended_at: Option<&'a RawValue>,
    #[serde(borrow)]
    duration_seconds: Option<&'a RawValue>,
    #[serde(borrow)]
    duration_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
    #[serde(borrow)]
    cost_breakdown: Option<&'a RawValue>,
    #[serde(borrow)]
    call: Option<&'a RawValue>,
}

/// What was spent on what, in dollars.
#[derive(Deserialize, Default)]
struct Breakdown<'a> {
    #[serde(borrow)]
    transport: Option<&'a RawValue>,
    #[serde(borrow)]
    stt: Option<&'a RawValue>,
    #[serde(borrow)]
    llm: Option<&'a RawValue>,
    #[serde(borrow)]
    tts: Option<&'a RawValue>,
    #[serde(borrow)]
    vapi: Option<&'a RawValue>,
    #[serde(borrow)]
    total: Option<&'a RawValue>,
}

/// What a message says that has this status, or is the report at a call's end. The body is read once more for it: other
/// messages, which come by the second, don't pay for this.
pub fn of<'r>(request: &'r WebhookRequest<'_>, status: &str) -> Report<'r> {
    let facts = request.json::<Body<'r>>().unwrap_or_default().message.with_those_of_its_call();
    let reason = optional(facts.ended_reason);
    let progress = match status {
        "ringing" => Progress::Ringing,
        "in-progress" => Progress::Answered,
        "forwarding" => Progress::Transferred,
        "ended" | END_OF_CALL => Progress::Ended(reason.as_deref().map_or(End::Completed, end)),
        _ => Progress::Other,
    };
    let told_at = || instant::of_millis(facts.timestamp).or_else(|| instant::in_json(facts.timestamp));
    let Progress::Ended(_) = progress else {
        return Report { at_ms: told_at(), ..Report::of(progress) };
    };
    Report {
        at_ms: instant::in_json(facts.ended_at).or_else(told_at),
        duration_ms: facts.duration_ms(),
        reason,
        cost: facts.cost(),
        ..Report::of(progress)
    }
}

impl<'a> Facts<'a> {
    /// These, and what only the message's call says.
    fn with_those_of_its_call(self) -> Self {
        let of_call = self.call.and_then(|call| serde_json::from_str::<Facts<'a>>(call.get()).ok());
        let of_call = of_call.unwrap_or_default();
        Self {
            timestamp: self.timestamp,
            ended_reason: self.ended_reason.or(of_call.ended_reason),
            started_at: self.started_at.or(of_call.started_at),
            ended_at: self.ended_at.or(of_call.ended_at),
            duration_seconds: self.duration_seconds,
            duration_ms: self.duration_ms,
            cost: self.cost.or(of_call.cost),
            cost_breakdown: self.cost_breakdown.or(of_call.cost_breakdown),
            call: None,
        }
    }

    fn duration_ms(&self) -> Option<i64> {
        let seconds = decimal::in_json(self.duration_seconds);
        let of_seconds = seconds.and_then(|seconds| decimal::millis(&seconds, SECOND_MS));
        let of_millis = || decimal::millis(&decimal::in_json(self.duration_ms)?, 1);
        let of_instants = || instant::in_json(self.ended_at)?.checked_sub(instant::in_json(self.started_at)?);
        of_seconds.or_else(of_millis).or_else(of_instants)
    }

    fn cost(&self) -> Option<Cost<'a>> {
        let breakdown =
            self.cost_breakdown.and_then(|raw| serde_json::from_str::<Breakdown<'a>>(raw.get()).ok());
        let breakdown = breakdown.unwrap_or_default();
        let stages = [
            ("transport", breakdown.transport),
            ("stt", breakdown.stt),
            ("llm", breakdown.llm),
            ("tts", breakdown.tts),
            ("platform", breakdown.vapi),
        ];
        let stage = |(name, raw)| Some((Cow::Borrowed(name), decimal::in_json(raw)?));
        Some(Cost {
            amount: decimal::in_json(self.cost).or_else(|| decimal::in_json(breakdown.total))?,
            currency: "USD".into(),
            stages: stages.into_iter().filter_map(stage).collect(),
        })
    }
}

/// How a call ended of which Vapi says this; its list of reasons is long and grows.
/// Source: <https://docs.vapi.ai/calls/call-ended-reason>.
fn end(reason: &str) -> End {
    const FAULTS: [&str; 6] = ["error", "fail", "not-found", "invalid", "returned-no-", "neither-assistant"];
    match reason {
        // What we answer to a call that is rejected.
        "assistant-request-returned-error" | "customer-busy" => End::Busy,
        "customer-did-not-answer" => End::NoAnswer,
        "manually-canceled" => End::Canceled,
        _ if FAULTS.iter().any(|fault| reason.contains(fault)) => End::Failed,
        _ => End::Completed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::signed;
    use crate::provider::vapi::Vapi;

    /// Calls `check` with what a message tells.
    fn with_told(message: &str, check: impl FnOnce(&Report<'_>)) {
        let body = format!(r#"{{"message":{message}}}"#);
        let kind = signed::kind(&Vapi, "server");
        signed::with_report(&Vapi, kind, "application/json", &body, |_, report| check(report));
    }

    #[test]
    fn each_status_has_its_progress() {
        for (status, expected) in [
            ("scheduled", Progress::Other),
            ("queued", Progress::Other),
            ("ringing", Progress::Ringing),
            ("in-progress", Progress::Answered),
            ("forwarding", Progress::Transferred),
            ("ended", Progress::Ended(End::Completed)),
            ("not-found", Progress::Other),
            ("brand-new", Progress::Other),
        ] {
            let message = format!(r#"{{"type":"status-update","status":"{status}","timestamp":17}}"#);
            let expected = Report { at_ms: Some(17), ..Report::of(expected) };
            with_told(&message, |report| assert_eq!(*report, expected, "{status}"));
        }
        for other in ["hang", "transcript", "assistant.started", "brand-new"] {
            with_told(&format!(r#"{{"type":"{other}"}}"#), |report| assert_eq!(*report, Report::default()));
        }
    }

    #[test]
    fn each_reason_is_an_end() {
        for (reason, expected) in [
            ("customer-ended-call", End::Completed),
            ("silence-timed-out", End::Completed),
            ("assistant-request-returned-forwarding-phone-number", End::Completed),
            ("customer-busy", End::Busy),
            ("assistant-request-returned-error", End::Busy),
            ("customer-did-not-answer", End::NoAnswer),
            ("manually-canceled", End::Canceled),
            ("assistant-request-failed", End::Failed),
            ("assistant-request-returned-no-assistant", End::Failed),
            ("assistant-request-returned-unspeakable-error", End::Failed),
            ("assistant-not-found", End::Failed),
            ("call.start.error-get-assistant", End::Failed),
            ("call.in-progress.error-vapifault-openai-llm-failed", End::Failed),
            ("brand-new", End::Completed),
        ] {
            assert_eq!(end(reason), expected, "{reason}");
        }
    }

    #[test]
    fn the_cost_is_told_by_stage_to_the_last_digit() {
        let message = r#"{"type":"end-of-call-report","cost":0.10300000000000001,"costBreakdown":{"transport":0.03,
            "stt":0,"llm":"0.02","tts":1e-7,"vapi":0.05,"total":0.1,"llmPromptTokens":7}}"#;
        with_told(message, |report| {
            let cost = report.cost.as_ref().unwrap();
            assert_eq!((&*cost.amount, &*cost.currency), ("0.10300000000000001", "USD"));
            let stages: Vec<_> = cost.stages.iter().map(|(name, amount)| (&**name, &**amount)).collect();
            assert_eq!(stages, [("transport", "0.03"), ("stt", "0"), ("llm", "0.02"), ("platform", "0.05")]);
        });
        let of_call = r#"{"type":"end-of-call-report","call":{"costBreakdown":{"total":2}}}"#;
        with_told(of_call, |report| assert_eq!(report.cost.as_ref().unwrap().amount, "2"));
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |rest: &str, expected: Option<i64>| {
            let message = format!(r#"{{"type":"end-of-call-report"{rest}}}"#);
            with_told(&message, |report| {
                assert_eq!(report.progress, Progress::Ended(End::Completed), "{rest}");
                assert_eq!((report.duration_ms, report.cost.is_some()), (expected, false), "{rest}");
            });
        };
        check(r#","durationSeconds":-3.5"#, Some(-3_500));
        check(r#","durationSeconds":99999999999"#, Some(99_999_999_999_000));
        check(r#","durationSeconds":"x","durationMs":107,"cost":"free""#, Some(107));
        check(r#","startedAt":"2026-11-01T11:58:10.000Z","endedAt":"2026-11-01T11:58:09.5Z""#, Some(-500));
        check(r#","durationSeconds":[1],"startedAt":7,"endedAt":{},"cost":1e3,"costBreakdown":[1]"#, None);
        check(r#","endedReason":7,"endedReason":8,"durationSeconds":1"#, None);
        check(r#","call":{"endedAt":1,"endedAt":2}"#, None);
    }
}
