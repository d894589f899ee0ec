//! Orders: how numbers are bought, and found while Telnyx isn't done with them.
//!
//! An order carries the purchase's tag as `customer_reference`. It is done later, and only then the number has an id of
//! its own: until then ours is the order's, behind [`PREFIX`].

use http::Method;
use serde::Deserialize;
use serde_json::{Map, json};

use super::number;
use crate::e164::E164;
use crate::provider::telnyx::api::{data, request};
use crate::rest::numbers::{Held, HeldState, Order};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, KeptAccount, Step};

/// What ids of orders begin with.
pub const PREFIX: &str = "order:";

#[derive(Deserialize, Debug)]
pub struct NumberOrder {
    id: String,
    status: String,
    #[serde(default)]
    phone_numbers: Vec<Ordered>,
    #[serde(default)]
    customer_reference: Option<String>,
}

#[derive(Deserialize, Debug)]
struct Ordered {
    phone_number: E164,
}

impl NumberOrder {
    /// The number as it is held while the order isn't done.
    fn pending(&self, number: E164) -> Held {
        Held {
            id: format!("{PREFIX}{}", self.id),
            number: Some(number),
            sip_uri: None,
            name: self.customer_reference.clone().unwrap_or_default(),
            state: HeldState::Pending,
            setup: Map::new(),
            agent_id: None,
            is_free: false,
        }
    }

    fn has_failed(&self) -> bool {
        self.status == "failure"
    }
}

/// Orders a number, for the connection of this id.
pub fn place(account: &Account<'_>, order: &Order, connection: &str) -> Result<Exchange<Held>, Fault> {
    let (number, tag) = (order.exact()?, order.tag.to_string());
    let mut body = json!({
        "phone_numbers": [{"phone_number": number}],
        "connection_id": connection,
        "customer_reference": tag,
    });
    if let Some(profile) = account.field("messaging_profile_id") {
        body["messaging_profile_id"] = profile.into();
    }
    let request = request(account, "telnyx.numbers.buy", Method::POST, "/number_orders")?.json(&body);
    Ok(Exchange::last(request, move |reply| {
        let order: NumberOrder = data(&reply)?;
        if order.id.is_empty() || !order.phone_numbers.iter().any(|ordered| ordered.phone_number == number) {
            return Err(Fault::unclear(format!("ordered {number}, and the answer is about something else")));
        }
        match order.has_failed() {
            true => Err(Fault::elsewhere("order_failed", format!("Telnyx refused the order of {number}"))),
            false => Ok(Held { name: tag, ..order.pending(number) }),
        }
    }))
}

/// The numbers of orders that carry this tag, those that aren't done included.
pub fn bought(account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
    let tag = order.tag.to_string();
    let request = request(account, "telnyx.numbers.bought", Method::GET, "/number_orders")?;
    let request = request.query([("filter[customer_reference]", &*tag), ("page[size]", "250")]);
    let kept = account.keep();
    Ok(Exchange::new(request, move |reply| {
        let mut orders: Vec<NumberOrder> = data(&reply)?;
        orders.retain(|order| order.customer_reference.as_deref() == Some(&*tag) && !order.has_failed());
        let pending = orders.iter().flat_map(|order| {
            order
                .phone_numbers
                .iter()
                .map(|ordered| (order.pending(ordered.phone_number), ordered.phone_number))
        });
        follow_all(kept, pending.collect(), Vec::new())
    }))
}

/// One number after the other, as it is by now.
fn follow_all(
    kept: KeptAccount,
    mut rest: Vec<(Held, E164)>,
    mut followed: Vec<Held>,
) -> Result<Step<Vec<Held>>, Fault> {
    let Some((pending, number)) = rest.pop() else { return Ok(Step::Done(followed)) };
    let found = number::find(&kept.account(), number)?;
    Ok(Step::Next(found.then(move |found| {
        followed.push(found.unwrap_or(pending));
        follow_all(kept, rest, followed)
    })))
}

/// The number that an order brought, as far as it is. [`Fault::Gone`] when it brought none.
pub fn follow(account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
    let path = format!("/number_orders/{}", segment(id));
    let request = request(account, "telnyx.numbers.order", Method::GET, path)?;
    let (kept, id) = (account.keep(), id.to_owned());
    Ok(Exchange::new(request, move |reply| {
        let order: NumberOrder = data(&reply)?;
        if order.id != id {
            return Err(Fault::unclear(format!("asked about order {id}, and was told of {}", order.id)));
        }
        if order.has_failed() {
            return Err(Fault::gone("Telnyx refused the order"));
        }
        let Some(Ordered { phone_number: number }) = order.phone_numbers.first() else {
            return Err(Fault::unclear(format!("the order {id} names no number")));
        };
        let pending = order.pending(*number);
        let found = number::find(&kept.account(), *number)?;
        Ok(Step::Next(found.map(|found| found.unwrap_or(pending))))
    }))
}
