//! What Retell tells of a call. The body is read once more for it, of those events alone that tell something.
//!
//! Sources: <https://docs.retellai.com/features/webhook-overview>, and the call of
//! <https://docs.retellai.com/api-references/get-call>.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::json_text::optional;
use crate::provider::request::WebhookRequest;
use crate::provider::{cost_stages, decimal, instant};

#[derive(Deserialize, Default)]
struct Body<'a> {
    #[serde(borrow)]
    event_timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    call: Facts<'a>,
}

#[derive(Deserialize, Default)]
struct Facts<'a> {
    #[serde(borrow)]
    call_status: Option<&'a RawValue>,
    #[serde(borrow)]
    start_timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    end_timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    duration_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    disconnection_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    call_cost: Option<&'a RawValue>,
}

/// Amounts in cents.
#[derive(Deserialize)]
struct CallCost<'a> {
    #[serde(borrow)]
    combined_cost: Option<&'a RawValue>,
    #[serde(borrow)]
    product_costs: Option<&'a RawValue>,
}

/// What was charged for a part of a call, such as `elevenlabs_tts`.
#[derive(Deserialize)]
struct ProductCost<'a> {
    #[serde(borrow)]
    product: Option<&'a RawValue>,
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
}

/// What the event of this name says.
pub fn of<'r>(request: &'r WebhookRequest<'_>, event: &str) -> Report<'r> {
    if !matches!(event, "call_started" | "call_ended" | "call_analyzed" | "transfer_bridged") {
        return Report::default();
    }
    let body = request.json::<Body<'r>>().unwrap_or_default();
    let told_at = instant::of_millis(body.event_timestamp);
    match event {
        "call_started" => Report {
            at_ms: instant::of_millis(body.call.start_timestamp).or(told_at),
            ..Report::of(Progress::Answered)
        },
        "transfer_bridged" => Report { at_ms: told_at, ..Report::of(Progress::Transferred) },
        _ => body.call.end(told_at),
    }
}

impl<'a> Facts<'a> {
    /// A call that is analysed is over, too: should the event of its end be lost, this one says the same.
    fn end(self, told_at: Option<i64>) -> Report<'a> {
        let reason = optional(self.disconnection_reason);
        let [started_at, ended_at] = [self.start_timestamp, self.end_timestamp].map(instant::of_millis);
        let lasted = || ended_at?.checked_sub(started_at?);
        let duration = decimal::in_json(self.duration_ms).and_then(|text| decimal::millis(&text, 1));
        Report {
            progress: Progress::Ended(end(reason.as_deref(), optional(self.call_status).as_deref())),
            at_ms: ended_at.or(told_at),
            duration_ms: duration.or_else(lasted),
            reason,
            cost: self.call_cost.and_then(cost),
            is_outbound: false,
        }
    }
}

fn cost<'a>(raw: &'a RawValue) -> Option<Cost<'a>> {
    let cost: CallCost<'a> = serde_json::from_str(raw.get()).ok()?;
    let in_dollars = |raw| Some(Cow::Owned(decimal::hundredth(&decimal::in_json(raw)?)));
    let products = cost_stages::parts::<ProductCost<'a>>(cost.product_costs);
    let stage = |product: ProductCost<'a>| cost_stages::stage(product.product, in_dollars(product.cost));
    Some(Cost {
        amount: in_dollars(cost.combined_cost)?,
        currency: "USD".into(),
        stages: products.into_iter().filter_map(stage).collect(),
    })
}

/// How a call ended of which Retell says this.
/// Source: <https://docs.retellai.com/reliability/debug-call-disconnect>.
fn end(reason: Option<&str>, status: Option<&str>) -> End {
    const FAULTS: [&str; 6] = ["error", "fail", "invalid", "unavailable", "denied", "limit_reached"];
    match (reason, status) {
        (Some("dial_busy" | "user_declined"), _) => End::Busy,
        (Some("dial_no_answer" | "registered_call_timeout"), _) => End::NoAnswer,
        (Some(reason), _) if FAULTS.iter().any(|fault| reason.contains(fault)) => End::Failed,
        (None, Some("error" | "not_connected")) => End::Failed,
        _ => End::Completed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::retell::Retell;
    use crate::provider::signed;

    /// Calls `check` with what an event tells whose call has these fields.
    fn with_told(event: &str, fields: &str, check: impl FnOnce(&Report<'_>)) {
        let body = format!(r#"{{"event":"{event}","event_timestamp":17,"call":{{"call_id":"c"{fields}}}}}"#);
        let kind = signed::kind(&Retell, "events");
        signed::with_report(&Retell, kind, "application/json", &body, |call, report| {
            assert_eq!(call.map(|call| (&*call.call_id, call.names_number())), Some(("c", false)), "{body}");
            check(report);
        });
    }

    #[test]
    fn each_event_has_its_progress() {
        for (event, expected) in [
            ("call_started", Progress::Answered),
            ("transfer_bridged", Progress::Transferred),
            ("call_ended", Progress::Ended(End::Completed)),
            ("call_analyzed", Progress::Ended(End::Completed)),
        ] {
            with_told(event, "", |report| {
                assert_eq!(*report, Report { at_ms: Some(17), ..Report::of(expected) }, "{event}");
            });
        }
        for event in ["transcript_updated", "transfer_started", "transfer_cancelled", "brand_new"] {
            with_told(event, "", |report| assert_eq!(*report, Report::default(), "{event}"));
        }
    }

    #[test]
    fn each_reason_is_an_end() {
        for (reason, expected) in [
            ("user_hangup", End::Completed),
            ("call_transfer", End::Completed),
            ("max_duration_reached", End::Completed),
            ("dial_busy", End::Busy),
            ("dial_no_answer", End::NoAnswer),
            ("dial_failed", End::Failed),
            ("concurrency_limit_reached", End::Failed),
            ("error_llm_websocket_open", End::Failed),
            ("telephony_provider_unavailable", End::Failed),
            ("brand_new", End::Completed),
        ] {
            assert_eq!(end(Some(reason), Some("ended")), expected, "{reason}");
        }
        assert_eq!(end(None, Some("not_connected")), End::Failed);
    }

    #[test]
    fn cents_are_told_in_dollars() {
        let fields = r#","call_cost":{"combined_cost":70.5,"product_costs":[{"product":"elevenlabs_tts","cost":60},
            {"product":"gpt_4o","cost":10.5,"unit_price":1},{"product":7,"cost":1},{"product":"x","cost":1e3}]}"#;
        with_told("call_analyzed", fields, |report| {
            let cost = report.cost.as_ref().unwrap();
            assert_eq!((&*cost.amount, &*cost.currency), ("0.705", "USD"));
            let stages: Vec<_> = cost.stages.iter().map(|(name, amount)| (&**name, &**amount)).collect();
            assert_eq!(stages, [("elevenlabs_tts", "0.60"), ("gpt_4o", "0.105")]);
        });
        for fields in [r#","call_cost":{}"#, r#","call_cost":7"#, r#","call_cost":{"combined_cost":"free"}"#]
        {
            with_told("call_ended", fields, |report| assert_eq!(report.cost, None, "{fields}"));
        }
    }

    #[test]
    fn odd_values_are_kept_or_left_out_and_never_refused() {
        let check = |fields: &str, expected: (Option<i64>, Option<i64>)| {
            with_told("call_ended", fields, |report| {
                assert_eq!((report.at_ms, report.duration_ms), expected, "{fields}");
            });
        };
        check(
            r#","duration_ms":-64000,"end_timestamp":1793534399000"#,
            (Some(1_793_534_399_000), Some(-64_000)),
        );
        check(r#","start_timestamp":5,"end_timestamp":3"#, (Some(3), Some(-2)));
        check(r#","duration_ms":"long","end_timestamp":{}"#, (Some(17), None));
        check(r#","duration_ms":99999999999999999999"#, (Some(17), None));
        check(r#","duration_ms":1,"duration_ms":2"#, (None, None));
    }
}
