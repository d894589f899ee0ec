//! Numbers: named by their country and their digits.

use serde_json::{Map, Value, json};

use super::search::{MONTHLY, type_name};
use super::{NAME, applications, coded, failed};
use crate::money::Money;
use crate::number::{Number, Origin};
use crate::reply::Reply;
use crate::turn::{Outcome, Turn};
use crate::world::Unaffordable;

/// What can be set, but for the application.
const FIELDS: &[&str] = &["moHttpUrl", "voiceCallbackType", "voiceCallbackValue", "voiceStatusCallback"];

/// Buys one.
pub fn buy(turn: &mut Turn<'_>) -> Outcome {
    let (country, digits) = named(turn)?;
    let account = target(turn)?;
    let offer = turn.offer(&format!("+{digits}")).filter(|offer| offer.country.iso == country);
    let offer = offer.ok_or_else(|| failed("method failed"))?;
    turn.world.affords(NAME, &account, MONTHLY).map_err(|why| match why {
        Unaffordable::Limit => failed("maximum of numbers for this account reached"),
        Unaffordable::Balance => failed("not enough funds"),
    })?;
    let now = turn.world.turn.now;
    let number = Number {
        provider: NAME.to_owned(),
        account,
        id: digits,
        number: Some(offer.number),
        sip_uri: None,
        name: String::new(),
        origin: Origin::Bought,
        country,
        kind: offer.kind,
        monthly: MONTHLY,
        created: now,
        updated: now,
        ready: now,
        setup: Map::new(),
    };
    turn.world.take(number, Money::ZERO, "EUR");
    Ok(done())
}

/// Sets what is named, and resets what is left out.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let (_, digits) = named(turn)?;
    let form = turn.request.form();
    let application = form.filled("app_id");
    if application.is_some_and(|id| turn.thing(applications::KIND, id).is_none()) {
        return Err(failed("app_id is not valid"));
    }
    let set = FIELDS.iter().filter_map(|field| Some((*field, form.filled(field)?)));
    let set = set.chain(application.map(|id| ("app_id", id)));
    let setup = set.map(|(field, value)| (field.to_owned(), value.into())).collect();
    let number = turn.number_mut(&digits).ok_or_else(|| failed("method failed"))?;
    number.setup = setup;
    Ok(done())
}

/// Gives one back.
pub fn cancel(turn: &mut Turn<'_>) -> Outcome {
    let (_, digits) = named(turn)?;
    let account = target(turn)?;
    turn.world.give_back(NAME, &account, &digits).ok_or_else(|| failed("method failed"))?;
    Ok(done())
}

/// Lists the account's.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let pattern = query.filled("pattern").unwrap_or_default();
    let fits = |number: &&Number| {
        let place = match query.count("search_pattern", 0) {
            0 => number.digits().starts_with(pattern),
            1 => number.digits().contains(pattern),
            _ => number.digits().ends_with(pattern),
        };
        place
            && query.filled("country").is_none_or(|country| number.country == country)
            && query.filled("application_id").is_none_or(|id| number.text("app_id") == Some(id))
            && query
                .filled("has_application")
                .is_none_or(|has| number.text("app_id").is_some() == (has == "true"))
    };
    let found: Vec<_> = turn.numbers().filter(fits).map(document).collect();
    if found.is_empty() {
        return Ok(Reply::json(200, &json!({})));
    }
    let (size, index) = (query.count("size", 10).clamp(1, 100), query.count("index", 1).max(1));
    let shown: Vec<_> = found.iter().skip((index - 1) * size).take(size).collect();
    Ok(Reply::json(200, &json!({"count": found.len(), "numbers": shown})))
}

/// What the account has left.
pub fn balance(turn: &mut Turn<'_>) -> Outcome {
    let balance = turn.world.account(NAME, &turn.account).and_then(|account| account.balance);
    let value = balance.map_or_else(|| "1000.00".to_owned(), |balance| balance.to_string());
    Ok(Reply::json(200, &json!({"value": value.parse::<f64>().unwrap_or_default(), "autoReload": false})))
}

fn done() -> Reply {
    coded(200, "200", "success")
}

/// Country and digits, as the form or the query has them.
fn named(turn: &Turn<'_>) -> Result<(String, String), Reply> {
    let (form, query) = (turn.request.form(), turn.request.query());
    let field = |name: &str| form.filled(name).or_else(|| query.filled(name)).map(str::to_owned);
    field("country").zip(field("msisdn")).ok_or_else(|| failed("country and msisdn are required"))
}

/// The subaccount that it is done for, if one is named.
fn target(turn: &Turn<'_>) -> Result<String, Reply> {
    let Some(key) = turn.request.form().filled("target_api_key").map(str::to_owned) else {
        return Ok(turn.account.clone());
    };
    let is_child = turn.world.account(NAME, &key).is_some_and(|it| it.parent.as_ref() == Some(&turn.account));
    if is_child { Ok(key) } else { Err(failed("target_api_key is not yours")) }
}

fn document(number: &Number) -> Value {
    let mut document = json!({"country": number.country, "msisdn": number.digits(), "type": type_name(number.kind),
        "features": ["VOICE", "SMS"]});
    for field in FIELDS {
        if let Some(value) = number.text(field) {
            document[*field] = value.into();
        }
    }
    if let Some(id) = number.text("app_id") {
        document["app_id"] = id.into();
        if number.text("voiceCallbackType").is_none() {
            document["voiceCallbackType"] = "app".into();
            document["voiceCallbackValue"] = id.into();
        }
    }
    document
}
