//! The dispatch rule that gives a number's calls to an agent, each in a room of its own.

use serde_json::{Value, json};

use super::super::api::{self, Object, Session};
use super::ours;
use crate::e164::E164;
use crate::rest::{Exchange, Step};

/// The id of a number's rule.
const ID: &str = "sip_dispatch_rule_id";

/// Sets a number's rule anew, or makes it, and tells its id.
pub fn ensure(session: Session, number: E164, trunk_id: &str, agent: &str) -> Exchange<String> {
    let rule = json!({
        "name": ours(number),
        "rule": {"dispatch_rule_individual": {"room_prefix": "call-"}},
        "trunk_ids": [trunk_id],
        // These are compared to the letter with what the trunk delivers: carriers leave out the plus.
        "numbers": [number, number.to_u64().to_string()],
        "room_config": {"agents": [{"agent_name": agent}]},
    });
    find(&session, number).then(move |found| {
        let request = match found {
            Some(id) => session.ask(
                "livekit.rules.update",
                "UpdateSIPDispatchRule",
                &json!({ID: id, "replace": rule}),
            ),
            None => session.create(
                "livekit.rules.create",
                "CreateSIPDispatchRule",
                &json!({"dispatch_rule": rule}),
            ),
        };
        Ok(Step::Next(Exchange::last(request, |reply| api::named(&reply, ID))))
    })
}

/// Deletes a number's rule: nobody answers it then.
pub fn forget(session: Session, number: E164) -> Exchange<()> {
    find(&session, number).then(move |found| {
        let Some(id) = found else { return Ok(Step::Done(())) };
        let delete = session.ask("livekit.rules.delete", "DeleteSIPDispatchRule", &json!({ID: id}));
        Ok(Step::Next(Exchange::last(delete, |reply| api::gone(&reply))))
    })
}

/// The rule that was made for a number.
fn find(session: &Session, number: E164) -> Exchange<Option<String>> {
    let request = session.ask("livekit.rules.list", "ListSIPDispatchRule", &json!({}));
    Exchange::last(request, move |reply| {
        let rules = api::items(&reply)?;
        let is_ours = |rule: &&Object| rule.get("name").and_then(Value::as_str) == Some(&ours(number));
        let id = |rule: &Object| rule.get(ID)?.as_str().map(str::to_owned);
        Ok(rules.iter().find(is_ours).and_then(id))
    })
}
