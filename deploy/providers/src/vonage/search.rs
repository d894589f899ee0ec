//! Looking for numbers to be had.

use serde_json::json;

use super::failed;
use crate::money::Money;
use crate::number::Kind;
use crate::reply::Reply;
use crate::stock::{Wanted, countries};
use crate::turn::{Outcome, Turn};

/// What a number costs each month, in euros.
pub const MONTHLY: Money = Money::cents(90);

/// The numbers that there are; none is an object with nothing in it.
pub fn search(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let country = query.filled("country").ok_or_else(|| failed("country is required"))?;
    let country = countries::country(country).ok_or_else(|| Reply::json(200, &json!({})))?;
    let kind = match query.filled("type") {
        None | Some("landline") => Kind::Local,
        Some("mobile-lvn") => Kind::Mobile,
        Some("landline-toll-free") => Kind::TollFree,
        Some(_) => return Err(failed("type is not valid")),
    };
    // Patterns begin with the country's code.
    let pattern = query.filled("pattern").unwrap_or_default();
    let (begins, ends) = (query.count("search_pattern", 0) == 0, query.count("search_pattern", 0) == 2);
    let area = pattern.strip_prefix(country.calling).filter(|area| begins && !area.is_empty());
    let contains = Some(pattern).filter(|_| !begins);
    let all = turn.offers(country, kind, &Wanted { area, contains, limit: 2000 });
    let fits = |number: &str| !ends || number.ends_with(pattern);
    let found: Vec<_> = all.into_iter().filter(|offer| fits(&offer.number)).collect();
    if found.is_empty() {
        return Ok(Reply::json(200, &json!({})));
    }
    let (size, index) = (query.count("size", 10).clamp(1, 100), query.count("index", 1).max(1));
    let shown: Vec<_> = found
        .iter()
        .skip((index - 1) * size)
        .take(size)
        .map(|offer| {
            json!({"country": country.iso, "msisdn": offer.number.trim_start_matches('+'), "type": type_name(kind),
                "cost": MONTHLY.text(2), "features": ["VOICE", "SMS"]})
        })
        .collect();
    Ok(Reply::json(200, &json!({"count": found.len(), "numbers": shown})))
}

/// The kind's name here.
pub const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Local => "landline",
        Kind::Mobile => "mobile-lvn",
        Kind::TollFree => "landline-toll-free",
    }
}
