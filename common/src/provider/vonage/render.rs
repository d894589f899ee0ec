//! NCCOs. Source: <https://developer.vonage.com/en/voice/voice-api/ncco-reference>.

use std::borrow::Cow;

use super::carried::event_url;
use super::ncco::{Connect, Endpoint, Notice, SipHeaders, Step};
use crate::call::InboundCall;
use crate::provider::agent_facts::{AgentFacts, clean};
use crate::provider::number::with_plus;
use crate::provider::reply::{Action, JSON, Refusal, Rendered, Reply};
use crate::route::{Dialable, Prompt};
use crate::sip;

/// Vonage takes 512 bytes of headers for a socket: names, ids and three texts of this length are fewer.
const FACT_CHARS_MAX: usize = 120;

/// The longest text that is spoken.
const TALK_CHARS_MAX: usize = 1_500;

/// How long a recording may be, in seconds.
const RECORD_S: std::ops::RangeInclusive<u16> = 3..=7_200;

/// How long a caller is silent who has said all, in seconds: the longest that Vonage takes.
const SILENCE_S: u8 = 10;

/// How long an agent may take to answer, in seconds.
const AGENT_TIMEOUT_S: u16 = 20;

/// 16-bit samples, linear: what voice agents work with.
const AUDIO: &str = "audio/l16;rate=16000";

/// Vonage has no way to refuse a call: the caller is told.
pub fn refusal(refusal: Refusal) -> Rendered {
    document(&[talk(refusal.spoken(), None)])
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    let call = reply.call;
    let after_url =
        |next: &[Dialable], timeout_s| reply.after_url().map(|url| event_url(url, call, next, timeout_s));
    match reply.action {
        Action::Stream(url) => {
            let facts = AgentFacts::of(reply, FACT_CHARS_MAX);
            let endpoint = Endpoint::Websocket { uri: url, content_type: AUDIO, headers: &facts };
            connect(call, endpoint, None, after_url(&[], 0).as_deref())
        }
        Action::AgentSip(uri) => {
            let (uri, mut headers) = sip_address(uri);
            AgentFacts::of(reply, FACT_CHARS_MAX).each(|name, value| {
                headers.0.insert(name.replace('_', "-"), value.into());
            });
            let endpoint = Endpoint::Sip { uri, headers };
            connect(call, endpoint, Some(AGENT_TIMEOUT_S), after_url(&[], 0).as_deref())
        }
        Action::Dial { to, timeout_s } => match to.split_first() {
            Some((first, rest)) => ring(call, first, timeout_s, after_url(rest, timeout_s).as_deref()),
            None => document(&[]),
        },
        Action::Voicemail { prompt: what, length_max_s } => {
            let url = after_url(&[], 0);
            let text = spoken(what);
            let record = Step::Record {
                beep_start: true,
                end_on_key: "#",
                end_on_silence: SILENCE_S,
                time_out: length_max_s.clamp(*RECORD_S.start(), *RECORD_S.end()),
                event_url: url.as_deref().map(|url| [url]),
                event_method: url.as_ref().map(|_| "POST"),
            };
            document(&[prompt(what, &text), record])
        }
        Action::Message(what) => document(&[prompt(what, &spoken(what))]),
        Action::Reject { busy } => refusal(if busy { Refusal::NoRoute } else { Refusal::UnknownNumber }),
        Action::Redirect(url) => redirect(call, url, after_url(&[], 0).as_deref()),
        // The end of the document is the end of the call. Vonage has no agents of its own.
        Action::Hangup | Action::Hosted { .. } => document(&[]),
    }
}

/// One address rings; what follows is asked at `after_url`.
pub fn ring(call: &InboundCall<'_>, to: &Dialable, timeout_s: u16, after_url: Option<&str>) -> Rendered {
    let number;
    let endpoint = match to {
        Dialable::Number(to) => {
            number = to.to_u64().to_string();
            Endpoint::Phone { number: &number }
        }
        Dialable::Sip(uri) => {
            let (uri, headers) = sip_address(uri);
            Endpoint::Sip { uri, headers }
        }
    };
    connect(call, endpoint, (timeout_s > 0).then_some(timeout_s), after_url)
}

fn connect(
    call: &InboundCall<'_>,
    endpoint: Endpoint<'_>,
    timeout: Option<u16>,
    after_url: Option<&str>,
) -> Rendered {
    let called = with_plus(Cow::Borrowed(&call.to));
    let from = called.strip_prefix('+');
    document(&[Step::Connect(Connect {
        from,
        random_from_number: from.is_none().then_some(true),
        timeout,
        event_type: after_url.map(|_| "synchronous"),
        event_url: after_url.map(|url| [url]),
        event_method: after_url.map(|_| "POST"),
        endpoint: [endpoint],
    })])
}

/// The other server is notified, and its answer takes over. When it answers no NCCO, the document goes on: with another
/// notification that asks what follows, where something does.
fn redirect(call: &InboundCall<'_>, url: &str, after_url: Option<&str>) -> Rendered {
    let notify = |url| Step::Notify {
        payload: Notice { uuid: &call.call_id, to: &call.to, from: &call.from },
        event_url: [url],
        event_method: "POST",
    };
    match after_url {
        Some(after_url) => document(&[notify(url), notify(after_url)]),
        None => document(&[notify(url)]),
    }
}

/// A SIP URI without its headers, and those of them that Vonage sends on: it puts `X-` in front of each name.
fn sip_address(uri: &str) -> (&str, SipHeaders) {
    let (address, all) = sip::split_headers(uri);
    let mut headers = SipHeaders::default();
    for (name, value) in all {
        if let Some((x, name)) = name.split_at_checked(2)
            && x.eq_ignore_ascii_case("x-")
        {
            headers.0.insert(clean(name, FACT_CHARS_MAX).into(), clean(&value, FACT_CHARS_MAX).into());
        }
    }
    (address, headers)
}

/// What a prompt says; empty for one that is played.
fn spoken(prompt: &Prompt) -> Cow<'_, str> {
    match prompt {
        Prompt::Say { text, .. } => plain(text),
        Prompt::Play { .. } => Cow::Borrowed(""),
    }
}

fn prompt<'a>(prompt: &'a Prompt, spoken: &'a str) -> Step<'a> {
    match prompt {
        Prompt::Say { language, .. } => talk(spoken, language.as_deref()),
        Prompt::Play { url } => Step::Stream { stream_url: [url] },
    }
}

const fn talk<'a>(text: &'a str, language: Option<&'a str>) -> Step<'a> {
    Step::Talk { text, language }
}

/// Text that is spoken as it stands: what begins with a tag would be taken for SSML. Not longer than Vonage takes.
fn plain(text: &str) -> Cow<'_, str> {
    if text.len() <= TALK_CHARS_MAX && !text.contains(['<', '>']) {
        return Cow::Borrowed(text);
    }
    let blank = |c| if matches!(c, '<' | '>') { ' ' } else { c };
    Cow::Owned(text.chars().map(blank).take(TALK_CHARS_MAX).collect())
}

fn document(steps: &[Step<'_>]) -> Rendered {
    if steps.is_empty() { Rendered::document(JSON, "[]") } else { Rendered::json(&steps) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Provider, samples, vonage::Vonage};
    use serde_json::{Value, json};

    const AFTER: &str = "https://x.example/webhooks/vonage/after/a1?s=c3";
    const CARRIED: &str =
        "https://x.example/webhooks/vonage/after/a1?s=c3&call=CA1&called=%2B12125550001&caller=anonymous";
    const TENANT: &str = "00000000-0000-0000-0000-000000000001";
    const NUMBER: &str = "00000000-0000-0000-0000-000000000002";

    fn check(action: Action<'_>, after_url: Option<&str>, expected: &Value) {
        let rendered = samples::with_reply(action, after_url, reply);
        assert_eq!((rendered.status, rendered.content_type), (200, Some(JSON)));
        let found: Value = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!(found, *expected, "{action:?}");
    }

    fn say(text: &str) -> Prompt {
        Prompt::Say { text: text.into(), language: Some("en-US".into()) }
    }

    #[test]
    fn agents_are_reached_by_stream_and_sip() {
        let facts = json!({"tenant_id": TENANT, "phone_number_id": NUMBER, "call_id": "CA1", "from": "anonymous",
            "to": "+12125550001"});
        let socket = json!({"type": "websocket", "uri": "wss://voice.example/a?b=1", "content-type": AUDIO,
            "headers": facts});
        check(
            Action::Stream("wss://voice.example/a?b=1"),
            Some(AFTER),
            &json!([{"action": "connect", "from": "12125550001", "eventType": "synchronous", "eventUrl": [CARRIED],
                "eventMethod": "POST", "endpoint": [socket]}]),
        );
        check(
            Action::Stream("wss://voice.example/a?b=1"),
            None,
            &json!([{"action": "connect", "from": "12125550001", "endpoint": [socket]}]),
        );
        let headers = json!({"a": "1 2", "tenant-id": TENANT, "phone-number-id": NUMBER, "call-id": "CA1",
            "from": "anonymous", "to": "+12125550001"});
        check(
            Action::AgentSip("sip:a@voice.example;transport=tls?X-a=1%202&Subject=x"),
            Some(AFTER),
            &json!([{"action": "connect", "from": "12125550001", "timeout": 20, "eventType": "synchronous",
                "eventUrl": [CARRIED], "eventMethod": "POST",
                "endpoint": [{"type": "sip", "uri": "sip:a@voice.example;transport=tls", "headers": headers}]}]),
        );
    }

    #[test]
    fn facts_fit_a_sockets_headers() {
        let long = "\"+1\\".repeat(400);
        samples::with_reply(Action::Hangup, None, |reply| {
            let call = InboundCall {
                call_id: long.as_str().into(),
                to: long.as_str().into(),
                from: long.as_str().into(),
                number_id: None,
                carrier_call_id: None,
                context: "".into(),
            };
            let facts = Reply {
                call: &call,
                location: reply.location,
                action: reply.action,
                after: None,
                fallback: None,
            };
            let headers = serde_json::to_string(&AgentFacts::of(&facts, FACT_CHARS_MAX)).unwrap();
            assert!((500..=512).contains(&headers.len()), "{}", headers.len());
            Rendered::empty(204)
        });
    }

    #[test]
    fn one_rings_now_and_the_others_when_it_does_not_answer() {
        let to = [Dialable::Number("+12025550147".parse().unwrap()), Dialable::Sip("sip:desk@h".into())];
        let connect = |event_url: &str, endpoint: Value| {
            json!([{"action": "connect", "from": "12125550001", "timeout": 15, "eventType": "synchronous",
                "eventUrl": [event_url], "eventMethod": "POST", "endpoint": [endpoint]}])
        };
        let phone = json!({"type": "phone", "number": "12025550147"});
        let several = Action::Dial { to: &to, timeout_s: 15 };
        let url = format!("{CARRIED}&next=sip%3Adesk%40h&timeout=15");
        check(several, Some(AFTER), &connect(&url, phone.clone()));
        assert!(Vonage.asks_within(&several));
        let one = Action::Dial { to: &to[..1], timeout_s: 15 };
        check(one, Some(AFTER), &connect(CARRIED, phone.clone()));
        assert!(!Vonage.asks_within(&one));
        check(
            one,
            None,
            &json!([{"action": "connect", "from": "12125550001", "timeout": 15, "endpoint": [phone]}]),
        );
        let sip = json!({"type": "sip", "uri": "sip:desk@h"});
        check(Action::Dial { to: &to[1..], timeout_s: 15 }, Some(AFTER), &connect(CARRIED, sip));
        check(Action::Dial { to: &[], timeout_s: 15 }, Some(AFTER), &json!([]));
    }

    #[test]
    fn a_call_from_no_number_of_ours_comes_from_any() {
        let call = InboundCall {
            call_id: "u".into(),
            to: "sip:desk@h".into(),
            from: "".into(),
            number_id: None,
            carrier_call_id: None,
            context: "".into(),
        };
        let rendered = ring(&call, &Dialable::Sip("sip:a@h".into()), 0, None);
        let expected = json!([{"action": "connect", "randomFromNumber": true,
            "endpoint": [{"type": "sip", "uri": "sip:a@h"}]}]);
        assert_eq!(serde_json::from_slice::<Value>(&rendered.body).unwrap(), expected);
    }

    #[test]
    fn prompts_are_said_as_they_stand_or_played() {
        let talk = json!({"action": "talk", "text": "Closed \"today\" & tomorrow", "language": "en-US"});
        check(Action::Message(&say("Closed \"today\" & tomorrow")), None, &json!([talk]));
        let talk = json!({"action": "talk", "text": " speak  5   6 /speak ", "language": "en-US"});
        check(Action::Message(&say("<speak> 5 < 6</speak>")), None, &json!([talk]));
        let long = json!({"action": "talk", "text": "\u{e9}".repeat(1_500), "language": "en-US"});
        check(Action::Message(&say(&"\u{e9}".repeat(1_600))), None, &json!([long]));
        let play = Prompt::Play { url: "https://cdn.example/a.mp3".into() };
        let stream = json!({"action": "stream", "streamUrl": ["https://cdn.example/a.mp3"]});
        check(Action::Message(&play), None, &json!([stream]));
        let record = |time_out: u16| {
            json!([stream, {"action": "record", "beepStart": true, "endOnKey": "#", "endOnSilence": 10,
                "timeOut": time_out, "eventUrl": [CARRIED], "eventMethod": "POST"}])
        };
        for (length_max_s, time_out) in [(120, 120), (1, 3), (u16::MAX, 7_200)] {
            check(Action::Voicemail { prompt: &play, length_max_s }, Some(AFTER), &record(time_out));
        }
    }

    #[test]
    fn another_server_is_asked_and_then_we_are() {
        let notify = |url: &str| {
            json!({"action": "notify", "payload": {"uuid": "CA1", "to": "+12125550001", "from": "anonymous"},
                "eventUrl": [url], "eventMethod": "POST"})
        };
        let url = "https://o.example/?a=1";
        check(Action::Redirect(url), None, &json!([notify(url)]));
        check(Action::Redirect(url), Some(AFTER), &json!([notify(url), notify(CARRIED)]));
    }

    #[test]
    fn what_is_not_answered_is_told() {
        check(Action::Hangup, None, &json!([]));
        let talk = |text: &str| json!([{"action": "talk", "text": text}]);
        check(Action::Reject { busy: false }, None, &talk("This number is not in service."));
        check(Action::Reject { busy: true }, None, &talk("Nobody can take your call at the moment."));
        for refused in
            [Refusal::UnknownNumber, Refusal::InactiveNumber, Refusal::SuspendedTenant, Refusal::NoRoute]
        {
            let rendered = refusal(refused);
            let found: Value = serde_json::from_slice(&rendered.body).unwrap();
            assert_eq!((rendered.status, found), (200, talk(refused.spoken())));
        }
    }
}
