//! What Vonage tells of a leg. The body is read once more for it.
//!
//! Source: <https://developer.vonage.com/en/voice/voice-api/webhook-reference>.

use std::borrow::Cow;

use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::decimal::{self, SECOND_MS};
use crate::provider::instant;
use crate::provider::json_text::optional;
use crate::provider::request::{Content, WebhookRequest};

#[derive(Deserialize, Default)]
struct Body<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    end_time: Option<&'a RawValue>,
    #[serde(borrow)]
    duration: Option<&'a RawValue>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

/// The same, whichever way it came.
#[derive(Default)]
struct Facts<'a> {
    timestamp: Option<Cow<'a, str>>,
    end_time: Option<Cow<'a, str>>,
    duration: Option<Cow<'a, str>>,
    price: Option<Cow<'a, str>>,
    reason: Option<Cow<'a, str>>,
}

/// What a request with this status says; absent where it has none.
pub fn of<'r>(request: &'r WebhookRequest<'_>, status: Option<&str>) -> Report<'r> {
    let progress = progress(status);
    let facts = Facts::of(request);
    let told_at = facts.timestamp.as_deref().and_then(instant::of_text);
    let Progress::Ended(_) = progress else {
        return Report { at_ms: told_at, ..Report::of(progress) };
    };
    let amount = facts.price.and_then(decimal::plain);
    Report {
        at_ms: facts.end_time.as_deref().and_then(instant::of_text).or(told_at),
        duration_ms: facts.duration.and_then(|seconds| decimal::millis(&seconds, SECOND_MS)),
        reason: facts.reason,
        cost: amount.map(|amount| Cost { amount, currency: "EUR".into(), stages: Vec::new() }),
        ..Report::of(progress)
    }
}

/// A message was recorded.
pub fn of_recording<'r>(request: &'r WebhookRequest<'_>) -> Report<'r> {
    let told_at = Facts::of(request).timestamp;
    Report { at_ms: told_at.as_deref().and_then(instant::of_text), ..Report::of(Progress::Voicemail) }
}

/// How far a leg is. `disconnected` is a socket's: the call goes on.
fn progress(status: Option<&str>) -> Progress {
    match status {
        Some("ringing") => Progress::Ringing,
        Some("answered") => Progress::Answered,
        Some("completed") => Progress::Ended(End::Completed),
        Some("busy" | "rejected") => Progress::Ended(End::Busy),
        Some("timeout" | "unanswered") => Progress::Ended(End::NoAnswer),
        Some("cancelled") => Progress::Ended(End::Canceled),
        Some("failed") => Progress::Ended(End::Failed),
        _ => Progress::Other,
    }
}

impl<'r> Facts<'r> {
    fn of(request: &'r WebhookRequest<'_>) -> Self {
        if request.method == Method::GET || request.content == Content::Form {
            let value = |name| request.form.said(name).map(Cow::Borrowed);
            return Self {
                timestamp: value("timestamp"),
                end_time: value("end_time"),
                duration: value("duration"),
                price: value("price"),
                reason: value("reason").or_else(|| value("detail")),
            };
        }
        let body = request.json::<Body<'r>>().unwrap_or_default();
        Self {
            timestamp: optional(body.timestamp),
            end_time: optional(body.end_time),
            duration: decimal::in_json(body.duration),
            price: decimal::in_json(body.price),
            reason: optional(body.reason).or_else(|| optional(body.detail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::signed;
    use crate::provider::vonage::Vonage;

    /// Calls `check` with what an event of a leg tells.
    fn with_told(fields: &str, check: impl FnOnce(&Report<'_>)) {
        let body = format!(r#"{{"uuid":"u","to":"442079460958"{fields}}}"#);
        let kind = signed::kind(&Vonage, "status");
        signed::with_report(&Vonage, kind, "application/json", &body, |_, report| check(report));
    }

    #[test]
    fn each_status_has_its_progress() {
        for (status, expected) in [
            ("started", Progress::Other),
            ("ringing", Progress::Ringing),
            ("answered", Progress::Answered),
            ("completed", Progress::Ended(End::Completed)),
            ("busy", Progress::Ended(End::Busy)),
            ("rejected", Progress::Ended(End::Busy)),
            ("timeout", Progress::Ended(End::NoAnswer)),
            ("unanswered", Progress::Ended(End::NoAnswer)),
            ("cancelled", Progress::Ended(End::Canceled)),
            ("failed", Progress::Ended(End::Failed)),
            ("disconnected", Progress::Other),
            ("machine", Progress::Other),
            ("brand-new", Progress::Other),
        ] {
            with_told(&format!(r#","status":"{status}""#), |report| {
                assert_eq!(*report, Report::of(expected), "{status}");
            });
        }
        with_told(r#","recording_url":"https://r.example/1""#, |report| {
            assert_eq!(report.progress, Progress::Other, "a recording that isn't a message of ours");
        });
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |fields: &str, expected: (Option<i64>, Option<i64>, Option<&str>)| {
            with_told(&format!(r#","status":"completed"{fields}"#), |report| {
                let amount = report.cost.as_ref().map(|cost| &*cost.amount);
                assert_eq!(report.progress, Progress::Ended(End::Completed), "{fields}");
                assert_eq!((report.at_ms, report.duration_ms, amount), expected, "{fields}");
            });
        };
        check(r#","duration":37,"price":0.5"#, (None, Some(37_000), Some("0.5")));
        check(r#","duration":"-37","price":"-1","start_time":null"#, (None, Some(-37_000), Some("-1")));
        check(r#","duration":"long","price":"free","end_time":[],"timestamp":7"#, (None, None, None));
        check(
            r#","end_time":null,"timestamp":"2026-11-20T18:14:27Z""#,
            (Some(1_795_198_467_000), None, None),
        );
        check(r#","price":1,"price":2"#, (None, None, None));
    }
}
