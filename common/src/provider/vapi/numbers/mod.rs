//! Numbers that Vapi gives away: in the US, of an area code if it has one, chosen by Vapi.
//!
//! There is no search: what is asked for is had. Numbers that are imported are listed with the others.

pub mod phone_number;

use http::Method;
use serde_json::{Map, Value, json};

use super::api::{self, APIS, Problem};
use super::{listing, server};
use crate::provider::Api;
use crate::rest::numbers::{
    Abilities, Held, NumberType, Numbers, Offer, Order, Page, Price, Wanted, Webhooks,
};
use crate::rest::request::{Effect, segment};
use crate::rest::{Account, Exchange, Fault, Reply, Request};

/// Where numbers are.
pub const PATH: &str = "/phone-number";

/// Vapi doesn't say how many requests it takes; one with several numbers and assistants at work sends fewer.
const REQUESTS_PER_SECOND: u32 = 5;

/// The way to them.
pub struct VapiNumbers;

impl Numbers for VapiNumbers {
    fn apis(&self) -> &'static [Api] {
        APIS
    }

    fn abilities(&self) -> Abilities {
        Abilities { sells: false, free: true, tags: true, exact: false }
    }

    fn requests_per_second(&self) -> u32 {
        REQUESTS_PER_SECOND
    }

    /// Asks only whether the key is good: Vapi tells of no number before it is had.
    fn search(&self, account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
        check(wanted)?;
        let request =
            api::request(account, "vapi.numbers.search", Method::GET, PATH)?.query([("limit", "1")]);
        Ok(Exchange::last(request, |reply| {
            api::objects(&reply)?;
            let zero = || "0.00".to_owned();
            let price = Price { upfront: zero(), monthly: zero(), currency: "USD".to_owned() };
            Ok(vec![Offer { number: None, price: Some(price), sms: false, requires: None }])
        }))
    }

    fn buy(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault> {
        check(&order.wanted)?;
        if let Some(number) = order.number {
            return Err(Fault::elsewhere("number_unavailable", format!("Vapi doesn't give {number} away")));
        }
        let tag = order.tag.to_string();
        let mut body = json!({
            "provider": phone_number::OWN, "name": tag, "server": server::ours(account, &order.webhooks)?,
        });
        if let Some(area_code) = &order.wanted.area_code {
            body["numberDesiredAreaCode"] = area_code.as_str().into();
        }
        if order.webhooks.fallback.is_some() {
            body["fallbackDestination"] = phone_number::fallback(&order.webhooks);
        }
        let request = api::request(account, "vapi.numbers.buy", Method::POST, PATH)?.json(&body);
        Ok(Exchange::last(request, move |reply| {
            if !reply.is_success() {
                return Err(refusal(&reply));
            }
            let held = phone_number::read(&reply)?;
            // One that is called something else is another's.
            if held.name == tag {
                Ok(held)
            } else {
                Err(Fault::unclear("an answer that names another number"))
            }
        }))
    }

    fn bought(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
        let list = api::request(account, "vapi.numbers.bought", Method::GET, PATH)?;
        let named = listing::named(list, order.tag.to_string());
        Ok(named.map(|records| records.iter().filter_map(phone_number::held).collect()))
    }

    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
        let request = one(account, "vapi.numbers.get", Method::GET, id)?;
        Ok(Exchange::last(request, the_one(id)))
    }

    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
        let list = api::request(account, "vapi.numbers.list", Method::GET, PATH)?;
        let from = cursor.map(str::to_owned);
        Ok(Exchange::last(listing::request(&list, cursor), move |reply| {
            let page = listing::page(&reply, from.as_deref())?;
            let numbers = page.objects.iter().filter_map(phone_number::held).collect();
            Ok(Page { numbers, next: page.next })
        }))
    }

    fn configure(
        &self,
        account: &Account<'_>,
        number: &Held,
        name: &str,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let mut body = phone_number::pointed_here(account, webhooks)?;
        body["name"] = phone_number::name(name).into();
        let request = one(account, "vapi.numbers.configure", Method::PATCH, &number.id)?.json(&body);
        Ok(Exchange::last(request, the_one(&number.id)))
    }

    fn drift(&self, account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String> {
        phone_number::drift(account, &number.setup, webhooks)
    }

    fn restore(
        &self,
        account: &Account<'_>,
        id: &str,
        setup: &Map<String, Value>,
    ) -> Result<Exchange<()>, Fault> {
        let body = phone_number::put_back(setup);
        let request = one(account, "vapi.numbers.restore", Method::PATCH, id)?.json(&body);
        Ok(Exchange::last(request, the_one(id)).map(|_| ()))
    }

    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault> {
        let request = one(account, "vapi.numbers.release", Method::DELETE, &number.id)?;
        Ok(Exchange::last(request, |reply| api::gone(&reply)))
    }
}

/// A request about one number.
pub fn one(
    account: &Account<'_>,
    operation: &'static str,
    method: Method,
    id: &str,
) -> Result<Request, Fault> {
    let request = api::request(account, operation, method, format!("{PATH}/{}", segment(id)))?;
    Ok(request.effect(Effect::Repeatable))
}

/// Reads the number of this id.
pub fn the_one(id: &str) -> impl FnOnce(Reply) -> Result<Held, Fault> + Send + 'static {
    let id = id.to_owned();
    move |reply| {
        let held = phone_number::read(&reply)?;
        if held.id == id { Ok(held) } else { Err(Fault::unclear("an answer that names another number")) }
    }
}

/// What Vapi never has.
fn check(wanted: &Wanted) -> Result<(), Fault> {
    let never = |reason: &str| Err(Fault::elsewhere("never_available", reason));
    if wanted.country != "US" {
        return never("Vapi gives away numbers of the US alone");
    }
    if wanted.number_type != NumberType::Local {
        return never("Vapi gives away local numbers alone");
    }
    if wanted.sms {
        return never("Vapi's free numbers take no text messages");
    }
    if wanted.contains.is_some() {
        return never("Vapi chooses the number itself");
    }
    match &wanted.area_code {
        Some(code) if code.len() != 3 => never("Vapi takes area codes of three digits"),
        _ => Ok(()),
    }
}

/// Why a number wasn't given. The texts are Vapi's of 2026; a limit's isn't known to the letter.
fn refusal(reply: &Reply) -> Fault {
    let said = Problem::of(reply).said();
    let lower = said.to_lowercase();
    let has = |text: &str| lower.contains(text);
    match reply.status {
        400..=499 if has("payment method") || has("credit card") => {
            let reason = format!("{}. Add one in Vapi's dashboard, Billing", reply.reason(&said));
            Fault::stop("payment_required", reason)
        }
        400 | 403 | 409 | 422 if has("area code") || has("numberdesiredareacode") => {
            Fault::elsewhere("area_code_unavailable", reply.reason(&said))
        }
        400 | 402 | 403 | 409 | 422
            if has("phone number") && (has("limit") || has("maximum") || has("up to")) =>
        {
            Fault::elsewhere("limit_reached", reply.reason(&said))
        }
        _ => api::fault(reply),
    }
}

#[cfg(test)]
mod tests;
