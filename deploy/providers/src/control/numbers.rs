//! Numbers: what they are, and changing them behind their owners' backs.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{body, no_such_method, refused};
use crate::ledger::Line;
use crate::reply::Reply;
use crate::request::Request;
use crate::simulator::Simulator;
use crate::world::World;

/// What happens to a number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// What is set on it, in the provider's words; `null` takes away.
    #[serde(default)]
    set: Map<String, Value>,
    /// What it is called from now on.
    name: Option<String>,
    /// Whether it is gone.
    #[serde(default)]
    delete: bool,
}

/// Lists numbers, or those that the query asks for.
pub fn list(simulator: &Simulator, request: &Request) -> Reply {
    let query = request.query();
    let world = simulator.world();
    let shown: Vec<_> = world
        .numbers
        .iter()
        .filter(|number| query.get("provider").is_none_or(|provider| number.provider == provider))
        .filter(|number| query.get("account").is_none_or(|account| number.account == account))
        .filter(|number| query.get("number").is_none_or(|wanted| number.number.as_deref() == Some(wanted)))
        .collect();
    Reply::json(200, &json!({"numbers": shown}))
}

/// Changes or takes away a number: its digits or the provider's id of it.
pub fn change(
    simulator: &Simulator,
    request: &Request,
    provider: &str,
    number: &str,
) -> Result<Reply, Reply> {
    let change: Change = match request.method {
        Method::PATCH => body(request)?,
        Method::DELETE => Change { set: Map::new(), name: None, delete: true },
        _ => return Err(no_such_method()),
    };
    let mut world = simulator.world();
    let found = world.numbers.iter().position(|held| {
        held.provider == provider && (held.number.as_deref() == Some(number) || held.id == number)
    });
    let place = found.ok_or_else(|| refused(404, "nobody has this number there"))?;
    if change.delete {
        vanish(&mut world, place);
        simulator.keep(&mut world);
        return Ok(Reply::empty(204));
    }
    world.changed = true;
    let held = world.numbers.get_mut(place).ok_or_else(|| refused(404, "nobody has this number there"))?;
    for (field, value) in change.set {
        if value.is_null() {
            held.setup.remove(&field);
        } else {
            held.setup.insert(field, value);
        }
    }
    held.name = change.name.unwrap_or_else(|| std::mem::take(&mut held.name));
    let shown = Reply::json(200, &json!(held));
    simulator.keep(&mut world);
    Ok(shown)
}

/// The number isn't there any more, and nobody asked for it.
fn vanish(world: &mut World, place: usize) {
    let number = world.numbers.remove(place);
    world.write(Line {
        provider: &number.provider,
        account: &number.account,
        action: "vanish",
        what: "number",
        subject: number.number.as_deref().unwrap_or_default(),
        id: &number.id,
        tag: &number.name,
        upfront: crate::money::Money::ZERO,
        monthly: number.monthly,
        currency: "",
    });
}
