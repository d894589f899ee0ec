//! Looking for numbers to be had.

use http::Method;
use serde::Deserialize;

use crate::e164::E164;
use crate::provider::telnyx::api::{data, request};
use crate::rest::numbers::{NumberType, Offer, Price, Wanted};
use crate::rest::{Account, Exchange, Fault};

#[derive(Deserialize)]
struct Available {
    phone_number: String,
    #[serde(default)]
    features: Vec<Feature>,
    cost_information: Option<Cost>,
}

#[derive(Deserialize)]
struct Feature {
    name: String,
}

/// Money as text, never as a float.
#[derive(Deserialize)]
struct Cost {
    currency: String,
    monthly_cost: String,
    upfront_cost: String,
}

/// Looks for exact numbers that nobody holds.
pub fn search(account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
    let mut filters = vec![("filter[country_code]", wanted.country.as_str())];
    filters.extend(wanted.area_code.iter().map(|code| ("filter[national_destination_code]", code.as_str())));
    filters.push(("filter[phone_number_type]", kind(wanted.number_type)));
    filters.extend(wanted.contains.iter().map(|digits| ("filter[phone_number][contains]", digits.as_str())));
    filters.push(("filter[features][]", "voice"));
    if wanted.sms {
        filters.push(("filter[features][]", "sms"));
    }
    filters.extend([("filter[exclude_held_numbers]", "true"), ("filter[limit]", "50")]);
    let request = request(account, "telnyx.numbers.search", Method::GET, "/available_phone_numbers")?;
    let wanted = wanted.clone();
    Ok(Exchange::last(request.query(filters), move |reply| {
        let found: Vec<Available> = data(&reply)?;
        let offers = found.into_iter().filter_map(|available| offer(available, &wanted));
        Ok(offers.take(wanted.offers_max.into()).collect())
    }))
}

const fn kind(number_type: NumberType) -> &'static str {
    match number_type {
        NumberType::Local => "local",
        NumberType::TollFree => "toll_free",
        NumberType::Mobile => "mobile",
    }
}

fn offer(available: Available, wanted: &Wanted) -> Option<Offer> {
    let number: E164 = available.phone_number.parse().ok().filter(|number| wanted.fits(*number))?;
    let price = available.cost_information.map(|cost| Price {
        upfront: cost.upfront_cost,
        monthly: cost.monthly_cost,
        currency: cost.currency.to_ascii_uppercase(),
    });
    let sms = available.features.iter().any(|feature| feature.name == "sms");
    Some(Offer { number: Some(number), price, sms, requires: None })
}
