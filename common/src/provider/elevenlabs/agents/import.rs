//! A carrier's number made known to ElevenLabs: by Twilio's credentials, or behind a SIP trunk.
//!
//! ElevenLabs documents no answer to a number that it has already, so it is looked for first.

use http::Method;
use serde_json::{Value, json};

use super::super::api;
use super::super::listing;
use super::super::numbers::phone_number::{self, PATH};
use super::super::numbers::{LIST, THINGS, workspace};
use super::{agent_of, linked};
use crate::e164::E164;
use crate::rest::agents::{Carrier, Import};
use crate::rest::numbers::Held;
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Request, Step};
use crate::secret::Secret;

/// The whole import.
///
/// # Errors
/// [`Fault::Stop`] when the account's credentials lack something.
pub fn exchange(account: &Account<'_>, import: &Import) -> Result<Exchange<Held>, Fault> {
    let number = import.number;
    let list = api::request(account, "elevenlabs.agents.import", Method::GET, LIST)?
        .query([("phone_number", number.to_string().as_str())]);
    let create =
        api::request(account, "elevenlabs.agents.import", Method::POST, PATH)?.json(&document(import));
    let (adopt, get) = (About::of(account, Method::PATCH)?, About::of(account, Method::GET)?);
    let mut fields = linked(&import.link);
    fields["label"] = import.name.as_str().into();
    let known = listing::having(list, THINGS, "phone_number", number.to_string());
    let exchange = known.then(move |records| {
        let known = records.iter().find_map(phone_number::held);
        Ok(Step::Next(match known {
            Some(held) => {
                let id = held.id;
                Exchange::last(adopt.of_id(&id).json(&fields), phone_number::the_one(&id))
            }
            None => made(create, get, number),
        }))
    });
    Ok(workspace::beside(exchange, workspace::look(account)?))
}

/// Makes it, and reads what was made: the answer holds its id alone.
fn made(create: Request, get: About, number: E164) -> Exchange<Held> {
    Exchange::new(create, move |reply| {
        let id = api::named(&reply, "phone_number_id")?;
        let read = phone_number::the_one(&id);
        Ok(Step::Next(Exchange::last(get.of_id(&id), move |reply| {
            let held = read(reply)?;
            if held.number == Some(number) {
                Ok(held)
            } else {
                Err(Fault::unclear("another number was made"))
            }
        })))
    })
}

/// A request about a number whose id isn't known yet.
struct About(Request);

impl About {
    fn of(account: &Account<'_>, method: Method) -> Result<Self, Fault> {
        phone_number::one(account, "elevenlabs.agents.import", method, "").map(Self)
    }

    fn of_id(mut self, id: &str) -> Request {
        self.0.target.push_str(&segment(id));
        self.0
    }
}

fn document(import: &Import) -> Value {
    let mut document = match &import.carrier {
        // Twilio's text messages stay with who has them.
        Carrier::Twilio { account_sid, auth_token } => json!({
            "provider": "twilio", "sid": account_sid, "token": text(auth_token), "enable_sms": false,
        }),
        Carrier::Trunk { address, username, password } => {
            let mut outbound =
                json!({"address": address, "transport": "auto", "media_encryption": "allowed"});
            if let Some(user) = username {
                outbound["credentials"] = json!({"username": user});
                if let Some(password) = password {
                    outbound["credentials"]["password"] = text(password).into();
                }
            }
            json!({
                "provider": "sip_trunk", "outbound_trunk_config": outbound,
                "inbound_trunk_config": {"media_encryption": "allowed"},
            })
        }
    };
    document["phone_number"] = import.number.to_string().into();
    document["label"] = import.name.as_str().into();
    if let Some(agent) = agent_of(&import.link) {
        document["agent_id"] = agent.into();
    }
    document
}

fn text(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}
