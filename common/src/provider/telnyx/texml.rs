//! TeXML: forms in, documents out.
//!
//! Source: <https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs> and its pages on each verb.

use std::borrow::Cow;

use super::without_hyphens;
use crate::call::InboundCall;
use crate::provider::event::{Event, StepEnd};
use crate::provider::reply::{Rendered, Reply};
use crate::provider::request::{ParseError, WebhookRequest};
use crate::provider::twiml::{self, Dialect, StreamEnd};
use crate::provider::{Claim, twiml_form, twiml_report};

/// Without `bidirectionalMode="rtp"` an agent is heard only when it has finished. `{{…}}` in a document is replaced by
/// Telnyx. A recording has no silence limit and two channels unless told otherwise.
const TEXML: Dialect = Dialect {
    stream_end: StreamEnd::NextVerb,
    stream: " bidirectionalMode=\"rtp\" bidirectionalCodec=\"PCMU\"",
    record: " timeout=\"5\" channels=\"single\"",
    recording: None,
    timeout_s: 5..=120,
    addresses_max: 10,
    called_as_caller_id: true,
    braces_are_code: true,
};

pub fn claim<'r>(request: &'r WebhookRequest<'_>) -> Claim<'r> {
    Claim {
        external_id: request.form.get("ConnectionId").map(Cow::Borrowed),
        to: twiml_form::to(&request.form).map(|to| without_hyphens(Cow::Borrowed(to))),
    }
}

pub fn event<'r>(kind: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    let call = call(request)?;
    Ok(match kind {
        "after" => Event::After(StepEnd {
            call,
            result: twiml_form::step_result(&request.form),
            state: request.query_value("s").map(Cow::Owned),
            report: twiml_report::of_step(&request.form),
        }),
        "status" => Event::Status {
            call: Some(twiml_report::leg(call, &request.form)),
            status: twiml_form::status(&request.form),
            report: twiml_report::of_status(&request.form),
        },
        _ => Event::Call(call),
    })
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    twiml::reply(&TEXML, reply)
}

fn call<'r>(request: &'r WebhookRequest<'_>) -> Result<InboundCall<'r>, ParseError> {
    let call = twiml_form::call("CallSid", &request.form)?;
    Ok(InboundCall { to: without_hyphens(call.to), from: without_hyphens(call.from), ..call })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::reply::Action;
    use crate::provider::{samples, well_formed};
    use crate::route::{Dialable, Prompt};

    const AFTER: &str = "https://x.example/webhooks/telnyx/after/a1?s=1";

    fn check(action: Action<'_>, after_url: Option<&str>, expected: &str) {
        let rendered = samples::with_reply(action, after_url, reply);
        let body = std::str::from_utf8(&rendered.body).unwrap();
        well_formed::check(body);
        assert!(rendered.commands.is_empty());
        let body = body.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#).unwrap();
        assert_eq!(body.strip_suffix("</Response>").unwrap(), expected);
    }

    #[test]
    fn a_stream_is_live_and_the_next_verb_asks_what_follows() {
        let connect = "<Connect><Stream url=\"wss://voice.example/a\" bidirectionalMode=\"rtp\" \
             bidirectionalCodec=\"PCMU\">\
             <Parameter name=\"tenant_id\" value=\"00000000-0000-0000-0000-000000000001\"/>\
             <Parameter name=\"phone_number_id\" value=\"00000000-0000-0000-0000-000000000002\"/>\
             <Parameter name=\"call_id\" value=\"CA1\"/><Parameter name=\"from\" value=\"anonymous\"/>\
             <Parameter name=\"to\" value=\"+12125550001\"/></Stream></Connect>";
        check(Action::Stream("wss://voice.example/a"), None, connect);
        let expected = format!("{connect}<Redirect method=\"POST\">{AFTER}</Redirect>");
        check(Action::Stream("wss://voice.example/a"), Some(AFTER), &expected);
    }

    #[test]
    fn dials_show_the_called_number_and_keep_to_the_limits() {
        let to = [
            Dialable::Number("+12025550147".parse().unwrap()),
            Dialable::Sip("sip:desk@h;transport=tls".into()),
        ];
        let expected = |timeout: u16| {
            format!(
                "<Dial answerOnBridge=\"true\" timeout=\"{timeout}\" callerId=\"+12125550001\" method=\"POST\" \
                 action=\"{AFTER}\"><Number>+12025550147</Number><Sip>sip:desk@h;transport=tls</Sip></Dial>"
            )
        };
        check(Action::Dial { to: &to, timeout_s: 2 }, Some(AFTER), &expected(5));
        check(Action::Dial { to: &to, timeout_s: 600 }, Some(AFTER), &expected(120));
        check(
            Action::AgentSip("sip:a@voice.example"),
            None,
            "<Dial answerOnBridge=\"true\" timeout=\"20\" callerId=\"+12125550001\"><Sip>sip:a@voice.example?\
             x-tenant-id=00000000-0000-0000-0000-000000000001&amp;\
             x-phone-number-id=00000000-0000-0000-0000-000000000002&amp;x-call-id=CA1</Sip></Dial>",
        );
    }

    #[test]
    fn nobodys_text_becomes_a_template() {
        let say = Prompt::Say { text: "{{From}} {\u{0}{To}}} & {".into(), language: Some("{{x}}".into()) };
        check(Action::Message(&say), None, "<Say language=\"((x))\">((From)) ((To))) &amp; (</Say><Hangup/>");
        let play = Prompt::Play { url: "https://cdn.example/{{From}}.mp3".into() };
        check(Action::Message(&play), None, "<Play>https://cdn.example/%7B%7BFrom%7D%7D.mp3</Play><Hangup/>");
        let redirect = "<Redirect method=\"POST\">https://o.example/?a=%7B%7Bb%7D%7D</Redirect>";
        check(Action::Redirect("https://o.example/?a={{b}}"), None, redirect);
        let to = [Dialable::Sip("sip:{{From}}@h".into())];
        let rendered =
            samples::with_reply(Action::Dial { to: &to, timeout_s: 9 }, Some("https://x/{{To}}"), reply);
        assert!(!rendered.body.contains(&b'{'));
        let rendered = samples::with_reply(Action::Stream("wss://h/{{To}}"), None, reply);
        assert!(!rendered.body.contains(&b'{'));
        let rendered = samples::with_reply(Action::AgentSip("sip:{{a}}@h"), None, reply);
        assert!(!rendered.body.contains(&b'{'));
    }

    #[test]
    fn the_other_actions_are_as_in_twiml() {
        let say = Prompt::Say { text: "Leave a message".into(), language: None };
        check(
            Action::Voicemail { prompt: &say, length_max_s: 60 },
            Some(AFTER),
            "<Say>Leave a message</Say><Record playBeep=\"true\" finishOnKey=\"#\" maxLength=\"60\" timeout=\"5\" \
             channels=\"single\" method=\"POST\" action=\"https://x.example/webhooks/telnyx/after/a1?s=1\"/><Hangup/>",
        );
        check(Action::Reject { busy: false }, None, "<Reject/>");
        check(Action::Reject { busy: true }, None, "<Reject reason=\"busy\"/>");
        check(Action::Hangup, None, "<Hangup/>");
    }
}
