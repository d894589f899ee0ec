//! One suite over every provider: each of its [documents](super::documents) is one that it takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::documents::{self, Document, STATE};
use super::reply::JSON;
use super::xml::MEDIA_TYPE;
use super::{AFTER, PROVIDERS, well_formed};

/// Providers of TwiML and its like refuse larger documents: <https://www.twilio.com/docs/api/errors/11750>.
const XML_BYTES_MAX: usize = 64 * 1024;

/// TwiML and its dialects: <https://www.twilio.com/docs/voice/twiml>.
const TWIML: &[&str] = &[
    "Response",
    "Connect",
    "Stream",
    "Parameter",
    "Dial",
    "Number",
    "Sip",
    "Say",
    "Play",
    "Record",
    "Hangup",
    "Reject",
    "Redirect",
];

/// The names that a provider's documents may hold: of elements, of verbs (`verb`), of actions (`action`), of the
/// steps of SWML's sections.
fn names(provider: &str) -> &'static [&'static str] {
    match provider {
        "twilio" | "telnyx" => TWIML,
        // cXML is TwiML; the rest is SWML: https://developer.signalwire.com/swml/methods/
        "signalwire" => &[
            "Response",
            "Connect",
            "Stream",
            "Parameter",
            "Dial",
            "Number",
            "Sip",
            "Say",
            "Play",
            "Record",
            "Hangup",
            "Reject",
            "Redirect",
            "answer",
            "connect",
            "hangup",
            "play",
            "record",
            "request",
            "switch",
            "execute",
            "transfer",
            "cond",
            "goto",
            "label",
            "set",
        ],
        // https://dev.bandwidth.com/docs/voice/bxml/
        "bandwidth" => &[
            "Response",
            "StartStream",
            "StopStream",
            "StreamParam",
            "Transfer",
            "PhoneNumber",
            "SipUri",
            "SpeakSentence",
            "PlayAudio",
            "Record",
            "Hangup",
            "Redirect",
            "Ring",
            "Pause",
        ],
        // https://www.plivo.com/docs/voice/xml/
        "plivo" => &[
            "Response", "Stream", "Dial", "Number", "User", "Speak", "Play", "Record", "Hangup", "Redirect",
            "Wait",
        ],
        // https://docs.jambonz.org/verbs/overview
        "jambonz" => &[
            "answer",
            "config",
            "dial",
            "gather",
            "hangup",
            "listen",
            "pause",
            "play",
            "redirect",
            "say",
            "sip:decline",
            "tag",
            "transcribe",
        ],
        // https://developer.vonage.com/en/voice/voice-api/ncco-reference
        "vonage" => &["connect", "talk", "stream", "record", "notify", "input"],
        _ => &[],
    }
}

#[test]
fn every_document_is_one_that_the_provider_takes() {
    let mut refused = Vec::new();
    for provider in PROVIDERS {
        let asks = provider.kinds().iter().any(|kind| kind.name == AFTER);
        for document in documents::of(*provider) {
            let name = format!("{} {} ({})", provider.name(), document.action, document.case);
            if let Err(reason) = check(provider.name(), asks, &document) {
                let body =
                    String::from_utf8_lossy(&document.rendered.body).chars().take(600).collect::<String>();
                refused.push(format!("{name}: {reason}\n{body}\n{:?}", document.rendered.commands.len()));
            }
        }
    }
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n\n"));
}

fn check(provider: &str, asks: bool, document: &Document) -> Result<(), String> {
    let rendered = &document.rendered;
    // 204 is what a webhook that needs no answer gets; a decision is always a document or commands.
    if rendered.status != 200 && (rendered.status != 204 || !rendered.body.is_empty()) {
        return Err(format!("status {}", rendered.status));
    }
    let text = std::str::from_utf8(&rendered.body).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    match rendered.content_type {
        None if text.is_empty() => {}
        Some(MEDIA_TYPE | "application/xml" | "application/xml; charset=utf-8" | "text/xml") => {
            control_characters(text)?;
            if text.len() > XML_BYTES_MAX {
                return Err(format!("{} bytes", text.len()));
            }
            std::panic::catch_unwind(|| well_formed::check(text))
                .map_err(|_| "not well-formed".to_owned())?;
            found.extend(elements(text));
        }
        Some(JSON) => {
            control_characters(text)?;
            let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
            verbs(provider, &value, &mut found);
        }
        // Plain words: an acknowledgement, or what an agent reads of its tools.
        Some(media_type)
            if media_type.starts_with("text/plain")
                && ["acknowledge", "tool_results", "refuse"].contains(&document.action) => {}
        other => return Err(format!("content type {other:?}")),
    }
    if let Some(name) = found.iter().find(|name| !names(provider).contains(&name.as_str())) {
        return Err(format!("unknown name {name}"));
    }
    let brought_back = commands_bring_back(document)?;
    if let (true, true, Some(after)) = (asks, document.may_fail, &document.after) {
        let url = after.url.replace('&', "&amp;");
        if !text.contains(&after.url) && !text.contains(&url) && !brought_back {
            return Err("doesn't say how to ask what follows".to_owned());
        }
    }
    Ok(())
}

fn control_characters(text: &str) -> Result<(), String> {
    match text.chars().find(|char| *char < ' ') {
        Some(char) => Err(format!("a raw control character: {char:?}")),
        None => Ok(()),
    }
}

/// Whether a command's `client_state` holds the state: base64 of a document that has it.
fn commands_bring_back(document: &Document) -> Result<bool, String> {
    let mut brought_back = false;
    for command in &document.rendered.commands {
        let body: Value = serde_json::from_slice(&command.body).map_err(|error| error.to_string())?;
        for field in ["client_state", "target_leg_client_state"] {
            let state =
                body[field].as_str().and_then(|state| STANDARD.decode(state).ok()).unwrap_or_default();
            brought_back |= String::from_utf8_lossy(&state).contains(STATE);
        }
    }
    Ok(brought_back)
}

fn elements(text: &str) -> impl Iterator<Item = String> + '_ {
    let tags = text.split('<').skip(1).filter(|tag| !tag.starts_with(['/', '?']));
    tags.map(|tag| tag.split([' ', '/', '>']).next().unwrap_or_default().to_owned())
}

/// The names of a JSON document's verbs, where its provider's documents are lists of verbs.
fn verbs(provider: &str, value: &Value, found: &mut Vec<String>) {
    let key = match provider {
        "jambonz" => "verb",
        "vonage" => "action",
        "signalwire" => {
            let steps = value["sections"].as_object().into_iter().flat_map(|sections| sections.values());
            for step in steps.filter_map(Value::as_array).flatten() {
                found.extend(step.as_object().into_iter().flat_map(|step| step.keys().cloned()));
                found.extend(step.as_str().map(str::to_owned));
            }
            return;
        }
        _ => return,
    };
    for verb in value.as_array().into_iter().flatten() {
        found.push(verb[key].as_str().unwrap_or("none").to_owned());
    }
}
