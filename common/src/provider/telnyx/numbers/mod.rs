//! Telnyx's numbers: ordered, and pointed at a TeXML application.
//!
//! Source, read 2026-11: <https://developers.telnyx.com/api/numbers/>.

mod number;
mod order;
mod search;
#[cfg(test)]
mod tests;
mod texml_application;

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::number::PhoneNumber;
use self::texml_application::TexmlApplications;
use super::api::{API, request, success};
use crate::provider::Api;
use crate::rest::application;
use crate::rest::numbers::{Abilities, Held, Numbers, Offer, Order, Page, Wanted, Webhooks};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Step};

/// Telnyx's numbers.
pub struct TelnyxNumbers;

impl Numbers for TelnyxNumbers {
    fn apis(&self) -> &'static [Api] {
        &[API]
    }

    fn abilities(&self) -> Abilities {
        Abilities { sells: true, free: false, tags: true, exact: true }
    }

    /// Telnyx names no figure; its answers say what is left.
    fn requests_per_second(&self) -> u32 {
        10
    }

    fn search(&self, account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
        search::search(account, wanted)
    }

    fn buy(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault> {
        order.exact()?;
        let kept = order.clone();
        application::with(TexmlApplications, account, &order.webhooks, move |account, id| {
            order::place(account, &kept, id)
        })
    }

    fn bought(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
        let bought = order::bought(account, order)?;
        Ok(application::show(TexmlApplications, account, bought, |held| held))
    }

    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
        let held = match id.strip_prefix(order::PREFIX) {
            Some(order) => order::follow(account, order)?,
            None => {
                let path = format!("/phone_numbers/{}", segment(id));
                number::one(request(account, "telnyx.numbers.get", Method::GET, path)?, id)
            }
        };
        Ok(application::show(TexmlApplications, account, held, std::slice::from_mut))
    }

    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
        Ok(application::show(TexmlApplications, account, page(account, cursor)?, |page| &mut page.numbers))
    }

    fn configure(
        &self,
        account: &Account<'_>,
        number: &Held,
        name: &str,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let (name, webhooks) = (name.to_owned(), webhooks.clone());
        let set = with_id(account, &number.id, move |account, id| {
            let id = id.to_owned();
            application::with(TexmlApplications, account, &webhooks, move |account, application| {
                patch(account, "telnyx.numbers.configure", &id, [application.into(), name.into()])
            })
        })?;
        Ok(application::show(TexmlApplications, account, set, std::slice::from_mut))
    }

    fn drift(&self, account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String> {
        application::drift(TexmlApplications, account, number, webhooks)
    }

    fn restore(
        &self,
        account: &Account<'_>,
        id: &str,
        setup: &Map<String, Value>,
    ) -> Result<Exchange<()>, Fault> {
        let former = number::SETUP.map(|field| setup.get(field).cloned().unwrap_or_default());
        patch(account, "telnyx.numbers.restore", id, former).map(|set| set.map(drop))
    }

    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault> {
        let released = with_id(account, &number.id, |account, id| {
            let path = format!("/phone_numbers/{}", segment(id));
            let request = request(account, "telnyx.numbers.release", Method::DELETE, path)?;
            Ok(Exchange::last(request, |reply| success(&reply).map(drop)))
        })?;
        Ok(released.or_gone(()))
    }
}

/// Does what `then` says with the number's own id, where ours is still its order's.
fn with_id<T: 'static>(
    account: &Account<'_>,
    id: &str,
    then: impl FnOnce(&Account<'_>, &str) -> Result<Exchange<T>, Fault> + Send + 'static,
) -> Result<Exchange<T>, Fault> {
    let Some(order) = id.strip_prefix(order::PREFIX) else { return then(account, id) };
    let kept = account.keep();
    Ok(order::follow(account, order)?.then(move |held| match held.id.starts_with(order::PREFIX) {
        true => Err(Fault::retry("Telnyx isn't done with the order of this number")),
        false => then(&kept.account(), &held.id).map(Step::Next),
    }))
}

/// Sets what [`number::SETUP`] names, and tells what the number is then.
fn patch(
    account: &Account<'_>,
    operation: &'static str,
    id: &str,
    values: [Value; 2],
) -> Result<Exchange<Held>, Fault> {
    let request = request(account, operation, Method::PATCH, format!("/phone_numbers/{}", segment(id)))?;
    let fields = number::SETUP.map(str::to_owned).into_iter().zip(values);
    Ok(number::one(request.json(&Value::Object(fields.collect())), id))
}

/// The cursor is the next page's number.
fn page(account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        data: Vec<PhoneNumber>,
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        total_pages: u32,
        page_number: u32,
    }
    let request = request(account, "telnyx.numbers.list", Method::GET, "/phone_numbers")?;
    let request = request.query([("page[number]", cursor.unwrap_or("1")), ("page[size]", "250")]);
    Ok(Exchange::last(request, |reply| {
        let Answer { data, meta } = success(&reply)?.json()?;
        let next =
            (meta.page_number < meta.total_pages).then(|| meta.page_number.saturating_add(1).to_string());
        Ok(Page { numbers: data.into_iter().filter_map(PhoneNumber::held).collect(), next })
    }))
}
