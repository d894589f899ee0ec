//! Reading the carriers' XML.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

use super::Answer;

const BYTES_MAX: usize = 64 << 10;

/// What `read` makes of each verb of a document, in their order.
///
/// # Errors
/// Why it is no document: its type, its size, its syntax, its root.
pub fn verbs<T>(
    answer: &Answer,
    types: &[&str],
    read: impl Fn(Node<'_, '_>) -> Result<Vec<T>, String>,
) -> Result<Vec<T>, String> {
    if !types.contains(&answer.content_type.as_str()) {
        return Err(format!("content type {:?}", answer.content_type));
    }
    if answer.body.len() > BYTES_MAX {
        return Err("the document is over 64 kB".to_owned());
    }
    let document = Document::parse(&answer.body).map_err(|error| format!("not XML: {error}"))?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        return Err(format!("the root is {:?}", root.tag_name().name()));
    }
    let mut all = Vec::new();
    for verb in root.children().filter(Node::is_element) {
        all.extend(read(verb)?);
    }
    Ok(all)
}

/// An element's text.
pub fn text(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}

/// An attribute that says something.
pub fn attribute(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The elements below.
pub fn children<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

/// Names and values of elements of this name.
pub fn parameters(node: Node<'_, '_>, element: &str) -> Value {
    let found = children(node).filter(|child| child.tag_name().name() == element);
    let pairs =
        found.filter_map(|child| Some((attribute(child, "name")?, attribute(child, "value")?.into())));
    pairs.collect::<Map<_, _>>().into()
}
