//! Twilio's parameters. The set is open: unknown ones are passed over, and no more is required than is needed.

use std::borrow::Cow;

use serde::Deserialize;

use crate::call::InboundCall;
use crate::provider::event::{Event, StepEnd};
use crate::provider::request::{Content, ParseError, WebhookRequest};
use crate::provider::{Claim, twiml_form, twiml_report};

/// The parameters of a JSON body, for stream events and for accounts that allow unsigned requests.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    #[serde(borrow)]
    account_sid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    call_sid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
}

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    match json(request) {
        Ok(Some(body)) => Claim { external_id: body.account_sid, to: body.to },
        Ok(None) => Claim {
            external_id: request.form.get("AccountSid").map(Cow::Borrowed),
            to: twiml_form::to(&request.form).map(Cow::Borrowed),
        },
        Err(_) => Claim::default(),
    }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    Ok(match kind {
        "after" => Event::After(StepEnd {
            call: call("CallSid", request)?,
            result: twiml_form::step_result(&request.form),
            state: request.query_value("s").map(Cow::Owned),
            report: twiml_report::of_step(&request.form),
        }),
        "status" => Event::Status {
            call: Some(twiml_report::leg(call("CallSid", request)?, &request.form)),
            status: twiml_form::status(&request.form),
            report: twiml_report::of_status(&request.form),
        },
        "recording" if request.form.get("RecordingSid").is_none() => {
            return Err(ParseError::Missing("RecordingSid"));
        }
        "recording" => Event::Status {
            call: recorded(request),
            status: "recording",
            report: twiml_report::of_recording(&request.form),
        },
        "sms" => Event::Message(twiml_form::message(call("MessageSid", request)?, &request.form)),
        _ => Event::Call(call("CallSid", request)?),
    })
}

/// The call that a recording is of. The callback doesn't say between which numbers.
fn recorded<'r>(request: &'r WebhookRequest<'_>) -> Option<InboundCall<'r>> {
    let call_id = request.form.said("CallSid")?;
    Some(InboundCall::unnumbered(Cow::Borrowed(call_id)))
}

fn call<'r>(id: &'static str, request: &'r WebhookRequest<'_>) -> Result<InboundCall<'r>, ParseError> {
    let Some(body) = json(request)? else { return twiml_form::call(id, &request.form) };
    Ok(InboundCall {
        call_id: twiml_form::wanted(body.call_sid, id)?,
        to: twiml_form::wanted(body.to, "To")?,
        from: body.from.unwrap_or_default(),
        number_id: None,
        carrier_call_id: None,
        context: Cow::Borrowed(""),
    })
}

/// The JSON body, where there is one.
fn json<'r>(request: &'r WebhookRequest<'_>) -> Result<Option<Body<'r>>, ParseError> {
    let is_json = request.method != http::Method::GET && request.content == Content::Json;
    if is_json { request.json().map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::request::WebhookRequest;
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue, Method};

    #[test]
    fn a_recordings_callback_names_it() {
        let check = |body: &str, expected: Option<ParseError>| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            let (method, target) = (Method::POST, "/webhooks/twilio/recording");
            let request = WebhookRequest::new(&method, target, &headers, body.as_bytes(), &[]).unwrap();
            assert_eq!(event("recording", &request).err(), expected, "{body}");
        };
        check("AccountSid=AC1&CallSid=CA1&RecordingSid=RE1&RecordingStatus=completed", None);
        check("CallUUID=1&From=1&To=2", Some(ParseError::Missing("RecordingSid")));
    }
}
