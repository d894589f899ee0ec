//! Reading BXML.

use roxmltree::Node;
use serde_json::json;

use crate::calls::Answer;
use crate::calls::documents::{Action, Target};
use crate::calls::markup::{attribute, children, parameters, text, verbs};

/// What a document says. A stream doesn't hold the call: what follows it must.
///
/// # Errors
/// Why Bandwidth can't do anything with it.
pub fn read(answer: &Answer) -> Result<Vec<Action>, String> {
    if answer.status == 204 {
        return Ok(vec![Action::Hangup]);
    }
    let read = verbs(answer, &["application/xml", "text/xml"], |node| verb(node).map(|action| vec![action]))?;
    let held = read.iter().any(|action| matches!(action, Action::Wait | Action::Redirect(_)));
    match read.iter().find(|action| matches!(action, Action::Stream { .. })) {
        Some(_) if !held => Err("nothing holds the call after <StartStream>".to_owned()),
        _ => Ok(read),
    }
}

fn verb(node: Node<'_, '_>) -> Result<Action, String> {
    Ok(match node.tag_name().name() {
        "StartStream" => Action::Stream {
            url: attribute(node, "destination").unwrap_or_default(),
            parameters: parameters(node, "StreamParam"),
            then: None,
        },
        "Transfer" => Action::Dial {
            targets: children(node).filter_map(target).collect(),
            then: attribute(node, "transferCompleteUrl"),
        },
        "Forward" => {
            let to = attribute(node, "to").unwrap_or_default();
            let target = if to.starts_with("sip:") { Target::Sip(to) } else { Target::Number(to) };
            Action::Dial { targets: vec![target], then: None }
        }
        "SpeakSentence" => Action::Say(text(node)),
        "PlayAudio" => Action::Play(text(node)),
        "Record" => Action::Record { then: attribute(node, "recordCompleteUrl") },
        "Hangup" => Action::Reject("rejected".to_owned()),
        "Redirect" => Action::Redirect(attribute(node, "redirectUrl").unwrap_or_default()),
        "Pause" | "Ring" | "Tag" | "StopStream" => Action::Wait,
        other => return Err(format!("invalid-bxml: {}", json!(other))),
    })
}

fn target(node: Node<'_, '_>) -> Option<Target> {
    match node.tag_name().name() {
        "PhoneNumber" => Some(Target::Number(text(node))),
        "SipUri" => Some(Target::Sip(text(node))),
        _ => None,
    }
}
