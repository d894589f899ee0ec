//! Commands to Telnyx's REST API.
//!
//! Source: <https://developers.telnyx.com/api/call-control/>, the pages on each command.

use std::fmt;

use serde_json::{Map, Value, json};

use super::state::{Phase, State, Task, Then};
use crate::provider::reply::{Command, Rendered};

/// Telnyx speaks at most this many characters at a time.
const SPOKEN_CHARS_MAX: usize = 3_000;

/// Telnyx records at most four hours.
const RECORDED_S_MAX: u16 = 14_400;

/// What the calls of Call Control have for a context: the event that is answered, and how the call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context<'a> {
    /// The event's id.
    pub event_id: &'a str,
    /// Whether the call was answered.
    pub is_answered: bool,
}

impl<'a> Context<'a> {
    /// Reads what [`Context`] displays as.
    pub fn read(text: &'a str) -> Self {
        match text.strip_suffix("+") {
            Some(event_id) => Self { event_id, is_answered: true },
            None => Self { event_id: text, is_answered: false },
        }
    }
}

impl fmt::Display for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.event_id, if self.is_answered { "+" } else { "" })
    }
}

/// Commands being written, all to one leg.
pub struct Commands {
    event_id: String,
    leg: String,
    commands: Vec<Command>,
}

impl Commands {
    /// Commands to the leg `call_id`, because of the event `event_id`.
    pub fn new(event_id: &str, call_id: &str) -> Self {
        Self { event_id: event_id.to_owned(), leg: in_path(call_id), commands: Vec::new() }
    }

    /// An empty answer, and the commands.
    pub fn finish(self) -> Rendered {
        Rendered { commands: self.commands, ..Rendered::empty(200) }
    }

    /// Answers the call, if it isn't, and does this.
    pub fn answer_and(&mut self, task: Task, state: &mut State) {
        if state.is_answered {
            return self.begin(task, state);
        }
        state.phase = Phase::Answering(task);
        self.push("answer", json!({"client_state": state.write()}));
    }

    /// Does this on a call that is answered.
    pub fn begin(&mut self, task: Task, state: &mut State) {
        state.is_answered = true;
        match task {
            Task::Stream { url, parameters } => {
                state.phase = Phase::Streaming;
                let parameters = parameters.iter().map(|(name, value)| json!({"name": name, "value": value}));
                self.push(
                    "streaming_start",
                    json!({
                        "stream_url": url,
                        "stream_track": "inbound_track",
                        // Without this an agent is heard only when it has finished.
                        "stream_bidirectional_mode": "rtp",
                        "stream_bidirectional_codec": "PCMU",
                        "custom_parameters": parameters.collect::<Vec<_>>(),
                        "client_state": state.write(),
                    }),
                );
            }
            Task::Speak { text, language, then } => {
                state.phase = Phase::Speaking(then);
                self.push(
                    "speak",
                    json!({
                        "payload": text.chars().take(SPOKEN_CHARS_MAX).collect::<String>(),
                        "payload_type": "text",
                        "voice": "female",
                        "language": spoken_language(language.as_deref()),
                        "client_state": state.write(),
                    }),
                );
            }
            Task::Play { url, then } => {
                state.phase = Phase::Speaking(then);
                self.push("playback_start", json!({"audio_url": url, "client_state": state.write()}));
            }
        }
    }

    /// What follows when the caller has heard something.
    pub fn then(&mut self, then: Then, state: &mut State) {
        match then {
            Then::Hangup => self.hangup(),
            Then::Record { length_max_s } => {
                state.phase = Phase::Recording;
                self.push(
                    "record_start",
                    json!({
                        "format": "mp3",
                        "channels": "single",
                        "play_beep": true,
                        // 0 would be no limit.
                        "max_length": length_max_s.clamp(1, RECORDED_S_MAX),
                        "client_state": state.write(),
                    }),
                );
            }
        }
    }

    /// Calls an address for the caller. The new leg's end brings the state back; the caller's own leg has nothing to
    /// wait for meanwhile, whatever it waited for before.
    pub fn transfer(
        &mut self,
        to: &str,
        rest: Vec<String>,
        timeout_s: u16,
        headers: &[(String, String)],
        state: &mut State,
    ) {
        state.phase = Phase::Ringing { rest, timeout_s };
        let new_leg = state.write();
        state.phase = Phase::Idle;
        let headers = headers.iter().map(|(name, value)| json!({"name": name, "value": value}));
        let headers: Vec<Value> = headers.collect();
        let mut body = json!({
            "to": to,
            "timeout_secs": timeout_s,
            "target_leg_client_state": new_leg,
            "client_state": State { after: None, ..state.clone() }.write(),
        });
        if !headers.is_empty() {
            body["custom_headers"] = Value::Array(headers);
        }
        self.push("transfer", body);
    }

    /// Answers the call and leaves it to another server: that is where Telnyx posts its events from then on.
    pub fn hand_over(&mut self, url: &str) {
        self.push("answer", json!({"webhook_url": url, "webhook_url_method": "POST"}));
    }

    /// Doesn't answer the call.
    pub fn reject(&mut self, busy: bool) {
        self.push("reject", json!({"cause": if busy { "USER_BUSY" } else { "NOT_FOUND" }}));
    }

    /// Ends the call.
    pub fn hangup(&mut self) {
        self.push("hangup", Value::Object(Map::new()));
    }

    fn push(&mut self, name: &str, mut body: Value) {
        body["command_id"] = Value::String(format!("{}-{name}", self.event_id));
        let path = format!("/calls/{}/actions/{name}", self.leg);
        self.commands.push(Command { path, body: body.to_string().into_bytes() });
    }
}

/// A call's id as a segment of a path: they hold colons.
fn in_path(call_id: &str) -> String {
    let mut path = String::with_capacity(call_id.len() + 8);
    for byte in call_id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// The languages that Telnyx speaks; of those that differ by country only, the one that is taken where the country
/// isn't said, or isn't spoken, stands first.
const LANGUAGES: [&str; 31] = [
    "en-US",
    "en-AU",
    "en-GB",
    "en-GB-WLS",
    "en-IN",
    "arb",
    "cmn-CN",
    "cy-GB",
    "da-DK",
    "de-DE",
    "es-ES",
    "es-MX",
    "es-US",
    "fr-FR",
    "fr-CA",
    "hi-IN",
    "is-IS",
    "it-IT",
    "ja-JP",
    "ko-KR",
    "nb-NO",
    "nl-NL",
    "pl-PL",
    "pt-PT",
    "pt-BR",
    "ro-RO",
    "ru-RU",
    "sv-SE",
    "tr-TR",
    "ar",
    "zh",
];

/// The nearest language to a BCP 47 tag that Telnyx speaks; English where there is none.
fn spoken_language(tag: Option<&str>) -> &'static str {
    let tag = tag.unwrap_or_default();
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let same = LANGUAGES.iter().find(|spoken| spoken.eq_ignore_ascii_case(tag));
    let near = same.or_else(|| LANGUAGES.iter().find(|spoken| primary(spoken) == primary(tag)));
    match near.copied().unwrap_or("en-US") {
        "ar" => "arb",
        "zh" => "cmn-CN",
        spoken => spoken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_language_is_spoken() {
        let check = |tag: Option<&str>, expected: &str| assert_eq!(spoken_language(tag), expected, "{tag:?}");
        check(None, "en-US");
        check(Some("en"), "en-US");
        check(Some("en-gb"), "en-GB");
        check(Some("de-AT"), "de-DE");
        check(Some("zh-Hant-TW"), "cmn-CN");
        check(Some("ar"), "arb");
        check(Some("tlh"), "en-US");
        check(Some(""), "en-US");
    }

    #[test]
    fn ids_stay_one_segment() {
        let check = |id: &str, expected: &str| assert_eq!(in_path(id), expected);
        check("v3:9X2v_-aiQ", "v3%3A9X2v_-aiQ");
        check("../x?y#z", "%2E%2E%2Fx%3Fy%23z");
    }

    #[test]
    fn a_context_says_which_event_and_whether_answered() {
        for (is_answered, text) in [(false, "e1"), (true, "e1+")] {
            let context = Context { event_id: "e1", is_answered };
            assert_eq!((context.to_string().as_str(), Context::read(text)), (text, context));
        }
    }
}
