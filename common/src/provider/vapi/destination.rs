//! Where a call is handed over to. Vapi hands over once and for all: it doesn't come back when nobody answers there.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::e164::E164;
use crate::provider::reply::Reply;
use crate::route::Dialable;

/// The longest value of a SIP header, in characters: carriers drop longer ones.
const HEADER_CHARS_MAX: usize = 200;

#[derive(Serialize)]
pub struct Routed<'a> {
    pub destination: Destination<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Destination<'a> {
    Number {
        number: String,
        message: &'static str,
    },
    Sip {
        sip_uri: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sip_headers: Option<Headers<'a>>,
        message: &'static str,
    },
}

impl<'a> Destination<'a> {
    /// Somebody to ring. The caller hears nothing of it but the ringing: an empty message is silence, none is
    /// "Transferring the call now".
    pub fn to(address: &'a Dialable) -> Self {
        match address {
            Dialable::Number(number) => Self::number(*number),
            Dialable::Sip(uri) => Self::Sip { sip_uri: uri_text(uri), sip_headers: None, message: "" },
        }
    }

    /// An agent, which is told what the call is.
    pub fn agent(uri: &'a str, reply: &'a Reply<'a>) -> Self {
        Self::Sip { sip_uri: uri_text(uri), sip_headers: Some(Headers(reply)), message: "" }
    }

    fn number(number: E164) -> Self {
        Self::Number { number: number.to_string(), message: "" }
    }
}

/// A URI without braces, which Vapi would read as a template.
fn uri_text(uri: &str) -> Cow<'_, str> {
    if uri.contains(['{', '}']) {
        Cow::Owned(uri.replace('{', "%7B").replace('}', "%7D"))
    } else {
        Cow::Borrowed(uri)
    }
}

/// The facts of the call as SIP headers.
pub struct Headers<'a>(&'a Reply<'a>);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (call, location) = (self.0.call, self.0.location);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("x-tenant-id", &location.tenant_id)?;
        if let Some(id) = location.phone_number_id {
            map.serialize_entry("x-phone-number-id", &id)?;
        }
        for (name, value) in [("x-call-id", &call.call_id), ("x-from", &call.from), ("x-to", &call.to)] {
            map.serialize_entry(name, &*header_text(value))?;
        }
        map.end()
    }
}

/// What a header may hold of a text that a caller can choose: nothing that would end it, be a second value of it, or
/// be read as a template.
fn header_text(text: &str) -> Cow<'_, str> {
    let fits = |character: char| {
        character.is_ascii_graphic() && !matches!(character, '{' | '}' | '<' | '>' | '"' | ',' | '\\')
    };
    if text.len() <= HEADER_CHARS_MAX && text.chars().all(fits) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|character| fits(*character)).take(HEADER_CHARS_MAX).collect())
    }
}
