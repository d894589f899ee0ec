//! The languages that Plivo speaks. Source: <https://www.plivo.com/docs/voice/xml/audio-output>.

/// Each with whether there is a woman's voice, which is Plivo's default. Of several variants of a language the first is
/// taken for those that aren't here.
const LANGUAGES: [(&str, bool); 16] = [
    ("da-DK", true),
    ("de-DE", true),
    ("en-US", true),
    ("en-AU", true),
    ("en-GB", true),
    ("es-ES", true),
    ("es-US", true),
    ("fr-FR", true),
    ("fr-CA", true),
    ("it-IT", true),
    ("nl-NL", true),
    ("pl-PL", true),
    ("pt-BR", true),
    ("pt-PT", false),
    ("ru-RU", true),
    ("sv-SE", true),
];

/// The nearest to a BCP 47 tag and whether a woman speaks it; `None` when Plivo doesn't speak the language.
pub fn nearest(tag: &str) -> Option<(&'static str, bool)> {
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let same = LANGUAGES.into_iter().find(|(language, _)| language.eq_ignore_ascii_case(tag));
    same.or_else(|| LANGUAGES.into_iter().find(|(language, _)| primary(language) == primary(tag)))
}

#[test]
fn a_language_keeps_its_variant_where_plivo_has_it() {
    let check = |tag: &str, expected: Option<&str>| {
        assert_eq!(nearest(tag).map(|(language, _)| language), expected, "{tag}");
    };
    check("en-gb", Some("en-GB"));
    check("en-NZ", Some("en-US"));
    check("de", Some("de-DE"));
    check("pt-PT", Some("pt-PT"));
    check("zh-Hans-CN", None);
    check("", None);
}
