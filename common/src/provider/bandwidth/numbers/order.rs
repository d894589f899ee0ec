//! Orders: how numbers are bought and given back, and found while Bandwidth isn't done with them.
//!
//! An order carries the purchase's tag as its `CustomerOrderId`. Until it is done, our id of the number is the order's,
//! behind [`PREFIX`].

use http::Method;
use roxmltree::Node;

use super::number::{self, bare};
use crate::e164::E164;
use crate::provider::bandwidth::api::{
    all, digits, element, fault, first, number as read_number, read, request,
};
use crate::rest::numbers::{Held, HeldState, Order};
use crate::rest::request::segment;
use crate::rest::{Account, Effect, Exchange, Fault, KeptAccount, Step};

/// What ids of orders begin with.
pub const PREFIX: &str = "order:";

/// An order, as Bandwidth shows it.
struct Shown {
    id: String,
    tag: String,
    status: String,
    numbers: Vec<E164>,
}

impl Shown {
    fn read(root: Node<'_, '_>) -> Option<Self> {
        let order = all(root, "Order").next()?;
        let completed = all(root, "FullNumber").filter_map(|node| read_number(node.text()?));
        let ordered = all(order, "TelephoneNumber").filter_map(|node| read_number(node.text()?));
        let completed: Vec<_> = completed.collect();
        Some(Self {
            id: first(order, "id")?.to_owned(),
            tag: first(order, "CustomerOrderId").unwrap_or_default().to_owned(),
            status: first(root, "OrderStatus")?.to_owned(),
            numbers: if completed.is_empty() { ordered.collect() } else { completed },
        })
    }

    fn held(&self, number: Option<E164>) -> Held {
        Held {
            id: format!("{PREFIX}{}", self.id),
            name: self.tag.clone(),
            ..bare(number, HeldState::Pending)
        }
    }
}

/// The tag as an order's name: with a hyphen, as Bandwidth's examples have names.
fn name(order: &Order) -> String {
    order.tag.to_string().replace(':', "-")
}

/// Orders a number into the account's location.
pub fn place(account: &Account<'_>, order: &Order) -> Result<Exchange<Held>, Fault> {
    let (number, name) = (order.exact()?, name(order));
    let body = [
        "<Order>",
        &element("CustomerOrderId", &name),
        "<Name>Dialplane</Name><ExistingTelephoneNumberOrderType><TelephoneNumberList>",
        &element("TelephoneNumber", &digits(number)?),
        "</TelephoneNumberList></ExistingTelephoneNumberOrderType>",
        &element("SiteId", account.wanted("site_id")?),
        &element("PeerId", account.wanted("location_id")?),
        "</Order>",
    ];
    let request = request(account, "bandwidth.numbers.buy", Method::POST, "/orders")?.xml(body.concat());
    Ok(Exchange::last(request, move |reply| {
        let shown = read(&reply, Shown::read)?;
        if shown.tag != name {
            return Err(Fault::unclear(format!("ordered {number}, and the answer is about another order")));
        }
        match &*shown.status {
            "FAILED" => {
                Err(Fault::elsewhere("order_failed", format!("Bandwidth refused the order of {number}")))
            }
            _ => Ok(shown.held(Some(number))),
        }
    }))
}

/// The numbers of orders that carry this tag, those that aren't done included.
pub fn bought(account: &Account<'_>, order: &Order) -> Result<Exchange<Vec<Held>>, Fault> {
    let name = name(order);
    let request = request(account, "bandwidth.numbers.bought", Method::GET, "/orders")?;
    let request = request.query([("page", "1"), ("size", "20"), ("customerOrderId", &*name)]);
    let kept = account.keep();
    Ok(Exchange::new(request, move |reply| {
        let orders = read(&reply, |root| {
            // Bandwidth has written it in both ways.
            let id = |order| first(order, "orderId").or_else(|| first(order, "OrderId")).map(str::to_owned);
            let ids = || all(root, "OrderIdUserIdDate").map(id).collect::<Option<Vec<_>>>();
            all(root, "ListOrderIdUserIdDate").next().and_then(|_| ids())
        })?;
        follow_all(kept, name, orders, Vec::new())
    }))
}

/// One order after the other; those of other names and those that brought nothing are left out.
fn follow_all(
    kept: KeptAccount,
    name: String,
    mut rest: Vec<String>,
    mut followed: Vec<Held>,
) -> Result<Step<Vec<Held>>, Fault> {
    let Some(order) = rest.pop() else { return Ok(Step::Done(followed)) };
    let found = follow(&kept.account(), &order, Some(name.clone()))?.map(Some).or_gone(None);
    Ok(Step::Next(found.then(move |found| {
        followed.extend(found);
        follow_all(kept, name, rest, followed)
    })))
}

/// The number that an order brought, as far as it is. [`Fault::Gone`] when it brought none, or is called otherwise than
/// `name`.
pub fn follow(account: &Account<'_>, id: &str, name: Option<String>) -> Result<Exchange<Held>, Fault> {
    let request =
        request(account, "bandwidth.numbers.order", Method::GET, &format!("/orders/{}", segment(id)))?;
    let (kept, id) = (account.keep(), id.to_owned());
    Ok(Exchange::new(request, move |reply| {
        let shown = read(&reply, Shown::read)?;
        if shown.id != id {
            return Err(Fault::unclear(format!("asked about order {id}, and was told of {}", shown.id)));
        }
        if name.is_some_and(|name| name != shown.tag) {
            return Err(Fault::gone("the order is another purchase's"));
        }
        match (&*shown.status, shown.numbers.first()) {
            ("FAILED", _) => Err(Fault::gone("Bandwidth refused the order")),
            ("COMPLETE" | "PARTIAL", Some(number)) => {
                let (pending, held) =
                    (shown.held(Some(*number)), number::get(&kept.account(), &digits(*number)?)?);
                let named = held.map(move |held| Held { name: shown.tag, ..held });
                Ok(Step::Next(named.or_gone(pending)))
            }
            (_, number) => Ok(Step::Done(shown.held(number.copied()))),
        }
    }))
}

/// Gives a number back. Asked twice, it is given back once: the second order is refused.
pub fn disconnect(account: &Account<'_>, id: &str) -> Result<Exchange<()>, Fault> {
    let body = [
        "<DisconnectTelephoneNumberOrder>",
        &element("CustomerOrderId", &format!("dp-release-{id}")),
        "<DisconnectTelephoneNumberOrderType><TelephoneNumberList>",
        &element("TelephoneNumber", id),
        "</TelephoneNumberList></DisconnectTelephoneNumberOrderType></DisconnectTelephoneNumberOrder>",
    ];
    let request = request(account, "bandwidth.numbers.release", Method::POST, "/disconnects")?;
    let request = request.effect(Effect::Repeatable).xml(body.concat());
    let (kept, id) = (account.keep(), id.to_owned());
    Ok(Exchange::new(request, move |reply| match reply.status {
        // Codes for numbers that aren't in service are many: whether it is, is looked for.
        400 | 404 => {
            let refused = fault(&reply);
            let held = number::get(&kept.account(), &id)?.map(|_| false).or_gone(true);
            Ok(Step::Next(held.then(|is_gone| if is_gone { Ok(Step::Done(())) } else { Err(refused) })))
        }
        _ => read(&reply, |root| first(root, "OrderStatus").map(drop)).map(Step::Done),
    }))
}
