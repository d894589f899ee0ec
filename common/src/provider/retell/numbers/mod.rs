//! Numbers that Retell sells: local and toll-free ones of the US and Canada, of an area code, chosen by Retell.
//!
//! There is no search: what is asked for is bought. Numbers that are imported are listed with the others.

pub mod phone_number;

use http::Method;
use serde_json::{Map, Value, json};

use super::api::{self, APIS};
use super::{INBOUND, NAME, listing};
use crate::provider::Api;
use crate::rest::numbers::{Abilities, Held, NumberType, Numbers, Offer, Order, Page, Wanted, Webhooks};
use crate::rest::{Account, Exchange, Fault, Reply, Request};
use phone_number::{one, the_one};

const LIST: &str = "/v2/list-phone-numbers";

/// Retell doesn't say how many requests it takes.
const REQUESTS_PER_SECOND: u32 = 5;

/// The way to them.
pub struct RetellNumbers;

impl Numbers for RetellNumbers {
    fn apis(&self) -> &'static [Api] {
        APIS
    }

    fn abilities(&self) -> Abilities {
        Abilities { sells: true, free: false, tags: true, exact: false }
    }

    fn requests_per_second(&self) -> u32 {
        REQUESTS_PER_SECOND
    }

    /// Asks only whether the key is good: Retell tells of no number before it is bought.
    fn search(&self, account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
        area_code(wanted)?;
        let list = api::request(account, "retell.numbers.search", Method::GET, LIST)?;
        Ok(Exchange::last(list.query([("limit", "1")]), |reply| {
            listing::page(&reply, None)?;
            Ok(vec![Offer { number: None, price: None, sms: false, requires: None }])
        }))
    }

    fn buy(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault> {
        let wanted = &order.wanted;
        let tag = order.tag.to_string();
        let mut body = json!({
            "country_code": wanted.country, "nickname": tag,
            "inbound_webhook_url": order.webhooks.url(NAME, INBOUND, account),
        });
        if let Some(area_code) = area_code(wanted)? {
            body["area_code"] = area_code.into();
        }
        if wanted.number_type == NumberType::TollFree {
            body["toll_free"] = true.into();
        }
        if let Some(number) = order.webhooks.fallback {
            body["fallback_number"] = number.to_string().into();
        }
        if let Some(number) = order.number {
            body["phone_number"] = number.to_string().into();
        }
        let exact = order.number;
        let request = api::request(account, "retell.numbers.buy", Method::POST, "/create-phone-number")?;
        Ok(Exchange::last(request.json(&body), move |reply| {
            if !reply.is_success() {
                return Err(refusal(&reply));
            }
            let held = phone_number::held(&api::object(&reply)?);
            let ours = |held: &Held| {
                held.name == tag && held.number.is_some() && (exact.is_none() || held.number == exact)
            };
            held.filter(ours).ok_or_else(|| Fault::unclear("an answer that doesn't name what was bought"))
        }))
    }

    fn bought(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
        let list = api::request(account, "retell.numbers.bought", Method::GET, LIST)?;
        let tagged = listing::having(move |key| at(&list, key), "nickname", order.tag.to_string());
        Ok(tagged.map(|records| records.iter().filter_map(phone_number::held).collect()))
    }

    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
        Ok(Exchange::last(one(account, "retell.numbers.get", "get", id)?, the_one(id)))
    }

    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
        let list = api::request(account, "retell.numbers.list", Method::GET, LIST)?;
        let from = cursor.map(str::to_owned);
        Ok(Exchange::last(at(&list, cursor), move |reply| {
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
        let mut body = phone_number::pointed_here(account, webhooks);
        body["nickname"] = name.into();
        let request = one(account, "retell.numbers.configure", "update", &number.id)?;
        Ok(Exchange::last(request.json(&body), the_one(&number.id)))
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
        let request = one(account, "retell.numbers.restore", "update", id)?;
        Ok(Exchange::last(request.json(&phone_number::put_back(setup)), the_one(id)).map(|_| ()))
    }

    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault> {
        let request = one(account, "retell.numbers.release", "delete", &number.id)?;
        Ok(Exchange::last(request, |reply| api::gone(&reply)))
    }
}

/// The page of a list at a key.
fn at(list: &Request, key: Option<&str>) -> Request {
    let request = list.clone().query([("limit", listing::PAGE_OBJECTS.to_string().as_str())]);
    request.query(key.map(|key| ("pagination_key", key)))
}

/// The area code, if there is one; a fault for what Retell never has.
fn area_code(wanted: &Wanted) -> Result<Option<u16>, Fault> {
    let never = |reason: &str| Err(Fault::elsewhere("never_available", reason));
    if !matches!(wanted.country.as_str(), "US" | "CA") {
        return never("Retell sells numbers of the US and Canada alone");
    }
    if wanted.number_type == NumberType::Mobile {
        return never("Retell sells no mobile numbers");
    }
    if wanted.sms {
        return never("Retell's numbers take no text messages before a person has registered them");
    }
    if wanted.contains.is_some() {
        return never("Retell chooses the number itself");
    }
    match &wanted.area_code {
        None => Ok(None),
        Some(code) => match code.parse() {
            Ok(area_code @ 200..=999) => Ok(Some(area_code)),
            _ => never("Retell takes area codes of three digits"),
        },
    }
}

/// Why a number wasn't sold. Retell has no codes: these are words of its messages.
fn refusal(reply: &Reply) -> Fault {
    let said = api::said(reply);
    let lower = said.to_lowercase();
    let unavailable = ["area code", "area_code", "available", "no phone number", "no number"];
    match reply.status {
        400 | 404 | 409 | 422 if unavailable.iter().any(|text| lower.contains(text)) => {
            Fault::elsewhere("number_unavailable", reply.reason(&said))
        }
        400 | 403 | 409 | 422 if lower.contains("limit") => {
            Fault::elsewhere("limit_reached", reply.reason(&said))
        }
        _ => api::fault(reply),
    }
}

#[cfg(test)]
mod tests;
