//! Numbers that are imported at ElevenLabs, which sells none: each has its agent, and the workspace has the webhook that
//! tells the agent whom it answers for.

pub mod phone_number;
pub mod workspace;

use http::Method;
use serde_json::{Map, Value, json};

use super::api::{self, APIS};
use super::listing;
use crate::provider::Api;
use crate::rest::numbers::{Abilities, Held, Numbers, Offer, Order, Page, Wanted, Webhooks};
use crate::rest::{Account, Exchange, Fault, Step};
use phone_number::{one, the_one};

/// Where numbers are listed by cursor.
pub const LIST: &str = "/v1/convai/v2/phone-numbers";

/// What the list calls them.
pub const THINGS: &str = "phone_numbers";

/// ElevenLabs doesn't say how many requests it takes.
const REQUESTS_PER_SECOND: u32 = 5;

/// The way to them.
pub struct ElevenLabsNumbers;

impl Numbers for ElevenLabsNumbers {
    fn apis(&self) -> &'static [Api] {
        APIS
    }

    fn abilities(&self) -> Abilities {
        Abilities { sells: false, free: false, tags: false, exact: false }
    }

    fn requests_per_second(&self) -> u32 {
        REQUESTS_PER_SECOND
    }

    fn search(&self, _account: &Account<'_>, _wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
        Err(sells_none())
    }

    fn buy(&self, _account: &Account<'_>, _order: &Order) -> Result<Exchange<Held>, Fault> {
        Err(sells_none())
    }

    fn bought(&self, _account: &Account<'_>, _order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
        Err(sells_none())
    }

    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
        let number = phone_number::get(account, "elevenlabs.numbers.get", id)?;
        Ok(workspace::beside(number, workspace::look(account)?))
    }

    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
        let list = api::request(account, "elevenlabs.numbers.list", Method::GET, LIST)?;
        let look = workspace::look(account)?;
        let from = cursor.map(str::to_owned);
        Ok(Exchange::new(listing::request(&list, cursor), move |reply| {
            let page = listing::page(&reply, THINGS, from.as_deref())?;
            Ok(Step::Next(Exchange::last(look, move |reply| {
                let webhook = workspace::read(&reply)?;
                let mut numbers: Vec<Held> = page.objects.iter().filter_map(phone_number::held).collect();
                for held in &mut numbers {
                    held.setup.insert(workspace::FIELD.to_owned(), webhook.clone());
                }
                Ok(Page { numbers, next: page.next })
            })))
        }))
    }

    fn configure(
        &self,
        account: &Account<'_>,
        number: &Held,
        name: &str,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let request = one(account, "elevenlabs.numbers.configure", Method::PATCH, &number.id)?;
        let request = request.json(&json!({"label": name}));
        let id = number.id.clone();
        Ok(workspace::ensure(account, webhooks)?.then(move |webhook| {
            Ok(Step::Next(Exchange::last(request, the_one(&id)).map(|mut held| {
                held.setup.insert(workspace::FIELD.to_owned(), webhook);
                held
            })))
        }))
    }

    fn drift(&self, account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String> {
        let held = number.setup.get(workspace::FIELD).unwrap_or(&Value::Null);
        match workspace::ours(account, webhooks) {
            Ok(wanted) => workspace::drift(held, &wanted),
            Err(_) => vec![workspace::FIELD.to_owned()],
        }
    }

    /// The number's own alone: other numbers still want the workspace's webhook.
    fn restore(
        &self,
        account: &Account<'_>,
        id: &str,
        setup: &Map<String, Value>,
    ) -> Result<Exchange<()>, Fault> {
        let own = ["agent_id", "label"].into_iter();
        let body = own.filter_map(|field| Some((field.to_owned(), setup.get(field)?.clone())));
        let request = one(account, "elevenlabs.numbers.restore", Method::PATCH, id)?;
        Ok(Exchange::last(request.json(&Value::Object(body.collect())), the_one(id)).map(|_| ()))
    }

    /// Its carrier keeps it.
    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault> {
        let request = one(account, "elevenlabs.numbers.release", Method::DELETE, &number.id)?;
        Ok(Exchange::last(request, |reply| api::gone(&reply)))
    }
}

fn sells_none() -> Fault {
    Fault::elsewhere("sells_none", "ElevenLabs sells no numbers: it takes those of Twilio and of SIP trunks")
}

#[cfg(test)]
mod tests;
