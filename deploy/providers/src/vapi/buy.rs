//! Free numbers, up to a limit, and SIP URIs, of which there is no end.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::numbers::document;
use super::{NAME, error, invalid};
use crate::money::Money;
use crate::number::{Kind, Number, Origin};
use crate::reply::Reply;
use crate::stock::{Wanted, countries};
use crate::turn::{Outcome, Turn};
use crate::world::Unaffordable;

/// What the pages say of an account's free numbers now; older ones say 10.
const FREE_MAX: usize = 5;

/// Gives a number of the wanted area, or takes a SIP URI.
pub fn free(turn: &mut Turn<'_>, mut body: Map<String, Value>) -> Outcome {
    if let Some(uri) = body.remove("sipUri") {
        return sip(turn, uri.as_str().unwrap_or_default(), body);
    }
    let area = body.get("numberDesiredAreaCode").and_then(Value::as_str).map(str::to_owned);
    if area.as_ref().is_some_and(|area| area.len() != 3 || !area.bytes().all(|byte| byte.is_ascii_digit())) {
        let wanted = "numberDesiredAreaCode must be longer than or equal to 3 and shorter than or equal to 3 characters";
        return Err(invalid(&[wanted.to_owned()]));
    }
    affordable(turn)?;
    let wanted = Wanted { area: area.as_deref(), contains: None, limit: 1 };
    let country = countries::country("US").ok_or_else(|| error(500, "Internal server error"))?;
    let offer = turn.offers(country, Kind::Local, &wanted).pop();
    let offer = offer.ok_or_else(|| {
        let others =
            turn.world.terms.stock.neighbours(NAME, area.as_deref().unwrap_or_default(), 3).join(", ");
        error(400, &format!("This area code is currently not available. Hint: Try one of {others}."))
    })?;
    let mut number = number(turn, body, Origin::Free);
    number.number = Some(offer.number);
    number.ready = turn.world.settled();
    Ok(taken(turn, number))
}

/// The account has as many as it may have.
pub fn limit_reached(max: usize) -> Reply {
    error(400, &format!("You have reached the maximum of {max} free phone numbers for your organization."))
}

fn affordable(turn: &Turn<'_>) -> Result<(), Reply> {
    let max = turn.world.account(NAME, &turn.account).and_then(|own| own.free_max).unwrap_or(FREE_MAX);
    if turn.numbers().filter(|number| number.origin == Origin::Free && number.number.is_some()).count() >= max
    {
        return Err(limit_reached(max));
    }
    turn.world.affords(NAME, &turn.account, Money::ZERO).map_err(|why| match why {
        Unaffordable::Limit => limit_reached(max),
        Unaffordable::Balance => error(402, "Wallet balance is too low. Please add credits to your wallet."),
    })
}

fn sip(turn: &mut Turn<'_>, uri: &str, body: Map<String, Value>) -> Outcome {
    if !uri.starts_with("sip:") || !uri.ends_with("@sip.vapi.ai") {
        return Err(invalid(&["sipUri must match /^sip:.+@sip.vapi.ai$/ regular expression".to_owned()]));
    }
    let is_taken =
        turn.world.numbers.iter().any(|held| held.provider == NAME && held.sip_uri.as_deref() == Some(uri));
    if is_taken {
        return Err(error(400, "This SIP URI is already in use."));
    }
    let mut number = number(turn, body, Origin::Free);
    number.sip_uri = Some(uri.to_owned());
    Ok(taken(turn, number))
}

/// A number of the account's that has no address yet.
pub fn number(turn: &mut Turn<'_>, mut body: Map<String, Value>, origin: Origin) -> Number {
    let now = turn.world.turn.now;
    let name = body.remove("name").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    body.retain(|_, value| !value.is_null());
    Number {
        provider: NAME.to_owned(),
        account: turn.account.clone(),
        id: turn.world.draw.uuid().to_string(),
        number: None,
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

/// Gives the number; it is activating at first, in the answer at least.
pub fn taken(turn: &mut Turn<'_>, number: Number) -> Reply {
    let activates = number.origin == Origin::Free && number.number.is_some();
    let seen = if activates { Timestamp::MIN } else { turn.world.turn.now };
    let document = document(&number, seen);
    turn.world.take(number, Money::ZERO, "USD");
    Reply::json(201, &document)
}
