//! How a call reaches an agent: the document and what it compiles to.

use dialplane_common::feed::record::AgentTarget;
use dialplane_common::sip;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::Invalid;
use crate::url;

/// How a call reaches an agent: `{"type":"stream","url":"wss://…"}`, `{"type":"sip","uri":"sip:…"}` or
/// `{"type":"redirect","url":"https://…"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetDocument {
    /// What kind of target.
    #[serde(rename = "type")]
    pub kind: TargetKind,
    /// Of a stream: an absolute `wss` URL without query. Of a redirect: an absolute `https` URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of a SIP endpoint: its URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// What kind of target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A WebSocket that takes the call's audio.
    Stream,
    /// A SIP endpoint.
    Sip,
    /// A server that answers in the provider's own words.
    Redirect,
}

impl TargetDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where, below `target`.
    pub fn compile(&self) -> Result<AgentTarget, Invalid> {
        let (wanted, given, other) = match self.kind {
            TargetKind::Sip => ("uri", &self.uri, ("url", &self.url)),
            _ => ("url", &self.url, ("uri", &self.uri)),
        };
        if other.1.is_some() {
            return Err(Invalid::new(
                format!("target.{}", other.0),
                format!("this type has a {wanted} instead"),
            ));
        }
        let field = format!("target.{wanted}");
        let text = given.clone().ok_or_else(|| Invalid::new(&field, "wanted"))?;
        match self.kind {
            TargetKind::Stream => {
                url::absolute(&field, &text, &["wss"])?;
                if text.contains(['?', '#']) {
                    let wanted = "wanted no query and no fragment: carriers drop them from stream URLs, and what \
                                  they say would be lost; the call's facts arrive as custom parameters";
                    return Err(Invalid::new(field, wanted));
                }
                Ok(AgentTarget::Stream { url: text })
            }
            TargetKind::Sip if sip::is_uri(&text) && text.len() <= 255 => Ok(AgentTarget::Sip { uri: text }),
            TargetKind::Sip => Err(Invalid::new(field, "wanted a SIP URI such as sip:desk@pbx.example")),
            TargetKind::Redirect => {
                url::absolute(&field, &text, &["https"])?;
                Ok(AgentTarget::Redirect { url: text })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<AgentTarget, &str>) {
        let document: TargetDocument = serde_json::from_str(json).unwrap();
        assert_eq!(
            document.compile().map_err(|invalid| invalid.field),
            expected.map_err(str::to_owned),
            "{json}"
        );
    }

    #[test]
    fn each_type_has_its_own_address() {
        let stream = AgentTarget::Stream { url: "wss://voice.example/agent".into() };
        check(r#"{"type":"stream","url":"wss://voice.example/agent"}"#, Ok(stream));
        check(r#"{"type":"sip","uri":"sip:a@b"}"#, Ok(AgentTarget::Sip { uri: "sip:a@b".into() }));
        check(
            r#"{"type":"redirect","url":"https://a.example/x?y=1"}"#,
            Ok(AgentTarget::Redirect { url: "https://a.example/x?y=1".into() }),
        );
        check(r#"{"type":"stream","url":"ws://voice.example/agent"}"#, Err("target.url"));
        check(r#"{"type":"stream","url":"wss://voice.example/agent?x=1"}"#, Err("target.url"));
        check(r#"{"type":"stream"}"#, Err("target.url"));
        check(r#"{"type":"stream","url":"wss://a","uri":"sip:a@b"}"#, Err("target.uri"));
        check(r#"{"type":"sip","uri":"tel:123"}"#, Err("target.uri"));
        check(r#"{"type":"redirect","url":"http://a.example"}"#, Err("target.url"));
    }
}
