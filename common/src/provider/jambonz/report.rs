//! What jambonz tells of a call. The body is read once more for it.
//!
//! Source: `lib/session/call-info.js` in <https://github.com/jambonz/jambonz-feature-server> 0.9.8.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::call::InboundCall;
use crate::calls::report::{End, Progress, Report};
use crate::provider::decimal::{self, SECOND_MS};
use crate::provider::json_text::optional;
use crate::provider::request::WebhookRequest;

#[derive(Deserialize, Default)]
struct Facts<'a> {
    #[serde(borrow)]
    duration: Option<&'a RawValue>,
    #[serde(borrow)]
    sip_status: Option<&'a RawValue>,
    #[serde(borrow)]
    sip_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    call_termination_by: Option<&'a RawValue>,
    #[serde(borrow)]
    parent_call_sid: Option<&'a RawValue>,
}

/// What an event of this status says, and the call that it is about: one that jambonz made, most often a leg that was
/// dialled for another call, has no number of ours. jambonz tells no time.
pub fn of_status<'r>(
    request: &'r WebhookRequest<'_>,
    status: &str,
    call: InboundCall<'r>,
    is_outbound: bool,
) -> (InboundCall<'r>, Report<'r>) {
    let facts = request.json::<Facts<'r>>().unwrap_or_default();
    let is_canceled = decimal::in_json(facts.sip_status).as_deref() == Some(REQUEST_TERMINATED);
    let progress = progress(status, is_canceled);
    let parent = optional(facts.parent_call_sid);
    let call = match is_outbound {
        true => InboundCall { carrier_call_id: parent, ..InboundCall::unnumbered(call.call_id) },
        false => call,
    };
    let Progress::Ended(end) = progress else {
        return (call, Report { is_outbound, ..Report::of(progress) });
    };
    let duration = decimal::in_json(facts.duration);
    let report = Report {
        duration_ms: duration.and_then(|seconds| decimal::millis(&seconds, SECOND_MS)),
        reason: reason(end, optional(facts.call_termination_by), optional(facts.sip_reason)),
        is_outbound,
        ..Report::of(progress)
    };
    (call, report)
}

/// The SIP status of a call whose caller gave up.
const REQUEST_TERMINATED: &str = "487";

fn progress(status: &str, is_canceled: bool) -> Progress {
    match status {
        "ringing" | "early-media" => Progress::Ringing,
        "in-progress" => Progress::Answered,
        "completed" => Progress::Ended(End::Completed),
        "busy" => Progress::Ended(End::Busy),
        "failed" | "no-answer" if is_canceled => Progress::Ended(End::Canceled),
        "no-answer" => Progress::Ended(End::NoAnswer),
        "failed" => Progress::Ended(End::Failed),
        _ => Progress::Other,
    }
}

/// Who ended a conversation (`caller`), or why there was none (`Busy Here`).
fn reason<'r>(end: End, ended_by: Option<Cow<'r, str>>, sip: Option<Cow<'r, str>>) -> Option<Cow<'r, str>> {
    if end == End::Completed { ended_by } else { sip.or(ended_by) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::jambonz::Jambonz;
    use crate::provider::signed;

    /// Calls `check` with what an event tells.
    fn with_told(fields: &str, check: impl FnOnce(&InboundCall<'_>, &Report<'_>)) {
        let body = format!(r#"{{"call_sid":"c","account_sid":"a","to":"14155550165","from":"1"{fields}}}"#);
        let kind = signed::kind(&Jambonz, "status");
        signed::with_report(&Jambonz, kind, "application/json", &body, |call, report| {
            check(call.unwrap(), report);
        });
    }

    #[test]
    fn each_status_has_its_progress() {
        for (status, sip_status, expected) in [
            ("trying", 100, Progress::Other),
            ("ringing", 180, Progress::Ringing),
            ("early-media", 183, Progress::Ringing),
            ("in-progress", 200, Progress::Answered),
            ("completed", 200, Progress::Ended(End::Completed)),
            ("busy", 486, Progress::Ended(End::Busy)),
            ("no-answer", 480, Progress::Ended(End::NoAnswer)),
            ("no-answer", 487, Progress::Ended(End::Canceled)),
            ("failed", 404, Progress::Ended(End::Failed)),
            ("failed", 487, Progress::Ended(End::Canceled)),
            ("brand-new", 200, Progress::Other),
        ] {
            let fields = format!(r#","call_status":"{status}","sip_status":{sip_status}"#);
            with_told(&fields, |_, report| assert_eq!(*report, Report::of(expected), "{fields}"));
        }
    }

    #[test]
    fn a_dialled_leg_is_not_its_callers_call() {
        let fields = r#","call_status":"completed","direction":"outbound","parent_call_sid":"p""#;
        with_told(fields, |call, report| {
            let found = [&*call.call_id, &*call.to, &*call.from, call.carrier_call_id.as_deref().unwrap()];
            assert_eq!((found, report.is_outbound), (["c", "", "", "p"], true));
            assert_eq!(report.progress, Progress::Ended(End::Completed));
        });
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |fields: &str, expected: (Option<i64>, Option<&str>)| {
            with_told(&format!(r#","call_status":"completed"{fields}"#), |_, report| {
                assert_eq!((report.duration_ms, report.reason.as_deref()), expected, "{fields}");
                assert_eq!(report.progress, Progress::Ended(End::Completed));
            });
        };
        check(r#","duration":-3,"call_termination_by":"callee""#, (Some(-3_000), Some("callee")));
        check(r#","duration":9999999999,"call_termination_by":7"#, (Some(9_999_999_999_000), None));
        check(r#","duration":"x","sip_reason":"OK","parent_call_sid":[1]"#, (None, None));
        check(r#","duration":1,"duration":2"#, (None, None));
        with_told(r#","call_status":"busy","sip_reason":"Busy Here""#, |_, report| {
            assert_eq!(report.reason.as_deref(), Some("Busy Here"));
        });
    }
}
