//! What numbers cost: `https://pricing.twilio.com/v1/PhoneNumbers/Countries/{country}`.

use serde_json::{Value, json};

use super::{buy, dialect, errors};
use crate::number::Kind;
use crate::reply::Reply;
use crate::stock::countries::{self, Country};
use crate::turn::{Outcome, Turn};

/// A country's prices.
pub fn country(turn: &mut Turn<'_>) -> Outcome {
    let country = countries::country(&turn.param("country"));
    let country = country.ok_or_else(|| errors::not_found(turn.provider, turn.request))?;
    Ok(Reply::json(
        200,
        &json!({
            "country": country.name, "iso_country": country.iso, "price_unit": "USD",
            "phone_number_prices": prices(turn.provider, country),
            "url": format!("https://pricing.twilio.com/v1/PhoneNumbers/Countries/{}", country.iso),
        }),
    ))
}

fn prices(provider: &str, country: &Country) -> Vec<Value> {
    let sold = [("local", Kind::Local, country.local), ("mobile", Kind::Mobile, country.mobile)];
    let sold = sold.into_iter().chain([("toll free", Kind::TollFree, country.toll_free)]);
    let price = |(name, kind, _)| {
        let price = buy::price(dialect::of(provider), kind).text(2);
        json!({"number_type": name, "base_price": price, "current_price": price})
    };
    sold.filter(|(_, _, areas)| !areas.is_empty()).map(price).collect()
}
