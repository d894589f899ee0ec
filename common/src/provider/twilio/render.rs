//! TwiML. Source: <https://www.twilio.com/docs/voice/twiml> and its pages on each verb.

use std::borrow::Cow;
use std::fmt::Write;

use uuid::Uuid;

use crate::feed::record::AgentTarget;
use crate::provider::Purpose;
use crate::provider::reply::{Action, Refusal, Rendered, Reply};
use crate::route::{Dialable, Prompt};

const XML: &str = "text/xml; charset=utf-8";
const REJECT: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response><Reject/></Response>"#;
const REJECT_BUSY: &str =
    r#"<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>"#;
const EMPTY: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// Twilio takes 500 characters for a stream parameter's name and value together.
const PARAMETER_CHARS_MAX: usize = 400;

/// The caller hears that an unknown or inactive number is not in service; a suspended tenant's number is busy, as it
/// may be back. Neither is answered, so neither is billed.
pub fn refusal(refusal: Refusal) -> Rendered {
    document(Cow::Borrowed(match refusal {
        Refusal::UnknownNumber | Refusal::InactiveNumber => REJECT,
        Refusal::SuspendedTenant | Refusal::NoRoute => REJECT_BUSY,
    }))
}

/// Twilio reads a text message's answer as TwiML, and nothing of a status callback's.
pub fn acknowledgement(purpose: Purpose) -> Rendered {
    match purpose {
        Purpose::Status => Rendered { status: 204, content_type: None, body: Cow::Borrowed(&[]) },
        Purpose::Call | Purpose::After | Purpose::Message => document(Cow::Borrowed(EMPTY)),
    }
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    if let Action::Reject { busy } = reply.action {
        return document(Cow::Borrowed(if busy { REJECT_BUSY } else { REJECT }));
    }
    let mut xml = Xml::new();
    xml.raw("<Response>");
    match reply.action {
        Action::Agent(AgentTarget::Stream { url }) => stream(&mut xml, reply, url),
        Action::Agent(AgentTarget::Sip { uri }) => agent_sip(&mut xml, reply, uri),
        Action::Agent(AgentTarget::Redirect { url }) => redirect(&mut xml, url),
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
            xml.raw("/><Hangup/>");
        }
        Action::Message(what) => {
            prompt(&mut xml, what);
            xml.raw("<Hangup/>");
        }
        Action::Hangup => {
            xml.raw("<Hangup/>");
        }
        // Answered above: a whole document each.
        Action::Reject { .. } => {}
    }
    xml.raw("</Response>");
    document(Cow::Owned(xml.0))
}

/// `<Connect>` holds the call until the socket closes; then Twilio asks what follows, when something does.
fn stream(xml: &mut Xml, reply: &Reply<'_>, url: &str) {
    xml.raw("<Connect");
    after(xml, reply);
    xml.raw("><Stream url=\"").text(url).raw("\">");
    xml.raw("<Parameter name=\"tenant_id\" value=\"").id(reply.tenant_id.0).raw("\"/>");
    if let Some(id) = reply.phone_number_id {
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
    xml.raw("x-tenant-id=").id(reply.tenant_id.0);
    if let Some(id) = reply.phone_number_id {
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
    if let Some(url) = &reply.after_url {
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

fn document(body: Cow<'static, str>) -> Rendered {
    let body = match body {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    Rendered { status: 200, content_type: Some(XML), body }
}

/// Bytes that may not be copied as they are: markup, control characters, and 0xEF, with which the two characters
/// begin that XML can't hold beyond the control characters (and many that it can).
static ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        escaped[control] = true;
        control += 1;
    }
    escaped[b'&' as usize] = true;
    escaped[b'<' as usize] = true;
    escaped[b'>' as usize] = true;
    escaped[b'"' as usize] = true;
    escaped[0xEF] = true;
    escaped
};

/// A document being written.
struct Xml(String);

impl Xml {
    fn new() -> Self {
        let mut text = String::with_capacity(768);
        text.push_str(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
        Self(text)
    }

    /// Markup, as it is.
    fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// An id: 36 characters that need no escaping.
    fn id(&mut self, id: Uuid) -> &mut Self {
        self.raw(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }

    /// A number, which needs no escaping.
    fn display(&mut self, value: &dyn std::fmt::Display) -> &mut Self {
        // Writing to a string doesn't fail.
        let _ = write!(self.0, "{value}");
        self
    }

    /// Text of any kind, in an element or an attribute. Characters that XML can't hold are left out.
    fn text(&mut self, text: &str) -> &mut Self {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| ESCAPED[usize::from(byte)]) {
            self.0.push_str(&rest[..at]);
            let mut tail = rest[at..].chars();
            match tail.next() {
                Some('&') => self.0.push_str("&amp;"),
                Some('<') => self.0.push_str("&lt;"),
                Some('>') => self.0.push_str("&gt;"),
                Some('"') => self.0.push_str("&quot;"),
                Some('\t') => self.0.push_str("&#9;"),
                Some('\n') => self.0.push_str("&#10;"),
                Some('\r') => self.0.push_str("&#13;"),
                Some('\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}') | None => {}
                Some(other) => self.0.push(other),
            }
            rest = tail.as_str();
        }
        self.0.push_str(rest);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::InboundCall;
    use crate::ids::{PhoneNumberId, TenantId};

    fn call() -> InboundCall<'static> {
        InboundCall { call_id: "CA1".into(), to: "+12125550001".into(), from: "anonymous".into() }
    }

    fn check(action: Action<'_>, after_url: Option<&str>, expected: &str) {
        let rendered = reply(&Reply {
            call: &call(),
            tenant_id: TenantId(Uuid::from_u128(1)),
            phone_number_id: Some(PhoneNumberId(Uuid::from_u128(2))),
            action,
            after_url: after_url.map(str::to_owned),
        });
        assert_eq!((rendered.status, rendered.content_type), (200, Some(XML)));
        let body = std::str::from_utf8(&rendered.body).unwrap();
        let body = body.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#).unwrap();
        assert_eq!(body.strip_suffix("</Response>").unwrap(), expected);
    }

    const IDS: &str = "x-tenant-id=00000000-0000-0000-0000-000000000001&amp;\
                       x-phone-number-id=00000000-0000-0000-0000-000000000002&amp;x-call-id=CA1";

    #[test]
    fn agents_are_reached_by_stream_sip_and_redirect() {
        let target = AgentTarget::Stream { url: "wss://voice.example/a?b=1&c=2".into() };
        check(
            Action::Agent(&target),
            Some("https://x.example/after?s=1"),
            "<Connect method=\"POST\" action=\"https://x.example/after?s=1\">\
             <Stream url=\"wss://voice.example/a?b=1&amp;c=2\">\
             <Parameter name=\"tenant_id\" value=\"00000000-0000-0000-0000-000000000001\"/>\
             <Parameter name=\"phone_number_id\" value=\"00000000-0000-0000-0000-000000000002\"/>\
             <Parameter name=\"call_id\" value=\"CA1\"/>\
             <Parameter name=\"from\" value=\"anonymous\"/>\
             <Parameter name=\"to\" value=\"+12125550001\"/></Stream></Connect>",
        );
        let target = AgentTarget::Sip { uri: "sip:a@voice.example".into() };
        let expected = format!(
            "<Dial answerOnBridge=\"true\" timeout=\"20\"><Sip>sip:a@voice.example?{IDS}</Sip></Dial>"
        );
        check(Action::Agent(&target), None, &expected);
        let target = AgentTarget::Sip { uri: "sip:a@voice.example?x-a=1".into() };
        let expected = format!(
            "<Dial answerOnBridge=\"true\" timeout=\"20\"><Sip>sip:a@voice.example?x-a=1&amp;{IDS}</Sip></Dial>"
        );
        check(Action::Agent(&target), None, &expected);
        let target = AgentTarget::Redirect { url: "https://a.example/?x=1&y=2".into() };
        check(
            Action::Agent(&target),
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
            Some("https://x.example/after"),
            "<Play>https://cdn.example/a.mp3</Play><Record playBeep=\"true\" finishOnKey=\"#\" maxLength=\"120\" \
             method=\"POST\" action=\"https://x.example/after\"/><Hangup/>",
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
        assert_eq!(acknowledgement(Purpose::Status).status, 204);
        assert_eq!(acknowledgement(Purpose::Message).body, EMPTY.as_bytes());
    }
}
