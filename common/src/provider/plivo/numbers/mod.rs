//! Plivo's numbers: named by their digits, and pointed at an application.
//!
//! Sources, read 2026-11: <https://www.plivo.com/docs/numbers/api/phone-number/>,
//! <https://www.plivo.com/docs/numbers/api/account-phone-number/>.

mod application;
mod buy;
mod number;
mod page;
mod search;
#[cfg(test)]
mod tests;

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::application::PlivoApplications;
use super::api::{API, request, success};
use crate::provider::Api;
use crate::rest::application::{drift, show, with};
use crate::rest::numbers::{Abilities, Held, Numbers, Offer, Order, Page, Wanted, Webhooks};
use crate::rest::request::segment;
use crate::rest::{Account, Effect, Exchange, Fault, Reply, Step};

/// Plivo's numbers.
pub struct PlivoNumbers;

impl Numbers for PlivoNumbers {
    fn apis(&self) -> &'static [Api] {
        &[API]
    }

    fn abilities(&self) -> Abilities {
        Abilities { sells: true, free: false, tags: false, exact: true }
    }

    /// 300 in five seconds.
    fn requests_per_second(&self) -> u32 {
        60
    }

    fn search(&self, account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
        search::search(account, wanted)
    }

    fn buy(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault> {
        order.exact()?;
        let kept = order.clone();
        with(PlivoApplications, account, &order.webhooks, move |account, id| buy::buy(account, &kept, id))
    }

    fn bought(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
        let digits = order.exact()?.to_u64().to_string();
        let held = number::get(account, "plivo.numbers.bought", &digits)?;
        Ok(show(PlivoApplications, account, held.map(|held| vec![held]).or_gone(Vec::new()), |held| held))
    }

    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
        let held = number::get(account, "plivo.numbers.get", id)?;
        Ok(show(PlivoApplications, account, held, std::slice::from_mut))
    }

    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
        Ok(show(PlivoApplications, account, page::numbers(account, cursor)?, |page| &mut page.numbers))
    }

    fn configure(
        &self,
        account: &Account<'_>,
        number: &Held,
        name: &str,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let (id, name) = (number.id.clone(), name.to_owned());
        let set = with(PlivoApplications, account, webhooks, move |account, application| {
            let kept = account.keep();
            let set = change(account, "plivo.numbers.configure", &id, [application.into(), name.into()])?;
            Ok(set.then(move |()| number::get(&kept.account(), "plivo.numbers.get", &id).map(Step::Next)))
        })?;
        Ok(show(PlivoApplications, account, set, std::slice::from_mut))
    }

    fn drift(&self, account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String> {
        drift(PlivoApplications, account, number, webhooks)
    }

    fn restore(
        &self,
        account: &Account<'_>,
        id: &str,
        setup: &Map<String, Value>,
    ) -> Result<Exchange<()>, Fault> {
        let former = number::SETUP.map(|field| setup.get(field).cloned().unwrap_or_default());
        change(account, "plivo.numbers.restore", id, former)
    }

    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault> {
        let below = format!("Number/{}/", segment(&number.id));
        let request = request(account, "plivo.numbers.release", Method::DELETE, &below)?;
        Ok(Exchange::last(request, |reply| success(&reply).map(drop)).or_gone(()))
    }
}

/// Sets what [`number::SETUP`] names.
fn change(
    account: &Account<'_>,
    operation: &'static str,
    id: &str,
    values: [Value; 2],
) -> Result<Exchange<()>, Fault> {
    let request = request(account, operation, Method::POST, &format!("Number/{}/", segment(id)))?;
    let fields = number::SETUP.map(str::to_owned).into_iter().zip(values);
    let request = request.effect(Effect::Repeatable).json(&Value::Object(fields.collect()));
    Ok(Exchange::last(request, |reply| changed(&reply)))
}

/// The answer to a change says in a word that it was made.
fn changed(reply: &Reply) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "message")]
        _message: String,
    }
    success(reply)?.json::<Answer>().map(drop)
}
