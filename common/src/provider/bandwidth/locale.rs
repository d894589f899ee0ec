//! The locales that Bandwidth speaks, in its own words.
//! Source: <https://dev.bandwidth.com/docs/voice/programmable-voice/bxml/speakSentence>.

/// Each with its BCP 47 tag. Of several of a language the first is taken for those that aren't here.
const LOCALES: [(&str, &str); 9] = [
    ("en-US", "en_US"),
    ("en-GB", "en_UK"),
    ("de", "de"),
    ("es", "es"),
    ("es-MX", "es_MX"),
    ("fr", "fr"),
    ("it", "it"),
    ("ja", "ja"),
    ("ru", "ru"),
];

/// The nearest to a BCP 47 tag; `None` when Bandwidth doesn't speak the language. A locale that it doesn't know might
/// cost the call.
pub fn nearest(tag: &str) -> Option<&'static str> {
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let same = LOCALES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(tag));
    let (_, locale) =
        same.or_else(|| LOCALES.into_iter().find(|(known, _)| primary(known) == primary(tag)))?;
    Some(locale)
}

#[test]
fn a_language_keeps_its_variant_where_bandwidth_has_it() {
    let check = |tag: &str, expected: Option<&str>| assert_eq!(nearest(tag), expected, "{tag}");
    check("en-US", Some("en_US"));
    check("en-gb", Some("en_UK"));
    check("en-AU", Some("en_US"));
    check("de-CH", Some("de"));
    check("es-mx", Some("es_MX"));
    check("es-AR", Some("es"));
    check("zh-Hans-CN", None);
    check("", None);
}
