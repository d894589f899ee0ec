//! Vonage's numbers: named by country and digits, and pointed at an application.
//!
//! Source, read 2026-11: <https://developer.vonage.com/en/api/numbers>.

mod application;
mod number;
mod search;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use self::application::VonageApplications;
use self::number::Id;
use super::api::{API, REST, done};
use crate::provider::Api;
use crate::rest::application::{drift, show, with};
use crate::rest::numbers::{Abilities, Held, Numbers, Offer, Order, Page, Wanted, Webhooks};
use crate::rest::{Account, Effect, Exchange, Fault, Step};

/// Vonage's numbers.
pub struct VonageNumbers;

impl Numbers for VonageNumbers {
    fn apis(&self) -> &'static [Api] {
        &[REST, API]
    }

    fn abilities(&self) -> Abilities {
        Abilities { sells: true, free: false, tags: false, exact: true }
    }

    fn requests_per_second(&self) -> u32 {
        15
    }

    fn search(&self, account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
        search::search(account, wanted)
    }

    /// A number that is refused because it is ours already was bought by this purchase, whose answer was lost: no two
    /// purchases choose the same.
    fn buy(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault> {
        let id = Id::new(&order.wanted.country, order.exact()?);
        let request = id.change(account, "vonage.numbers.buy", "/number/buy", &[])?;
        let kept = account.keep();
        Ok(Exchange::new(request, move |reply| match done(&reply) {
            Ok(()) => Ok(Step::Done(id.bare())),
            Err(refused @ Fault::Elsewhere { .. }) => {
                let found = number::find(&kept.account(), "vonage.numbers.bought", &id)?;
                Ok(Step::Next(found.then(|found| found.map(Step::Done).ok_or(refused))))
            }
            Err(fault) => Err(fault),
        }))
    }

    fn bought(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
        let id = Id::new(&order.wanted.country, order.exact()?);
        let found = number::find(account, "vonage.numbers.bought", &id)?;
        Ok(show(VonageApplications, account, found.map(Vec::from_iter), |held| held))
    }

    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
        let held = number::get(account, "vonage.numbers.get", &Id::parse(id)?)?;
        Ok(show(VonageApplications, account, held, std::slice::from_mut))
    }

    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
        Ok(show(VonageApplications, account, number::page(account, cursor)?, |page| &mut page.numbers))
    }

    /// Where messages of the older API go is told again: what an update leaves out may be cleared.
    fn configure(
        &self,
        account: &Account<'_>,
        number: &Held,
        _name: &str,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let (id, setup) = (Id::parse(&number.id)?, number.setup.clone());
        let set = with(VonageApplications, account, webhooks, move |account, application| {
            let settings = [("app_id", application), ("moHttpUrl", text(&setup, "moHttpUrl"))];
            let settings: Vec<_> = settings.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            let (set, kept) = (id.update(account, "vonage.numbers.configure", &settings)?, account.keep());
            Ok(set.then(move |()| number::get(&kept.account(), "vonage.numbers.get", &id).map(Step::Next)))
        })?;
        Ok(show(VonageApplications, account, set, std::slice::from_mut))
    }

    fn drift(&self, account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String> {
        drift(VonageApplications, account, number, webhooks)
    }

    fn restore(
        &self,
        account: &Account<'_>,
        id: &str,
        setup: &Map<String, Value>,
    ) -> Result<Exchange<()>, Fault> {
        let mut settings = vec![("app_id", text(setup, "app_id"))];
        let mut put_back = |field| match text(setup, field) {
            "" => {}
            value => settings.push((field, value)),
        };
        put_back("moHttpUrl");
        if matches!(text(setup, "voiceCallbackType"), "sip" | "tel") {
            put_back("voiceCallbackType");
            put_back("voiceCallbackValue");
        }
        Id::parse(id)?.update(account, "vonage.numbers.restore", &settings)
    }

    /// A number that isn't ours is refused like everything else: whether it is, is looked for.
    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault> {
        let id = Id::parse(&number.id)?;
        let request = id.change(account, "vonage.numbers.release", "/number/cancel", &[])?;
        let kept = account.keep();
        Ok(Exchange::new(request.effect(Effect::Repeatable), move |reply| match done(&reply) {
            Ok(()) => Ok(Step::Done(())),
            Err(Fault::Elsewhere { code, reason }) => {
                let found = number::find(&kept.account(), "vonage.numbers.get", &id)?;
                Ok(Step::Next(found.then(|found| match found {
                    None => Ok(Step::Done(())),
                    Some(_) => Err(Fault::Stop { code, reason }),
                })))
            }
            Err(fault) => Err(fault),
        }))
    }
}

fn text<'s>(setup: &'s Map<String, Value>, field: &str) -> &'s str {
    setup.get(field).and_then(Value::as_str).unwrap_or_default()
}
