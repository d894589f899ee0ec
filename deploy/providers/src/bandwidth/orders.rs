//! Orders: of numbers, and of their end. They are taken at once and done by and by.

use serde_json::{Map, Value, json};

use super::NAME;
use super::xml::{self, answer, element, error, parent};
use crate::clock;
use crate::money::Money;
use crate::number::{Kind, Number, Origin};
use crate::reply::Reply;
use crate::stock::{Offer, Wanted, countries};
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

const KIND: &str = "order";
const DISCONNECT: &str = "disconnect";

/// What an order says.
struct Asked {
    tag: String,
    site: String,
    peer: String,
    numbers: Vec<String>,
    area: Option<String>,
}

/// Orders numbers.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let asked = xml::body(turn, |root| {
        let text = |name: &str| xml::text(root, name).unwrap_or_default();
        Asked {
            tag: text("CustomerOrderId"),
            site: text("SiteId"),
            peer: text("PeerId"),
            numbers: xml::all(root, "TelephoneNumber"),
            area: xml::text(root, "AreaCode"),
        }
    })?;
    if asked.site.is_empty() {
        return Err(refused("OrderResponse", "5016", "The SiteId submitted is invalid."));
    }
    if asked.numbers.is_empty() && asked.area.is_none() {
        return Err(refused("OrderResponse", "4010", "Telephone numbers or an area code are missing."));
    }
    if turn.world.affords(NAME, &turn.account, Money::ZERO).is_err() {
        return Err(refused("OrderResponse", "5080", "The account may have no more telephone numbers."));
    }
    let (found, lost) = offers(turn, &asked);
    for offer in &found {
        let number = ordered(turn, &asked, offer);
        turn.world.take(number, Money::ZERO, "USD");
    }
    let done: Vec<_> = found.iter().map(|offer| offer.national().to_owned()).collect();
    let order = kept(
        turn,
        KIND,
        &asked.tag,
        &json!({"done": done, "lost": lost, "site": asked.site, "peer": asked.peer}),
    );
    let place = format!("{}/{}", turn.request.path, order.id);
    Ok(answer(201, &document(&order, "RECEIVED")).with("location", place))
}

/// Lists orders, or those of one name.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let wanted = query.filled("customerOrderId");
    let orders = turn.things(KIND).filter(|order| wanted.is_none_or(|tag| order.text("tag") == Some(tag)));
    let shown: Vec<_> = orders.map(|order| parent("OrderIdUserIdDate", &listed(turn, order))).collect();
    let count = element("TotalCount", &shown.len().to_string());
    let all = parent("ListOrderIdUserIdDate", &[vec![count], shown].concat());
    Ok(answer(200, &parent("ResponseSelectWrapper", &[all])))
}

/// Tells how far one is.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let order = turn.thing(KIND, &turn.param("id"));
    let order = order.ok_or_else(|| error(404, "1001", "The order doesn't exist"))?;
    Ok(answer(200, &document(order, status(turn, order))))
}

/// Ends numbers.
pub fn disconnect(turn: &mut Turn<'_>) -> Outcome {
    let (tag, numbers) = xml::body(turn, |root| {
        (xml::text(root, "CustomerOrderId").unwrap_or_default(), xml::all(root, "TelephoneNumber"))
    })?;
    let unknown = numbers.iter().find(|number| turn.number(number).is_none());
    if numbers.is_empty() || unknown.is_some() {
        let description = "Telephone number is not in service on this account.";
        return Err(refused("DisconnectTelephoneNumberOrderResponse", "5006", description));
    }
    for number in &numbers {
        turn.world.give_back(NAME, &turn.account, number);
    }
    let order = kept(turn, DISCONNECT, &tag, &json!({"done": numbers, "lost": []}));
    Ok(answer(201, &disconnected(&order, "RECEIVED")))
}

/// Tells how far such an order is.
pub fn get_disconnect(turn: &mut Turn<'_>) -> Outcome {
    let order = turn.thing(DISCONNECT, &turn.param("id"));
    let order = order.ok_or_else(|| error(404, "1001", "The order doesn't exist"))?;
    Ok(answer(200, &disconnected(order, status(turn, order))))
}

/// The numbers that are to be had, and those that aren't.
fn offers(turn: &Turn<'_>, asked: &Asked) -> (Vec<Offer>, Vec<String>) {
    if let (Some(area), true) = (&asked.area, asked.numbers.is_empty()) {
        let wanted = Wanted { area: Some(area), contains: None, limit: 1 };
        let found = countries::country("US").map(|country| turn.offers(country, Kind::Local, &wanted));
        return (found.unwrap_or_default(), Vec::new());
    }
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    for number in &asked.numbers {
        match turn.offer(&format!("+1{number}")) {
            Some(offer) => found.push(offer),
            None => lost.push(number.clone()),
        }
    }
    (found, lost)
}

fn ordered(turn: &Turn<'_>, asked: &Asked, offer: &Offer) -> Number {
    let mut setup = Map::new();
    for (field, value) in [("site", &asked.site), ("peer", &asked.peer), ("order", &asked.tag)] {
        setup.insert(field.to_owned(), value.as_str().into());
    }
    Number {
        provider: NAME.to_owned(),
        account: turn.account.clone(),
        id: offer.national().to_owned(),
        number: Some(offer.number.clone()),
        sip_uri: None,
        name: asked.tag.clone(),
        origin: Origin::Bought,
        country: offer.country.iso.to_owned(),
        kind: offer.kind,
        monthly: Money::ZERO,
        created: turn.world.turn.now,
        updated: turn.world.turn.now,
        ready: turn.world.settled(),
        setup,
    }
}

fn kept(turn: &mut Turn<'_>, kind: &str, tag: &str, body: &Value) -> Thing {
    let mut body = body.as_object().cloned().unwrap_or_default();
    body.insert("tag".to_owned(), tag.into());
    let id = turn.world.draw.uuid().to_string();
    turn.world.make(NAME, kind, &turn.account, &id, body)
}

fn texts(order: &Thing, field: &str) -> Vec<String> {
    let list = order.body.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn status(turn: &Turn<'_>, order: &Thing) -> &'static str {
    let (done, lost) = (texts(order, "done"), texts(order, "lost"));
    match (order.ready <= turn.world.turn.now, done.is_empty(), lost.is_empty()) {
        (false, _, _) => "RECEIVED",
        (true, false, true) => "COMPLETE",
        (true, false, false) => "PARTIAL",
        (true, true, _) => "FAILED",
    }
}

fn head(order: &Thing) -> Vec<String> {
    let tag = order.text("tag").unwrap_or_default();
    vec![
        element("CustomerOrderId", tag),
        element("id", &order.id),
        element("OrderCreateDate", &clock::millis(order.created)),
    ]
}

fn listed(turn: &Turn<'_>, order: &Thing) -> Vec<String> {
    let (done, lost) = (texts(order, "done"), texts(order, "lost"));
    vec![
        element("CustomerOrderId", order.text("tag").unwrap_or_default()),
        element("orderId", &order.id),
        element("OrderDate", &clock::millis(order.created)),
        element("OrderStatus", status(turn, order)),
        element("OrderType", "new_number"),
        element("CountOfTNs", &(done.len() + lost.len()).to_string()),
    ]
}

fn document(order: &Thing, status: &str) -> String {
    let (done, lost) = (texts(order, "done"), texts(order, "lost"));
    let list = |numbers: &[String]| {
        let numbers: Vec<_> = numbers.iter().map(|number| element("TelephoneNumber", number)).collect();
        parent("TelephoneNumberList", &numbers)
    };
    let mut inner = head(order);
    inner.push(parent("ExistingTelephoneNumberOrderType", &[list(&[done.clone(), lost.clone()].concat())]));
    inner.push(element("SiteId", order.text("site").unwrap_or_default()));
    inner.push(element("PeerId", order.text("peer").unwrap_or_default()));
    let mut parts = vec![parent("Order", &inner), element("OrderStatus", status)];
    if status != "RECEIVED" {
        let numbers: Vec<_> =
            done.iter().map(|number| parent("TelephoneNumber", &[element("FullNumber", number)])).collect();
        parts.insert(0, element("CompletedQuantity", &done.len().to_string()));
        parts.push(parent("CompletedNumbers", &numbers));
        parts.push(element("FailedQuantity", &lost.len().to_string()));
        parts.extend((!lost.is_empty()).then(|| unavailable(&lost)));
    }
    parent("OrderResponse", &parts)
}

fn unavailable(lost: &[String]) -> String {
    let errors: Vec<_> = lost
        .iter()
        .map(|number| {
            let description = element("Description", "The telephone number is unavailable for ordering");
            parent("Error", &[element("Code", "5005"), description, element("TelephoneNumber", number)])
        })
        .collect();
    parent("ErrorList", &errors)
}

fn disconnected(order: &Thing, status: &str) -> String {
    let numbers: Vec<_> =
        texts(order, "done").iter().map(|number| element("TelephoneNumber", number)).collect();
    let mut inner = head(order);
    inner.push(parent("DisconnectTelephoneNumberOrderType", &[parent("TelephoneNumberList", &numbers)]));
    let parts = [parent("orderRequest", &inner), element("OrderStatus", status)];
    parent("DisconnectTelephoneNumberOrderResponse", &parts)
}

/// An error inside the answer's own root.
fn refused(root: &str, code: &str, description: &str) -> Reply {
    let error = parent("Error", &[element("Code", code), element("Description", description)]);
    answer(400, &parent(root, &[parent("ErrorList", &[error])]))
}
