//! Addresses, which numbers of some countries want.

use serde_json::{Map, Value, json};

use super::dialect;
use super::errors::error;
use crate::clock;
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// What they are among things.
pub const KIND: &str = "address";

const FIELDS: &[(&str, &str)] = &[
    ("CustomerName", "customer_name"),
    ("Street", "street"),
    ("City", "city"),
    ("Region", "region"),
    ("PostalCode", "postal_code"),
    ("IsoCountry", "iso_country"),
];

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let form = turn.request.form();
    let mut body = Map::new();
    for (name, field) in FIELDS {
        let value = form.filled(name);
        let value = value
            .ok_or_else(|| error(turn.provider, 400, 20001, &format!("Missing required parameter {name}")))?;
        body.insert((*field).to_owned(), value.into());
    }
    let name = form.filled("FriendlyName").unwrap_or_default();
    body.insert("friendly_name".to_owned(), name.into());
    let sid = dialect::of(turn.provider).sid(&mut turn.world.draw, "AD");
    let address = turn.make(KIND, KIND, &sid, name, body);
    Ok(Reply::json(201, &document(&address)))
}

/// Lists them.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let found: Vec<_> = turn.things(KIND).map(document).collect();
    let shown = json!({"addresses": found, "page": 0, "page_size": 50, "next_page_uri": Value::Null, "uri": turn.request.path});
    Ok(Reply::json(200, &shown))
}

fn document(address: &Thing) -> Value {
    let mut document = address.body.clone();
    let more = json!({
        "sid": address.id, "account_sid": address.account, "emergency_enabled": false, "validated": true,
        "verified": true, "street_secondary": null, "date_created": clock::rfc2822(address.created),
        "date_updated": clock::rfc2822(address.updated),
        "uri": format!("/2010-04-01/Accounts/{}/Addresses/{}.json", address.account, address.id),
    });
    if let Value::Object(more) = more {
        document.extend(more);
    }
    document.into()
}
