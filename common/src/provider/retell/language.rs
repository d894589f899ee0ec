//! The languages that Retell's agents speak. Another one in an override would be an error in the call.
//!
//! Source: `language` of an agent in Retell's Python SDK 6.2.13.

/// Their tags. Of several regions of a language the first is for tags that name no region or another one.
#[rustfmt::skip]
static LANGUAGES: [&str; 63] = [
    "en-US", "en-IN", "en-GB", "en-AU", "en-NZ", "de-DE", "es-ES", "es-419", "hi-IN", "fr-FR", "fr-CA", "ja-JP",
    "pt-PT", "pt-BR", "zh-CN", "ru-RU", "it-IT", "ko-KR", "nl-NL", "nl-BE", "pl-PL", "tr-TR", "vi-VN", "ro-RO",
    "bg-BG", "ca-ES", "th-TH", "da-DK", "fi-FI", "el-GR", "hu-HU", "id-ID", "no-NO", "sk-SK", "sv-SE", "lt-LT",
    "lv-LV", "cs-CZ", "ms-MY", "af-ZA", "ar-SA", "az-AZ", "bs-BA", "cy-GB", "fa-IR", "fil-PH", "gl-ES", "he-IL",
    "hr-HR", "hy-AM", "is-IS", "kk-KZ", "kn-IN", "mk-MK", "mr-IN", "ne-NP", "sl-SI", "sr-RS", "sw-KE", "ta-IN",
    "ur-IN", "yue-CN", "uk-UA",
];

/// Retell's tag for a BCP 47 one: the same, else one of the same language.
pub fn of_tag(tag: &str) -> Option<&'static str> {
    let mut parts = tag.split('-');
    let primary = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
        // Both written forms of Norwegian.
        "nb" | "nn" => "no".to_owned(),
        other => other.to_owned(),
    };
    let same = LANGUAGES.iter().find(|known| known.eq_ignore_ascii_case(tag));
    // Spanish of any American country is that of Latin America.
    let american = (primary == "es" && parts.next().is_some()).then_some(&"es-419");
    let of_primary = || LANGUAGES.iter().find(|known| known.split('-').next() == Some(&*primary));
    same.or(american).or_else(of_primary).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_language_is_found() {
        for (tag, expected) in [
            ("en-US", Some("en-US")),
            ("EN-gb", Some("en-GB")),
            ("en", Some("en-US")),
            ("de-AT", Some("de-DE")),
            ("es", Some("es-ES")),
            ("es-ES", Some("es-ES")),
            ("es-MX", Some("es-419")),
            ("nb-NO", Some("no-NO")),
            ("fil", Some("fil-PH")),
            ("fi", Some("fi-FI")),
            ("xx", None),
            ("", None),
        ] {
            assert_eq!(of_tag(tag), expected, "{tag}");
        }
    }
}
