//! What the events of a telephone's participant tell of its call. The body is read once more for it.
//!
//! Source: `ParticipantInfo` and `DisconnectReason` of `livekit_models.proto` in <https://github.com/livekit/protocol>.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::calls::report::{End, Progress, Report};
use crate::provider::instant;
use crate::provider::json_text::optional;
use crate::provider::request::WebhookRequest;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    participant: Participant<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Participant<'a> {
    #[serde(borrow)]
    joined_at: Option<&'a RawValue>,
    #[serde(borrow)]
    disconnect_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attributes: Attributes<'a>,
}

#[derive(Deserialize, Default)]
struct Attributes<'a> {
    #[serde(borrow, rename = "sip.callStatus")]
    call_status: Option<&'a RawValue>,
}

/// What the event of this name says. How long a call lasted is from when it joined its room to when it left.
pub fn of<'r>(request: &'r WebhookRequest<'_>, event: &str) -> Report<'r> {
    let body = request.json::<Body<'r>>().unwrap_or_default();
    let Participant { joined_at, disconnect_reason, attributes } = body.participant;
    let (told_at, joined_at) = (instant::of_seconds(body.created_at), instant::of_seconds(joined_at));
    let reason = optional(disconnect_reason);
    let ended = |end| Report {
        at_ms: told_at,
        duration_ms: told_at.zip(joined_at).and_then(|(end, start)| end.checked_sub(start)),
        reason: reason.clone(),
        ..Report::of(Progress::Ended(end))
    };
    match event {
        "participant_joined" => {
            let progress = joined(optional(attributes.call_status).as_deref());
            Report { at_ms: joined_at.or(told_at), ..Report::of(progress) }
        }
        "participant_left" => ended(left(reason.as_deref())),
        "participant_connection_aborted" => ended(End::Failed),
        _ => Report::default(),
    }
}

/// A call that joins has been answered, unless LiveKit is still at it.
fn joined(call_status: Option<&str>) -> Progress {
    match call_status {
        Some("dialing" | "ringing") => Progress::Ringing,
        Some("hangup") => Progress::Other,
        _ => Progress::Answered,
    }
}

fn left(reason: Option<&str>) -> End {
    match reason {
        Some("USER_REJECTED") => End::Busy,
        Some("USER_UNAVAILABLE") => End::NoAnswer,
        Some(
            "SIP_TRUNK_FAILURE" | "CONNECTION_TIMEOUT" | "JOIN_FAILURE" | "MEDIA_FAILURE" | "STATE_MISMATCH",
        ) => End::Failed,
        _ => End::Completed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::livekit::LiveKit;
    use crate::provider::signed;

    /// Calls `check` with what an event of a participant with these fields tells, whose call has this status.
    fn with_told_of(event: &str, status: &str, fields: &str, check: impl FnOnce(&Report<'_>)) {
        let fields = format!(
            r#"{fields},"attributes":{{"sip.callID":"c","sip.ruleID":"r","sip.callStatus":{status}}}"#
        );
        let body = format!(
            r#"{{"event":"{event}","createdAt":"1793534398","participant":{{"kind":"SIP"{fields}}}}}"#
        );
        let kind = signed::kind(&LiveKit, "events");
        signed::with_report(&LiveKit, kind, "application/json", &body, |_, report| check(report));
    }

    fn with_told(event: &str, fields: &str, check: impl FnOnce(&Report<'_>)) {
        with_told_of(event, "null", fields, check);
    }

    const AT_MS: Option<i64> = Some(1_793_534_398_000);

    #[test]
    fn each_event_has_its_progress() {
        for (event, status, expected) in [
            ("participant_joined", r#""active""#, Progress::Answered),
            ("participant_joined", r#""ringing""#, Progress::Ringing),
            ("participant_joined", r#""dialing""#, Progress::Ringing),
            ("participant_joined", r#""hangup""#, Progress::Other),
            ("participant_joined", "7", Progress::Answered),
            ("participant_left", r#""active""#, Progress::Ended(End::Completed)),
            ("participant_connection_aborted", "null", Progress::Ended(End::Failed)),
        ] {
            let expected = Report { at_ms: AT_MS, ..Report::of(expected) };
            with_told_of(event, status, "", |report| assert_eq!(*report, expected, "{event} {status}"));
        }
        with_told("track_published", "", |report| assert_eq!(*report, Report::default()));
    }

    #[test]
    fn each_reason_is_an_end() {
        for (reason, end) in [
            ("CLIENT_INITIATED", End::Completed),
            ("ROOM_DELETED", End::Completed),
            ("USER_REJECTED", End::Busy),
            ("USER_UNAVAILABLE", End::NoAnswer),
            ("SIP_TRUNK_FAILURE", End::Failed),
            ("BRAND_NEW", End::Completed),
        ] {
            with_told("participant_left", &format!(r#","disconnectReason":"{reason}""#), |report| {
                assert_eq!(report.progress, Progress::Ended(end), "{reason}");
                assert_eq!(report.reason.as_deref(), Some(reason));
            });
        }
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |fields: &str, expected: (Option<i64>, Option<i64>)| {
            with_told("participant_left", fields, |report| {
                assert_eq!((report.at_ms, report.duration_ms), expected, "{fields}");
            });
        };
        check(r#","joinedAt":"1793534399""#, (AT_MS, Some(-1_000)));
        check(r#","joinedAt":0"#, (AT_MS, AT_MS));
        check(r#","joinedAt":"-9223372036854775808""#, (AT_MS, None));
        check(r#","joinedAt":[],"disconnectReason":3"#, (AT_MS, None));
        check(r#","joinedAt":1,"joinedAt":2"#, (None, None));
    }
}
