//! Number orders, which are done by and by: pending at first, then a success.

use serde_json::{Map, Value, json};

use super::lists::page;
use super::search::PRICE;
use super::{NAME, error, invalid, limit, not_found};
use crate::clock;
use crate::number::{Number, Origin};
use crate::reply::Reply;
use crate::stock::Offer;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};
use crate::world::Unaffordable;

const KIND: &str = "number_order";

/// Orders numbers.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid(&error))?;
    let wanted = numbers(&body);
    if wanted.is_empty() {
        return Err(invalid("phone_numbers can't be blank"));
    }
    let offers = wanted.iter().map(|number| offer(turn, number)).collect::<Result<Vec<_>, _>>()?;
    if let Some(id) = body.get("connection_id").and_then(Value::as_str) {
        super::applications::known(turn, id)?;
    }
    turn.world.affords(NAME, &turn.account, PRICE.plus(PRICE)).map_err(|why| match why {
        Unaffordable::Limit => limit(),
        Unaffordable::Balance => {
            error(403, "20100", "Insufficient Funds", "Your balance is too low for this order.")
        }
    })?;
    let order_id = turn.world.draw.uuid().to_string();
    for offer in offers {
        let number = ordered(turn, &body, offer);
        turn.world.take(number, PRICE, "USD");
    }
    let order = turn.world.make(NAME, KIND, &turn.account, &order_id, body);
    Ok(Reply::json(200, &json!({"data": document(turn, &order, "pending")})))
}

/// Lists orders.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let reference = query.get("filter[customer_reference]");
    let fits = |order: &&Thing| {
        reference.is_none_or(|reference| order.text("customer_reference") == Some(reference))
    };
    let found: Vec<_> =
        turn.things(KIND).filter(fits).map(|order| document(turn, order, state(turn, order))).collect();
    Ok(page(&query, &found))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let order = turn.thing(KIND, &turn.param("id")).ok_or_else(not_found)?;
    Ok(Reply::json(200, &json!({"data": document(turn, order, state(turn, order))})))
}

/// Holds numbers for a while; nobody else buys here, so that it is only said.
pub fn reserve(turn: &mut Turn<'_>) -> Outcome {
    let body = turn.request.json().map_err(|error| invalid(&error))?;
    for number in numbers(&body) {
        offer(turn, &number)?;
    }
    let made = turn.world.draw.uuid().to_string();
    let mut data = body;
    data.insert("id".to_owned(), made.into());
    data.insert("record_type".to_owned(), "number_reservation".into());
    data.insert("status".to_owned(), "success".into());
    Ok(Reply::json(200, &json!({"data": data})))
}

fn numbers(body: &Map<String, Value>) -> Vec<String> {
    let list = body.get("phone_numbers").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|entry| entry["phone_number"].as_str().map(str::to_owned)).collect()
}

fn offer(turn: &Turn<'_>, number: &str) -> Result<Offer, Reply> {
    turn.offer(number).ok_or_else(|| {
        let detail = format!("The phone number {number} is not available.");
        error(422, "85001", "Number is not available", &detail)
    })
}

fn ordered(turn: &mut Turn<'_>, body: &Map<String, Value>, offer: Offer) -> Number {
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let fields = ["connection_id", "messaging_profile_id", "billing_group_id", "customer_reference"];
    let setup = fields.iter().map(|field| ((*field).to_owned(), text(field).into())).collect();
    Number {
        provider: NAME.to_owned(),
        account: turn.account.clone(),
        id: turn.world.draw.digits(19),
        number: Some(offer.number),
        sip_uri: None,
        name: text("customer_reference"),
        origin: Origin::Bought,
        country: offer.country.iso.to_owned(),
        kind: offer.kind,
        monthly: PRICE,
        created: turn.world.turn.now,
        updated: turn.world.turn.now,
        ready: turn.world.settled(),
        setup,
    }
}

fn state(turn: &Turn<'_>, order: &Thing) -> &'static str {
    if order.ready <= turn.world.turn.now { "success" } else { "pending" }
}

fn document(turn: &Turn<'_>, order: &Thing, status: &str) -> Value {
    let numbers: Vec<_> = numbers(&order.body)
        .into_iter()
        .map(|number| {
            let id = crate::draw::uuid_of(&format!("{}{number}", order.id));
            json!({"record_type": "number_order_phone_number", "id": id, "phone_number": number, "status": status,
                "phone_number_type": "local", "country_iso_alpha2": "US", "requirements_met": true,
                "requirements_status": "approved", "regulatory_requirements": []})
        })
        .collect();
    let field = |name: &str| order.body.get(name).cloned().unwrap_or_default();
    json!({"record_type": KIND, "id": order.id, "status": status, "requirements_met": true,
        "phone_numbers_count": numbers.len(), "phone_numbers": numbers, "connection_id": field("connection_id"),
        "messaging_profile_id": field("messaging_profile_id"), "customer_reference": field("customer_reference"),
        "sub_number_orders_ids": [crate::draw::uuid_of(&order.id)], "created_at": clock::millis(order.created),
        "updated_at": clock::millis(turn.world.turn.now)})
}
