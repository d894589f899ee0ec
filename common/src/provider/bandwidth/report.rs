//! What Bandwidth tells of a call: its end alone. The body is read once more for it.
//!
//! Source: <https://dev.bandwidth.com/docs/voice/webhooks/disconnect>.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::call::InboundCall;
use crate::calls::report::{End, Progress, Report};
use crate::provider::instant;
use crate::provider::json_text::optional;
use crate::provider::request::WebhookRequest;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Disconnect<'a> {
    #[serde(borrow)]
    event_time: Option<&'a RawValue>,
    #[serde(borrow)]
    answer_time: Option<&'a RawValue>,
    #[serde(borrow)]
    end_time: Option<&'a RawValue>,
    #[serde(borrow)]
    cause: Option<&'a RawValue>,
    #[serde(borrow)]
    direction: Option<&'a RawValue>,
    #[serde(borrow)]
    parent_call_id: Option<&'a RawValue>,
}

/// What a `disconnect` says, and the call that it is about: a leg that was dialled for another call names that one, and
/// its own numbers are the person's, not ours. Bandwidth tells no duration: it is from the answer to the end.
pub fn of_disconnect<'r>(
    request: &'r WebhookRequest<'_>,
    call: InboundCall<'r>,
) -> (InboundCall<'r>, Report<'r>) {
    let said = request.json::<Disconnect<'r>>().unwrap_or_default();
    let [answered_at, ended_at] = [said.answer_time, said.end_time].map(instant::in_json);
    let lasted = || ended_at?.checked_sub(answered_at?);
    let cause = optional(said.cause);
    let parent = optional(said.parent_call_id).filter(|parent| *parent != call.call_id);
    let report = Report {
        progress: Progress::Ended(end(cause.as_deref(), optional(said.answer_time).is_some())),
        at_ms: ended_at.or_else(|| instant::in_json(said.event_time)),
        duration_ms: lasted(),
        reason: cause,
        cost: None,
        is_outbound: parent.is_some() || optional(said.direction).as_deref() == Some("outbound"),
    };
    match parent {
        Some(parent) => (leg_of(call.call_id, parent), report),
        None => (call, report),
    }
}

fn leg_of<'r>(call_id: Cow<'r, str>, parent: Cow<'r, str>) -> InboundCall<'r> {
    InboundCall { carrier_call_id: Some(parent), ..InboundCall::unnumbered(call_id) }
}

/// A message was recorded.
pub fn of_recording<'r>(request: &'r WebhookRequest<'_>) -> Report<'r> {
    let said = request.json::<Disconnect<'r>>().unwrap_or_default();
    Report { at_ms: instant::in_json(said.event_time), ..Report::of(Progress::Voicemail) }
}

fn end(cause: Option<&str>, was_answered: bool) -> End {
    match cause {
        Some("busy" | "rejected") => End::Busy,
        Some("timeout") if !was_answered => End::NoAnswer,
        Some("hangup" | "timeout" | "unknown") if was_answered => End::Completed,
        Some("hangup" | "cancel") => End::Canceled,
        _ => End::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::bandwidth::Bandwidth;
    use crate::provider::signed;

    /// Calls `check` with what the end of a call tells.
    fn with_told(fields: &str, check: impl FnOnce(&InboundCall<'_>, &Report<'_>)) {
        let body = format!(r#"{{"eventType":"disconnect","callId":"c","to":"+1","from":"+2"{fields}}}"#);
        let kind = signed::kind(&Bandwidth, "status");
        signed::with_report(&Bandwidth, kind, "application/json", &body, |call, report| {
            check(call.unwrap(), report);
        });
    }

    #[test]
    fn each_cause_is_an_end() {
        for (cause, unanswered, answered) in [
            ("hangup", End::Canceled, End::Completed),
            ("busy", End::Busy, End::Busy),
            ("timeout", End::NoAnswer, End::Completed),
            ("cancel", End::Canceled, End::Canceled),
            ("rejected", End::Busy, End::Busy),
            ("callback-error", End::Failed, End::Failed),
            ("account-limit", End::Failed, End::Failed),
            ("unknown", End::Failed, End::Completed),
            ("brand-new", End::Failed, End::Failed),
        ] {
            let fields = format!(r#","cause":"{cause}""#);
            with_told(&fields, |_, report| {
                assert_eq!(report.progress, Progress::Ended(unanswered), "{cause}")
            });
            let fields = format!(r#"{fields},"answerTime":"2026-11-20T18:13:45Z""#);
            with_told(&fields, |_, report| assert_eq!(report.progress, Progress::Ended(answered), "{cause}"));
        }
    }

    #[test]
    fn a_dialled_leg_is_not_its_callers_call() {
        let check = |fields: &str, expected: [&str; 3], is_outbound: bool| {
            with_told(fields, |call, report| {
                let parent = call.carrier_call_id.as_deref().unwrap_or_default();
                assert_eq!(
                    ([&*call.call_id, &*call.to, parent], report.is_outbound),
                    (expected, is_outbound)
                );
            });
        };
        check("", ["c", "+1", ""], false);
        check(r#","direction":"inbound","parentCallId":"c""#, ["c", "+1", ""], false);
        check(r#","direction":"outbound","parentCallId":"p""#, ["c", "", "p"], true);
        check(r#","direction":"outbound""#, ["c", "+1", ""], true);
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |fields: &str, expected: (Option<i64>, Option<i64>)| {
            with_told(fields, |_, report| {
                assert_eq!((report.at_ms, report.duration_ms), expected, "{fields}")
            });
        };
        let times = r#","answerTime":"2026-11-20T18:14:28Z","endTime":"2026-11-20T18:14:27Z""#;
        check(times, (Some(1_795_198_467_000), Some(-1_000)));
        check(
            r#","answerTime":7,"endTime":"late","eventTime":"2026-11-20T18:14:27Z""#,
            (Some(1_795_198_467_000), None),
        );
        check(r#","endTime":"2026-11-20T18:14:27Z","endTime":"2026-11-20T18:14:27Z""#, (None, None));
    }
}
