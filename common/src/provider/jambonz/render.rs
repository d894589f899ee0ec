//! Documents of verbs. Source: <https://docs.jambonz.org/verbs/verbs/overview>.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::verbs::{BidirectionalAudio, Record, Target, Verb};
use crate::provider::AFTER;
use crate::provider::agent_facts::{AgentFacts, clean};
use crate::provider::reply::{Action, Refusal, Rendered, Reply};
use crate::route::{Dialable, Prompt};
use crate::sip;

/// jambonz rings no more at once.
const TARGETS_MAX: usize = 10;

/// How long an agent may take to answer, in seconds.
const AGENT_TIMEOUT_S: u16 = 20;

/// 16-bit samples, linear: what voice agents work with.
const SAMPLE_RATE: u32 = 16_000;

/// More than any number, id or name has.
const FACT_CHARS_MAX: usize = 400;

/// The tone after which callers speak: half a second of 1500 Hz.
/// Source: <https://docs.jambonz.org/guides/features/playing-tones>.
const BEEP: &str = "tone_stream://%(500,0,1500)";

/// A new call is declined: not answered, so not billed. One that was answered before can only end.
pub fn refusal(kind: &str, refusal: Refusal) -> Rendered {
    if kind == AFTER { document(&[Verb::Hangup {}]) } else { decline(refusal.is_busy()) }
}

fn decline(busy: bool) -> Rendered {
    let (status, reason) = if busy { (486, "Busy Here") } else { (404, "Not Found") };
    document(&[Verb::Decline { status, reason }])
}

pub fn reply(reply: &Reply<'_>) -> Rendered {
    let action_hook = reply.after_url();
    match reply.action {
        Action::Stream(url) => document(&[Verb::Listen {
            url,
            sample_rate: SAMPLE_RATE,
            mix_type: "mono",
            pass_dtmf: true,
            bidirectional_audio: BidirectionalAudio {
                enabled: true,
                streaming: true,
                sample_rate: SAMPLE_RATE,
            },
            metadata: &AgentFacts::of(reply, FACT_CHARS_MAX),
            action_hook,
        }]),
        Action::AgentSip(uri) => {
            let (sip_uri, mut headers) = sip_address(uri);
            AgentFacts::of(reply, FACT_CHARS_MAX).each(|name, value| {
                headers.insert(format!("X-{}", name.replace('_', "-")), value.into());
            });
            dial(vec![Target::Sip { sip_uri, headers }], AGENT_TIMEOUT_S, action_hook)
        }
        Action::Dial { to, timeout_s } => {
            dial(to.iter().take(TARGETS_MAX).map(target_of).collect(), timeout_s, action_hook)
        }
        Action::Voicemail { prompt: what, length_max_s } => {
            let text = spoken(what);
            document(&[
                prompt(what, &text),
                Verb::Play { url: BEEP },
                record("startCallRecording"),
                Verb::Gather { input: ["digits"], finish_on_key: "#", timeout: length_max_s.max(1) },
                record("stopCallRecording"),
                Verb::Hangup {},
            ])
        }
        Action::Message(what) => document(&[prompt(what, &spoken(what)), Verb::Hangup {}]),
        Action::Reject { busy } => decline(busy),
        Action::Redirect(url) => match action_hook {
            // Reached when the other server answers no verbs.
            Some(after_url) => {
                document(&[Verb::Redirect { action_hook: url }, Verb::Redirect { action_hook: after_url }])
            }
            None => document(&[Verb::Redirect { action_hook: url }]),
        },
        // jambonz has no agents of its own.
        Action::Hangup | Action::Hosted { .. } => document(&[Verb::Hangup {}]),
    }
}

fn dial(target: Vec<Target<'_>>, timeout: u16, action_hook: Option<&str>) -> Rendered {
    document(&[Verb::Dial { answer_on_bridge: true, timeout, action_hook, target }])
}

fn target_of(address: &Dialable) -> Target<'_> {
    match address {
        Dialable::Number(number) => Target::Phone { number: number.to_string() },
        Dialable::Sip(uri) => {
            let (sip_uri, headers) = sip_address(uri);
            Target::Sip { sip_uri, headers }
        }
    }
}

/// A SIP URI without its headers, and those of them that are extensions: none that says how the call is set up.
fn sip_address(uri: &str) -> (&str, Map<String, Value>) {
    let (address, all) = sip::split_headers(uri);
    let extension = |name: &str| name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-"));
    let headers = all
        .filter(|(name, _)| extension(name))
        .map(|(name, value)| (clean(name, FACT_CHARS_MAX).into(), clean(&value, FACT_CHARS_MAX).into()))
        .collect();
    (address, headers)
}

const fn record(action: &str) -> Verb<'_> {
    Verb::Config { record: Record { action, r#type: "cloud" } }
}

/// What a prompt says; empty for one that is played.
fn spoken(prompt: &Prompt) -> Cow<'_, str> {
    match prompt {
        Prompt::Say { text, .. } => plain(text),
        Prompt::Play { .. } => Cow::Borrowed(""),
    }
}

fn prompt<'a>(prompt: &'a Prompt, spoken: &'a str) -> Verb<'a> {
    match prompt {
        // A language alone would be asked of the application's voice, and a voice of another one is silent.
        Prompt::Say { .. } => Verb::Say { text: spoken },
        Prompt::Play { url } => Verb::Play { url },
    }
}

/// Text that is spoken as it stands. jambonz plays what begins like a URL (`Closed: until Monday` does), and takes what
/// begins with a tag for SSML: the colon becomes a comma and angle brackets blanks, which sounds the same.
fn plain(text: &str) -> Cow<'_, str> {
    let word = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let word_start = text.len() - word.len();
    let word_end = word_start + word.find(char::is_whitespace).unwrap_or(word.len());
    let is_address =
        word.starts_with(|c: char| c.is_ascii_alphabetic()) && text[word_start..word_end].contains(':');
    if !is_address && !text.contains(['<', '>']) {
        return Cow::Borrowed(text);
    }
    let heard = |(at, c)| match c {
        '<' | '>' => ' ',
        ':' if is_address && at < word_end => ',',
        other => other,
    };
    Cow::Owned(text.char_indices().map(heard).collect())
}

fn document(verbs: &[Verb<'_>]) -> Rendered {
    Rendered::json(&verbs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::reply::JSON;
    use crate::provider::samples;
    use serde_json::json;

    const AFTER_URL: &str = "https://x.example/webhooks/jambonz/after/a1?s=c3";
    const TENANT: &str = "00000000-0000-0000-0000-000000000001";
    const NUMBER: &str = "00000000-0000-0000-0000-000000000002";

    fn check(action: Action<'_>, after_url: Option<&str>, expected: &Value) {
        let rendered = samples::with_reply(action, after_url, reply);
        assert_eq!((rendered.status, rendered.content_type), (200, Some(JSON)));
        let found: Value = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!(found, *expected, "{action:?}");
    }

    #[test]
    fn agents_are_reached_by_stream_sip_and_redirect() {
        let facts = json!({"tenant_id": TENANT, "phone_number_id": NUMBER, "call_id": "CA1", "from": "anonymous",
            "to": "+12125550001"});
        let mut listen = json!([{"verb": "listen", "url": "wss://voice.example/a?b=1", "sampleRate": 16000,
            "mixType": "mono", "passDtmf": true, "metadata": facts,
            "bidirectionalAudio": {"enabled": true, "streaming": true, "sampleRate": 16000}}]);
        check(Action::Stream("wss://voice.example/a?b=1"), None, &listen);
        listen[0]["actionHook"] = AFTER_URL.into();
        check(Action::Stream("wss://voice.example/a?b=1"), Some(AFTER_URL), &listen);
        let headers = json!({"X-a": "1 2", "X-tenant-id": TENANT, "X-phone-number-id": NUMBER, "X-call-id": "CA1",
            "X-from": "anonymous", "X-to": "+12125550001"});
        check(
            Action::AgentSip("sip:a@voice.example;transport=tls?X-a=1%202&Subject=x"),
            Some(AFTER_URL),
            &json!([{"verb": "dial", "answerOnBridge": true, "timeout": 20, "actionHook": AFTER_URL,
                "target": [{"type": "sip", "sipUri": "sip:a@voice.example;transport=tls", "headers": headers}]}]),
        );
        let url = "https://o.example/?a=1";
        let redirect = json!({"verb": "redirect", "actionHook": url});
        check(Action::Redirect(url), None, &json!([redirect]));
        let second = json!({"verb": "redirect", "actionHook": AFTER_URL});
        check(Action::Redirect(url), Some(AFTER_URL), &json!([redirect, second]));
    }

    #[test]
    fn one_or_several_ring_and_what_follows_is_asked() {
        let to = [
            Dialable::Number("+12025550147".parse().unwrap()),
            Dialable::Sip("sip:desk@h?x-a=1".into()),
            Dialable::Sip("sip:desk@h".into()),
        ];
        let target = json!([{"type": "phone", "number": "+12025550147"},
            {"type": "sip", "sipUri": "sip:desk@h", "headers": {"x-a": "1"}}, {"type": "sip", "sipUri": "sip:desk@h"}]);
        check(
            Action::Dial { to: &to, timeout_s: 15 },
            Some(AFTER_URL),
            &json!([{"verb": "dial", "answerOnBridge": true, "timeout": 15, "actionHook": AFTER_URL, "target": target}]),
        );
        let many = vec![to[0].clone(); 30];
        let rendered = samples::with_reply(Action::Dial { to: &many, timeout_s: 15 }, None, reply);
        let found: Value = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!(found[0]["target"].as_array().unwrap().len(), TARGETS_MAX);
    }

    #[test]
    fn prompts_are_said_as_they_stand_or_played() {
        let say = |text: &str, language: Option<&str>, expected: &str| {
            let prompt = Prompt::Say { text: text.into(), language: language.map(str::to_owned) };
            let expected = json!([{"verb": "say", "text": expected}, {"verb": "hangup"}]);
            check(Action::Message(&prompt), None, &expected);
        };
        say("Open: 9:30 to 17:00", Some("en-US"), "Open, 9:30 to 17:00");
        say(" \u{1}https://cdn.example/a.mp3", None, " \u{1}https,//cdn.example/a.mp3");
        say("silence_stream://9000 x", None, "silence_stream,//9000 x");
        say("10:30 to 17:00", None, "10:30 to 17:00");
        say("We: are closed", None, "We, are closed");
        say("We are closed: today", None, "We are closed: today");
        say("<speak>5 < 6</speak> & \"x\"", None, " speak 5   6 /speak  & \"x\"");
        say("", None, "");
        let play = Prompt::Play { url: "https://cdn.example/a.mp3".into() };
        let played = json!({"verb": "play", "url": "https://cdn.example/a.mp3"});
        check(Action::Message(&play), None, &json!([played, {"verb": "hangup"}]));
        let record = |action: &str| json!({"verb": "config", "record": {"action": action, "type": "cloud"}});
        let beep = json!({"verb": "play", "url": "tone_stream://%(500,0,1500)"});
        let wait = json!({"verb": "gather", "input": ["digits"], "finishOnKey": "#", "timeout": 120});
        check(
            Action::Voicemail { prompt: &play, length_max_s: 120 },
            Some(AFTER_URL),
            &json!([played, beep, record("startCallRecording"), wait, record("stopCallRecording"), {"verb": "hangup"}]),
        );
    }

    #[test]
    fn what_is_not_answered_is_declined() {
        let declined =
            |status: u16, reason: &str| json!([{"verb": "sip:decline", "status": status, "reason": reason}]);
        check(Action::Reject { busy: false }, None, &declined(404, "Not Found"));
        check(Action::Reject { busy: true }, None, &declined(486, "Busy Here"));
        check(Action::Hangup, None, &json!([{"verb": "hangup"}]));
        let check = |kind: &str, refused: Refusal, expected: &Value| {
            let rendered = refusal(kind, refused);
            let found: Value = serde_json::from_slice(&rendered.body).unwrap();
            assert_eq!((rendered.status, &found), (200, expected), "{refused:?}");
        };
        check("call", Refusal::UnknownNumber, &declined(404, "Not Found"));
        check("call", Refusal::InactiveNumber, &declined(404, "Not Found"));
        check("call", Refusal::SuspendedTenant, &declined(486, "Busy Here"));
        check("call", Refusal::NoRoute, &declined(486, "Busy Here"));
        check("after", Refusal::NoRoute, &json!([{"verb": "hangup"}]));
    }
}
