//! Looking for numbers to be had.

use serde_json::{Value, json};

use super::{buy, dialect, errors, fields};
use crate::number::Kind;
use crate::reply::Reply;
use crate::stock::countries::{self, Country};
use crate::stock::{Offer, Wanted};
use crate::turn::{Outcome, Turn};

const PAGE_DEFAULT: usize = 30;

/// The countries that there are numbers of.
pub fn countries(turn: &mut Turn<'_>) -> Outcome {
    let root = format!("{}/Accounts/{}/AvailablePhoneNumbers", dialect::of(turn.provider).root, turn.account);
    let of = |country: &Country| {
        let place = format!("{root}/{}", country.iso);
        json!({
            "country_code": country.iso, "country": country.name, "beta": false, "uri": format!("{place}.json"),
            "subresource_uris": {"local": format!("{place}/Local.json"), "toll_free": format!("{place}/TollFree.json")},
        })
    };
    let countries: Vec<_> = countries::ALL.iter().map(of).collect();
    Ok(Reply::json(200, &json!({"countries": countries, "uri": format!("{root}.json")})))
}

/// The numbers that there are; none is an empty list.
pub fn search(turn: &mut Turn<'_>) -> Outcome {
    let country = turn.param("country");
    let country =
        countries::country(&country).ok_or_else(|| errors::not_found(turn.provider, turn.request))?;
    let kind = match turn.param("kind").as_str() {
        "Local" => Some(Kind::Local),
        "TollFree" => Some(Kind::TollFree),
        "Mobile" => Some(Kind::Mobile),
        "National" | "SharedCost" | "Voip" | "MachineToMachine" => None,
        _ => return Err(errors::not_found(turn.provider, turn.request)),
    };
    let query = turn.request.query();
    let contains = query.filled("Contains");
    if contains.is_some_and(|text| !(2..=16).contains(&text.len())) {
        return Err(errors::invalid(turn.provider, "Contains must have 2 to 16 characters"));
    }
    let area = query.filled("AreaCode").filter(|_| country.is_north_american());
    let wanted = Wanted { area, contains, limit: query.count("PageSize", PAGE_DEFAULT).min(1000) };
    let without_sms = query.is_true("SmsEnabled") && kind == Some(Kind::TollFree);
    let needs_address = fields::requirements(turn.provider, country.iso) != "none";
    let refused = without_sms || (needs_address && query.is_true("ExcludeAllAddressRequired"));
    let offers =
        kind.filter(|_| !refused).map(|kind| turn.offers(country, kind, &wanted)).unwrap_or_default();
    let found: Vec<_> = offers.iter().map(|offer| document(turn.provider, offer)).collect();
    let uri = turn.request.path.clone();
    Ok(Reply::json(200, &json!({"available_phone_numbers": found, "uri": uri})))
}

fn document(provider: &str, offer: &Offer) -> Value {
    let sms = offer.kind != Kind::TollFree;
    let mut document = json!({
        "friendly_name": buy::friendly(offer), "phone_number": offer.number, "iso_country": offer.country.iso,
        "address_requirements": fields::requirements(provider, offer.country.iso), "beta": false,
        "capabilities": {"voice": true, "sms": sms, "mms": sms}, "lata": null, "latitude": null, "longitude": null,
        "locality": null, "postal_code": null, "rate_center": null, "region": null,
    });
    if !dialect::of(provider).plain_ids && offer.country.iso == "US" && offer.kind == Kind::Local {
        document["lata"] = "722".into();
        document["locality"] = format!("Area {}", offer.area).into();
        document["rate_center"] = format!("RC{}", offer.area).into();
        document["region"] = "CA".into();
        document["postal_code"] = "94105".into();
        document["latitude"] = "37.790000".into();
        document["longitude"] = "-122.400000".into();
    }
    document
}
