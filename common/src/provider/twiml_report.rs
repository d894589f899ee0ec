//! What the forms of providers that speak TwiML tell of calls.

use std::borrow::Cow;

use super::decimal::{self, SECOND_MS};
use super::form::Form;
use super::{instant, twiml_form};
use crate::call::InboundCall;
use crate::calls::report::{End, Progress, Report};

/// Where they say why a call ended; the first that is there counts.
const REASONS: [&str; 4] = ["HangupCause", "ErrorMessage", "SipResponseCode", "SipResultCode"];

/// What a status callback says.
pub fn of_status(form: &Form) -> Report<'_> {
    // "OK" in SIP's words is no reason.
    let reason = REASONS.into_iter().find_map(|name| form.said(name)).filter(|reason| *reason != "200");
    Report {
        progress: progress(twiml_form::status(form)),
        at_ms: form.said("Timestamp").and_then(instant::of_text),
        duration_ms: form.said("CallDuration").and_then(|text| decimal::millis(text, SECOND_MS)),
        reason: reason.map(Cow::Borrowed),
        cost: None,
        is_outbound: parent(form).is_some()
            || form.said("Direction").is_some_and(|direction| direction.starts_with("outbound")),
    }
}

/// The call that a status callback is about. A leg that was dialled for another call names that one, and its own
/// numbers are the person's, not ours.
pub fn leg<'r>(call: InboundCall<'r>, form: &'r Form) -> InboundCall<'r> {
    match parent(form).filter(|parent| *parent != call.call_id) {
        Some(parent) => InboundCall {
            to: Cow::Borrowed(""),
            from: Cow::Borrowed(""),
            carrier_call_id: Some(Cow::Borrowed(parent)),
            ..call
        },
        None => call,
    }
}

/// What the end of a step says: that the caller left a message, where it was recorded.
pub fn of_step(form: &Form) -> Option<Report<'_>> {
    (form.said("DialCallStatus").is_none() && is_recorded(form)).then(|| Report::of(Progress::Voicemail))
}

/// What a recording's own callback says.
pub fn of_recording(form: &Form) -> Report<'_> {
    let is_complete = form.said("RecordingStatus").is_none_or(|status| status == "completed");
    Report {
        progress: if is_complete && is_recorded(form) { Progress::Voicemail } else { Progress::Other },
        at_ms: form.said("RecordingStartTime").and_then(instant::of_text),
        ..Report::default()
    }
}

/// How far a call is that has one of the statuses of [`twiml_form::status`].
fn progress(status: &str) -> Progress {
    match status {
        "ringing" => Progress::Ringing,
        "in-progress" | "answered" => Progress::Answered,
        "completed" => Progress::Ended(End::Completed),
        "busy" => Progress::Ended(End::Busy),
        "no-answer" => Progress::Ended(End::NoAnswer),
        "canceled" => Progress::Ended(End::Canceled),
        "failed" => Progress::Ended(End::Failed),
        _ => Progress::Other,
    }
}

/// A recording that holds nothing is no message.
fn is_recorded(form: &Form) -> bool {
    let length_ms = form.said("RecordingDuration").and_then(|text| decimal::millis(text, SECOND_MS));
    form.said("RecordingUrl").is_some() && length_ms != Some(0)
}

/// The call for which this leg was dialled.
fn parent(form: &Form) -> Option<&str> {
    form.said("ParentCallSid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn each_status_is_a_step_forward_or_an_end() {
        for (status, expected) in [
            ("queued", Progress::Other),
            ("initiated", Progress::Other),
            ("ringing", Progress::Ringing),
            ("in-progress", Progress::Answered),
            ("answered", Progress::Answered),
            ("completed", Progress::Ended(End::Completed)),
            ("busy", Progress::Ended(End::Busy)),
            ("failed", Progress::Ended(End::Failed)),
            ("no-answer", Progress::Ended(End::NoAnswer)),
            ("canceled", Progress::Ended(End::Canceled)),
            ("brand-new", Progress::Other),
        ] {
            let form = form(&format!("CallStatus={status}"));
            assert_eq!(of_status(&form), Report::of(expected), "{status}");
        }
    }

    #[test]
    fn odd_values_are_kept_or_left_out() {
        let check = |text: &str, expected: (Option<i64>, Option<i64>, Option<&str>)| {
            let form = form(text);
            let report = of_status(&form);
            assert_eq!((report.at_ms, report.duration_ms, report.reason.as_deref()), expected, "{text}");
        };
        check("CallDuration=-4&Timestamp=x&SipResponseCode=200", (None, Some(-4_000), None));
        check("CallDuration=9999999999&SipResponseCode=486", (None, Some(9_999_999_999_000), Some("486")));
        check("CallDuration=soon&HangupCause=user_busy&SipResultCode=1", (None, None, Some("user_busy")));
        check("CallDuration=&Timestamp=2026-11-20T18%3A14%3A27Z", (Some(1_795_198_467_000), None, None));
    }

    #[test]
    fn a_dialled_leg_is_not_its_callers_call() {
        let check = |text: &str, expected: [&str; 3], is_outbound: bool| {
            let form = form(text);
            let call = leg(twiml_form::call("CallSid", &form).unwrap(), &form);
            let parent = call.carrier_call_id.as_deref().unwrap_or_default();
            assert_eq!([&*call.call_id, &*call.to, parent], expected, "{text}");
            assert_eq!(of_status(&form).is_outbound, is_outbound, "{text}");
        };
        check("CallSid=c&To=t&From=f", ["c", "t", ""], false);
        check("CallSid=c&To=t&From=f&Direction=inbound", ["c", "t", ""], false);
        check("CallSid=c&To=t&From=f&Direction=outbound-api", ["c", "t", ""], true);
        check("CallSid=c&To=t&From=f&ParentCallSid=p&Direction=outbound-dial", ["c", "", "p"], true);
    }

    #[test]
    fn a_message_is_one_when_something_was_recorded() {
        for (text, is_message) in [
            ("RecordingUrl=u&RecordingDuration=5", true),
            ("RecordingUrl=u", true),
            ("RecordingUrl=u&RecordingDuration=-1", true),
            ("RecordingUrl=u&RecordingDuration=0", false),
            ("RecordingUrl=&RecordingDuration=5", false),
            ("RecordingDuration=5", false),
        ] {
            let form = form(text);
            let expected = is_message.then(|| Report::of(Progress::Voicemail));
            assert_eq!(of_step(&form), expected, "{text}");
            assert_eq!(of_recording(&form), expected.unwrap_or_default(), "{text}");
        }
        assert_eq!(of_step(&form("DialCallStatus=completed&RecordingUrl=u")), None);
        let absent = form("RecordingUrl=u&RecordingStatus=absent");
        assert_eq!(of_recording(&absent).progress, Progress::Other);
    }
}
