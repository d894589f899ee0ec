//! What ElevenLabs tells of a call when it is over, or never came about.
//!
//! Source: <https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks>.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::call::InboundCall;
use crate::calls::report::{End, Progress, Report};
use crate::provider::decimal::{self, SECOND_MS};
use crate::provider::instant;
use crate::provider::json_text::optional;

#[derive(Deserialize, Default)]
struct Conversation<'a> {
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Facts<'a>,
}

#[derive(Deserialize, Default)]
struct Facts<'a> {
    #[serde(borrow)]
    start_time_unix_secs: Option<&'a RawValue>,
    #[serde(borrow)]
    call_duration_secs: Option<&'a RawValue>,
    #[serde(borrow)]
    termination_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    phone_call: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PhoneCall<'a> {
    #[serde(borrow)]
    direction: Option<&'a RawValue>,
}

/// A conversation is over. `cost` is in credits, which are no money, and isn't told.
pub fn of_conversation<'a>(data: &'a RawValue, told_at: Option<i64>) -> Report<'a> {
    let conversation: Conversation<'a> = serde_json::from_str(data.get()).unwrap_or_default();
    let facts = conversation.metadata;
    let duration = decimal::in_json(facts.call_duration_secs);
    let duration_ms = duration.and_then(|seconds| decimal::millis(&seconds, SECOND_MS));
    let began_at = instant::of_seconds(facts.start_time_unix_secs);
    let has_failed = optional(conversation.status).as_deref() == Some("failed");
    let phone_call = facts.phone_call.and_then(|raw| serde_json::from_str::<PhoneCall<'a>>(raw.get()).ok());
    Report {
        progress: Progress::Ended(if has_failed { End::Failed } else { End::Completed }),
        at_ms: began_at.zip(duration_ms).and_then(|(at, lasted)| at.checked_add(lasted)).or(told_at),
        duration_ms,
        reason: optional(facts.termination_reason),
        cost: None,
        is_outbound: phone_call.is_some_and(|call| is_outbound(call.direction)),
    }
}

#[derive(Deserialize, Default)]
struct Failure<'a> {
    #[serde(borrow)]
    conversation_id: Option<&'a RawValue>,
    #[serde(borrow)]
    failure_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Attempt<'a> {
    #[serde(borrow, default)]
    body: AttemptBody<'a>,
}

/// What the carrier said: Twilio in its own names, SIP in others.
#[derive(Deserialize, Default)]
struct AttemptBody<'a> {
    #[serde(borrow, rename = "CallSid")]
    twilio_call_sid: Option<&'a RawValue>,
    #[serde(borrow)]
    call_sid: Option<&'a RawValue>,
    #[serde(borrow, rename = "Direction")]
    direction: Option<&'a RawValue>,
}

/// A call never came about. It is known by the carrier's id, as other calls are; nothing says which number was called.
pub fn of_failure<'a>(data: &'a RawValue, told_at: Option<i64>) -> (Option<InboundCall<'a>>, Report<'a>) {
    let failure: Failure<'a> = serde_json::from_str(data.get()).unwrap_or_default();
    let attempt = failure.metadata.and_then(|raw| serde_json::from_str::<Attempt<'a>>(raw.get()).ok());
    let said = attempt.unwrap_or_default().body;
    let carrier_call_id = optional(said.twilio_call_sid).or_else(|| optional(said.call_sid));
    let call_id = carrier_call_id.clone().or_else(|| optional(failure.conversation_id));
    let reason = optional(failure.failure_reason);
    let report = Report {
        at_ms: told_at,
        is_outbound: is_outbound(said.direction),
        reason: reason.clone(),
        ..Report::of(Progress::Ended(end(reason)))
    };
    (call_id.map(|id| InboundCall { carrier_call_id, ..InboundCall::unnumbered(id) }), report)
}

fn end(reason: Option<Cow<'_, str>>) -> End {
    match reason.as_deref() {
        Some("busy") => End::Busy,
        Some("no-answer") => End::NoAnswer,
        _ => End::Failed,
    }
}

/// `outbound`, or one of Twilio's words that begin so.
fn is_outbound(direction: Option<&RawValue>) -> bool {
    optional(direction).is_some_and(|direction| direction.starts_with("outbound"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::elevenlabs::ElevenLabs;
    use crate::provider::signed;

    /// Calls `check` with the call that an event is about, and what it tells.
    fn with_told(event: &str, data: &str, check: impl FnOnce(Option<&InboundCall<'_>>, &Report<'_>)) {
        let body = format!(r#"{{"type":"{event}","event_timestamp":1793534397,"data":{data}}}"#);
        let kind = signed::kind(&ElevenLabs, "post-call");
        signed::with_report(&ElevenLabs, kind, "application/json", &body, check);
    }

    const AT_MS: Option<i64> = Some(1_793_534_397_000);

    #[test]
    fn a_call_that_never_came_about_has_failed() {
        let check = |data: &str, id: Option<&str>, carriers: Option<&str>, end: End, is_outbound: bool| {
            with_told("call_initiation_failure", data, |call, report| {
                assert_eq!(call.map(|call| &*call.call_id), id, "{data}");
                assert_eq!(call.and_then(|call| call.carrier_call_id.as_deref()), carriers, "{data}");
                assert!(call.is_none_or(|call| !call.names_number()));
                let found = (report.progress, report.at_ms, report.is_outbound);
                assert_eq!(found, (Progress::Ended(end), AT_MS, is_outbound), "{data}");
            });
        };
        let twilio = r#"{"conversation_id":"conv_1","failure_reason":"busy","metadata":{"type":"twilio",
            "body":{"CallSid":"CA1","Direction":"outbound-api","CallStatus":"busy"}}}"#;
        check(twilio, Some("CA1"), Some("CA1"), End::Busy, true);
        let sip = r#"{"conversation_id":"conv_1","failure_reason":"no-answer","metadata":{"type":"sip",
            "body":{"sip_status_code":480,"call_sid":"s1"}}}"#;
        check(sip, Some("s1"), Some("s1"), End::NoAnswer, false);
        let bare = r#"{"conversation_id":"conv_1","failure_reason":"unknown"}"#;
        check(bare, Some("conv_1"), None, End::Failed, false);
        check(r#"{"failure_reason":7,"metadata":{"body":[]}}"#, None, None, End::Failed, false);
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |metadata: &str, expected: (Option<i64>, Option<i64>, bool)| {
            let phone_call = r#""phone_call":{"agent_number":"+1","call_sid":"CA1","direction":"outbound"}"#;
            let data = format!(r#"{{"status":"done","metadata":{{{phone_call}{metadata}}}}}"#);
            with_told("post_call_transcription", &data, |_, report| {
                assert_eq!((report.at_ms, report.duration_ms, report.is_outbound), expected, "{metadata}");
            });
        };
        check(r#","call_duration_secs":-5,"start_time_unix_secs":10"#, (Some(5_000), Some(-5_000), true));
        check(r#","call_duration_secs":9999999999"#, (AT_MS, Some(9_999_999_999_000), true));
        check(r#","call_duration_secs":"x","start_time_unix_secs":[]"#, (AT_MS, None, true));
        check(r#","call_duration_secs":1,"call_duration_secs":2"#, (AT_MS, None, false));
    }

    #[test]
    fn a_conversation_that_failed_is_told_as_such() {
        for (status, end) in [("failed", End::Failed), ("done", End::Completed), ("new", End::Completed)] {
            let data = format!(r#"{{"status":"{status}"}}"#);
            with_told("post_call_transcription", &data, |call, report| {
                assert_eq!((call, report.progress), (None, Progress::Ended(end)), "{status}");
            });
        }
    }
}
