//! Whether XML is well-formed, as far as providers' documents use it: elements, quoted attributes, text. For tests.

/// Panics, saying where, when `document` isn't well-formed.
pub fn check(document: &str) {
    let mut rest = document.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?>"#).expect("a declaration");
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    while !rest.is_empty() {
        let (text, markup) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        check_text(text);
        assert!(text.is_empty() || !open.is_empty(), "text outside the root: {text}");
        let Some(markup) = markup.strip_prefix('<') else { break };
        let (tag, behind) = markup.split_at(tag_end(markup));
        rest = &behind[1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{document}");
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
        assert!(is_name(name), "element <{name}>");
        check_attributes(attributes);
        roots += usize::from(open.is_empty());
        if !empty {
            open.push(name);
        }
    }
    assert!(open.is_empty() && roots == 1, "{roots} roots, {open:?} left open: {document}");
}

/// Where the tag ends that begins here: a `>` in quotes is none.
fn tag_end(markup: &str) -> usize {
    let mut quoted = false;
    let end = markup.find(|char| {
        quoted ^= char == '"';
        char == '>' && !quoted
    });
    end.expect("a tag that ends")
}

fn check_attributes(mut rest: &str) {
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (name, value) = rest.trim_start().split_once("=\"").expect("an attribute");
        let (value, behind) = value.split_once('"').expect("a quote that ends");
        assert!(is_name(name) && !names.contains(&name), "attribute {name}");
        names.push(name);
        check_text(value);
        rest = behind;
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn check_text(text: &str) {
    assert!(!text.contains(['<', '"', '\u{fffe}', '\u{ffff}']), "{text}");
    assert!(!text.chars().any(|char| char < ' '), "{text:?}");
    for reference in text.split('&').skip(1) {
        let name = reference.split_once(';').expect("a reference that ends").0;
        assert!(["amp", "lt", "gt", "quot", "#9", "#10", "#13"].contains(&name), "&{name};");
    }
}

#[test]
fn tells_well_formed_from_the_rest() {
    let whole = |body: &str| format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}");
    check(&whole("<A b=\"1 &gt; 0\"><C/>text &amp; more</A>"));
    for body in [
        "",
        "<A>",
        "<A></B>",
        "<A/><B/>",
        "<A b=1/>",
        "<A b=\"1\" b=\"2\"/>",
        "<A>&x;</A>",
        "<A>\u{1}</A>",
        "a",
    ] {
        assert!(std::panic::catch_unwind(|| check(&whole(body))).is_err(), "{body}");
    }
}
