//! Numbers: bought by their digits, which are their name here.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::search::MONTHLY;
use super::{NAME, applications, error, not_found, page, said};
use crate::clock;
use crate::money::Money;
use crate::number::{Number, Origin};
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};
use crate::world::Unaffordable;

/// Buys one.
pub fn buy(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|message| error(400, &message))?;
    let digits = turn.param("number");
    let offer = turn.offer(&format!("+{digits}")).ok_or_else(|| error(404, "number not available"))?;
    let application = application(turn, &body)?;
    turn.world.affords(NAME, &turn.account, MONTHLY).map_err(|why| match why {
        Unaffordable::Limit => error(403, "maximum of numbers for this account reached"),
        Unaffordable::Balance => error(402, "insufficient credit to buy this number"),
    })?;
    let now = turn.world.turn.now;
    let mut setup = Map::new();
    setup.insert("app_id".to_owned(), application.into());
    let number = Number {
        provider: NAME.to_owned(),
        account: turn.account.clone(),
        id: digits.clone(),
        number: Some(offer.number),
        sip_uri: None,
        name: String::new(),
        origin: Origin::Bought,
        country: offer.country.iso.to_owned(),
        kind: offer.kind,
        monthly: MONTHLY,
        created: now,
        updated: now,
        ready: now,
        setup,
    };
    turn.world.take(number, Money::ZERO, "USD");
    let numbers = json!([{"number": digits, "status": "Success"}]);
    Ok(said(turn, 201, json!({"message": "created", "numbers": numbers, "status": "fulfilled"})))
}

/// Lists them, newest first.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let fits = |number: &&Number| {
        query.filled("number_startswith").is_none_or(|begin| number.digits().starts_with(begin))
            && query.filled("alias").is_none_or(|alias| number.name == alias)
            && query.filled("subaccount").is_none_or(|sub| number.text("sub_account") == Some(sub))
    };
    let mut found: Vec<_> = turn.numbers().filter(fits).map(document).collect();
    found.reverse();
    Ok(page(turn, &query, &found))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let found = turn.number(&turn.param("number")).map(document).ok_or_else(not_found)?;
    Ok(said(turn, 200, found))
}

/// Points it to an application, lends it to a subaccount, names it.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|message| error(400, &message))?;
    let id = turn.param("number");
    if turn.number(&id).is_none() {
        return Err(not_found());
    }
    let application = application(turn, &body)?;
    let number = turn.number_mut(&id).ok_or_else(not_found)?;
    if body.contains_key("app_id") {
        number.setup.insert("app_id".to_owned(), application.into());
    }
    if let Some(sub) = body.get("subaccount") {
        number.setup.insert("sub_account".to_owned(), sub.clone());
    }
    if let Some(alias) = body.get("alias") {
        alias.as_str().unwrap_or_default().clone_into(&mut number.name);
    }
    Ok(said(turn, 202, json!({"message": "changed"})))
}

/// Gives it back.
pub fn release(turn: &mut Turn<'_>) -> Outcome {
    turn.world.give_back(NAME, &turn.account, &turn.param("number")).ok_or_else(not_found)?;
    Ok(Reply::empty(204))
}

/// The application that is named, which must be there; none when it is empty.
fn application(turn: &Turn<'_>, body: &Map<String, Value>) -> Result<Option<String>, Reply> {
    let id = body.get("app_id").and_then(Value::as_str).filter(|id| !id.is_empty());
    match id {
        Some(id) if turn.thing(applications::KIND, id).is_none() => Err(error(400, "app_id is not valid")),
        id => Ok(id.map(str::to_owned)),
    }
}

fn document(number: &Number) -> Value {
    let place = |id: &str| format!("/v1/Account/{}/Application/{id}/", number.account);
    let sub = number.text("sub_account").map(|sub| format!("/v1/Account/{sub}/"));
    let renewal =
        number.created.checked_add(jiff::SignedDuration::from_hours(30 * 24)).unwrap_or(Timestamp::MAX);
    json!({"number": number.digits(), "alias": number.name, "application": number.text("app_id").map(place),
        "sub_account": sub, "number_type": number.kind, "type": "fixed", "carrier": "Plivo",
        "added_on": clock::plain(number.created).get(..10), "renewal_date": clock::plain(renewal).get(..10),
        "monthly_rental_rate": number.monthly.text(5), "voice_enabled": true, "sms_enabled": true, "voice_rate": "0.00850",
        "country": number.country, "active": true, "compliance_status": null,
        "resource_uri": format!("/v1/Account/{}/Number/{}/", number.account, number.digits())})
}
