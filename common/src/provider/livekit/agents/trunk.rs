//! The inbound trunk that lets a number's calls in: one that has the number already, else one of our own.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::super::api::{self, Object, Session};
use super::ours;
use crate::e164::E164;
use crate::rest::{Exchange, Step};

/// The id of a number's trunk, which is made where there is none.
///
/// `address` is where the carrier's calls come from. A host's name isn't: then the number alone lets calls in.
pub fn ensure(session: &Session, number: E164, address: Option<&str>) -> Exchange<String> {
    let mut trunk = json!({"name": ours(number), "numbers": [number]});
    let address = address.map(|address| address.split(':').next().unwrap_or(address));
    if let Some(address) = address.filter(|address| address.parse::<Ipv4Addr>().is_ok()) {
        trunk["allowed_addresses"] = json!([address]);
    }
    let create = session.create("livekit.trunks.create", "CreateSIPInboundTrunk", &json!({"trunk": trunk}));
    list(session).then(move |trunks| {
        let having = trunks.iter().find(|trunk| has(trunk, number)).and_then(id);
        Ok(match having {
            Some(id) => Step::Done(id),
            None => Step::Next(Exchange::last(create, |reply| api::named(&reply, "sip_trunk_id"))),
        })
    })
}

/// Deletes the trunk that was made for a number.
pub fn forget(session: Session, number: E164) -> Exchange<()> {
    list(&session).then(move |trunks| {
        let is_ours = |trunk: &&Object| trunk.get("name").and_then(Value::as_str) == Some(&ours(number));
        let Some(id) = trunks.iter().find(is_ours).and_then(id) else { return Ok(Step::Done(())) };
        let delete = session.ask("livekit.trunks.delete", "DeleteSIPTrunk", &json!({"sip_trunk_id": id}));
        Ok(Step::Next(Exchange::last(delete, |reply| api::gone(&reply))))
    })
}

fn list(session: &Session) -> Exchange<Vec<Object>> {
    let request = session.ask("livekit.trunks.list", "ListSIPInboundTrunk", &json!({}));
    Exchange::last(request, |reply| api::items(&reply))
}

/// Whether a trunk names the number, in whatever form: LiveKit compares them without what stands between digits.
fn has(trunk: &Object, number: E164) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let wanted = number.to_u64().to_string();
    let numbers = trunk.get("numbers").and_then(Value::as_array).into_iter().flatten();
    numbers.filter_map(Value::as_str).any(|held| digits(held) == wanted)
}

fn id(trunk: &Object) -> Option<String> {
    trunk.get("sip_trunk_id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned)
}
