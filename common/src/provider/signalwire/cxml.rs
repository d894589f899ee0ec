//! cXML. Source: <https://signalwire.com/docs/compatibility-api/cxml> and its pages on each verb.

use crate::provider::reply::{Rendered, Reply};
use crate::provider::twiml::{self, Dialect, StreamEnd};

/// `realtime` keeps delays and bursts of packets from adding up; without it audio is buffered and comes late.
const CXML: Dialect = Dialect {
    stream_end: StreamEnd::Either,
    stream: " realtime=\"true\"",
    record: "",
    recording: None,
    timeout_s: 5..=600,
    addresses_max: 10,
    called_as_caller_id: false,
    braces_are_code: false,
};

/// A text message's answer is read as cXML, and nothing of a status callback's.
pub fn acknowledgement(kind: &str) -> Rendered {
    match kind {
        "sms" => twiml::empty(),
        _ => Rendered::empty(204),
    }
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    twiml::reply(&CXML, reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::reply::Action;
    use crate::provider::{samples, well_formed};
    use crate::route::{Dialable, Prompt};

    const AFTER: &str = "https://x.example/webhooks/signalwire/after/a1?s=1";

    fn check(action: Action<'_>, after_url: Option<&str>, expected: &str) {
        let rendered = samples::with_reply(action, after_url, reply);
        let body = std::str::from_utf8(&rendered.body).unwrap();
        well_formed::check(body);
        let body = body.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#).unwrap();
        assert_eq!(body.strip_suffix("</Response>").unwrap(), expected);
    }

    #[test]
    fn a_stream_is_live_and_what_follows_is_asked_either_way() {
        let stream = "<Stream url=\"wss://voice.example/a\" realtime=\"true\">\
             <Parameter name=\"tenant_id\" value=\"00000000-0000-0000-0000-000000000001\"/>\
             <Parameter name=\"phone_number_id\" value=\"00000000-0000-0000-0000-000000000002\"/>\
             <Parameter name=\"call_id\" value=\"CA1\"/><Parameter name=\"from\" value=\"anonymous\"/>\
             <Parameter name=\"to\" value=\"+12125550001\"/></Stream>";
        let alone = format!("<Connect>{stream}</Connect>");
        check(Action::Stream("wss://voice.example/a"), None, &alone);
        let with_after = format!(
            "<Connect method=\"POST\" action=\"{AFTER}\">{stream}</Connect>\
             <Redirect method=\"POST\">{AFTER}</Redirect>"
        );
        check(Action::Stream("wss://voice.example/a"), Some(AFTER), &with_after);
    }

    #[test]
    fn dials_keep_to_the_limits() {
        let to: Vec<Dialable> = (0..12).map(|n| Dialable::Sip(format!("sip:desk{n}@h"))).collect();
        let first_ten: String = (0..10).map(|n| format!("<Sip>sip:desk{n}@h</Sip>")).collect();
        let expected =
            |timeout: u16| format!("<Dial answerOnBridge=\"true\" timeout=\"{timeout}\">{first_ten}</Dial>");
        check(Action::Dial { to: &to, timeout_s: 1 }, None, &expected(5));
        check(Action::Dial { to: &to, timeout_s: 20 }, None, &expected(20));
        check(Action::Dial { to: &to, timeout_s: 900 }, None, &expected(600));
    }

    #[test]
    fn the_other_actions_are_as_in_twiml() {
        let say = Prompt::Say { text: "Closed & <gone>".into(), language: None };
        check(Action::Message(&say), None, "<Say>Closed &amp; &lt;gone&gt;</Say><Hangup/>");
        check(
            Action::Voicemail { prompt: &say, length_max_s: 60 },
            Some(AFTER),
            "<Say>Closed &amp; &lt;gone&gt;</Say><Record playBeep=\"true\" finishOnKey=\"#\" maxLength=\"60\" \
             method=\"POST\" action=\"https://x.example/webhooks/signalwire/after/a1?s=1\"/><Hangup/>",
        );
        check(
            Action::AgentSip("sip:a@voice.example"),
            None,
            "<Dial answerOnBridge=\"true\" timeout=\"20\"><Sip>sip:a@voice.example?\
             x-tenant-id=00000000-0000-0000-0000-000000000001&amp;\
             x-phone-number-id=00000000-0000-0000-0000-000000000002&amp;x-call-id=CA1</Sip></Dial>",
        );
        let redirect = "<Redirect method=\"POST\">https://o.example/?a=1&amp;b=2</Redirect>";
        check(Action::Redirect("https://o.example/?a=1&b=2"), None, redirect);
        check(Action::Reject { busy: false }, None, "<Reject/>");
        check(Action::Reject { busy: true }, None, "<Reject reason=\"busy\"/>");
        check(Action::Hangup, None, "<Hangup/>");
    }
}
