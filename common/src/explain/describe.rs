//! Steps and agents in the words of the API.

use serde_json::{Value, json};

use crate::feed::record::{AgentRecord, AgentTarget};
use crate::ids::AgentId;
use crate::route::{AgentShare, Dialable, Prompt, Step};

/// A step in the words of the API.
pub fn describe_step(step: &Step) -> Value {
    let address = |to: &Dialable| match to {
        Dialable::Number(number) => number.to_string(),
        Dialable::Sip(uri) => uri.clone(),
    };
    let heard = |prompt: &Prompt| match prompt {
        Prompt::Say { text, language } => json!({ "say": text, "language": language }),
        Prompt::Play { url } => json!({ "play": url }),
    };
    match step {
        Step::Agent { agent } => json!({ "action": "agent", "agent_id": agent }),
        Step::Split { agents } => {
            let share = |share: &AgentShare| json!({ "agent_id": share.agent, "version": share.version, "weight": share.weight });
            json!({ "action": "agent", "split": agents.iter().map(share).collect::<Vec<_>>() })
        }
        Step::Forward { to, timeout_s } => {
            json!({ "action": "forward", "to": address(to), "timeout_seconds": timeout_s })
        }
        Step::Ring { to, timeout_s } => {
            let to: Vec<_> = to.iter().map(address).collect();
            json!({ "action": "ring", "to": to, "timeout_seconds": timeout_s })
        }
        Step::Voicemail { prompt, length_max_s } => {
            json!({ "action": "voicemail", "prompt": heard(prompt), "max_seconds": length_max_s })
        }
        Step::Message { prompt } => json!({ "action": "message", "prompt": heard(prompt) }),
        Step::Reject { busy } => {
            json!({ "action": "reject", "reason": if *busy { "busy" } else { "rejected" } })
        }
        Step::Redirect { url } => json!({ "action": "redirect", "url": url }),
    }
}

pub fn describe_agent((id, agent): (AgentId, &AgentRecord)) -> Value {
    let target = match &agent.target {
        AgentTarget::Stream { url } => json!({ "type": "stream", "url": url }),
        AgentTarget::Sip { uri } => json!({ "type": "sip", "uri": uri }),
        AgentTarget::Redirect { url } => json!({ "type": "redirect", "url": url }),
        AgentTarget::Hosted(hosted) => json!({
            "type": "hosted",
            "provider": hosted.provider,
            "id": hosted.id,
            "version": hosted.version,
            "sip_uri": hosted.sip_uri,
        }),
    };
    json!({ "id": id, "name": agent.name, "language": agent.profile.voice.language, "target": target })
}
