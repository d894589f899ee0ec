//! What applies of voice and conversation: each field from the nearest scope that sets it. Borrowed, because it is
//! asked for with every call that an agent takes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::profile::{Conversation, Percent, Profile, Voice};
use crate::route::Dialable;

/// The voice that applies. Fields as [`Voice`]'s.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct EffectiveVoice<'a> {
    /// Who makes the voice.
    pub provider: Option<&'a str>,
    /// The maker's name of the voice.
    pub voice_id: Option<&'a str>,
    /// The maker's name of the speech model.
    pub model: Option<&'a str>,
    /// BCP 47 tag of the language.
    pub language: Option<&'a str>,
    /// The first sentence.
    pub greeting: Option<&'a str>,
    /// Speed; 100 is the voice's own.
    pub speed: Option<Percent>,
    /// How even the voice is.
    pub stability: Option<Percent>,
    /// How close it stays to the original.
    pub similarity: Option<Percent>,
}

/// What applies of the conversation. Fields as [`Conversation`]'s.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct EffectiveConversation<'a> {
    /// What the agent is told to be.
    pub prompt: Option<&'a str>,
    /// What it keeps to.
    pub rules: Option<&'a [String]>,
    /// Where it hands a caller over to who wants a person.
    pub transfer_to: Option<&'a Dialable>,
    /// How long a conversation may be, in seconds.
    pub duration_max_s: Option<u16>,
    /// Further variables by name, merged name by name.
    pub variables: BTreeMap<&'a str, &'a str>,
}

impl<'a> EffectiveVoice<'a> {
    /// Of these profiles, the nearest first.
    pub fn of(profiles: impl Iterator<Item = &'a Profile>) -> Self {
        profiles.map(|profile| &profile.voice).fold(Self::default(), Self::or)
    }

    fn or(self, behind: &'a Voice) -> Self {
        Self {
            provider: self.provider.or(behind.provider.as_deref()),
            voice_id: self.voice_id.or(behind.voice_id.as_deref()),
            model: self.model.or(behind.model.as_deref()),
            language: self.language.or(behind.language.as_deref()),
            greeting: self.greeting.or(behind.greeting.as_deref()),
            speed: self.speed.or(behind.speed),
            stability: self.stability.or(behind.stability),
            similarity: self.similarity.or(behind.similarity),
        }
    }
}

impl<'a> EffectiveConversation<'a> {
    /// Of these profiles, the nearest first.
    pub fn of(profiles: impl Iterator<Item = &'a Profile>) -> Self {
        profiles.map(|profile| &profile.conversation).fold(Self::default(), Self::or)
    }

    fn or(mut self, behind: &'a Conversation) -> Self {
        for (name, value) in &behind.variables {
            self.variables.entry(name).or_insert(value);
        }
        Self {
            prompt: self.prompt.or(behind.prompt.as_deref()),
            rules: self.rules.or(behind.rules.as_deref()),
            transfer_to: self.transfer_to.or(behind.transfer_to.as_ref()),
            duration_max_s: self.duration_max_s.or(behind.duration_max_s),
            variables: self.variables,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearer_replaces_field_by_field() {
        let profile = |language: Option<&str>, voice_id: Option<&str>, variables: &[(&str, &str)]| Profile {
            voice: Voice {
                language: language.map(Into::into),
                voice_id: voice_id.map(Into::into),
                ..Voice::default()
            },
            conversation: Conversation {
                variables: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
                ..Conversation::default()
            },
        };
        let near = profile(Some("de"), None, &[("a", "near")]);
        let far = profile(Some("en"), Some("v1"), &[("a", "far"), ("b", "far")]);
        let voice = EffectiveVoice::of([&near, &far].into_iter());
        assert_eq!((voice.language, voice.voice_id, voice.greeting), (Some("de"), Some("v1"), None));
        let conversation = EffectiveConversation::of([&near, &far].into_iter());
        assert_eq!(conversation.variables, [("a", "near"), ("b", "far")].into());
    }
}
