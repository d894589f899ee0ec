//! Looking for numbers to be had.

use serde_json::{Value, json};

use super::invalid;
use crate::money::Money;
use crate::number::Kind;
use crate::reply::Reply;
use crate::stock::{Offer, Wanted, countries};
use crate::turn::{Outcome, Turn};

/// What a number costs at once, and each month.
pub const PRICE: Money = Money::cents(100);

/// The numbers that there are.
pub fn search(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let filter = |name: &str| query.get(&format!("filter[{name}]")).filter(|value| !value.is_empty());
    let country = filter("country_code").ok_or_else(|| invalid("filter[country_code] is required"))?;
    let kind = match filter("phone_number_type") {
        None | Some("local") => Some(Kind::Local),
        Some("toll_free") => Some(Kind::TollFree),
        Some("mobile") => Some(Kind::Mobile),
        Some(_) => None,
    };
    let wanted = Wanted {
        area: filter("national_destination_code"),
        contains: filter("phone_number][contains"),
        limit: filter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100),
    };
    let found = countries::country(country).zip(kind);
    let offers = found.map(|(country, kind)| turn.offers(country, kind, &wanted)).unwrap_or_default();
    let data: Vec<_> = offers.iter().map(document).collect();
    let meta = json!({"best_effort_results": 0, "total_results": data.len()});
    Ok(Reply::json(200, &json!({"data": data, "meta": meta})))
}

fn document(offer: &Offer) -> Value {
    let features: Vec<_> = ["voice", "sms", "mms"].iter().map(|name| json!({"name": name})).collect();
    json!({
        "record_type": "available_phone_number", "phone_number": offer.number, "best_effort": false, "quickship": true,
        "reservable": true, "features": features, "vanity_format": "",
        "cost_information": {"currency": "USD", "monthly_cost": PRICE.text(5), "upfront_cost": PRICE.text(5)},
        "region_information": [{"region_type": "country_code", "region_name": offer.country.iso}],
    })
}
