//! Calls at LiveKit: nobody is asked. A trunk takes the call, the most exact rule says where it goes.

use serde_json::{Value, json};

use jiff::Timestamp;

use super::trunks::strings;
use super::{NAME, rules, trunks};
use crate::account::Account;
use crate::calls::Call;
use crate::money::Money;
use crate::number::{Kind, Number, Origin};
use crate::thing::Thing;
use crate::world::World;

/// Where the call goes.
pub fn answer(call: &mut Call<'_>) -> Value {
    let answered_by = {
        let world = call.simulator.world();
        match trunk(&world, &call.to) {
            None => json!({"rejected": "no trunk"}),
            Some(trunk) => dispatched(&world, trunk, &call.to, &call.from),
        }
    };
    call.did(answered_by.clone());
    answered_by
}

/// The number as its trunk has it, and whose it is, when a trunk takes its calls: LiveKit itself has none.
pub fn taken(world: &World, to: &str) -> Option<(Number, Account)> {
    let trunk = trunk(world, to)?;
    let account = world.account(NAME, &trunk.account)?.clone();
    let number = Number {
        provider: NAME.to_owned(),
        account: account.id.clone(),
        id: trunk.id.clone(),
        number: Some(to.to_owned()),
        sip_uri: None,
        name: String::new(),
        origin: Origin::Imported,
        country: String::new(),
        kind: Kind::Local,
        monthly: Money::ZERO,
        created: trunk.created,
        updated: Timestamp::now(),
        ready: trunk.created,
        setup: serde_json::Map::new(),
    };
    Some((number, account))
}

/// The trunk that takes calls to this number: one that names it before one that takes all.
pub fn trunk<'w>(world: &'w World, to: &str) -> Option<&'w Thing> {
    let trunks = || world.things.iter().filter(|thing| thing.provider == NAME && thing.kind == trunks::KIND);
    let normal =
        |number: &str| format!("+{}", number.chars().filter(char::is_ascii_digit).collect::<String>());
    let names =
        |trunk: &&Thing| strings(&trunk.body, "numbers").iter().any(|number| normal(number) == normal(to));
    trunks().find(names).or_else(|| trunks().find(|trunk| strings(&trunk.body, "numbers").is_empty()))
}

fn dispatched(world: &World, trunk: &Thing, to: &str, from: &str) -> Value {
    let takes = |rule: &Thing, field: &str, value: &str| {
        let list = strings(&rule.body, field);
        list.is_empty() || list.iter().any(|own| own == value)
    };
    let missing = |rule: &&Thing| {
        ["numbers", "inbound_numbers", "trunk_ids"]
            .iter()
            .filter(|field| strings(&rule.body, field).is_empty())
            .count()
    };
    let rules = world.things_of(NAME, rules::KIND, &trunk.account).filter(|rule| {
        // These are compared as they stand, unlike a trunk's.
        takes(rule, "numbers", to)
            && takes(rule, "inbound_numbers", from)
            && takes(rule, "trunk_ids", &trunk.id)
    });
    let Some(rule) = rules.min_by_key(missing) else { return json!({"rejected": "no dispatch rule"}) };
    let agent = &rule.body.get("room_config").map(|room| room["agents"][0].clone()).unwrap_or_default();
    json!({"agent": agent["agent_name"], "provider": NAME, "rule": rule.id, "trunk": trunk.id,
        "attributes": rule.body.get("attributes"), "metadata": agent["metadata"]})
}
