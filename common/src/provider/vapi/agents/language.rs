//! The languages that Deepgram transcribes for Vapi, which transcribes English unless it is told another.
//!
//! Source: `language` of the schema `DeepgramTranscriber` of <https://api.vapi.ai/api-json>.

/// Their tags, as Vapi has them.
#[rustfmt::skip]
static LANGUAGES: [&str; 85] = [
    "ar", "az", "ba", "be", "bg", "bn", "br", "bs", "ca", "cs", "da", "da-DK", "de", "de-CH", "el", "en", "en-AU",
    "en-CA", "en-GB", "en-IE", "en-IN", "en-NZ", "en-US", "es", "es-419", "es-LATAM", "et", "eu", "fa", "fi", "fr",
    "fr-CA", "ha", "haw", "he", "hi", "hi-Latn", "hr", "hu", "id", "is", "it", "ja", "jw", "kn", "ko", "ko-KR", "ln",
    "lt", "lv", "mk", "mr", "ms", "nl", "nl-BE", "no", "pl", "pt", "pt-BR", "pt-PT", "ro", "ru", "sk", "sl", "sn",
    "so", "sr", "su", "sv", "sv-SE", "ta", "taq", "te", "th", "th-TH", "tl", "tr", "tt", "uk", "ur", "vi", "yo",
    "zh", "zh-CN", "zh-HK",
];

/// Vapi's tag for a BCP 47 one: the same, else its language.
pub fn of_tag(tag: &str) -> Option<&'static str> {
    let primary = match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        // Both written forms of Norwegian.
        "nb" | "nn" => "no".to_owned(),
        "fil" => "tl".to_owned(),
        other => other.to_owned(),
    };
    let known = |wanted: &str| LANGUAGES.iter().find(|known| known.eq_ignore_ascii_case(wanted)).copied();
    known(tag).or_else(|| known(&primary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_language_is_found() {
        for (tag, expected) in [
            ("en-US", Some("en-US")),
            ("EN-gb", Some("en-GB")),
            ("en-ZA", Some("en")),
            ("de-AT", Some("de")),
            ("nb-NO", Some("no")),
            ("fil-PH", Some("tl")),
            ("ka", None),
            ("", None),
        ] {
            assert_eq!(of_tag(tag), expected, "{tag}");
        }
    }
}
