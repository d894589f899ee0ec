//! TwiML. Source: <https://www.twilio.com/docs/voice/twiml> and its pages on each verb.

use crate::provider::reply::{Action, Refusal, Rendered, Reply};
use crate::provider::xml::{MEDIA_TYPE, Xml};
use crate::route::{Dialable, Prompt};

const REJECT: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response><Reject/></Response>"#;
const REJECT_BUSY: &str =
    r#"<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>"#;
const EMPTY: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// Twilio takes 500 characters for a stream parameter's name and value together.
const PARAMETER_CHARS_MAX: usize = 400;

/// The caller hears that an unknown or inactive number is not in service; a suspended tenant's number is busy, as it
/// may be back. Neither is answered, so neither is billed.
pub fn refusal(refusal: Refusal) -> Rendered {
    reject(refusal.is_busy())
}

/// Twilio reads a text message's answer as TwiML, and nothing of a status callback's.
pub fn acknowledgement(kind: &str) -> Rendered {
    match kind {
        "sms" => Rendered::document(MEDIA_TYPE, EMPTY),
        _ => Rendered::empty(204),
    }
}

fn reject(busy: bool) -> Rendered {
    Rendered::document(MEDIA_TYPE, if busy { REJECT_BUSY } else { REJECT })
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    if let Action::Reject { busy } = reply.action {
        return reject(busy);
    }
    let mut xml = Xml::new();
    xml.raw("<Response>");
    match reply.action {
        Action::Stream(url) => stream(&mut xml, reply, url),
        Action::AgentSip(uri) => agent_sip(&mut xml, reply, uri),
        Action::Redirect(url) => redirect(&mut xml, url),
        Action::Dial { to, timeout_s } => {
            dial(&mut xml, reply, timeout_s);
            for address in to {
                match address {
                    Dialable::Number(number) => xml.raw("<Number>").display(number).raw("</Number>"),
                    Dialable::Sip(uri) => xml.raw("<Sip>").text(uri).raw("</Sip>"),
                };
            }
            xml.raw("</Dial>");
        }
        Action::Voicemail { prompt: what, length_max_s } => {
            prompt(&mut xml, what);
            xml.raw("<Record playBeep=\"true\" finishOnKey=\"#\" maxLength=\"")
                .display(&length_max_s)
                .raw("\"");
            after(&mut xml, reply);
            if let Some(url) = reply.after.as_ref().and_then(|after| after.webhook("recording")) {
                xml.raw(" recordingStatusCallback=\"").text(&url).raw("\"");
            }
            xml.raw("/><Hangup/>");
        }
        Action::Message(what) => {
            prompt(&mut xml, what);
            xml.raw("<Hangup/>");
        }
        Action::Hangup => {
            xml.raw("<Hangup/>");
        }
        // Twilio has no agents of its own, and a rejection is answered above.
        Action::Hosted { .. } | Action::Reject { .. } => {
            xml.raw("<Hangup/>");
        }
    }
    xml.raw("</Response>");
    xml.finish()
}

/// `<Connect>` holds the call until the socket closes; then Twilio asks what follows, when something does.
fn stream(xml: &mut Xml, reply: &Reply<'_>, url: &str) {
    xml.raw("<Connect");
    after(xml, reply);
    xml.raw("><Stream url=\"").text(url).raw("\">");
    xml.raw("<Parameter name=\"tenant_id\" value=\"").id(reply.location.tenant_id.0).raw("\"/>");
    if let Some(id) = reply.location.phone_number_id {
        xml.raw("<Parameter name=\"phone_number_id\" value=\"").id(id.0).raw("\"/>");
    }
    xml.raw("<Parameter name=\"call_id\" value=\"").text(short(&reply.call.call_id));
    xml.raw("\"/><Parameter name=\"from\" value=\"").text(short(&reply.call.from));
    xml.raw("\"/><Parameter name=\"to\" value=\"").text(short(&reply.call.to));
    xml.raw("\"/></Stream></Connect>");
}

/// As much of a parameter's value as Twilio takes.
fn short(value: &str) -> &str {
    if value.len() <= PARAMETER_CHARS_MAX {
        return value;
    }
    value.char_indices().nth(PARAMETER_CHARS_MAX).map_or(value, |(end, _)| &value[..end])
}

/// A SIP agent gets the same facts as headers: Twilio sends on what stands behind the URI's question mark.
fn agent_sip(xml: &mut Xml, reply: &Reply<'_>, uri: &str) {
    dial(xml, reply, AGENT_TIMEOUT_S);
    xml.raw("<Sip>").text(uri).raw(if uri.contains('?') { "&amp;" } else { "?" });
    xml.raw("x-tenant-id=").id(reply.location.tenant_id.0);
    if let Some(id) = reply.location.phone_number_id {
        xml.raw("&amp;x-phone-number-id=").id(id.0);
    }
    xml.raw("&amp;x-call-id=");
    for byte in reply.call.call_id.bytes().take(PARAMETER_CHARS_MAX) {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            xml.raw(char::from(byte).encode_utf8(&mut [0; 4]));
        } else {
            xml.raw("%").display(&format_args!("{byte:02X}"));
        }
    }
    xml.raw("</Sip></Dial>");
}

/// How long a SIP agent may take to answer.
const AGENT_TIMEOUT_S: u16 = 20;

fn dial(xml: &mut Xml, reply: &Reply<'_>, timeout_s: u16) {
    xml.raw("<Dial answerOnBridge=\"true\" timeout=\"").display(&timeout_s).raw("\"");
    after(xml, reply);
    xml.raw(">");
}

fn after(xml: &mut Xml, reply: &Reply<'_>) {
    if let Some(url) = reply.after_url() {
        xml.raw(" method=\"POST\" action=\"").text(url).raw("\"");
    }
}

fn redirect(xml: &mut Xml, url: &str) {
    xml.raw("<Redirect method=\"POST\">").text(url).raw("</Redirect>");
}

fn prompt(xml: &mut Xml, prompt: &Prompt) {
    match prompt {
        Prompt::Say { text, language } => {
            xml.raw("<Say");
            if let Some(language) = language {
                xml.raw(" language=\"").text(language).raw("\"");
            }
            xml.raw(">").text(text).raw("</Say>");
        }
        Prompt::Play { url } => {
            xml.raw("<Play>").text(url).raw("</Play>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::samples;

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
            let rendered = refusal(refused);
            assert!(std::str::from_utf8(&rendered.body).unwrap().contains("<Response><Reject"));
        }
        assert_eq!(acknowledgement("status").status, 204);
        assert_eq!(acknowledgement("sms").body, EMPTY.as_bytes());
    }
}
