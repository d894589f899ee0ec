//! Plivo XML. Source: <https://www.plivo.com/docs/voice/xml/> and its pages on each element.

use super::{STATUS, language};
use crate::call::InboundCall;
use crate::location::MessageAnswer;
use crate::provider::reply::{Action, Refusal, Rendered, Reply};
use crate::provider::twiml::passed_on;
use crate::provider::xml::{MEDIA_TYPE, Xml};
use crate::route::{Dialable, Prompt};
use crate::sip;

/// A `<Hangup>` with a reason refuses a call only as the first element: such a call isn't answered and isn't billed.
const REJECT: &str =
    r#"<?xml version="1.0" encoding="UTF-8"?><Response><Hangup reason="rejected"/></Response>"#;
const REJECT_BUSY: &str =
    r#"<?xml version="1.0" encoding="UTF-8"?><Response><Hangup reason="busy"/></Response>"#;
const EMPTY: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// Plivo takes 512 bytes of extra headers in all, and 48 characters for a SIP header's value.
const FACT_CHARS_MAX: usize = 48;

/// How long a SIP agent may take to answer. Plivo has no default of its own and would ring on.
const AGENT_TIMEOUT_S: u16 = 20;

/// How long a caller may be silent before a message counts as ended.
const SILENCE_S: u16 = 5;

pub fn refusal(refusal: Refusal) -> Rendered {
    reject(refusal.is_busy())
}

/// Plivo reads the answer to the end of a call nowhere, and any other as XML.
pub fn acknowledgement(kind: &str) -> Rendered {
    match kind {
        STATUS => Rendered::empty(200),
        _ => Rendered::document(MEDIA_TYPE, EMPTY),
    }
}

/// The answer to a text message, of which the text is the context.
/// Source: <https://docs.plivo.com/docs/messaging/xml/message>, read 2026-11.
pub fn messages(message: &InboundCall<'_>, answer: &MessageAnswer<'_>) -> Rendered {
    let mut xml = Xml::new();
    xml.raw("<Response>");
    let mut send = |to: &str, text: &str| {
        xml.raw("<Message type=\"sms\" src=\"").text(bare(&message.to)).raw("\" dst=\"").text(bare(to));
        xml.raw("\">").text(text).raw("</Message>");
    };
    if let Some(reply) = answer.reply {
        send(&message.from, reply);
    }
    if let Some(person) = answer.forward_to {
        send(&person.to_string(), &passed_on(message));
    }
    xml.raw("</Response>");
    xml.finish()
}

/// A number as Plivo writes it: without the plus.
fn bare(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
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
        Action::AgentSip(uri) => {
            dial(&mut xml, reply, AGENT_TIMEOUT_S);
            xml.raw("<User sipHeaders=\"");
            facts(&mut xml, reply);
            xml.raw("\">").text(uri).raw("</User></Dial>");
        }
        Action::Dial { to, timeout_s } => {
            dial(&mut xml, reply, timeout_s);
            for address in to {
                match address {
                    Dialable::Number(number) => {
                        xml.raw("<Number>").display(&number.to_u64()).raw("</Number>")
                    }
                    Dialable::Sip(uri) => xml.raw("<User>").text(uri).raw("</User>"),
                };
            }
            xml.raw("</Dial>");
        }
        Action::Voicemail { prompt: what, length_max_s } => {
            prompt(&mut xml, what);
            xml.raw("<Record playBeep=\"true\" finishOnKey=\"#\" timeout=\"").display(&SILENCE_S);
            xml.raw("\" maxLength=\"").display(&length_max_s).raw("\"");
            after(&mut xml, reply);
            xml.raw("/><Hangup/>");
        }
        Action::Message(what) => {
            prompt(&mut xml, what);
            xml.raw("<Hangup/>");
        }
        Action::Redirect(url) => redirect(&mut xml, url),
        // Plivo has no agents of its own, and a rejection is answered above.
        Action::Hangup | Action::Hosted { .. } | Action::Reject { .. } => {
            xml.raw("<Hangup/>");
        }
    }
    xml.raw("</Response>");
    xml.finish()
}

/// `keepCallAlive` holds the call until the socket closes, or can't be opened; then comes the next element, by which
/// Plivo asks what follows. Without one the call ends.
fn stream(xml: &mut Xml, reply: &Reply<'_>, url: &str) {
    xml.raw("<Stream bidirectional=\"true\" keepCallAlive=\"true\" contentType=\"audio/x-mulaw;rate=8000\" ");
    xml.raw("extraHeaders=\"");
    facts(xml, reply);
    xml.raw("\">").text(url).raw("</Stream>");
    if let Some(url) = reply.after_url() {
        redirect(xml, url);
    }
}

/// What an agent is told of the call, as a list of headers. Plivo takes letters and digits only, in names and in values.
fn facts(xml: &mut Xml, reply: &Reply<'_>) {
    let InboundCall { call_id, from, to, .. } = reply.call;
    xml.raw("tenantId=").display(&reply.location.tenant_id.0.simple());
    if let Some(id) = reply.location.phone_number_id {
        xml.raw(",phoneNumberId=").display(&id.0.simple());
    }
    for (name, value) in [("callId", &**call_id), ("from", user(from)), ("to", user(to))] {
        let plain = value.chars().filter(char::is_ascii_alphanumeric).take(FACT_CHARS_MAX);
        for (index, char) in plain.enumerate() {
            if index == 0 {
                xml.raw(",").raw(name).raw("=");
            }
            xml.raw(char.encode_utf8(&mut [0; 4]));
        }
    }
}

/// Of a SIP URI, the part that says who it is.
fn user(address: &str) -> &str {
    sip::user(address).unwrap_or(address)
}

fn dial(xml: &mut Xml, reply: &Reply<'_>, timeout_s: u16) {
    xml.raw("<Dial timeout=\"").display(&timeout_s).raw("\"");
    after(xml, reply);
    xml.raw(">");
}

/// With `redirect` the answer to `action` is the document that goes on; without, Plivo would only tell.
fn after(xml: &mut Xml, reply: &Reply<'_>) {
    if let Some(url) = reply.after_url() {
        xml.raw(" redirect=\"true\" method=\"POST\" action=\"").text(url).raw("\"");
    }
}

fn redirect(xml: &mut Xml, url: &str) {
    xml.raw("<Redirect method=\"POST\">").text(url).raw("</Redirect>");
}

fn prompt(xml: &mut Xml, prompt: &Prompt) {
    match prompt {
        Prompt::Say { text, .. } if text.trim().is_empty() => {}
        Prompt::Say { text, language } => {
            xml.raw("<Speak");
            if let Some((language, woman)) = language.as_deref().and_then(language::nearest) {
                xml.raw(if woman { "" } else { " voice=\"MAN\"" });
                xml.raw(" language=\"").raw(language).raw("\"");
            }
            xml.raw(">").text(text).raw("</Speak>");
        }
        Prompt::Play { url } => {
            xml.raw("<Play>").text(url).raw("</Play>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{samples, well_formed};

    const AFTER: Option<&str> = Some("https://x.example/webhooks/plivo/after/a1?s=1&t=2");

    fn check(action: Action<'_>, after_url: Option<&str>, expected: &str) {
        let rendered = samples::with_reply(action, after_url, reply);
        assert_eq!((rendered.status, rendered.content_type), (200, Some(MEDIA_TYPE)));
        let body = std::str::from_utf8(&rendered.body).unwrap();
        well_formed::check(body);
        let body = body.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#).unwrap();
        assert_eq!(body.strip_suffix("</Response>").unwrap(), expected);
    }

    const FACTS: &str = "tenantId=00000000000000000000000000000001,\
                         phoneNumberId=00000000000000000000000000000002,callId=CA1,from=anonymous,to=12125550001";

    #[test]
    fn a_stream_holds_the_call_and_then_asks_what_follows() {
        let start = "<Stream bidirectional=\"true\" keepCallAlive=\"true\" \
                     contentType=\"audio/x-mulaw;rate=8000\" extraHeaders=\"";
        let stream = format!("{start}{FACTS}\">wss://voice.example/a?b=1&amp;c=2</Stream>");
        check(Action::Stream("wss://voice.example/a?b=1&c=2"), None, &stream);
        let redirect = "<Redirect method=\"POST\">\
                        https://x.example/webhooks/plivo/after/a1?s=1&amp;t=2</Redirect>";
        check(Action::Stream("wss://voice.example/a?b=1&c=2"), AFTER, &format!("{stream}{redirect}"));
    }

    #[test]
    fn one_or_several_ring_and_what_follows_is_asked() {
        let action = " redirect=\"true\" method=\"POST\" \
                      action=\"https://x.example/webhooks/plivo/after/a1?s=1&amp;t=2\"";
        check(
            Action::AgentSip("sip:a@voice.example"),
            AFTER,
            &format!(
                "<Dial timeout=\"20\"{action}><User sipHeaders=\"{FACTS}\">sip:a@voice.example</User></Dial>"
            ),
        );
        let to = [
            Dialable::Number("+12025550147".parse().unwrap()),
            Dialable::Sip("sip:desk@h?x-a=1&x-b=2".into()),
        ];
        let targets = "<Number>12025550147</Number><User>sip:desk@h?x-a=1&amp;x-b=2</User>";
        let dial = Action::Dial { to: &to, timeout_s: 15 };
        check(dial, AFTER, &format!("<Dial timeout=\"15\"{action}>{targets}</Dial>"));
        check(dial, None, &format!("<Dial timeout=\"15\">{targets}</Dial>"));
    }

    #[test]
    fn prompts_are_said_or_played() {
        let say = |text: &str, language: Option<&str>| Prompt::Say {
            text: text.into(),
            language: language.map(Into::into),
        };
        check(
            Action::Message(&say("Closed <today> & \"tomorrow\"\u{0}", Some("en-us"))),
            None,
            "<Speak language=\"en-US\">Closed &lt;today&gt; &amp; &quot;tomorrow&quot;</Speak><Hangup/>",
        );
        let portuguese = "<Speak voice=\"MAN\" language=\"pt-PT\">Fechado</Speak><Hangup/>";
        check(Action::Message(&say("Fechado", Some("pt-PT"))), None, portuguese);
        check(Action::Message(&say("\u{6253}", Some("zh"))), None, "<Speak>\u{6253}</Speak><Hangup/>");
        check(Action::Message(&say(" \n", None)), None, "<Hangup/>");
        check(
            Action::Voicemail {
                prompt: &Prompt::Play { url: "https://cdn.example/a.mp3".into() },
                length_max_s: 120,
            },
            AFTER,
            "<Play>https://cdn.example/a.mp3</Play><Record playBeep=\"true\" finishOnKey=\"#\" timeout=\"5\" \
             maxLength=\"120\" redirect=\"true\" method=\"POST\" \
             action=\"https://x.example/webhooks/plivo/after/a1?s=1&amp;t=2\"/><Hangup/>",
        );
    }

    #[test]
    fn the_call_goes_elsewhere_or_ends() {
        check(
            Action::Redirect("https://a.example/?x=1&y=2"),
            None,
            "<Redirect method=\"POST\">https://a.example/?x=1&amp;y=2</Redirect>",
        );
        check(Action::Reject { busy: false }, None, "<Hangup reason=\"rejected\"/>");
        check(Action::Reject { busy: true }, None, "<Hangup reason=\"busy\"/>");
        check(Action::Hangup, None, "<Hangup/>");
    }

    #[test]
    fn facts_are_letters_and_digits() {
        let told = |call_id: &str, from: &str, to: &str| {
            let rendered = samples::with_reply(Action::Hangup, None, |reply| {
                let (call_id, from, to) =
                    (call_id.to_owned().into(), from.to_owned().into(), to.to_owned().into());
                let call = InboundCall {
                    call_id,
                    from,
                    to,
                    number_id: None,
                    carrier_call_id: None,
                    context: "".into(),
                };
                let mut xml = Xml::new();
                let location = crate::location::Location { phone_number_id: None, ..*reply.location };
                facts(&mut xml, &Reply { call: &call, location: &location, after: None, ..*reply });
                xml.finish()
            });
            String::from_utf8(rendered.body.into_owned()).unwrap().split_once(',').unwrap().1.to_owned()
        };
        let uuid = "6b1c8f2e-0a4d-4c1b-9f3e-2d7a5b8c9e01";
        assert_eq!(
            told(uuid, "sip:desk.7@h.example", "+12125550001"),
            "callId=6b1c8f2e0a4d4c1b9f3e2d7a5b8c9e01,from=desk7,to=12125550001"
        );
        assert_eq!(told("\"><x", "", "é=,1"), "callId=x,to=1");
        let long = told(&"7".repeat(900), &"8".repeat(900), &"9".repeat(900));
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn refusals_are_first_in_the_document_and_bill_nobody() {
        let check = |refused, expected: &str| {
            let rendered = refusal(refused);
            assert_eq!(rendered.status, 200);
            assert_eq!(std::str::from_utf8(&rendered.body).unwrap(), expected);
            well_formed::check(expected);
        };
        check(Refusal::UnknownNumber, REJECT);
        check(Refusal::InactiveNumber, REJECT);
        check(Refusal::SuspendedTenant, REJECT_BUSY);
        check(Refusal::NoRoute, REJECT_BUSY);
        assert_eq!(acknowledgement("status"), Rendered::empty(200));
        assert_eq!(acknowledgement("sms").body, EMPTY.as_bytes());
        well_formed::check(EMPTY);
    }

    #[test]
    fn messages_go_back_and_on() {
        let message = InboundCall {
            call_id: "M1".into(),
            to: "+12125550001".into(),
            from: "+15105550198".into(),
            number_id: None,
            carrier_call_id: None,
            context: "Open?".into(),
        };
        let check = |reply: Option<&str>, forward_to: Option<&str>, expected: &str| {
            let forward_to = forward_to.map(|number| number.parse().unwrap());
            let rendered = messages(&message, &MessageAnswer { reply, forward_to });
            let body = String::from_utf8(rendered.body.into_owned()).unwrap();
            let expected =
                format!(r#"<?xml version="1.0" encoding="UTF-8"?><Response>{expected}</Response>"#);
            assert_eq!(body, expected);
        };
        let back = r#"<Message type="sms" src="12125550001" dst="15105550198">Yes &amp; no</Message>"#;
        let on = r#"<Message type="sms" src="12125550001" dst="12025550147">+15105550198: Open?</Message>"#;
        check(Some("Yes & no"), Some("+12025550147"), &format!("{back}{on}"));
        check(None, Some("+12025550147"), on);
        check(None, None, "");
    }
}
