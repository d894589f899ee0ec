//! Numbers, which stay at their carrier: Twilio's, whose calls are sent here from then on, and SIP trunks'.

use serde_json::{Map, Value, json};

use super::{INBOUND_CALL, NAME, agents, error, invalid, not_found, page};
use crate::money::Money;
use crate::number::{Kind, Number, Origin};
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};
use crate::twilio;

const WHAT: &str = "phone_number";

/// Makes a number known.
pub fn import(turn: &mut Turn<'_>) -> Outcome {
    let mut body = turn.request.json().map_err(|error| invalid("", &error))?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (number, label, provider) = (text("phone_number"), text("label"), text("provider"));
    let wanted: &[&str] = match provider.as_str() {
        "twilio" => &["phone_number", "label", "sid", "token"],
        "sip_trunk" | "exotel" => &["phone_number", "label"],
        _ => return Err(invalid("provider", "Input should be 'twilio', 'sip_trunk' or 'exotel'")),
    };
    if let Some(field) = wanted.iter().find(|field| text(field).is_empty()) {
        return Err(invalid(field, "Field required"));
    }
    let known = |held: &Number| held.provider == NAME && held.number.as_deref() == Some(&number);
    if turn.world.numbers.iter().any(known) {
        return Err(error(400, "phone_number_already_exists", "This phone number is imported already."));
    }
    linked(turn, &body)?;
    if provider == "twilio" {
        point(turn, &number, &text("sid"), &text("token"))?;
    }
    body.retain(|field, _| !matches!(field.as_str(), "phone_number" | "label" | "token"));
    let now = turn.world.turn.now;
    let id = format!("phnum_{}", turn.world.draw.letters(26).to_lowercase());
    let number = Number {
        provider: NAME.to_owned(),
        account: turn.account.clone(),
        id: id.clone(),
        number: Some(number),
        sip_uri: None,
        name: label,
        origin: Origin::Imported,
        country: "US".to_owned(),
        kind: Kind::Local,
        monthly: Money::ZERO,
        created: now,
        updated: now,
        ready: now,
        setup: body,
    };
    turn.world.take(number, Money::ZERO, "");
    Ok(Reply::json(200, &json!({"phone_number_id": id})))
}

/// Lists them all.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let found = found(turn);
    Ok(Reply::json(200, &found.into()))
}

/// Lists them page by page.
pub fn pages(turn: &mut Turn<'_>) -> Outcome {
    let found = found(turn);
    let (shown, next) = page(turn, &found);
    Ok(Reply::json(200, &json!({"phone_numbers": shown, "next_cursor": next, "has_more": next.is_some()})))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let id = turn.param("id");
    let number = turn.number(&id).ok_or_else(|| not_found(WHAT, &id))?;
    Ok(Reply::json(200, &document(turn, number)))
}

/// Says who answers, and what it is called.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid("", &error))?;
    let id = turn.param("id");
    if turn.number(&id).is_none() {
        return Err(not_found(WHAT, &id));
    }
    linked(turn, &body)?;
    let number = turn.number_mut(&id).ok_or_else(|| not_found(WHAT, &id))?;
    if let Some(label) = body.get("label").and_then(Value::as_str) {
        label.clone_into(&mut number.name);
    }
    number.setup.extend(body.into_iter().filter(|(field, _)| field != "label"));
    let shown = turn.number(&id).map(|number| document(turn, number)).unwrap_or_default();
    Ok(Reply::json(200, &shown))
}

/// Forgets one; its carrier keeps it.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    let id = turn.param("id");
    let gone = turn.world.give_back(NAME, &turn.account, &id);
    gone.map(|_| Reply::json(200, &json!({}))).ok_or_else(|| not_found(WHAT, &id))
}

fn found(turn: &Turn<'_>) -> Vec<Value> {
    let query = turn.request.query();
    let fits = |number: &&Number| {
        query.filled("provider").is_none_or(|provider| number.text("provider") == Some(provider))
            && query.filled("agent_id").is_none_or(|agent| number.text("agent_id") == Some(agent))
            && query.filled("phone_number").is_none_or(|wanted| number.number.as_deref() == Some(wanted))
            && query.filled("search").is_none_or(|part| {
                number.name.contains(part)
                    || number.number.as_deref().is_some_and(|digits| digits.contains(part))
            })
    };
    turn.numbers().filter(fits).map(|number| document(turn, number)).collect()
}

/// Refuses an agent that isn't there.
fn linked(turn: &Turn<'_>, body: &Map<String, Value>) -> Result<(), Reply> {
    match body.get("agent_id").and_then(Value::as_str) {
        Some(id) if turn.thing(agents::KIND, id).is_none() => Err(not_found(agents::KIND, id)),
        _ => Ok(()),
    }
}

/// Sends a number's calls here, if the Twilio account has it and these are its credentials.
fn point(turn: &mut Turn<'_>, number: &str, sid: &str, token: &str) -> Result<(), Reply> {
    let refused = || error(400, "twilio_error", "The number was not found at Twilio with these credentials.");
    let opens = |account: &crate::account::Account| {
        let own = account.id == sid && account.secret.as_deref().is_none_or(|secret| secret == token);
        own || account.keys.get(sid).is_some_and(|secret| secret == token)
    };
    let owner =
        turn.world.holder(twilio::NAME, number).map(|held| held.account.clone()).ok_or_else(refused)?;
    turn.world.account(twilio::NAME, &owner).filter(|account| opens(account)).ok_or_else(refused)?;
    let held = turn.world.numbers.iter_mut().find(|held| {
        held.provider == twilio::NAME && held.account == owner && held.number.as_deref() == Some(number)
    });
    let held = held.ok_or_else(refused)?;
    let status = "https://api.elevenlabs.io/twilio/status-callback";
    for (field, value) in [("voice_url", INBOUND_CALL), ("voice_method", "POST"), ("status_callback", status)]
    {
        held.setup.insert(field.to_owned(), value.into());
    }
    Ok(())
}

fn document(turn: &Turn<'_>, number: &Number) -> Value {
    let agent = number.text("agent_id").map(|id| {
        let name = turn.thing(agents::KIND, id).and_then(|agent| agent.text("name"));
        json!({"agent_id": id, "agent_name": name})
    });
    json!({"phone_number": number.number, "label": number.name, "phone_number_id": number.id,
        "provider": number.text("provider"), "assigned_agent": agent, "supports_inbound": true, "supports_outbound": true,
        "inbound_trunk": number.setup.get("inbound_trunk_config"), "outbound_trunk": number.setup.get("outbound_trunk_config")})
}
