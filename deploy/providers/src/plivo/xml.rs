//! Reading Plivo's XML.

use roxmltree::Node;
use serde_json::{Map, Value};

use crate::calls::Answer;
use crate::calls::documents::{Action, Target};
use crate::calls::markup::{attribute, children, text, verbs};

/// What a document says.
///
/// # Errors
/// Why Plivo can't do anything with it.
pub fn read(answer: &Answer) -> Result<Vec<Action>, String> {
    verbs(answer, &["text/xml", "application/xml"], verb)
}

fn verb(node: Node<'_, '_>) -> Result<Vec<Action>, String> {
    // Without `redirect`, what is answered at `action` isn't looked at.
    let follows = node.attribute("redirect") != Some("false");
    let then = attribute(node, "action").filter(|_| follows);
    let action = match node.tag_name().name() {
        "Stream" => stream(node),
        "Dial" => Action::Dial { targets: targets(node), then },
        "Speak" => Action::Say(text(node)),
        "Play" => Action::Play(text(node)),
        "Record" => Action::Record { then },
        "Hangup" => Action::Reject(attribute(node, "reason").unwrap_or_else(|| "rejected".to_owned())),
        "Redirect" => Action::Redirect(text(node)),
        "Wait" => Action::Wait,
        other => return Err(format!("<{other}> isn't known")),
    };
    Ok(vec![action])
}

fn stream(node: Node<'_, '_>) -> Action {
    let headers = attribute(node, "extraHeaders").unwrap_or_default();
    let pairs = headers.split(',').filter_map(|pair| pair.split_once('='));
    let parameters: Map<_, _> = pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    // Without `keepCallAlive` the call goes on at once.
    match node.attribute("keepCallAlive") {
        Some("true") => Action::Stream { url: text(node), parameters: parameters.into(), then: None },
        _ => Action::Wait,
    }
}

fn targets(node: Node<'_, '_>) -> Vec<Target> {
    let target = |child: Node<'_, '_>| match child.tag_name().name() {
        "Number" => Some(Target::Number(text(child))),
        "User" => Some(Target::Sip(text(child))),
        _ => None,
    };
    children(node).filter_map(target).collect()
}
