//! Call control objects, as far as they are used. Source: <https://developer.vonage.com/en/voice/voice-api/ncco-reference>.

use serde::Serialize;

use crate::provider::agent_facts::AgentFacts;

/// One step of an NCCO. The document is a list of them, even for one.
#[derive(Serialize)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Step<'a> {
    /// The call is connected with another.
    Connect(Connect<'a>),
    /// Text is spoken.
    Talk {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<&'a str>,
    },
    /// A recording is played.
    Stream { stream_url: [&'a str; 1] },
    /// The caller is recorded until the key, the silence or the time.
    Record {
        beep_start: bool,
        end_on_key: &'a str,
        end_on_silence: u8,
        time_out: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        event_url: Option<[&'a str; 1]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        event_method: Option<&'a str>,
    },
    /// A server is asked; the NCCO that it answers takes this one's place.
    Notify { payload: Notice<'a>, event_url: [&'a str; 1], event_method: &'a str },
}

/// What a call is connected with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connect<'a> {
    /// The account's number that the call comes from: the called one, digits only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'a str>,
    /// Any of the application's numbers, where the called address is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_from_number: Option<bool>,
    /// How long it rings, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u16>,
    /// `synchronous`: the answer to an event may be the NCCO that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_url: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_method: Option<&'a str>,
    pub endpoint: [Endpoint<'a>; 1],
}

/// The other side of a connected call.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Endpoint<'a> {
    Phone {
        number: &'a str,
    },
    Sip {
        uri: &'a str,
        #[serde(skip_serializing_if = "SipHeaders::is_empty")]
        headers: SipHeaders,
    },
    Websocket {
        uri: &'a str,
        #[serde(rename = "content-type")]
        content_type: &'a str,
        headers: &'a AgentFacts<'a>,
    },
}

/// Headers of a SIP call, by their names without the `X-` that Vonage puts in front.
#[derive(Serialize, Default)]
#[serde(transparent)]
pub struct SipHeaders(pub serde_json::Map<String, serde_json::Value>);

impl SipHeaders {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a notified server is told of the call: the fields of the answer webhook.
#[derive(Serialize)]
pub struct Notice<'a> {
    pub uuid: &'a str,
    pub to: &'a str,
    pub from: &'a str,
}
