//! BXML. Source: <https://dev.bandwidth.com/docs/voice/programmable-voice/bxml/> and its pages on each verb.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::locale;
use crate::provider::reply::{Action, Rendered, Reply};
use crate::provider::xml::Xml;
use crate::route::{Dialable, Prompt};

/// What Bandwidth expects of documents.
const MEDIA_TYPE: &str = "application/xml; charset=utf-8";

/// Hanging up before a call is answered refuses it, free of charge.
const HANGUP: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>"#;

/// A stream's name, by which the call waits for its end.
const STREAM: &str = "agent";

/// Bandwidth takes 2048 characters for a stream parameter's value.
const PARAMETER_CHARS_MAX: usize = 2048;

/// Of the 256 characters of a User-to-User header what `;encoding=base64` leaves, before it is encoded.
const USER_TO_USER_BYTES_MAX: usize = (256 - ENCODING.len()) / 4 * 3;
const ENCODING: &str = ";encoding=base64";

/// How long a SIP agent may take to answer.
const AGENT_TIMEOUT_S: u16 = 20;

/// How long Bandwidth lets a phone ring at most.
const TIMEOUT_S_MAX: u16 = 300;

/// How long a recording may be at most.
const RECORDING_S_MAX: u16 = 10_800;

/// How long a caller may be silent before a message counts as ended.
const SILENCE_S: u16 = 5;

/// Bandwidth has one way to refuse a call, so an unknown number's and a busy one's are alike.
pub fn refusal() -> Rendered {
    Rendered::document(MEDIA_TYPE, HANGUP)
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    let mut xml = Xml::new();
    xml.raw("<Response>");
    match reply.action {
        Action::Stream(url) => stream(&mut xml, reply, url),
        Action::AgentSip(uri) => {
            transfer(&mut xml, reply, AGENT_TIMEOUT_S);
            xml.raw("<SipUri uui=\"").raw(&user_to_user(reply)).raw("\">").text(uri);
            xml.raw("</SipUri></Transfer>");
        }
        Action::Dial { to, timeout_s } => {
            transfer(&mut xml, reply, timeout_s);
            for address in to {
                match address {
                    Dialable::Number(number) => {
                        xml.raw("<PhoneNumber>").display(number).raw("</PhoneNumber>")
                    }
                    Dialable::Sip(uri) => xml.raw("<SipUri>").text(uri).raw("</SipUri>"),
                };
            }
            xml.raw("</Transfer>");
        }
        Action::Voicemail { prompt: what, length_max_s } => {
            prompt(&mut xml, what);
            xml.raw("<Record terminatingDigits=\"#\" fileFormat=\"wav\" silenceTimeout=\"")
                .display(&SILENCE_S);
            xml.raw("\" maxDuration=\"").display(&length_max_s.clamp(1, RECORDING_S_MAX)).raw("\"");
            asks(&mut xml, "recordComplete", reply);
            xml.raw("/><Hangup/>");
        }
        Action::Message(what) => {
            prompt(&mut xml, what);
            xml.raw("<Hangup/>");
        }
        Action::Redirect(url) => redirect(&mut xml, url),
        // Bandwidth has no agents of its own.
        Action::Hangup | Action::Reject { .. } | Action::Hosted { .. } => {
            xml.raw("<Hangup/>");
        }
    }
    xml.raw("</Response>");
    Rendered { content_type: Some(MEDIA_TYPE), ..xml.finish() }
}

/// A stream runs beside the document, and a call at its document's end is over. `<StopStream wait="true">` waits until
/// the socket is closed, by either side, and has nothing to wait for when it couldn't be opened: then the next verb
/// asks what follows. A loop of pauses and redirects would ask us again and again, and still learn the end late.
fn stream(xml: &mut Xml, reply: &Reply<'_>, url: &str) {
    xml.raw("<StartStream name=\"")
        .raw(STREAM)
        .raw("\" mode=\"bidirectional\" tracks=\"inbound\" destination=\"");
    xml.text(url).raw("\">");
    xml.raw("<StreamParam name=\"tenant_id\" value=\"").id(reply.location.tenant_id.0).raw("\"/>");
    if let Some(id) = reply.location.phone_number_id {
        xml.raw("<StreamParam name=\"phone_number_id\" value=\"").id(id.0).raw("\"/>");
    }
    for (name, value) in
        [("call_id", &reply.call.call_id), ("from", &reply.call.from), ("to", &reply.call.to)]
    {
        xml.raw("<StreamParam name=\"").raw(name).raw("\" value=\"").text(short(value)).raw("\"/>");
    }
    xml.raw("</StartStream><StopStream name=\"").raw(STREAM).raw("\" wait=\"true\"/>");
    match reply.after_url() {
        Some(url) => redirect(xml, url),
        None => drop(xml.raw("<Hangup/>")),
    }
}

/// As much of a parameter's value as Bandwidth takes.
fn short(value: &str) -> &str {
    value.char_indices().nth(PARAMETER_CHARS_MAX).map_or(value, |(end, _)| &value[..end])
}

/// What a SIP agent is told of the call: base64 of `tenant_id=…&call_id=…`, as much as the header holds, the likeliest
/// to be needed first. The caller stands last, as the call shows it anyway. Source: RFC 7433.
fn user_to_user(reply: &Reply<'_>) -> String {
    let number_id = reply.location.phone_number_id.map(|id| id.0.simple().to_string());
    let tenant_id = reply.location.tenant_id.0.simple().to_string();
    let facts = [
        ("tenant_id", &*tenant_id),
        ("phone_number_id", number_id.as_deref().unwrap_or_default()),
        ("call_id", &*reply.call.call_id),
        ("to", &*reply.call.to),
        ("from", &*reply.call.from),
    ];
    let mut text = String::with_capacity(USER_TO_USER_BYTES_MAX);
    for (name, value) in facts {
        let before = text.len();
        text.extend([if before == 0 { "" } else { "&" }, name, "="]);
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
        if value.is_empty() || text.len() > USER_TO_USER_BYTES_MAX {
            text.truncate(before);
        }
    }
    // A full last group needs no `=`, and these characters make no `+` and no `/`: none of them may stand in the header
    // unquoted.
    while !text.len().is_multiple_of(3) {
        text.push('&');
    }
    STANDARD.encode(text) + ENCODING
}

fn transfer(xml: &mut Xml, reply: &Reply<'_>, timeout_s: u16) {
    xml.raw("<Transfer callTimeout=\"").display(&timeout_s.clamp(1, TIMEOUT_S_MAX)).raw("\"");
    asks(xml, "transferComplete", reply);
    xml.raw(">");
}

/// The verb's own way of asking what follows.
fn asks(xml: &mut Xml, event: &str, reply: &Reply<'_>) {
    if let Some(url) = reply.after_url() {
        xml.raw(" ").raw(event).raw("Method=\"POST\" ").raw(event).raw("Url=\"").text(url).raw("\"");
    }
}

fn redirect(xml: &mut Xml, url: &str) {
    xml.raw("<Redirect redirectMethod=\"POST\" redirectUrl=\"").text(url).raw("\"/>");
}

fn prompt(xml: &mut Xml, prompt: &Prompt) {
    match prompt {
        // A sentence may not be blank.
        Prompt::Say { text, .. } if text.trim().is_empty() => {}
        Prompt::Say { text, language } => {
            xml.raw("<SpeakSentence");
            if let Some(locale) = language.as_deref().and_then(locale::nearest) {
                xml.raw(" locale=\"").raw(locale).raw("\"");
            }
            xml.raw(">").text(text).raw("</SpeakSentence>");
        }
        Prompt::Play { url } => {
            xml.raw("<PlayAudio>").text(url).raw("</PlayAudio>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::InboundCall;
    use crate::provider::{samples, well_formed};

    const AFTER: Option<&str> = Some("https://x.example/webhooks/bandwidth/after/a1?s=1&t=2");
    const AFTER_XML: &str = "https://x.example/webhooks/bandwidth/after/a1?s=1&amp;t=2";

    fn check(action: Action<'_>, after_url: Option<&str>, expected: &str) {
        let rendered = samples::with_reply(action, after_url, reply);
        assert_eq!((rendered.status, rendered.content_type), (200, Some(MEDIA_TYPE)));
        let body = std::str::from_utf8(&rendered.body).unwrap();
        well_formed::check(body);
        let body = body.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#).unwrap();
        assert_eq!(body.strip_suffix("</Response>").unwrap(), expected);
    }

    #[test]
    fn a_call_waits_for_its_stream_and_then_asks_what_follows() {
        let stream = "<StartStream name=\"agent\" mode=\"bidirectional\" tracks=\"inbound\" \
             destination=\"wss://voice.example/a?b=1&amp;c=2\">\
             <StreamParam name=\"tenant_id\" value=\"00000000-0000-0000-0000-000000000001\"/>\
             <StreamParam name=\"phone_number_id\" value=\"00000000-0000-0000-0000-000000000002\"/>\
             <StreamParam name=\"call_id\" value=\"CA1\"/>\
             <StreamParam name=\"from\" value=\"anonymous\"/>\
             <StreamParam name=\"to\" value=\"+12125550001\"/></StartStream>\
             <StopStream name=\"agent\" wait=\"true\"/>";
        let redirect = format!("<Redirect redirectMethod=\"POST\" redirectUrl=\"{AFTER_XML}\"/>");
        check(Action::Stream("wss://voice.example/a?b=1&c=2"), AFTER, &format!("{stream}{redirect}"));
        check(Action::Stream("wss://voice.example/a?b=1&c=2"), None, &format!("{stream}<Hangup/>"));
    }

    #[test]
    fn one_or_several_ring_and_what_follows_is_asked() {
        let to = [
            Dialable::Number("+12025550147".parse().unwrap()),
            Dialable::Sip("sip:desk@h?x-a=1&x-b=2".into()),
        ];
        let asks = format!(" transferCompleteMethod=\"POST\" transferCompleteUrl=\"{AFTER_XML}\"");
        let targets = "<PhoneNumber>+12025550147</PhoneNumber><SipUri>sip:desk@h?x-a=1&amp;x-b=2</SipUri>";
        let dial = |timeout_s| Action::Dial { to: &to, timeout_s };
        check(dial(15), AFTER, &format!("<Transfer callTimeout=\"15\"{asks}>{targets}</Transfer>"));
        check(dial(900), None, &format!("<Transfer callTimeout=\"300\">{targets}</Transfer>"));
        let uui = "dGVuYW50X2lkPTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAxJnBob25lX251bWJlcl9pZD0wMDAwMDAw\
                   MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMiZjYWxsX2lkPUNBMSZ0bz0lMkIxMjEyNTU1MDAwMSZmcm9tPWFub255\
                   bW91cyYm;encoding=base64";
        let agent = format!(
            "<Transfer callTimeout=\"20\"{asks}><SipUri uui=\"{uui}\">sip:a@voice.example</SipUri></Transfer>"
        );
        check(Action::AgentSip("sip:a@voice.example"), AFTER, &agent);
    }

    #[test]
    fn a_sip_agent_is_told_as_much_as_the_header_holds() {
        let told = |call_id: &str, from: &str, to: &str| {
            let mut told = String::new();
            samples::with_reply(Action::Hangup, None, |reply| {
                let [call_id, from, to] = [call_id, from, to].map(|text| text.to_owned().into());
                let call = InboundCall {
                    call_id,
                    from,
                    to,
                    number_id: None,
                    carrier_call_id: None,
                    context: "".into(),
                };
                told = user_to_user(&Reply { call: &call, after: None, ..*reply });
                refusal()
            });
            assert!(told.len() <= 256, "{} characters", told.len());
            let encoded = told.strip_suffix(ENCODING).unwrap();
            assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{encoded}");
            let text = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
            text.trim_end_matches('&').split('&').skip(2).map(str::to_owned).collect::<Vec<_>>()
        };
        let call_id = "c-95ac8d6e-1a31c52e-b38f-4198-93c1-51633ec68f8d";
        let call_fact = format!("call_id={call_id}");
        assert_eq!(told(call_id, "+15551112222", "+15553334444"), [&*call_fact, "to=%2B15553334444"]);
        assert_eq!(
            told("c-1", "Restricted", "+15553334444"),
            ["call_id=c-1", "to=%2B15553334444", "from=Restricted"]
        );
        assert_eq!(told("?>~\u{e9}", "", "1"), ["call_id=%3F%3E%7E%C3%A9", "to=1"]);
        assert_eq!(told(&"7".repeat(9_000), &"8".repeat(9_000), "1"), ["to=1"]);
    }

    #[test]
    fn prompts_are_said_or_played() {
        let say = |text: &str, language: Option<&str>| Prompt::Say {
            text: text.into(),
            language: language.map(Into::into),
        };
        check(
            Action::Message(&say("Closed <today> & \"tomorrow\"\u{0}", Some("en-GB"))),
            None,
            "<SpeakSentence locale=\"en_UK\">Closed &lt;today&gt; &amp; &quot;tomorrow&quot;</SpeakSentence><Hangup/>",
        );
        let unknown = say("\u{6253}", Some("zh"));
        check(Action::Message(&unknown), None, "<SpeakSentence>\u{6253}</SpeakSentence><Hangup/>");
        check(Action::Message(&say(" \n", None)), None, "<Hangup/>");
        let play = Prompt::Play { url: "https://cdn.example/a.mp3".into() };
        let record = format!(
            "<PlayAudio>https://cdn.example/a.mp3</PlayAudio><Record terminatingDigits=\"#\" fileFormat=\"wav\" \
             silenceTimeout=\"5\" maxDuration=\"120\" recordCompleteMethod=\"POST\" \
             recordCompleteUrl=\"{AFTER_XML}\"/><Hangup/>"
        );
        check(Action::Voicemail { prompt: &play, length_max_s: 120 }, AFTER, &record);
    }

    #[test]
    fn the_call_goes_elsewhere_or_ends() {
        check(
            Action::Redirect("https://a.example/?x=1&y=2"),
            None,
            "<Redirect redirectMethod=\"POST\" redirectUrl=\"https://a.example/?x=1&amp;y=2\"/>",
        );
        for action in [Action::Reject { busy: false }, Action::Reject { busy: true }, Action::Hangup] {
            check(action, None, "<Hangup/>");
        }
        assert_eq!((refusal().status, refusal().body), (200, HANGUP.as_bytes().into()));
        well_formed::check(HANGUP);
    }
}
