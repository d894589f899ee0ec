//! Looking for numbers to be had.

use http::Method;

use crate::country::Country;
use crate::provider::bandwidth::api::{all, number, read, request};
use crate::rest::numbers::{NumberType, Offer, Wanted};
use crate::rest::{Account, Exchange, Fault};

/// Looks for numbers. Bandwidth tells neither prices, which are in the contract, nor what numbers can do.
pub fn search(account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
    if wanted.country.parse().map(Country::calling_code) != Ok(1) {
        return Err(Fault::elsewhere("country", "Bandwidth has numbers of the +1 plan alone"));
    }
    let place = place(wanted)?;
    let request = request(account, "bandwidth.numbers.search", Method::GET, "/availableNumbers")?;
    let request = request.query([(place.0, &*place.1), ("quantity", "50")]);
    let wanted = wanted.clone();
    Ok(Exchange::last(request, move |reply| {
        let found = read(&reply, |root| {
            // Nothing found is an empty result.
            (root.tag_name().name() == "SearchResult").then(|| {
                let texts = all(root, "TelephoneNumber").filter_map(|node| node.text());
                texts.filter_map(number).collect::<Vec<_>>()
            })
        })?;
        let offer = |number| Offer { number: Some(number), price: None, sms: false, requires: None };
        let fitting = found.into_iter().filter(|number| wanted.fits(*number));
        Ok(fitting.take(wanted.offers_max.into()).map(offer).collect())
    }))
}

/// Where to look: Bandwidth wants one place.
fn place(wanted: &Wanted) -> Result<(&'static str, String), Fault> {
    match (wanted.number_type, wanted.area_code.as_deref()) {
        (NumberType::Local, Some(area_code)) if area_code.len() == 6 => Ok(("npaNxx", area_code.to_owned())),
        (NumberType::Local, Some(area_code)) => Ok(("areaCode", area_code.to_owned())),
        (NumberType::Local, None) => {
            Err(Fault::elsewhere("area_code", "Bandwidth looks for numbers of an area code alone"))
        }
        // `8**` is any toll-free code, `80*` is 800.
        (NumberType::TollFree, Some(area_code)) => {
            Ok(("tollFreeWildCardPattern", format!("{}*", area_code.get(..2).unwrap_or("8*"))))
        }
        (NumberType::TollFree, None) => Ok(("tollFreeWildCardPattern", "8**".to_owned())),
        (NumberType::Mobile, _) => Err(Fault::elsewhere("number_type", "Bandwidth has no mobile numbers")),
    }
}
