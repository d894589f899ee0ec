//! Looking for numbers to be had.

use serde_json::{Value, json};

use super::{error, page};
use crate::money::Money;
use crate::number::Kind;
use crate::stock::{Offer, Wanted, countries};
use crate::turn::{Outcome, Turn};

/// What a number costs each month.
pub const MONTHLY: Money = Money::cents(80);

/// The numbers that there are.
pub fn search(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let country = query.filled("country_iso").ok_or_else(|| error(400, "country_iso is required"))?;
    let kind = match query.filled("type") {
        None | Some("local" | "fixed" | "any") => Some(Kind::Local),
        Some("tollfree") => Some(Kind::TollFree),
        Some("mobile") => Some(Kind::Mobile),
        Some(_) => None,
    };
    let area = query.filled("pattern").or_else(|| query.filled("npanxx"));
    let wanted = Wanted { area, contains: None, limit: 200 };
    let offers =
        countries::country(country).zip(kind).map(|(country, kind)| turn.offers(country, kind, &wanted));
    let account = turn.account.clone();
    let found: Vec<_> = offers.unwrap_or_default().iter().map(|offer| document(&account, offer)).collect();
    Ok(page(turn, &query, &found))
}

fn document(account: &str, offer: &Offer) -> Value {
    let number = offer.number.trim_start_matches('+');
    json!({"number": number, "prefix": offer.area, "city": format!("AREA {}", offer.area), "country": offer.country.name,
        "region": offer.country.name, "rate_center": null, "lata": 722, "type": "fixed", "sub_type": "local",
        "setup_rate": "0.00000", "monthly_rental_rate": MONTHLY.text(5), "sms_enabled": true, "sms_rate": "0.00000",
        "voice_enabled": true, "voice_rate": "0.00850", "mms_enabled": false, "restriction": null,
        "restriction_text": null, "resource_uri": format!("/v1/Account/{account}/PhoneNumber/{number}/")})
}
