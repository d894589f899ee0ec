//! Buying: by number, or in the United States and Canada by area code.

use super::dialect::{self, Dialect};
use super::errors::{balance, error, invalid, number_limit};
use super::fields;
use crate::money::Money;
use crate::number::{Kind, Number, Origin};
use crate::reply::Reply;
use crate::stock::countries::{self, Needs};
use crate::stock::{Offer, Wanted};
use crate::turn::{Outcome, Turn};
use crate::world::Unaffordable;

/// Buys a number, and sets on it what the form says.
pub fn buy(turn: &mut Turn<'_>) -> Outcome {
    let form = turn.request.form();
    let setup = fields::read(&form).map_err(|message| invalid(turn.provider, &message))?;
    let offer = match (form.filled("PhoneNumber"), form.filled("AreaCode")) {
        (Some(number), _) => by_number(turn, number)?,
        (None, Some(area)) if dialect::of(turn.provider).buys_by_area => by_area(turn, area)?,
        _ => return Err(invalid(turn.provider, "A PhoneNumber or an AreaCode is required")),
    };
    required(turn, &offer)?;
    let dialect = dialect::of(turn.provider);
    let monthly = price(dialect, offer.kind);
    turn.world.affords(turn.provider, &turn.account, monthly).map_err(|why| match why {
        Unaffordable::Limit => number_limit(turn.provider),
        Unaffordable::Balance => balance(turn.provider),
    })?;
    let now = turn.world.turn.now;
    let number = Number {
        provider: turn.provider.to_owned(),
        account: turn.account.clone(),
        id: dialect.sid(&mut turn.world.draw, "PN"),
        number: Some(offer.number.clone()),
        sip_uri: None,
        name: form.filled("FriendlyName").map_or_else(|| friendly(&offer), str::to_owned),
        origin: Origin::Bought,
        country: offer.country.iso.to_owned(),
        kind: offer.kind,
        monthly,
        created: now,
        updated: now,
        ready: now,
        setup,
    };
    let document = fields::document(&number);
    turn.world.take(number, Money::ZERO, "USD");
    Ok(Reply::json(201, &document))
}

/// Buys below a kind's own path, which takes exact numbers alone.
pub fn buy_exact(turn: &mut Turn<'_>) -> Outcome {
    if turn.request.form().filled("AreaCode").is_some() {
        return Err(error(turn.provider, 400, 21457, "AreaCode is not supported on this resource"));
    }
    buy(turn)
}

fn by_number(turn: &Turn<'_>, number: &str) -> Result<Offer, Reply> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let shaped = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !shaped || number == "+15005550001" {
        let message = format!("The phone number you are attempting to purchase, {number}, is not valid.");
        return Err(error(turn.provider, 400, 21421, &message));
    }
    turn.offer(&format!("+{digits}")).ok_or_else(|| {
        let status = if dialect::of(turn.provider).plain_ids { 422 } else { 400 };
        error(turn.provider, status, 21422, &format!("{number} is not available."))
    })
}

fn by_area(turn: &Turn<'_>, area: &str) -> Result<Offer, Reply> {
    if area.len() != 3 || !area.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error(turn.provider, 400, 21451, &format!("Invalid area code: {area}")));
    }
    let wanted = Wanted { area: Some(area), contains: None, limit: 1 };
    let nations = ["US", "CA"].into_iter().filter_map(countries::country);
    nations.into_iter().find_map(|country| turn.offers(country, Kind::Local, &wanted).pop()).ok_or_else(
        || {
            let message = format!("No phone numbers found in area code {area}.");
            error(turn.provider, 400, 21452, &message)
        },
    )
}

/// Refuses what wants an address or documents that aren't given.
fn required(turn: &Turn<'_>, offer: &Offer) -> Result<(), Reply> {
    if !dialect::of(turn.provider).wants_addresses {
        return Ok(());
    }
    let form = turn.request.form();
    let (address, bundle) = (form.filled("AddressSid"), form.filled("BundleSid"));
    let known = address.is_some_and(|sid| turn.thing(super::addresses::KIND, sid).is_some());
    let refused = |code, message| Err(error(turn.provider, 400, code, message));
    match offer.country.needs {
        Needs::Address | Needs::LocalAddress if address.is_none() => {
            refused(21631, "Phone Number Requires an Address but the 'AddressSid' parameter was empty.")
        }
        Needs::Address | Needs::LocalAddress if !known => {
            refused(21628, "The Address is not valid for this Phone Number.")
        }
        Needs::Documents if bundle.is_none() => {
            refused(21649, "Bundle required: the 'BundleSid' parameter was empty.")
        }
        _ => Ok(()),
    }
}

/// What a number costs each month.
pub fn price(dialect: &Dialect, kind: Kind) -> Money {
    Money::cents(match kind {
        Kind::TollFree => dialect.toll_free_cents,
        Kind::Local | Kind::Mobile => dialect.local_cents,
    })
}

/// `(808) 925-1571`.
pub fn friendly(offer: &Offer) -> String {
    match (offer.country.is_north_american(), offer.national().get(..3), offer.national().get(3..6)) {
        (true, Some(area), Some(exchange)) => {
            format!("({area}) {exchange}-{}", offer.national().get(6..).unwrap_or_default())
        }
        _ => offer.number.clone(),
    }
}
