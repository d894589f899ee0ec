//! TwiML. Source: <https://www.twilio.com/docs/voice/twiml> and its pages on each verb.

use crate::provider::reply::{Rendered, Reply};
use crate::provider::twiml::{self, Dialect, StreamEnd};

const TWIML: Dialect = Dialect {
    stream_end: StreamEnd::Action,
    stream: "",
    record: "",
    recording: Some("recording"),
    timeout_s: 1..=600,
    addresses_max: usize::MAX,
    called_as_caller_id: false,
    braces_are_code: false,
};

/// Twilio reads a text message's answer as TwiML, and nothing of a status callback's.
pub fn acknowledgement(kind: &str) -> Rendered {
    match kind {
        "sms" => twiml::empty(),
        _ => Rendered::empty(204),
    }
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    twiml::reply(&TWIML, reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::reply::{Action, Refusal};
    use crate::provider::samples;
    use crate::provider::xml::MEDIA_TYPE;
    use crate::route::{Dialable, Prompt};

    fn check(action: Action<'_>, after_url: Option<&str>, expected: &str) {
        let rendered = samples::with_reply(action, after_url, reply);
        assert_eq!((rendered.status, rendered.content_type), (200, Some(MEDIA_TYPE)));
        let body = std::str::from_utf8(&rendered.body).unwrap();
        let body = body.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#).unwrap();
        assert_eq!(body.strip_suffix("</Response>").unwrap(), expected);
    }

    const IDS: &str = "x-tenant-id=00000000-0000-0000-0000-000000000001&amp;\
                       x-phone-number-id=00000000-0000-0000-0000-000000000002&amp;x-call-id=CA1";

    #[test]
    fn agents_are_reached_by_stream_sip_and_redirect() {
        check(
            Action::Stream("wss://voice.example/a?b=1&c=2"),
            Some("https://x.example/after?s=1"),
            "<Connect method=\"POST\" action=\"https://x.example/after?s=1\">\
             <Stream url=\"wss://voice.example/a?b=1&amp;c=2\">\
             <Parameter name=\"tenant_id\" value=\"00000000-0000-0000-0000-000000000001\"/>\
             <Parameter name=\"phone_number_id\" value=\"00000000-0000-0000-0000-000000000002\"/>\
             <Parameter name=\"call_id\" value=\"CA1\"/>\
             <Parameter name=\"from\" value=\"anonymous\"/>\
             <Parameter name=\"to\" value=\"+12125550001\"/></Stream></Connect>",
        );
        let expected = format!(
            "<Dial answerOnBridge=\"true\" timeout=\"20\"><Sip>sip:a@voice.example?{IDS}</Sip></Dial>"
        );
        check(Action::AgentSip("sip:a@voice.example"), None, &expected);
        let expected = format!(
            "<Dial answerOnBridge=\"true\" timeout=\"20\"><Sip>sip:a@voice.example?x-a=1&amp;{IDS}</Sip></Dial>"
        );
        check(Action::AgentSip("sip:a@voice.example?x-a=1"), None, &expected);
        check(
            Action::Redirect("https://a.example/?x=1&y=2"),
            None,
            "<Redirect method=\"POST\">https://a.example/?x=1&amp;y=2</Redirect>",
        );
    }

    #[test]
    fn one_or_several_ring_and_what_follows_is_asked() {
        let to = [
            Dialable::Number("+12025550147".parse().unwrap()),
            Dialable::Sip("sip:desk@h?x-a=1&x-b=2".into()),
        ];
        check(
            Action::Dial { to: &to, timeout_s: 15 },
            Some("https://x.example/after?s=1"),
            "<Dial answerOnBridge=\"true\" timeout=\"15\" method=\"POST\" action=\"https://x.example/after?s=1\">\
             <Number>+12025550147</Number><Sip>sip:desk@h?x-a=1&amp;x-b=2</Sip></Dial>",
        );
    }

    #[test]
    fn prompts_are_said_or_played() {
        let say =
            Prompt::Say { text: "Closed <today> & \"tomorrow\"".into(), language: Some("en-US".into()) };
        check(
            Action::Message(&say),
            None,
            "<Say language=\"en-US\">Closed &lt;today&gt; &amp; &quot;tomorrow&quot;</Say><Hangup/>",
        );
        let play = Prompt::Play { url: "https://cdn.example/a.mp3".into() };
        check(
            Action::Voicemail { prompt: &play, length_max_s: 120 },
            Some("https://x.example/webhooks/twilio/after/a1?s=1"),
            "<Play>https://cdn.example/a.mp3</Play><Record playBeep=\"true\" finishOnKey=\"#\" maxLength=\"120\" \
             method=\"POST\" action=\"https://x.example/webhooks/twilio/after/a1?s=1\" \
             recordingStatusCallback=\"https://x.example/webhooks/twilio/recording/a1\"/><Hangup/>",
        );
        check(
            Action::Redirect("https://o.example/"),
            None,
            "<Redirect method=\"POST\">https://o.example/</Redirect>",
        );
        check(Action::Reject { busy: false }, None, "<Reject/>");
        check(Action::Reject { busy: true }, None, "<Reject reason=\"busy\"/>");
        check(Action::Hangup, None, "<Hangup/>");
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        let say =
            Prompt::Say { text: "a\u{0}b\u{1b}c\nd\u{fffe}\u{e9}\u{fb01}\u{1f916}".into(), language: None };
        check(Action::Message(&say), None, "<Say>abc&#10;d\u{e9}\u{fb01}\u{1f916}</Say><Hangup/>");
    }

    #[test]
    fn refusals_bill_nobody() {
        for refused in
            [Refusal::UnknownNumber, Refusal::InactiveNumber, Refusal::SuspendedTenant, Refusal::NoRoute]
        {
            let rendered = twiml::refusal(refused);
            assert!(std::str::from_utf8(&rendered.body).unwrap().contains("<Response><Reject"));
        }
        assert_eq!(acknowledgement("status").status, 204);
        assert_eq!(acknowledgement("sms"), twiml::empty());
    }
}
