//! How agents speak: the documents of kind `voice` and `rules`, and what they compile to.

use std::collections::BTreeMap;

use dialplane_common::location::{Conversation, Percent, VARIABLE_NAMES, Voice};
use dialplane_common::route::Dialable;
use dialplane_common::sip;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::{self, Invalid};

const GREETING_CHARS_MAX: usize = 1_000;
const PROMPT_CHARS_MAX: usize = 20_000;
const RULES_MAX: usize = 50;
const RULE_CHARS_MAX: usize = 500;
const VARIABLES_MAX: usize = 50;
const VARIABLE_CHARS_MAX: usize = 1_000;
const DURATION_S: std::ops::RangeInclusive<u16> = 10..=43_200;

/// The voice. A field that is absent or null is inherited: from the agent, then the tenant, then the platform. Which
/// agent answers is known when a call comes: what it sets itself isn't among what is shown as inherited.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoiceDocument {
    /// Who makes the voice, where that isn't the agent's own provider: `11labs`, `openai`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The provider's name of the voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice_id: Option<String>,
    /// The provider's name of the speech model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// BCP 47 tag of the language: `en-US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The first sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greeting: Option<String>,
    /// 0.5 to 2; 1 is the voice's own speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// 0 to 1: how even the voice is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<f64>,
    /// 0 to 1: how close it stays to the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
}

/// The conversation's rules. A field that is absent or null is inherited: from the agent, then the tenant, then the
/// platform; variables name by name. Which agent answers is known when a call comes: what it sets itself isn't among
/// what is shown as inherited.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesDocument {
    /// What the agent is told to be: its system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What it keeps to, a sentence each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<String>>,
    /// Where it hands over a caller who wants a person: an E.164 number or a SIP URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_to: Option<String>,
    /// How long a conversation may be, 10 to 43200 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration_seconds: Option<u16>,
    /// Further variables for the prompt, by name: lower-case letters, digits and `_`. Names that are filled for every
    /// call (`open_now`) and those that begin with `system__` are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl VoiceDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where.
    pub fn compile(&self) -> Result<Voice, Invalid> {
        for (field, text) in
            [("provider", &self.provider), ("voice_id", &self.voice_id), ("model", &self.model)]
        {
            text.as_deref().map_or(Ok(()), |text| invalid::name(field, text))?;
        }
        if let Some(language) = &self.language {
            invalid::language("language", language)?;
        }
        if let Some(greeting) = &self.greeting {
            invalid::spoken("greeting", greeting, GREETING_CHARS_MAX)?;
        }
        Ok(Voice {
            provider: self.provider.clone(),
            voice_id: self.voice_id.clone(),
            model: self.model.clone(),
            language: self.language.clone(),
            greeting: self.greeting.clone(),
            speed: percent("speed", self.speed, (0.5, 2.0))?,
            stability: percent("stability", self.stability, (0.0, 1.0))?,
            similarity: percent("similarity", self.similarity, (0.0, 1.0))?,
        })
    }

    /// This document, with what it lacks from `behind`.
    #[must_use]
    pub fn over(self, behind: &Self) -> Self {
        let or = |own: Option<String>, behind: &Option<String>| own.or_else(|| behind.clone());
        Self {
            provider: or(self.provider, &behind.provider),
            voice_id: or(self.voice_id, &behind.voice_id),
            model: or(self.model, &behind.model),
            language: or(self.language, &behind.language),
            greeting: or(self.greeting, &behind.greeting),
            speed: self.speed.or(behind.speed),
            stability: self.stability.or(behind.stability),
            similarity: self.similarity.or(behind.similarity),
        }
    }
}

/// Hundredths are as fine as anybody hears.
fn percent(field: &str, factor: Option<f64>, (least, most): (f64, f64)) -> Result<Option<Percent>, Invalid> {
    let Some(factor) = factor else { return Ok(None) };
    if !(least..=most).contains(&factor) {
        return Err(Invalid::new(field, format!("wanted a number from {least} to {most}")));
    }
    Ok(Some(Percent((factor * 100.0).round() as u16)))
}

impl RulesDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where: `variables.parking`.
    pub fn compile(&self) -> Result<Conversation, Invalid> {
        if let Some(prompt) = &self.prompt {
            invalid::spoken("prompt", prompt, PROMPT_CHARS_MAX)?;
        }
        let rules = self.rules.as_deref().unwrap_or_default();
        if rules.len() > RULES_MAX {
            return Err(Invalid::new("rules", format!("wanted at most {RULES_MAX}")));
        }
        for (index, rule) in rules.iter().enumerate() {
            invalid::spoken(&format!("rules[{index}]"), rule, RULE_CHARS_MAX)?;
        }
        if let Some(seconds) = self.max_duration_seconds.filter(|seconds| !DURATION_S.contains(seconds)) {
            let wanted =
                format!("wanted {} to {} seconds, not {seconds}", DURATION_S.start(), DURATION_S.end());
            return Err(Invalid::new("max_duration_seconds", wanted));
        }
        check_variables(&self.variables)?;
        Ok(Conversation {
            prompt: self.prompt.clone(),
            rules: self.rules.clone(),
            transfer_to: self.transfer_to.as_deref().map(transfer_to).transpose()?,
            duration_max_s: self.max_duration_seconds,
            variables: self.variables.clone(),
        })
    }

    /// This document, with what it lacks from `behind`.
    #[must_use]
    pub fn over(mut self, behind: &Self) -> Self {
        for (name, value) in &behind.variables {
            self.variables.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Self {
            prompt: self.prompt.or_else(|| behind.prompt.clone()),
            rules: self.rules.or_else(|| behind.rules.clone()),
            transfer_to: self.transfer_to.or_else(|| behind.transfer_to.clone()),
            max_duration_seconds: self.max_duration_seconds.or(behind.max_duration_seconds),
            variables: self.variables,
        }
    }
}

fn transfer_to(text: &str) -> Result<Dialable, Invalid> {
    if sip::is_uri(text) && text.len() <= 255 {
        return Ok(Dialable::Sip(text.to_owned()));
    }
    text.parse()
        .map(Dialable::Number)
        .map_err(|_| Invalid::new("transfer_to", "wanted an E.164 number or a SIP URI"))
}

fn check_variables(variables: &BTreeMap<String, String>) -> Result<(), Invalid> {
    if variables.len() > VARIABLES_MAX {
        return Err(Invalid::new("variables", format!("wanted at most {VARIABLES_MAX}")));
    }
    for (name, value) in variables {
        let place = format!("variables.{name}");
        let first = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        let rest =
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !first || !rest || name.len() > 50 {
            let wanted = "wanted a name of 1 to 50 lower-case letters, digits and _, no digit first";
            return Err(Invalid::new(place, wanted));
        }
        if VARIABLE_NAMES.contains(&name.as_str()) || name.starts_with("system__") {
            return Err(Invalid::new(place, "wanted another name: this one is filled for every call"));
        }
        if value.chars().count() > VARIABLE_CHARS_MAX || value.contains('\0') {
            return Err(Invalid::new(
                place,
                format!("wanted at most {VARIABLE_CHARS_MAX} characters, no NUL"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_place() {
        let voice =
            |json: &str| serde_json::from_str::<VoiceDocument>(json).unwrap().compile().unwrap_err().field;
        for (json, field) in [
            (r#"{"speed":3}"#, "speed"),
            (r#"{"stability":-0.1}"#, "stability"),
            (r#"{"language":"english"}"#, "language"),
            (r#"{"greeting":" "}"#, "greeting"),
            (r#"{"voice_id":""}"#, "voice_id"),
        ] {
            assert_eq!(voice(json), field, "{json}");
        }
        let rules =
            |json: &str| serde_json::from_str::<RulesDocument>(json).unwrap().compile().unwrap_err().field;
        for (json, field) in [
            (r#"{"transfer_to":"the desk"}"#, "transfer_to"),
            (r#"{"rules":["ok",""]}"#, "rules[1]"),
            (r#"{"max_duration_seconds":5}"#, "max_duration_seconds"),
            (r#"{"variables":{"Parking":"x"}}"#, "variables.Parking"),
            (r#"{"variables":{"2nd_floor":"x"}}"#, "variables.2nd_floor"),
            (r#"{"variables":{"":"x"}}"#, "variables."),
            (r#"{"variables":{"open_now":"x"}}"#, "variables.open_now"),
            (r#"{"variables":{"system__x":"x"}}"#, "variables.system__x"),
        ] {
            assert_eq!(rules(json), field, "{json}");
        }
    }

    #[test]
    fn compiles_to_what_a_router_needs_and_merges_field_by_field() {
        let near: VoiceDocument = serde_json::from_str(r#"{"speed":1.1,"greeting":"Hi"}"#).unwrap();
        let far: VoiceDocument = serde_json::from_str(r#"{"speed":0.9,"voice_id":"v"}"#).unwrap();
        assert_eq!(near.compile().unwrap().speed, Some(Percent(110)));
        let merged = near.over(&far);
        assert_eq!((merged.speed, merged.voice_id.as_deref()), (Some(1.1), Some("v")));
        let near: RulesDocument = serde_json::from_str(r#"{"variables":{"a":"1"}}"#).unwrap();
        let marked: RulesDocument = serde_json::from_str(r#"{"variables":{"_floor_2":"1"}}"#).unwrap();
        assert!(marked.compile().is_ok());
        let far: RulesDocument =
            serde_json::from_str(r#"{"prompt":"p","variables":{"a":"2","b":"2"}}"#).unwrap();
        let merged = near.over(&far);
        assert_eq!(
            (merged.prompt.as_deref(), merged.variables["a"].as_str(), merged.variables.len()),
            (Some("p"), "1", 2)
        );
    }
}
