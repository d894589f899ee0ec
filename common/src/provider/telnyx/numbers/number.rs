//! One number, as Telnyx shows it.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::e164::E164;
use crate::provider::telnyx::api::{data, request};
use crate::rest::numbers::{Held, HeldState};
use crate::rest::{Account, Exchange, Fault, Request};

/// What is set on a number, and put back.
pub const SETUP: [&str; 2] = ["connection_id", "customer_reference"];

#[derive(Deserialize, Debug)]
pub struct PhoneNumber {
    id: String,
    phone_number: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    customer_reference: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl PhoneNumber {
    /// The number, where the account has it: `None` for one that it had or never got.
    pub fn held(mut self) -> Option<Held> {
        let state = match &*self.status {
            "deleted" | "ported-out" | "purchase-failed" | "port-failed" => return None,
            "purchase-pending" | "port-pending" => HeldState::Pending,
            "emergency-only" => HeldState::Blocked,
            _ => HeldState::Active,
        };
        let name = self.customer_reference.unwrap_or_default();
        let mut setup = Map::new();
        let connection = self.rest.remove(SETUP[0]).unwrap_or_default();
        setup.insert(SETUP[0].to_owned(), connection);
        setup.insert(SETUP[1].to_owned(), name.as_str().into());
        Some(Held {
            id: self.id,
            number: self.phone_number.parse().ok(),
            sip_uri: None,
            name,
            state,
            setup,
            agent_id: None,
            is_free: false,
        })
    }
}

/// The account's number of these digits. The filter matches parts of numbers, and wants digits alone.
pub fn find(account: &Account<'_>, number: E164) -> Result<Exchange<Option<Held>>, Fault> {
    let digits = number.to_u64().to_string();
    let request = request(account, "telnyx.numbers.find", Method::GET, "/phone_numbers")?;
    let request = request.query([("filter[phone_number]", &*digits), ("page[size]", "250")]);
    Ok(Exchange::last(request, move |reply| {
        let found: Vec<PhoneNumber> = data(&reply)?;
        Ok(found.into_iter().filter_map(PhoneNumber::held).find(|held| held.number == Some(number)))
    }))
}

/// A request that is answered with the number of this id.
pub fn one(request: Request, id: &str) -> Exchange<Held> {
    let id = id.to_owned();
    Exchange::last(request, move |reply| {
        let shown: PhoneNumber = data(&reply)?;
        if shown.id != id {
            return Err(Fault::unclear(format!("asked about {id}, and was told of {}", shown.id)));
        }
        shown.held().ok_or_else(|| Fault::gone(format!("Telnyx doesn't hold the number {id} any more")))
    })
}
