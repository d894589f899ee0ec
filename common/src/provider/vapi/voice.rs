//! The voice of a location, as far as Vapi takes it over from whoever makes it.
//!
//! An override replaces the assistant's whole voice, so it is only made where Vapi's schema says that it is complete:
//! an assistant that doesn't validate ends the call. Source: schemas `*Voice` of <https://api.vapi.ai/api-json>.

use serde::Serialize;

use crate::location::{EffectiveVoice, Percent};
use crate::provider::literal::literal;

/// A maker of voices, and what Vapi takes of one besides its id.
struct Maker {
    name: &'static str,
    model: bool,
    speed: Speed,
}

/// How a maker takes the speed, and its least and greatest.
#[derive(Clone, Copy)]
enum Speed {
    None,
    Field(f32, f32),
    SpeakingRate(f32, f32),
}

const fn maker(name: &'static str, model: bool, speed: Speed) -> Maker {
    Maker { name, model, speed }
}

const ELEVENLABS: &str = "11labs";

/// The makers of which provider and id are a complete voice. Not here: `custom-voice` wants a server, `sesame` a model,
/// `tavus` makes pictures. `neuphonic` wants a language.
static MAKERS: [Maker; 17] = [
    maker(ELEVENLABS, true, Speed::Field(0.7, 1.2)),
    maker("azure", false, Speed::Field(0.5, 2.0)),
    maker("cartesia", true, Speed::None),
    maker("deepgram", true, Speed::None),
    maker("hume", true, Speed::None),
    maker("inworld", true, Speed::SpeakingRate(0.5, 1.5)),
    maker("lmnt", false, Speed::Field(0.25, 2.0)),
    maker("microsoft", false, Speed::Field(0.5, 2.0)),
    maker("minimax", true, Speed::Field(0.5, 2.0)),
    maker("neuphonic", true, Speed::Field(0.25, 2.0)),
    maker("openai", true, Speed::Field(0.25, 4.0)),
    maker("playht", true, Speed::Field(0.1, 5.0)),
    maker("rime-ai", true, Speed::Field(0.1, 5.0)),
    maker("smallest-ai", true, Speed::Field(0.5, 2.0)),
    maker("vapi", false, Speed::Field(0.25, 2.0)),
    maker("wellsaid", true, Speed::None),
    maker("xai", false, Speed::Field(0.7, 1.5)),
];

/// The one model of ElevenLabs that can be told its language; the others refuse to be.
const ELEVENLABS_LANGUAGE_MODEL: &str = "eleven_turbo_v2_5";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VoiceOverride<'a> {
    provider: &'static str,
    voice_id: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaking_rate: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stability: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity_boost: Option<f32>,
}

impl<'a> VoiceOverride<'a> {
    /// `None` where the location sets no complete voice: the assistant's own stays.
    pub fn of(voice: &EffectiveVoice<'a>) -> Option<Self> {
        let provider = voice.provider?;
        let voice_id = voice.voice_id?;
        let maker = MAKERS.iter().find(|maker| maker.name == provider)?;
        let model = voice.model.filter(|_| maker.model);
        let language = voice.language.and_then(|tag| tag.split('-').next());
        let language = match maker.name {
            "neuphonic" => Some(language?),
            ELEVENLABS => language.filter(|_| model == Some(ELEVENLABS_LANGUAGE_MODEL)),
            _ => None,
        };
        let within = |speed: Option<Percent>, least: f32, most: f32| {
            speed.map(|speed| speed.factor().clamp(least, most))
        };
        let (speed, speaking_rate) = match maker.speed {
            Speed::None => (None, None),
            Speed::Field(least, most) => (within(voice.speed, least, most), None),
            Speed::SpeakingRate(least, most) => (None, within(voice.speed, least, most)),
        };
        let share = |percent: Option<Percent>| within(percent, 0.0, 1.0).filter(|_| maker.name == ELEVENLABS);
        Some(Self {
            provider: maker.name,
            voice_id: literal(voice_id),
            model,
            language,
            speed,
            speaking_rate,
            stability: share(voice.stability),
            similarity_boost: share(voice.similarity),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(voice: &EffectiveVoice<'_>, expected: Option<&str>) {
        let json = VoiceOverride::of(voice).map(|voice| serde_json::to_string(&voice).unwrap());
        assert_eq!(json.as_deref(), expected, "{voice:?}");
    }

    fn voice(provider: &str) -> EffectiveVoice<'_> {
        EffectiveVoice {
            provider: Some(provider),
            voice_id: Some("v1"),
            model: Some("m"),
            language: Some("de-AT"),
            speed: Some(Percent(300)),
            stability: Some(Percent(50)),
            similarity: Some(Percent(120)),
            ..EffectiveVoice::default()
        }
    }

    #[test]
    fn each_maker_gets_what_it_takes() {
        let elevenlabs = r#"{"provider":"11labs","voiceId":"v1","model":"m","speed":1.2,"stability":0.5,"similarityBoost":1.0}"#;
        check(&voice("11labs"), Some(elevenlabs));
        let turbo = EffectiveVoice { model: Some("eleven_turbo_v2_5"), speed: None, ..voice("11labs") };
        let expected = r#"{"provider":"11labs","voiceId":"v1","model":"eleven_turbo_v2_5","language":"de","stability":0.5,"similarityBoost":1.0}"#;
        check(&turbo, Some(expected));
        check(&voice("vapi"), Some(r#"{"provider":"vapi","voiceId":"v1","speed":2.0}"#));
        check(&voice("deepgram"), Some(r#"{"provider":"deepgram","voiceId":"v1","model":"m"}"#));
        check(
            &voice("inworld"),
            Some(r#"{"provider":"inworld","voiceId":"v1","model":"m","speakingRate":1.5}"#),
        );
        check(
            &voice("neuphonic"),
            Some(r#"{"provider":"neuphonic","voiceId":"v1","model":"m","language":"de","speed":2.0}"#),
        );
    }

    #[test]
    fn an_incomplete_voice_is_left_alone() {
        check(&EffectiveVoice::default(), None);
        check(&EffectiveVoice { voice_id: None, ..voice("11labs") }, None);
        check(&EffectiveVoice { provider: None, ..voice("11labs") }, None);
        check(&EffectiveVoice { language: None, ..voice("neuphonic") }, None);
        check(&voice("custom-voice"), None);
        check(&voice("somebody"), None);
    }
}
