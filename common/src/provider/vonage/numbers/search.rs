//! Looking for numbers to be had.

use http::Method;
use serde::Deserialize;

use crate::country::Country;
use crate::e164::E164;
use crate::provider::vonage::api::{REST, request, success};
use crate::rest::numbers::{NumberType, Offer, Price, Wanted};
use crate::rest::{Account, Exchange, Fault};

const TOLL_FREE: &str = "landline-toll-free";

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    numbers: Vec<Available>,
}

#[derive(Deserialize)]
struct Available {
    msisdn: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    cost: Option<String>,
    #[serde(default)]
    features: Vec<String>,
}

/// Looks for numbers. None is an answer without any field, too.
pub fn search(account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
    let calling_code = wanted.country.parse().map_or(0, Country::calling_code);
    let begins = wanted.area_code.as_ref().map(|area_code| format!("{calling_code}{area_code}"));
    let mut parameters = vec![("country", wanted.country.as_str())];
    parameters.extend(kind(wanted.number_type, calling_code).map(|kind| ("type", kind)));
    parameters.push(("features", if wanted.sms { "SMS,VOICE" } else { "VOICE" }));
    match (&begins, &wanted.contains) {
        (Some(digits), _) => parameters.extend([("pattern", digits.as_str()), ("search_pattern", "0")]),
        (None, Some(digits)) => parameters.extend([("pattern", digits.as_str()), ("search_pattern", "1")]),
        (None, None) => {}
    }
    parameters.extend([("size", "100"), ("index", "1")]);
    let request = request(account, REST, "vonage.numbers.search", Method::GET, "/number/search")?;
    let request = request.query(parameters);
    let wanted = wanted.clone();
    Ok(Exchange::last(request, move |reply| {
        let answer: Answer = success(&reply)?.json()?;
        let offers = answer.numbers.into_iter().filter_map(|available| offer(available, &wanted));
        Ok(offers.take(wanted.offers_max.into()).collect())
    }))
}

/// Of the +1 plan most local numbers are mobile ones to Vonage: there no type is asked for.
fn kind(number_type: NumberType, calling_code: u32) -> Option<&'static str> {
    match number_type {
        NumberType::Local if calling_code == 1 => None,
        NumberType::Local => Some("landline"),
        NumberType::TollFree => Some(TOLL_FREE),
        NumberType::Mobile => Some("mobile-lvn"),
    }
}

/// Prices are in euros a month.
fn offer(available: Available, wanted: &Wanted) -> Option<Offer> {
    let number: E164 = format!("+{}", available.msisdn).parse().ok()?;
    let is_toll_free = available.kind.as_deref() == Some(TOLL_FREE);
    let has = |feature: &str| available.features.iter().any(|has| has == feature);
    let fits = wanted.fits(number)
        && is_toll_free == (wanted.number_type == NumberType::TollFree)
        && has("VOICE")
        && (!wanted.sms || has("SMS"));
    let price = available.cost.clone();
    let price = price.map(|monthly| Price { upfront: "0".to_owned(), monthly, currency: "EUR".to_owned() });
    fits.then(|| Offer { number: Some(number), price, sms: has("SMS"), requires: None })
}
