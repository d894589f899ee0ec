//! Steps, agents and decisions as JSON, in the words of the API.

use serde::{Serialize, Serializer};

use crate::feed::record::{AgentRecord, AgentTarget};
use crate::ids::AgentId;
use crate::route::{AgentShare, Dialable, Prompt, Step};

/// A step as the API writes it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StepView<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<Vec<ShareView<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<To<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    say: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    play: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_seconds: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct ShareView<'a> {
    agent_id: AgentId,
    version: Option<&'a str>,
    weight: u8,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
enum To<'a> {
    One(Address<'a>),
    Several(Vec<Address<'a>>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Address<'a>(&'a Dialable);

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Dialable::Number(number) => serializer.collect_str(number),
            Dialable::Sip(uri) => serializer.serialize_str(uri),
        }
    }
}

impl<'a> StepView<'a> {
    /// A step as it is set.
    #[must_use]
    pub fn of(step: &'a Step) -> Self {
        match step {
            Step::Agent { agent } => Self { action: "agent", agent_id: *agent, ..Self::default() },
            Step::Split { agents } => {
                let share = |share: &'a AgentShare| ShareView {
                    agent_id: share.agent,
                    version: share.version.as_deref(),
                    weight: share.weight,
                };
                Self { action: "agent", split: Some(agents.iter().map(share).collect()), ..Self::default() }
            }
            Step::Forward { to, timeout_s } => Self {
                action: "forward",
                to: Some(To::One(Address(to))),
                timeout_seconds: Some(*timeout_s),
                ..Self::default()
            },
            Step::Ring { to, timeout_s } => Self {
                action: "ring",
                to: Some(To::Several(to.iter().map(Address).collect())),
                timeout_seconds: Some(*timeout_s),
                ..Self::default()
            },
            Step::Voicemail { prompt, length_max_s } => {
                Self { action: "voicemail", max_seconds: Some(*length_max_s), ..Self::hearing(prompt) }
            }
            Step::Message { prompt } => Self { action: "message", ..Self::hearing(prompt) },
            Step::Reject { busy } => Self::reject(*busy),
            Step::Redirect { url } => Self { action: "redirect", url: Some(url), ..Self::default() },
        }
    }

    /// An agent that was found for a call.
    #[must_use]
    pub fn agent(id: AgentId, record: &'a AgentRecord, version: Option<&'a str>) -> Self {
        let agent = Some(AgentView::of(id, record));
        Self { action: "agent", agent_id: Some(id), version, agent, ..Self::default() }
    }

    /// The call isn't answered.
    #[must_use]
    pub fn reject(busy: bool) -> Self {
        let reason = Some(if busy { "busy" } else { "rejected" });
        Self { action: "reject", reason, ..Self::default() }
    }

    fn hearing(prompt: &'a Prompt) -> Self {
        match prompt {
            Prompt::Say { text, language } => {
                Self { say: Some(text), language: language.as_deref(), ..Self::default() }
            }
            Prompt::Play { url } => Self { play: Some(url), ..Self::default() },
        }
    }
}

/// An agent as the API writes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AgentView<'a> {
    id: AgentId,
    name: &'a str,
    version: u32,
    language: Option<&'a str>,
    target: TargetView<'a>,
}

impl<'a> AgentView<'a> {
    /// An agent.
    #[must_use]
    pub fn of(id: AgentId, record: &'a AgentRecord) -> Self {
        let target = match &record.target {
            AgentTarget::Stream { url } => TargetView::Stream { url },
            AgentTarget::Sip { uri } => TargetView::Sip { uri },
            AgentTarget::Redirect { url } => TargetView::Redirect { url },
            AgentTarget::Hosted(hosted) => TargetView::Hosted {
                provider: &hosted.provider,
                id: &hosted.id,
                version: hosted.version.as_deref(),
                sip_uri: hosted.sip_uri.as_deref(),
            },
        };
        let language = record.profile.voice.language.as_deref();
        Self { id, name: &record.name, version: record.version, language, target }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum TargetView<'a> {
    Stream { url: &'a str },
    Sip { uri: &'a str },
    Redirect { url: &'a str },
    Hosted { provider: &'a str, id: &'a str, version: Option<&'a str>, sip_uri: Option<&'a str> },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_written_as_they_are_set() {
        let check = |step: &Step, expected: &str| {
            assert_eq!(serde_json::to_string(&StepView::of(step)).unwrap(), expected);
        };
        let number = Dialable::Number("+12125550001".parse().unwrap());
        check(
            &Step::Forward { to: number.clone(), timeout_s: 20 },
            r#"{"action":"forward","to":"+12125550001","timeout_seconds":20}"#,
        );
        check(
            &Step::Ring { to: vec![number, Dialable::Sip("sip:a@b".into())], timeout_s: 9 },
            r#"{"action":"ring","to":["+12125550001","sip:a@b"],"timeout_seconds":9}"#,
        );
        let prompt = Prompt::Say { text: "Hello".into(), language: None };
        check(
            &Step::Voicemail { prompt, length_max_s: 60 },
            r#"{"action":"voicemail","say":"Hello","max_seconds":60}"#,
        );
        check(&Step::Reject { busy: true }, r#"{"action":"reject","reason":"busy"}"#);
        check(&Step::Agent { agent: None }, r#"{"action":"agent"}"#);
    }
}
