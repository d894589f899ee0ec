//! Bandwidth's XML: what is read of a body, and how answers are written.

use std::fmt::Write;

use roxmltree::{Document, Node};

use crate::reply::Reply;
use crate::turn::Turn;

/// What `read` makes of the body's root.
///
/// # Errors
/// The answer to what isn't XML.
pub fn body<T>(turn: &Turn<'_>, read: impl FnOnce(Node<'_, '_>) -> T) -> Result<T, Reply> {
    let unreadable = || error(400, "1001", "The request's body isn't XML as documented");
    let text = std::str::from_utf8(&turn.request.body).map_err(|_| unreadable())?;
    let document = Document::parse(text).map_err(|_| unreadable())?;
    Ok(read(document.root_element()))
}

/// The text of the first element of this name, at any depth, when it says something.
pub fn text(root: Node<'_, '_>, name: &str) -> Option<String> {
    all(root, name).into_iter().next()
}

/// The texts of all elements of this name that say something.
pub fn all(root: Node<'_, '_>, name: &str) -> Vec<String> {
    let found = root.descendants().filter(|node| node.has_tag_name(name));
    let texts = found.filter_map(|node| node.text()).map(|text| text.trim().to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}

/// An element with a text.
pub fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// An element with elements.
pub fn parent(name: &str, children: &[String]) -> String {
    format!("<{name}>{}</{name}>", children.concat())
}

/// An answer.
pub fn answer(status: u16, root: &str) -> Reply {
    Reply::xml(status, format!(r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{root}"#))
}

/// An error.
pub fn error(status: u16, code: &str, description: &str) -> Reply {
    let error = parent("Error", &[element("Code", code), element("Description", description)]);
    answer(status, &parent("ErrorResponse", &[parent("ErrorList", &[error])]))
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut all, letter| {
        match letter {
            '&' => all.push_str("&amp;"),
            '<' => all.push_str("&lt;"),
            '>' => all.push_str("&gt;"),
            // Writing to a string never fails.
            other => _ = write!(all, "{other}"),
        }
        all
    })
}
