//! What Bland tells of a call, once it is over. The body is read once more for it.
//!
//! Source: <https://docs.bland.ai/api-v1/get/calls-id>, whose fields the webhook has.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::json_text::optional;
use crate::provider::request::WebhookRequest;
use crate::provider::{decimal, instant};

const MINUTE_MS: i64 = 60_000;

#[derive(Deserialize, Default)]
struct Facts<'a> {
    #[serde(borrow)]
    end_at: Option<&'a RawValue>,
    #[serde(borrow)]
    call_length: Option<&'a RawValue>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    #[serde(borrow)]
    error_message: Option<&'a RawValue>,
    #[serde(borrow)]
    call_ended_by: Option<&'a RawValue>,
}

/// What a body says whose call has this status.
pub fn of_call<'r>(request: &'r WebhookRequest<'_>, status: &str, is_outbound: bool) -> Report<'r> {
    let facts = request.json::<Facts<'r>>().unwrap_or_default();
    let minutes = decimal::in_json(facts.call_length);
    let amount = decimal::in_json(facts.price);
    Report {
        progress: Progress::Ended(end(status)),
        at_ms: instant::in_json(facts.end_at),
        duration_ms: minutes.and_then(|minutes| decimal::millis(&minutes, MINUTE_MS)),
        reason: optional(facts.error_message).or_else(|| optional(facts.call_ended_by)),
        cost: amount.map(|amount| Cost { amount, currency: "USD".into(), stages: Vec::new() }),
        is_outbound,
    }
}

fn end(status: &str) -> End {
    match status {
        "completed" => End::Completed,
        "busy" => End::Busy,
        "no-answer" => End::NoAnswer,
        "canceled" => End::Canceled,
        _ => End::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::bland::Bland;
    use crate::provider::signed;

    /// Calls `check` with what the end of a call tells.
    fn with_told(fields: &str, check: impl FnOnce(&Report<'_>)) {
        let body = format!(r#"{{"call_id":"c","to":"14155550181","completed":true{fields}}}"#);
        let kind = signed::kind(&Bland, "post-call");
        signed::with_report(&Bland, kind, "application/json", &body, |_, report| check(report));
    }

    #[test]
    fn each_status_is_an_end() {
        for (fields, expected) in [
            ("", End::Completed),
            (r#","status":"completed""#, End::Completed),
            (r#","status":"busy""#, End::Busy),
            (r#","status":"no-answer""#, End::NoAnswer),
            (r#","status":"canceled""#, End::Canceled),
            (r#","status":"failed""#, End::Failed),
            (r#","status":"unknown""#, End::Failed),
            (r#","status":"brand-new""#, End::Failed),
        ] {
            let expected = Report::of(Progress::Ended(expected));
            with_told(fields, |report| assert_eq!(*report, expected, "{fields}"));
        }
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |fields: &str, expected: (Option<i64>, Option<&str>, Option<&str>)| {
            with_told(fields, |report| {
                let amount = report.cost.as_ref().map(|cost| &*cost.amount);
                assert_eq!((report.duration_ms, amount, report.reason.as_deref()), expected, "{fields}");
            });
        };
        check(
            r#","call_length":-0.5,"price":-1,"call_ended_by":"USER""#,
            (Some(-30_000), Some("-1"), Some("USER")),
        );
        check(r#","call_length":1e9,"price":"0.120","error_message":null"#, (None, Some("0.120"), None));
        check(r#","call_length":9999999999,"price":{}"#, (Some(599_999_999_940_000), None, None));
        check(r#","price":1,"price":2,"end_at":7"#, (None, None, None));
    }
}
