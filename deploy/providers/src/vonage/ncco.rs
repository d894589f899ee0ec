//! Reading an NCCO.

use serde_json::{Value, json};

use crate::calls::Answer;
use crate::calls::documents::{Action, Target};

/// What an NCCO says; nothing at all goes on with nothing.
///
/// # Errors
/// Why Vonage can't do anything with it.
pub fn read(answer: &Answer) -> Result<Vec<Action>, String> {
    if answer.body.trim().is_empty() {
        return Ok(Vec::new());
    }
    let ncco: Value = serde_json::from_str(&answer.body).map_err(|error| format!("not JSON: {error}"))?;
    let actions = ncco.as_array().ok_or("an NCCO is an array")?;
    actions.iter().map(action).collect()
}

fn action(action: &Value) -> Result<Action, String> {
    let text = |field: &str| action[field].as_str().unwrap_or_default().to_owned();
    let first = |field: &str| match &action[field] {
        Value::Array(urls) => Ok(urls.first().and_then(Value::as_str).map(str::to_owned)),
        Value::Null => Ok(None),
        _ => Err(format!("{field} is an array of one")),
    };
    match action["action"].as_str() {
        Some("connect") => connect(action, first("eventUrl")?),
        Some("talk") => Ok(Action::Say(text("text"))),
        Some("stream") => Ok(Action::Play(first("streamUrl")?.unwrap_or_default())),
        Some("record") => Ok(Action::Record { then: first("eventUrl")? }),
        Some("notify") => Ok(Action::Redirect(first("eventUrl")?.ok_or("notify without eventUrl")?)),
        Some("input" | "conversation" | "wait") => Ok(Action::Wait),
        other => Err(format!("{other:?} is no action")),
    }
}

fn connect(action: &Value, event: Option<String>) -> Result<Action, String> {
    // Otherwise what is answered to the event isn't looked at.
    let then = event.filter(|_| action["eventType"] == "synchronous");
    let endpoint = action["endpoint"].get(0).ok_or("connect without endpoint")?;
    let text = |field: &str| endpoint[field].as_str().unwrap_or_default().to_owned();
    let target = match endpoint["type"].as_str() {
        Some("websocket") => {
            let parameters = endpoint.get("headers").cloned().unwrap_or_else(|| json!({}));
            return Ok(Action::Stream { url: text("uri"), parameters, then });
        }
        Some("phone") => Target::Number(format!("+{}", text("number").trim_start_matches('+'))),
        Some("sip") => Target::Sip(text("uri")),
        other => return Err(format!("{other:?} is no endpoint")),
    };
    Ok(Action::Dial { targets: vec![target], then })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_actions_are_read_and_nothing_else() {
        let read = |body: &str| {
            read(&Answer { status: 200, content_type: "application/json".into(), body: body.into() })
        };
        let dial = |then: Option<&str>| Action::Dial {
            targets: vec![Target::Number("+12".into())],
            then: then.map(str::to_owned),
        };
        let connect = r#""action":"connect","endpoint":[{"type":"phone","number":"12"}],"eventUrl":["u"]"#;
        assert_eq!(read(&format!("[{{{connect}}}]")), Ok(vec![dial(None)]));
        assert_eq!(read(&format!(r#"[{{{connect},"eventType":"synchronous"}}]"#)), Ok(vec![dial(Some("u"))]));
        assert_eq!(read("[]"), Ok(vec![]));
        for wrong in [
            r#"{"action":"talk"}"#,
            "<x/>",
            r#"[{"action":"record","eventUrl":"u"}]"#,
            r#"[{"action":"dance"}]"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
