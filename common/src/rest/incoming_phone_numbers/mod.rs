//! The REST API that Twilio made for numbers and others speak as well: the resources `AvailablePhoneNumbers` and
//! `IncomingPhoneNumbers` below an account, forms in and JSON out. How a provider's differs is its [`Dialect`].
//!
//! Sources, read 2026-11: <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource>,
//! <https://www.twilio.com/docs/phone-numbers/api/availablephonenumber-resource>.

mod resource;
mod search;
#[cfg(test)]
pub(crate) mod vectors;

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::numbers::{Abilities, Held, Numbers, Offer, Order, Page, Price, Wanted, Webhooks};
use super::request::segment;
use super::{Account, Effect, Exchange, Fault, Reply, Request};
use crate::provider::Api;

pub use resource::Field;

/// How many numbers a page has: the most that the API gives.
const PAGE_SIZE: &str = "1000";

/// How one provider speaks this API.
pub trait Dialect: Copy + Send + Sync + 'static {
    /// Its name in the paths of our webhooks.
    const PROVIDER: &'static str;
    /// The APIs that are asked.
    const APIS: &'static [Api];
    /// What requests are called.
    const OPERATIONS: Operations;
    /// What stands behind a resource's name: `.json`, or nothing.
    const SUFFIX: &'static str;
    /// What stands behind the URL that answers calls, for the provider alone: it begins with `#`, or is nothing.
    const VOICE_FRAGMENT: &'static str;
    /// What of a number says where its calls and messages go.
    const FIELDS: &'static [Field];
    /// How many requests a second an account may send.
    const REQUESTS_PER_SECOND: u32;

    /// A request below the account: `below` begins with a slash.
    ///
    /// # Errors
    /// [`Fault::Stop`] when the account's credentials lack something.
    fn request(
        self,
        account: &Account<'_>,
        operation: &'static str,
        method: Method,
        below: &str,
    ) -> Result<Request, Fault>;

    /// What an answer means that is no success.
    fn fault(self, reply: &Reply) -> Fault;

    /// The provider's name of what is looked for; `None` where it has no such numbers.
    fn number_type(self, wanted: &Wanted) -> Option<&'static str>;

    /// What a purchase says besides.
    fn purchase(self, account: &Account<'_>) -> Vec<(&'static str, String)> {
        let _ = account;
        Vec::new()
    }

    /// What numbers of this kind cost, where the provider says so.
    ///
    /// # Errors
    /// As [`Dialect::request`].
    fn price(self, account: &Account<'_>, wanted: &Wanted) -> Result<Option<Exchange<Option<Price>>>, Fault> {
        let _ = (account, wanted);
        Ok(None)
    }

    /// What an answer to a purchase means that is no success.
    fn purchase_fault(self, reply: &Reply) -> Fault {
        self.fault(reply)
    }

    /// What an answer to a release means that is no success.
    fn release_fault(self, reply: &Reply) -> Fault {
        self.fault(reply)
    }
}

/// What requests are called in metrics and logs.
#[derive(Clone, Copy, Debug)]
pub struct Operations {
    /// Looking for numbers to be had.
    pub search: &'static str,
    /// Buying one.
    pub buy: &'static str,
    /// Looking for what a purchase brought.
    pub bought: &'static str,
    /// Reading one.
    pub get: &'static str,
    /// Reading all.
    pub list: &'static str,
    /// Pointing one at us.
    pub configure: &'static str,
    /// Putting back what stood on one.
    pub restore: &'static str,
    /// Giving one back.
    pub release: &'static str,
}

/// A provider's numbers by this API.
#[derive(Clone, Copy, Debug)]
pub struct IncomingPhoneNumbers<D>(pub D);

impl<D: Dialect> Numbers for IncomingPhoneNumbers<D> {
    fn apis(&self) -> &'static [Api] {
        D::APIS
    }

    fn abilities(&self) -> Abilities {
        Abilities { sells: true, free: false, tags: true, exact: true }
    }

    fn requests_per_second(&self) -> u32 {
        D::REQUESTS_PER_SECOND
    }

    fn search(&self, account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
        search::search(self.0, account, wanted)
    }

    fn buy(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault> {
        let dialect = self.0;
        let (number, tag) = (order.exact()?, order.tag.to_string());
        let mut form = vec![("PhoneNumber", number.to_string()), ("FriendlyName", tag)];
        let setup = resource::wanted::<D>(account, &order.webhooks);
        form.extend(
            setup.into_iter().filter(|(_, value)| !value.is_empty()).map(|(f, value)| (f.form, value)),
        );
        form.extend(dialect.purchase(account));
        let request = self.numbers(account, D::OPERATIONS.buy, Method::POST)?.form(pairs(&form));
        Ok(Exchange::last(request, move |reply| {
            if !reply.is_success() {
                return Err(dialect.purchase_fault(&reply));
            }
            let held: Held = resource::read::<D>(&reply.json()?)?;
            match held.number == Some(number) {
                true => Ok(held),
                false => {
                    Err(Fault::unclear(format!("bought {number}, and the answer is about another number")))
                }
            }
        }))
    }

    fn bought(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
        let (dialect, tag) = (self.0, order.tag.to_string());
        let request = self.numbers(account, D::OPERATIONS.bought, Method::GET)?;
        let request = request.query([("FriendlyName", &*tag), ("PageSize", PAGE_SIZE)]);
        Ok(Exchange::last(request, move |reply| {
            let mut page = page(dialect, &reply)?;
            page.numbers.retain(|held| held.name == tag);
            Ok(page.numbers)
        }))
    }

    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
        let request = self.number(account, D::OPERATIONS.get, Method::GET, id)?;
        Ok(self.one(request, id))
    }

    /// The cursor is the query of the next page's address: the path stays ours, whatever an answer says.
    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
        let dialect = self.0;
        let mut request = self.numbers(account, D::OPERATIONS.list, Method::GET)?;
        request = match cursor {
            None => request.query([("PageSize", PAGE_SIZE)]),
            Some(query) => {
                let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
                request.query(parameters.iter().map(|(name, value)| (&**name, &**value)))
            }
        };
        Ok(Exchange::last(request, move |reply| page(dialect, &reply)))
    }

    fn configure(
        &self,
        account: &Account<'_>,
        number: &Held,
        name: &str,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let mut form = vec![("FriendlyName", name.to_owned())];
        form.extend(resource::wanted::<D>(account, webhooks).into_iter().map(|(f, value)| (f.form, value)));
        let request = self.number(account, D::OPERATIONS.configure, Method::POST, &number.id)?;
        Ok(self.one(request.effect(Effect::Repeatable).form(pairs(&form)), &number.id))
    }

    fn drift(&self, account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String> {
        resource::drift::<D>(account, number, webhooks)
    }

    fn restore(
        &self,
        account: &Account<'_>,
        id: &str,
        setup: &Map<String, Value>,
    ) -> Result<Exchange<()>, Fault> {
        let request = self.number(account, D::OPERATIONS.restore, Method::POST, id)?;
        let request = request.effect(Effect::Repeatable).form(pairs(&resource::former::<D>(setup)));
        Ok(self.one(request, id).map(drop))
    }

    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault> {
        let dialect = self.0;
        let request = self.number(account, D::OPERATIONS.release, Method::DELETE, &number.id)?;
        Ok(Exchange::last(request, move |reply| match reply.status {
            200..=299 | 404 => Ok(()),
            _ => Err(dialect.release_fault(&reply)),
        }))
    }
}

impl<D: Dialect> IncomingPhoneNumbers<D> {
    fn numbers(
        self,
        account: &Account<'_>,
        operation: &'static str,
        method: Method,
    ) -> Result<Request, Fault> {
        self.0.request(account, operation, method, &format!("/IncomingPhoneNumbers{}", D::SUFFIX))
    }

    fn number(
        self,
        account: &Account<'_>,
        operation: &'static str,
        method: Method,
        id: &str,
    ) -> Result<Request, Fault> {
        let below = format!("/IncomingPhoneNumbers/{}{}", segment(id), D::SUFFIX);
        self.0.request(account, operation, method, &below)
    }

    /// A request that is answered with the number of this id.
    fn one(self, request: Request, id: &str) -> Exchange<Held> {
        let (dialect, id) = (self.0, id.to_owned());
        Exchange::last(request, move |reply| {
            let held = resource::read::<D>(&success(dialect, &reply)?.json()?)?;
            match held.id == id {
                true => Ok(held),
                false => Err(Fault::unclear(format!("asked about {id}, and was told of {}", held.id))),
            }
        })
    }
}

fn page<D: Dialect>(dialect: D, reply: &Reply) -> Result<Page, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        incoming_phone_numbers: Vec<Map<String, Value>>,
        next_page_uri: Option<String>,
    }
    let answer: Answer = success(dialect, reply)?.json()?;
    let numbers = answer.incoming_phone_numbers.iter().map(resource::read::<D>).collect::<Result<_, _>>()?;
    let query = |uri: String| uri.split_once('?').map(|(_, query)| query.to_owned());
    Ok(Page { numbers, next: answer.next_page_uri.and_then(query).filter(|query| !query.is_empty()) })
}

fn success<D: Dialect>(dialect: D, reply: &Reply) -> Result<&Reply, Fault> {
    if reply.is_success() { Ok(reply) } else { Err(dialect.fault(reply)) }
}

fn pairs<'a>(form: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    form.iter().map(|(name, value)| (*name, &**value))
}

/// The code and the words of an answer that is an error: both empty where it has none.
#[must_use]
pub fn said(reply: &Reply) -> (String, String) {
    #[derive(Deserialize)]
    struct Answer {
        code: Option<Value>,
        message: Option<String>,
    }
    let Ok(Answer { code, message }) = serde_json::from_slice(&reply.body) else {
        return (String::new(), String::new());
    };
    let code = match code {
        Some(Value::String(code)) => code,
        Some(Value::Number(code)) => code.to_string(),
        _ => String::new(),
    };
    (code, message.unwrap_or_default())
}
