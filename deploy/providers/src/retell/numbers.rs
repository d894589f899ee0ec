//! Numbers: bought here, or a SIP trunk's.

use serde_json::{Map, Value, json};

use super::{NAME, agents, error, page};
use crate::money::Money;
use crate::number::{Kind, Number, Origin};
use crate::reply::Reply;
use crate::stock::{Offer, Wanted, countries};
use crate::turn::{Outcome, Turn};
use crate::world::Unaffordable;

const MONTHLY: Money = Money::cents(200);

/// Buys one: exactly this, or one of the area.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|message| error(400, &message))?;
    weighed(turn, &body)?;
    let offer = offer(turn, &body)?;
    turn.world.affords(NAME, &turn.account, MONTHLY).map_err(|why| match why {
        Unaffordable::Limit => error(402, "You have reached the limit of your plan."),
        Unaffordable::Balance => error(402, "Payment method is missing or your balance is too low."),
    })?;
    let kind =
        if body.get("number_provider") == Some(&json!("telnyx")) { "retell-telnyx" } else { "retell-twilio" };
    let number = number(turn, body, &offer.number, Origin::Bought, kind);
    let document = document(&number);
    turn.world.take(Number { monthly: MONTHLY, kind: offer.kind, ..number }, Money::ZERO, "USD");
    Ok(Reply::json(201, &document))
}

/// Makes a SIP trunk's number known.
pub fn import(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|message| error(400, &message))?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (digits, trunk) = (text("phone_number"), text("termination_uri"));
    if !digits.starts_with('+') || trunk.is_empty() {
        return Err(error(400, "phone_number (E.164) and termination_uri are required"));
    }
    if turn.world.holder(NAME, &digits).is_some() {
        return Err(error(409, "Phone number is imported already."));
    }
    weighed(turn, &body)?;
    let number = number(turn, body, &digits, Origin::Imported, "custom");
    let document = document(&number);
    turn.world.take(number, Money::ZERO, "");
    Ok(Reply::json(201, &document))
}

/// Lists them all.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let found: Vec<_> = turn.numbers().map(document).collect();
    Ok(Reply::json(200, &found.into()))
}

/// Lists them page by page.
pub fn pages(turn: &mut Turn<'_>) -> Outcome {
    let found: Vec<_> = turn.numbers().map(document).collect();
    Ok(Reply::json(200, &page(turn, &found, "phone_number")))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    turn.number(&turn.param("number")).map(|number| Reply::json(200, &document(number))).ok_or_else(missing)
}

/// Changes what is named; `null` takes away.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|message| error(400, &message))?;
    let id = turn.param("number");
    if turn.number(&id).is_none() {
        return Err(missing());
    }
    weighed(turn, &body)?;
    let number = turn.number_mut(&id).ok_or_else(missing)?;
    if let Some(name) = body.get("nickname") {
        name.as_str().unwrap_or_default().clone_into(&mut number.name);
    }
    number.setup.extend(body);
    number.setup.retain(|_, value| !value.is_null());
    Ok(Reply::json(200, &document(number)))
}

/// Gives one back.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    turn.world
        .give_back(NAME, &turn.account, &turn.param("number"))
        .map(|_| Reply::empty(204))
        .ok_or_else(missing)
}

fn missing() -> Reply {
    error(404, "The requested phone number was not found.")
}

fn offer(turn: &Turn<'_>, body: &Map<String, Value>) -> Result<Offer, Reply> {
    if let Some(exact) = body.get("phone_number").and_then(Value::as_str) {
        return turn
            .offer(exact)
            .ok_or_else(|| error(400, &format!("Phone number {exact} is not available.")));
    }
    let country = body.get("country_code").and_then(Value::as_str).unwrap_or("US");
    let country = countries::country(country).filter(|country| country.is_north_american());
    let country = country.ok_or_else(|| error(400, "country_code must be US or CA"))?;
    let kind = if body.get("toll_free") == Some(&Value::Bool(true)) { Kind::TollFree } else { Kind::Local };
    let area = body.get("area_code").filter(|area| !area.is_null());
    let area =
        area.map(|area| area.as_u64().ok_or_else(|| error(400, "area_code must be a number"))).transpose()?;
    let area = area.map(|area| area.to_string());
    let wanted = Wanted { area: area.as_deref(), contains: None, limit: 1 };
    let found = turn.offers(country, kind, &wanted).pop();
    found.ok_or_else(|| {
        error(400, &format!("No phone number available for area code {}.", area.unwrap_or_default()))
    })
}

/// Refuses agents that aren't there, and weights that don't come to 1.
fn weighed(turn: &Turn<'_>, body: &Map<String, Value>) -> Result<(), Reply> {
    for field in ["inbound_agents", "outbound_agents"] {
        let Some(list) = body.get(field).and_then(Value::as_array).filter(|list| !list.is_empty()) else {
            continue;
        };
        let known = |agent: &Value| {
            agent["agent_id"].as_str().is_some_and(|id| turn.thing(agents::AGENT, id).is_some())
        };
        if !list.iter().all(known) {
            return Err(error(422, &format!("{field}: Cannot find requested agent under given api key.")));
        }
        let sum: f64 = list.iter().map(|agent| agent["weight"].as_f64().unwrap_or_default()).sum();
        if (sum - 1.0).abs() > 1e-6 {
            return Err(error(400, &format!("{field}: weights must add up to 1")));
        }
    }
    Ok(())
}

fn number(turn: &Turn<'_>, mut body: Map<String, Value>, digits: &str, origin: Origin, kind: &str) -> Number {
    let now = turn.world.turn.now;
    let name = body.remove("nickname").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    body.insert("phone_number_type".to_owned(), kind.into());
    body.retain(|field, value| !value.is_null() && !field.ends_with("password"));
    Number {
        provider: NAME.to_owned(),
        account: turn.account.clone(),
        id: digits.to_owned(),
        number: Some(digits.to_owned()),
        sip_uri: None,
        name,
        origin,
        country: "US".to_owned(),
        kind: Kind::Local,
        monthly: Money::ZERO,
        created: now,
        updated: now,
        ready: now,
        setup: body,
    }
}

fn document(number: &Number) -> Value {
    let field = |name: &str| number.setup.get(name).cloned().unwrap_or_default();
    let area: Option<u32> = number.digits().get(1..4).and_then(|area| area.parse().ok());
    let trunk = json!({"termination_uri": field("termination_uri"), "auth_username": field("sip_trunk_auth_username"),
        "transport": field("transport")});
    let mut document = json!({"phone_number": number.number, "phone_number_type": field("phone_number_type"),
        "phone_number_pretty": number.number, "nickname": number.name, "area_code": area,
        "last_modification_timestamp": number.updated.as_millisecond()});
    for name in [
        "inbound_agents",
        "outbound_agents",
        "inbound_webhook_url",
        "inbound_sms_webhook_url",
        "fallback_number",
        "allowed_inbound_country_list",
    ] {
        document[name] = field(name);
    }
    if number.origin == Origin::Imported {
        document["sip_outbound_trunk_config"] = trunk;
    }
    document
}
