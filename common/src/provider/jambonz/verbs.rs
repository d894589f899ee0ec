//! jambonz's verbs, as far as they are used. Source: <https://docs.jambonz.org/verbs/verbs/overview>, checked against
//! `@jambonz/verb-specifications` 0.1 (what jambonz itself checks with) and `@jambonz/schema` 0.4.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::provider::agent_facts::AgentFacts;

/// One step of a document, which is a list of them.
#[derive(Serialize)]
#[serde(tag = "verb", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Verb<'a> {
    /// Text is spoken.
    Say { text: &'a str },
    /// A recording is played.
    Play { url: &'a str },
    /// The call's audio goes to a socket, and the socket's to the call.
    Listen {
        url: &'a str,
        sample_rate: u32,
        mix_type: &'a str,
        pass_dtmf: bool,
        bidirectional_audio: BidirectionalAudio,
        metadata: &'a AgentFacts<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        action_hook: Option<&'a str>,
    },
    /// All targets ring; the first to answer has the call.
    Dial {
        answer_on_bridge: bool,
        timeout: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        action_hook: Option<&'a str>,
        target: Vec<Target<'a>>,
    },
    /// Something is set for the rest of the call.
    Config { record: Record<'a> },
    /// A key is waited for.
    Gather { input: [&'a str; 1], finish_on_key: &'a str, timeout: u16 },
    /// Another server says what to do.
    Redirect { action_hook: &'a str },
    /// The call isn't answered.
    #[serde(rename = "sip:decline")]
    Decline { status: u16, reason: &'a str },
    /// The call ends.
    Hangup {},
}

/// What a socket sends.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BidirectionalAudio {
    pub enabled: bool,
    pub streaming: bool,
    pub sample_rate: u32,
}

/// Somebody who is rung.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Target<'a> {
    Phone {
        number: String,
    },
    Sip {
        sip_uri: &'a str,
        #[serde(skip_serializing_if = "Map::is_empty")]
        headers: Map<String, Value>,
    },
}

/// A recording is started or stopped.
#[derive(Serialize)]
pub struct Record<'a> {
    pub action: &'a str,
    pub r#type: &'a str,
}
