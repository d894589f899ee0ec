//! What Plivo tells of a call. Source: <https://www.plivo.com/docs/voice/concepts/callbacks/>.

use std::borrow::Cow;

use crate::call::InboundCall;
use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::decimal::{self, SECOND_MS};
use crate::provider::form::Form;
use crate::provider::instant;

/// What a status callback says; `is_hangup` where it is the last.
pub fn of_status<'r>(form: &'r Form, status: &str, is_hangup: bool) -> Report<'r> {
    let progress = match status {
        "ringing" => Progress::Ringing,
        "in-progress" if !is_hangup => Progress::Answered,
        "completed" | "in-progress" => Progress::Ended(End::Completed),
        "busy" => Progress::Ended(End::Busy),
        "timeout" | "no-answer" => Progress::Ended(End::NoAnswer),
        "cancel" => Progress::Ended(End::Canceled),
        "failed" => Progress::Ended(End::Failed),
        _ if is_hangup => Progress::Ended(End::Failed),
        _ => Progress::Other,
    };
    let at = match progress {
        Progress::Ended(_) => "EndTime",
        Progress::Answered => "AnswerTime",
        _ => "StartTime",
    };
    Report {
        progress,
        at_ms: form.said(at).and_then(instant::of_text),
        duration_ms: form.said("Duration").and_then(|text| decimal::millis(text, SECOND_MS)),
        reason: form.said("HangupCause").map(Cow::Borrowed),
        cost: cost(form),
        is_outbound: parent(form).is_some() || form.said("Direction") == Some("outbound"),
    }
}

/// The call that a status is about. A leg that was dialled for another call names that one, and its own numbers are the
/// person's, not ours.
pub fn leg<'r>(call: InboundCall<'r>, form: &'r Form) -> InboundCall<'r> {
    match parent(form) {
        Some(parent) => InboundCall {
            carrier_call_id: Some(Cow::Borrowed(parent)),
            ..InboundCall::unnumbered(call.call_id)
        },
        None => call,
    }
}

/// What the end of a step says: that the caller left a message, where it was recorded. While a recording is being made
/// ready its length is -1; one of 0 is no message.
pub fn of_step(form: &Form) -> Option<Report<'_>> {
    let length_ms = form.said("RecordingDuration").and_then(|text| decimal::millis(text, SECOND_MS));
    let is_recorded = form.said("RecordUrl").is_some() && length_ms != Some(0);
    (form.get("DialStatus").is_none() && is_recorded).then(|| Report::of(Progress::Voicemail))
}

fn cost(form: &Form) -> Option<Cost<'_>> {
    let amount = decimal::plain(form.said("TotalCost")?.into())?;
    Some(Cost { amount, currency: "USD".into(), stages: Vec::new() })
}

/// The call for which this leg was dialled. A caller's own leg is its A leg itself.
fn parent(form: &Form) -> Option<&str> {
    form.said("ALegUUID").filter(|a_leg| Some(*a_leg) != form.get("CallUUID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn each_status_is_a_step_forward_or_an_end() {
        for (status, is_hangup, expected) in [
            ("ringing", false, Progress::Ringing),
            ("in-progress", false, Progress::Answered),
            ("completed", false, Progress::Ended(End::Completed)),
            ("busy", true, Progress::Ended(End::Busy)),
            ("timeout", true, Progress::Ended(End::NoAnswer)),
            ("no-answer", true, Progress::Ended(End::NoAnswer)),
            ("cancel", true, Progress::Ended(End::Canceled)),
            ("failed", true, Progress::Ended(End::Failed)),
            ("in-progress", true, Progress::Ended(End::Completed)),
            ("other", true, Progress::Ended(End::Failed)),
            ("other", false, Progress::Other),
        ] {
            let form = form("");
            assert_eq!(of_status(&form, status, is_hangup), Report::of(expected), "{status}");
        }
    }

    #[test]
    fn odd_values_are_kept_or_left_out() {
        let check = |text: &str, expected: (Option<i64>, Option<i64>, Option<&str>)| {
            let form = form(text);
            let report = of_status(&form, "completed", true);
            let amount = report.cost.as_ref().map(|cost| &*cost.amount);
            assert_eq!((report.at_ms, report.duration_ms, amount), expected, "{text}");
        };
        check("Duration=-1&TotalCost=-0.5&EndTime=soon", (None, Some(-1_000), Some("-0.5")));
        check("Duration=9999999999&TotalCost=1e9", (None, Some(9_999_999_999_000), None));
        check("Duration=&TotalCost=&EndTime=1969-12-31+23%3A59%3A59", (Some(-1_000), None, None));
    }

    #[test]
    fn a_dialled_leg_is_not_its_callers_call() {
        let check = |rest: &str, expected: [&str; 3], is_outbound: bool| {
            let form = form(&format!("CallUUID=b{rest}"));
            let call = leg(InboundCall { to: "+1".into(), ..InboundCall::unnumbered("b".into()) }, &form);
            let parent = call.carrier_call_id.as_deref().unwrap_or_default();
            assert_eq!([&*call.call_id, &*call.to, parent], expected, "{rest}");
            assert_eq!(of_status(&form, "completed", true).is_outbound, is_outbound, "{rest}");
        };
        check("&Direction=inbound", ["b", "+1", ""], false);
        check("&ALegUUID=b&Direction=inbound", ["b", "+1", ""], false);
        check("&ALegUUID=a&Direction=outbound", ["b", "", "a"], true);
        check("&Direction=outbound", ["b", "+1", ""], true);
    }

    #[test]
    fn a_message_is_one_when_something_was_recorded() {
        for (text, is_message) in [
            ("RecordUrl=u&RecordingDuration=-1", true),
            ("RecordUrl=u&RecordingDuration=9", true),
            ("RecordUrl=u&RecordingDuration=0", false),
            ("RecordUrl=", false),
            ("RecordUrl=u&DialStatus=completed", false),
        ] {
            let form = form(text);
            assert_eq!(of_step(&form), is_message.then(|| Report::of(Progress::Voicemail)), "{text}");
        }
    }
}
