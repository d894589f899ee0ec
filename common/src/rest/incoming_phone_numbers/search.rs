//! Looking for numbers to be had, and what they cost.

use http::Method;
use serde::Deserialize;

use super::{Dialect, success};
use crate::country::Country;
use crate::e164::E164;
use crate::rest::numbers::{Offer, Price, Wanted};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Reply, Step};

/// How many offers are asked for: more than are wanted, as some may not fit.
const PAGE_SIZE: &str = "50";

#[derive(Deserialize)]
struct Answer {
    available_phone_numbers: Vec<Available>,
}

#[derive(Deserialize)]
struct Available {
    phone_number: String,
    #[serde(default)]
    capabilities: Capabilities,
    address_requirements: Option<String>,
}

/// Twilio writes the names small, SignalWire in capitals.
#[derive(Deserialize, Default)]
struct Capabilities {
    #[serde(alias = "SMS")]
    sms: Option<bool>,
}

/// Looks for numbers, and for their price when there are any.
pub fn search<D: Dialect>(
    dialect: D,
    account: &Account<'_>,
    wanted: &Wanted,
) -> Result<Exchange<Vec<Offer>>, Fault> {
    let kind = dialect
        .number_type(wanted)
        .ok_or_else(|| Fault::elsewhere("number_type", format!("{} has no such numbers", D::PROVIDER)))?;
    let below = format!("/AvailablePhoneNumbers/{}/{kind}{}", segment(&wanted.country), D::SUFFIX);
    let request = dialect.request(account, D::OPERATIONS.search, Method::GET, &below)?;
    let parameters = parameters(wanted);
    let request = request.query(parameters.iter().map(|(name, value)| (*name, &**value)));
    let price = dialect.price(account, wanted)?;
    let wanted = wanted.clone();
    Ok(Exchange::new(request, move |reply| {
        let offers = offers(dialect, &reply, &wanted)?;
        match price {
            Some(price) if !offers.is_empty() => Ok(Step::Next(price.map(|price| with_price(offers, price)))),
            _ => Ok(Step::Done(offers)),
        }
    }))
}

/// `AreaCode` is for countries of the +1 plan; elsewhere numbers are found by what they begin with.
fn parameters(wanted: &Wanted) -> Vec<(&'static str, String)> {
    let country = wanted.country.parse::<Country>().ok();
    let mut parameters = Vec::new();
    let mut contains = wanted.contains.clone();
    match (&wanted.area_code, country.map(Country::calling_code)) {
        (Some(area_code), Some(1)) => parameters.push(("AreaCode", area_code.clone())),
        (Some(area_code), Some(code)) => contains = Some(format!("{code}{area_code}")),
        (Some(area_code), None) => contains = Some(area_code.clone()),
        (None, _) => {}
    }
    // Fewer than two characters are refused; the offers are looked through anyway.
    parameters.extend(contains.filter(|digits| digits.len() >= 2).map(|digits| ("Contains", digits)));
    parameters.push(("VoiceEnabled", "true".to_owned()));
    if wanted.sms {
        parameters.push(("SmsEnabled", "true".to_owned()));
    }
    parameters.push(("PageSize", PAGE_SIZE.to_owned()));
    parameters
}

fn offers<D: Dialect>(dialect: D, reply: &Reply, wanted: &Wanted) -> Result<Vec<Offer>, Fault> {
    let answer: Answer = match success(dialect, reply) {
        Ok(reply) => reply.json()?,
        // The resource of a country, or of a kind of number, that the provider doesn't have.
        Err(Fault::Gone { reason }) => return Err(Fault::elsewhere("country_or_type", reason)),
        Err(fault) => return Err(fault),
    };
    let offer = |available: Available| {
        let number: E164 = available.phone_number.parse().ok().filter(|number| wanted.fits(*number))?;
        Some(Offer {
            number: Some(number),
            price: None,
            sms: available.capabilities.sms == Some(true),
            requires: available.address_requirements.and_then(address),
        })
    };
    let offers = answer.available_phone_numbers.into_iter().filter_map(offer);
    Ok(offers.take(wanted.offers_max.into()).collect())
}

/// What a person has to provide, in words.
fn address(requirements: String) -> Option<String> {
    match &*requirements {
        "none" | "" => None,
        "any" => Some("an address".to_owned()),
        "local" => Some("an address in the number's region".to_owned()),
        "foreign" => Some("an address outside the number's country".to_owned()),
        other => Some(format!("an address: {other}")),
    }
}

fn with_price(offers: Vec<Offer>, price: Option<Price>) -> Vec<Offer> {
    offers.into_iter().map(|offer| Offer { price: price.clone(), ..offer }).collect()
}
