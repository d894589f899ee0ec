//! Reading TwiML, and what is written like it: cXML and TeXML.

use roxmltree::Node;

use crate::calls::Answer;
use crate::calls::documents::{Action, Target};
use crate::calls::markup::{attribute, children, parameters, text, verbs};

/// What a document says. Verbs that aren't known are passed over, as the carriers do.
///
/// # Errors
/// Why the carrier can't do anything with it.
pub fn read(answer: &Answer) -> Result<Vec<Action>, String> {
    verbs(answer, &["text/xml", "application/xml", "text/html"], verb)
}

fn verb(node: Node<'_, '_>) -> Result<Vec<Action>, String> {
    let then = attribute(node, "action");
    let action = match node.tag_name().name() {
        "Connect" => return connect(node, then),
        "Dial" => Action::Dial { targets: targets(node), then },
        "Say" => Action::Say(text(node)),
        "Play" => Action::Play(text(node)),
        "Record" => Action::Record { then },
        "Reject" => Action::Reject(attribute(node, "reason").unwrap_or_else(|| "rejected".to_owned())),
        "Redirect" => Action::Redirect(text(node)),
        "Hangup" => Action::Hangup,
        _ => Action::Wait,
    };
    Ok(vec![action])
}

fn connect(node: Node<'_, '_>, then: Option<String>) -> Result<Vec<Action>, String> {
    let stream = children(node).find(|child| child.tag_name().name() == "Stream");
    let stream = stream.ok_or_else(|| "<Connect> without <Stream>".to_owned())?;
    let url = attribute(stream, "url").unwrap_or_default();
    if !url.starts_with("wss://") {
        return Err(format!("<Stream> wants wss://, not {url:?}"));
    }
    // A query is dropped: what the socket is to know stands in parameters.
    let url = url.split('?').next().unwrap_or_default().to_owned();
    Ok(vec![Action::Stream { url, parameters: parameters(stream, "Parameter"), then }])
}

fn targets(node: Node<'_, '_>) -> Vec<Target> {
    let named: Vec<_> = children(node)
        .filter_map(|child| match child.tag_name().name() {
            "Number" => Some(Target::Number(text(child))),
            "Sip" => Some(Target::Sip(text(child))),
            _ => None,
        })
        .collect();
    let bare = text(node);
    if named.is_empty() && !bare.is_empty() { vec![Target::Number(bare)] } else { named }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: &str, actions: &[Action]) {
        let answer = Answer {
            status: 200,
            content_type: "text/xml".into(),
            body: format!("<Response>{body}</Response>"),
        };
        assert_eq!(read(&answer).unwrap(), actions, "{body}");
    }

    #[test]
    fn documents_become_actions() {
        check(
            r#"<Connect><Stream url="wss://v.example/m?x=1"><Parameter name="a" value="&lt;b"/></Stream></Connect><Hangup/>"#,
            &[
                Action::Stream {
                    url: "wss://v.example/m".into(),
                    parameters: json!({"a": "<b"}),
                    then: None,
                },
                Action::Hangup,
            ],
        );
        check(
            r#"<Dial action="/after"><Number>+12</Number><Sip>sip:a@b</Sip></Dial>"#,
            &[Action::Dial {
                targets: vec![Target::Number("+12".into()), Target::Sip("sip:a@b".into())],
                then: Some("/after".into()),
            }],
        );
        check(
            "<Dial>+12</Dial>",
            &[Action::Dial { targets: vec![Target::Number("+12".into())], then: None }],
        );
        check(r#"<Reject reason="busy"/>"#, &[Action::Reject("busy".into())]);
        check(
            "<Say>Hi</Say><Record/><Dance/>",
            &[Action::Say("Hi".into()), Action::Record { then: None }, Action::Wait],
        );
    }

    #[test]
    fn what_twilio_cannot_use_is_an_error() {
        for (content_type, body) in [
            ("text/plain", "<Response/>"),
            ("", "<Response/>"),
            ("text/xml", " <?xml version=\"1.0\"?><Response/>"),
            ("text/xml", "<Reply/>"),
            ("text/xml", "<Response><Connect><Stream url=\"ws://x\"/></Connect></Response>"),
        ] {
            let answer = Answer { status: 200, content_type: content_type.into(), body: body.into() };
            assert!(read(&answer).is_err(), "{content_type} {body}");
        }
    }
}
