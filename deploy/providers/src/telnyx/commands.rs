//! Commands to a call: what an application that is told by events does with it.

use serde_json::{Value, json};

use super::{error, invalid};
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};

/// What they are among things; a command is named by its call and its own id.
pub const KIND: &str = "call_command";

/// Takes a command; one that comes a second time is taken once.
pub fn take(turn: &mut Turn<'_>) -> Outcome {
    let mut body = turn.request.json().map_err(|error| invalid(&error))?;
    let (call, command) = (turn.param("id"), turn.param("command"));
    if !call.starts_with("v3:") {
        return Err(error(
            422,
            "90015",
            "Invalid Call Control ID",
            "The call_control_id provided was not valid.",
        ));
    }
    let named = body.get("command_id").and_then(Value::as_str).map(str::to_owned);
    let id = format!("{call} {}", named.unwrap_or_else(|| turn.world.draw.uuid().to_string()));
    if turn.thing(KIND, &id).is_none() {
        body.insert("call".to_owned(), call.into());
        body.insert("command".to_owned(), command.into());
        turn.world.make(turn.provider, KIND, &turn.account, &id, body);
    }
    Ok(Reply::json(200, &json!({"data": {"result": "ok"}})))
}
