//! An agent as ElevenLabs wants it told.
//!
//! It asks us itself (its own webhook stands above the workspace's), allows the overrides that our answers have, and has
//! a default for each variable, so that it takes a call without our answer too.

use serde_json::{Map, Value, json};

use super::super::numbers::workspace;
use super::super::render::language;
use super::super::variables;
use crate::rest::agents::AgentSpec;
use crate::rest::{Account, Fault};

/// What speaks languages other than English; ElevenLabs refuses them with the models for English.
const MODEL: &str = "eleven_flash_v2_5";

/// The document of an agent, complete but for its voice, which stays what it is where none is set.
///
/// # Errors
/// [`Fault::Stop`] when the account's credentials lack something.
pub fn of(account: &Account<'_>, agent: &AgentSpec) -> Result<Value, Fault> {
    let language = agent.language.as_deref().map_or_else(|| "en".to_owned(), language);
    let mut speech = Map::new();
    if language != "en" {
        speech.insert("model_id".to_owned(), MODEL.into());
    }
    if let Some(id) = &agent.voice_id {
        speech.insert("voice_id".to_owned(), id.as_str().into());
    }
    let defaults: Map<String, Value> = variables::names().map(|name| (name.to_owned(), "".into())).collect();
    let made = json!({
        "name": agent.name,
        "conversation_config": {
            "agent": {
                "prompt": {"prompt": agent.prompt.as_deref().unwrap_or_default()},
                "first_message": agent.greeting.as_deref().unwrap_or_default(),
                "language": language,
                "dynamic_variables": {"dynamic_variable_placeholders": defaults},
            },
            "tts": speech,
        },
        "platform_settings": {
            "overrides": {
                "enable_conversation_initiation_client_data_from_webhook": true,
                "conversation_config_override": {
                    "agent": {"prompt": {"prompt": true}, "first_message": true, "language": true},
                    "tts": {
                        "voice_id": true, "model_id": true, "speed": true, "stability": true, "similarity_boost": true,
                    },
                    "conversation": {"max_duration_seconds": true},
                },
            },
            "workspace_overrides": {workspace::FIELD: workspace::ours(account, &agent.webhooks)?},
        },
    });
    Ok(agent.with_config(made))
}
