//! Looking for numbers to be had.

use http::Method;
use serde::Deserialize;

use super::number::number;
use super::page::{Meta, PAGE_SIZE};
use crate::provider::plivo::api::{request, success};
use crate::rest::numbers::{NumberType, Offer, Price, Wanted};
use crate::rest::{Account, Exchange, Fault, Step};

/// So many pages are looked through for numbers that contain what is wanted: Plivo doesn't look for that.
const PAGES_MAX: u32 = 5;

#[derive(Deserialize)]
struct Available {
    number: String,
    setup_rate: Option<String>,
    monthly_rental_rate: Option<String>,
    #[serde(default)]
    voice_enabled: Option<bool>,
    #[serde(default)]
    sms_enabled: Option<bool>,
    #[serde(default)]
    restriction_text: Option<String>,
}

/// Looks for numbers, on as many pages as it takes.
pub fn search(account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
    look(account, wanted.clone(), 0, Vec::new())
}

fn look(
    account: &Account<'_>,
    wanted: Wanted,
    page: u32,
    mut offers: Vec<Offer>,
) -> Result<Exchange<Vec<Offer>>, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        meta: Meta,
        objects: Vec<Available>,
    }
    let (limit, offset) = (PAGE_SIZE.to_string(), (page * PAGE_SIZE).to_string());
    let mut parameters = vec![("country_iso", wanted.country.as_str()), ("type", kind(wanted.number_type))];
    parameters.extend(wanted.area_code.iter().map(|area_code| ("pattern", area_code.as_str())));
    parameters.push(("services", if wanted.sms { "voice,sms" } else { "voice" }));
    parameters.extend([("limit", &*limit), ("offset", &*offset)]);
    let request = request(account, "plivo.numbers.search", Method::GET, "PhoneNumber/")?.query(parameters);
    let kept = account.keep();
    Ok(Exchange::new(request, move |reply| {
        let Answer { meta, objects } = success(&reply)?.json()?;
        let is_last = meta.next.is_none() || objects.is_empty() || page + 1 >= PAGES_MAX;
        offers.extend(objects.into_iter().filter_map(|available| offer(available, &wanted)));
        offers.truncate(wanted.offers_max.into());
        match is_last || offers.len() >= wanted.offers_max.into() {
            true => Ok(Step::Done(offers)),
            false => look(&kept.account(), wanted, page + 1, offers).map(Step::Next),
        }
    }))
}

const fn kind(number_type: NumberType) -> &'static str {
    match number_type {
        NumberType::Local => "local",
        NumberType::TollFree => "tollfree",
        NumberType::Mobile => "mobile",
    }
}

/// Prices are in US dollars, as accounts are.
fn offer(available: Available, wanted: &Wanted) -> Option<Offer> {
    let number = number(&available.number).filter(|number| wanted.fits(*number))?;
    let price = available.setup_rate.zip(available.monthly_rental_rate);
    let price = price.map(|(upfront, monthly)| Price { upfront, monthly, currency: "USD".to_owned() });
    let requires = available.restriction_text.filter(|text| !text.is_empty());
    let offer = Offer { number: Some(number), price, sms: available.sms_enabled == Some(true), requires };
    (available.voice_enabled != Some(false)).then_some(offer)
}
