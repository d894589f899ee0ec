//! How an agent speaks: voice and conversation, as one scope sets them. What is absent comes from the scope behind.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::route::Dialable;

/// How an agent speaks, as one scope sets it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Profile {
    /// The voice.
    pub voice: Voice,
    /// What it says and does.
    pub conversation: Conversation,
}

impl Profile {
    /// Sets nothing.
    pub const NONE: Self = Self {
        voice: Voice {
            provider: None,
            voice_id: None,
            model: None,
            language: None,
            greeting: None,
            speed: None,
            stability: None,
            similarity: None,
        },
        conversation: Conversation {
            prompt: None,
            rules: None,
            transfer_to: None,
            duration_max_s: None,
            variables: BTreeMap::new(),
        },
    };
}

/// A profile that takes no memory beyond a pointer when it sets nothing, as most do. Encoded as the profile itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SparseProfile(Option<Box<Profile>>);

impl From<Profile> for SparseProfile {
    fn from(profile: Profile) -> Self {
        Self((profile != Profile::NONE).then(|| Box::new(profile)))
    }
}

impl Deref for SparseProfile {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        static NONE: Profile = Profile::NONE;
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl Serialize for SparseProfile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Profile::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for SparseProfile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Profile::deserialize(deserializer).map(Self::from)
    }
}

/// The voice: settings of kind `voice`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Voice {
    /// Who makes the voice, where the voice provider isn't the agent's (`11labs`, `vapi`, `openai`).
    pub provider: Option<String>,
    /// The provider's name of the voice.
    pub voice_id: Option<String>,
    /// The provider's name of the speech model.
    pub model: Option<String>,
    /// BCP 47 tag of the language.
    pub language: Option<String>,
    /// The first sentence.
    pub greeting: Option<String>,
    /// Speed; 100 is the voice's own.
    pub speed: Option<Percent>,
    /// How even the voice is.
    pub stability: Option<Percent>,
    /// How close it stays to the original.
    pub similarity: Option<Percent>,
}

/// Hundredths: 110 is 1.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(pub u16);

impl Percent {
    /// As a factor.
    #[must_use]
    pub fn factor(self) -> f32 {
        f32::from(self.0) / 100.0
    }
}

/// What the agent says and does: settings of kind `rules`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Conversation {
    /// What the agent is told to be: its system prompt.
    pub prompt: Option<String>,
    /// What it keeps to, one rule a line: "Never quote prices."
    pub rules: Option<Vec<String>>,
    /// Where it hands a caller over to who wants a person.
    pub transfer_to: Option<Dialable>,
    /// How long a conversation may be, in seconds.
    pub duration_max_s: Option<u16>,
    /// Further variables by name. Scopes are merged name by name.
    pub variables: BTreeMap<String, String>,
}

/// Something that callers may want, and what is said to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// Its name: `book_appointment`.
    pub name: String,
    /// What callers say who want it.
    pub phrases: Vec<String>,
    /// What is answered, by BCP 47 tag of the language.
    pub responses: BTreeMap<String, String>,
}

impl Intent {
    /// What is answered in this language: exactly, else in the same language of another region, else in any.
    #[must_use]
    pub fn response(&self, language: &str) -> Option<&str> {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let same =
            || self.responses.iter().find(|(tag, _)| primary(tag) == primary(language)).map(|(_, text)| text);
        let any = || self.responses.values().next();
        self.responses.get(language).or_else(same).or_else(any).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_answers_in_the_callers_language_where_it_can() {
        let responses = [("en-US", "Yes"), ("es", "Sí")].map(|(tag, text)| (tag.to_owned(), text.to_owned()));
        let intent = Intent { name: "ask".into(), phrases: vec![], responses: responses.into() };
        for (language, expected) in [("en-US", "Yes"), ("en", "Yes"), ("es-MX", "Sí"), ("fr", "Yes")] {
            assert_eq!(intent.response(language), Some(expected), "{language}");
        }
    }
}
