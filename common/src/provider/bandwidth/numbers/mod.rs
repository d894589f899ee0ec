//! Bandwidth's numbers: ordered into the account's location, whose application has the URLs.
//!
//! Source, read 2026-11: <https://dev.bandwidth.com/apis/numbers/>.

mod application;
mod number;
mod order;
mod search;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use self::application::VoiceApplications;
use super::api::API;
use crate::provider::Api;
use crate::rest::application::{drift, show, with};
use crate::rest::numbers::{Abilities, Held, Numbers, Offer, Order, Page, Wanted, Webhooks};
use crate::rest::{Account, Exchange, Fault, Step};

/// Bandwidth's numbers.
pub struct BandwidthNumbers;

impl Numbers for BandwidthNumbers {
    fn apis(&self) -> &'static [Api] {
        &[API]
    }

    fn abilities(&self) -> Abilities {
        Abilities { sells: true, free: false, tags: true, exact: true }
    }

    /// Bandwidth names no figure for this API.
    fn requests_per_second(&self) -> u32 {
        5
    }

    fn search(&self, account: &Account<'_>, wanted: &Wanted) -> Result<Exchange<Vec<Offer>>, Fault> {
        search::search(account, wanted)
    }

    fn buy(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault> {
        order::place(account, order)
    }

    fn bought(&self, account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
        Ok(read(account, order::bought(account, order)?, |held| held))
    }

    fn get(&self, account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
        Ok(read(account, one(account, id)?, std::slice::from_mut))
    }

    fn list(&self, account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
        Ok(read(account, number::page(account, cursor)?, |page| &mut page.numbers))
    }

    /// All numbers of the location are pointed at us with this one. A number has no name.
    fn configure(
        &self,
        account: &Account<'_>,
        number: &Held,
        _name: &str,
        webhooks: &Webhooks,
    ) -> Result<Exchange<Held>, Fault> {
        let id = number.id.clone();
        let set = with(VoiceApplications, account, webhooks, move |account, application| {
            let kept = account.keep();
            Ok(application::assign(account, application)?
                .then(move |()| one(&kept.account(), &id).map(Step::Next)))
        })?;
        Ok(read(account, set, std::slice::from_mut))
    }

    fn drift(&self, account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String> {
        drift(VoiceApplications, account, number, webhooks)
    }

    /// Nothing stood on the number itself, and the location is others' as well: whether the number is there is all that
    /// is asked.
    fn restore(
        &self,
        account: &Account<'_>,
        id: &str,
        _setup: &Map<String, Value>,
    ) -> Result<Exchange<()>, Fault> {
        Ok(one(account, id)?.map(drop))
    }

    fn release(&self, account: &Account<'_>, number: &Held) -> Result<Exchange<()>, Fault> {
        let Some(order) = number.id.strip_prefix(order::PREFIX) else {
            return order::disconnect(account, &number.id);
        };
        let kept = account.keep();
        let released =
            order::follow(account, order, None)?.then(move |held| match held.id.starts_with(order::PREFIX) {
                true => Err(Fault::retry("Bandwidth isn't done with the order of this number")),
                false => order::disconnect(&kept.account(), &held.id).map(Step::Next),
            });
        Ok(released.or_gone(()))
    }
}

fn one(account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
    match id.strip_prefix(order::PREFIX) {
        Some(order) => order::follow(account, order, None),
        None => number::get(account, id),
    }
}

/// Numbers with their location's application and, where it is ours, with what stands on it.
fn read<T: Send + 'static>(
    account: &Account<'_>,
    numbers: Exchange<T>,
    each: fn(&mut T) -> &mut [Held],
) -> Exchange<T> {
    show(VoiceApplications, account, number::located(account, numbers, each), each)
}
