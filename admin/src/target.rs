//! How a call reaches an agent: the document and what it compiles to.

use dialplane_common::feed::record::{AgentTarget, HostedAgent};
use dialplane_common::provider::reply::Action;
use dialplane_common::provider::{PROVIDERS, Provider};
use dialplane_common::sip;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::Invalid;
use crate::url;

/// How a call reaches an agent: `{"type":"stream","url":"wss://…"}`, `{"type":"sip","uri":"sip:…"}` or
/// `{"type":"redirect","url":"https://…"}` for a custom one, `{"type":"hosted","id":"…"}` for one at a provider.
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
    /// Of a hosted agent: the provider's name of it (Vapi's assistant id, ElevenLabs's or Retell's agent id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Of a hosted agent: which version of it, in the provider's words; absent: the one that the provider chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Of a hosted agent: the SIP URI at which its provider takes calls for it from other carriers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_uri: Option<String>,
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
    /// An agent at a provider of voice agents.
    Hosted,
}

/// Who runs agents that are reached by stream, SIP or redirect: anybody.
pub const CUSTOM: &str = "custom";

/// Refuses who doesn't run agents, naming those who do.
///
/// # Errors
/// What is wanted at `provider`.
pub fn check_provider(name: &str) -> Result<(), Invalid> {
    // A provider runs its own agents only, so each is asked about one of its own.
    let hosts = |provider: &&dyn Provider| {
        let provider_name = provider.name().to_owned();
        let own = HostedAgent { provider: provider_name, id: String::new(), version: None, sip_uri: None };
        provider.can(&Action::Hosted { agent: &own, version: None })
    };
    let hosts: Vec<_> = PROVIDERS.iter().copied().filter(hosts).map(Provider::name).collect();
    if name == CUSTOM || hosts.contains(&name) {
        return Ok(());
    }
    let known: Vec<_> = std::iter::once(CUSTOM).chain(hosts).collect();
    Err(Invalid::new("provider", format!("wanted one of: {}", known.join(", "))))
}

impl TargetDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where, below `target`.
    pub fn compile(&self, provider: &str) -> Result<AgentTarget, Invalid> {
        let hosted = provider != CUSTOM;
        if hosted != (self.kind == TargetKind::Hosted) {
            let wanted = if hosted { "hosted, as a provider runs it" } else { "stream, sip or redirect" };
            return Err(Invalid::new("target.type", format!("wanted {wanted}")));
        }
        let wanted = match self.kind {
            TargetKind::Sip => "uri",
            TargetKind::Stream | TargetKind::Redirect => "url",
            TargetKind::Hosted => "id",
        };
        let fields = [
            ("url", self.url.is_some(), wanted == "url"),
            ("uri", self.uri.is_some(), wanted == "uri"),
            ("id", self.id.is_some(), hosted),
            ("version", self.version.is_some(), hosted),
            ("sip_uri", self.sip_uri.is_some(), hosted),
        ];
        if let Some((other, ..)) = fields.into_iter().find(|(_, is_set, has)| *is_set && !has) {
            return Err(Invalid::new(format!("target.{other}"), format!("this type has a {wanted} instead")));
        }
        let given = self.url.as_ref().or(self.uri.as_ref()).or(self.id.as_ref());
        let field = format!("target.{wanted}");
        let text = given.cloned().ok_or_else(|| Invalid::new(&field, "wanted"))?;
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
            TargetKind::Hosted => self.hosted(provider, text),
        }
    }
}

impl TargetDocument {
    fn hosted(&self, provider: &str, id: String) -> Result<AgentTarget, Invalid> {
        for (field, text) in [("target.id", Some(&id)), ("target.version", self.version.as_ref())] {
            let plain =
                |text: &String| (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
            if text.is_some_and(|text| !plain(text)) {
                return Err(Invalid::new(field, "wanted 1 to 200 characters, ASCII, no blanks"));
            }
        }
        if self.sip_uri.as_ref().is_some_and(|uri| !sip::is_uri(uri) || uri.len() > 255) {
            return Err(Invalid::new("target.sip_uri", "wanted a SIP URI such as sip:desk@sip.vapi.ai"));
        }
        Ok(AgentTarget::Hosted(Box::new(HostedAgent {
            provider: provider.to_owned(),
            id,
            version: self.version.clone(),
            sip_uri: self.sip_uri.clone(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<AgentTarget, &str>) {
        check_of(CUSTOM, json, expected);
    }

    fn check_of(provider: &str, json: &str, expected: Result<AgentTarget, &str>) {
        let document: TargetDocument = serde_json::from_str(json).unwrap();
        assert_eq!(
            document.compile(provider).map_err(|invalid| invalid.field),
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

    #[test]
    fn who_runs_agents_is_taken_and_carriers_are_refused() {
        for name in ["custom", "elevenlabs", "retell"] {
            assert_eq!(check_provider(name), Ok(()), "{name}");
        }
        for name in ["twilio", "plivo", "nobody", ""] {
            let refused = check_provider(name).unwrap_err();
            assert_eq!(refused.field, "provider", "{name}");
        }
    }

    #[test]
    fn a_providers_agent_is_hosted_and_others_are_not() {
        let hosted = HostedAgent {
            provider: "vapi".into(),
            id: "d4fa3a0e".into(),
            version: Some("prod".into()),
            sip_uri: Some("sip:front@sip.vapi.ai".into()),
        };
        check_of(
            "vapi",
            r#"{"type":"hosted","id":"d4fa3a0e","version":"prod","sip_uri":"sip:front@sip.vapi.ai"}"#,
            Ok(AgentTarget::Hosted(Box::new(hosted))),
        );
        check_of("vapi", r#"{"type":"hosted"}"#, Err("target.id"));
        check_of("vapi", r#"{"type":"hosted","id":"a b"}"#, Err("target.id"));
        check_of("vapi", r#"{"type":"hosted","id":"a","sip_uri":"desk"}"#, Err("target.sip_uri"));
        check_of("vapi", r#"{"type":"sip","uri":"sip:a@b"}"#, Err("target.type"));
        check(r#"{"type":"hosted","id":"a"}"#, Err("target.type"));
        check(r#"{"type":"sip","uri":"sip:a@b","id":"a"}"#, Err("target.id"));
        assert_eq!(check_provider("carrier").unwrap_err().field, "provider");
        assert!(check_provider("custom").is_ok());
    }
}
