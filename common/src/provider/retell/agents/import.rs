//! A carrier's number made known to Retell: behind a SIP trunk.

use http::Method;
use serde_json::json;

use super::super::api;
use super::super::numbers::phone_number::{held, one, the_one};
use super::linked;
use crate::rest::agents::{Carrier, Import};
use crate::rest::numbers::Held;
use crate::rest::{Account, Exchange, Fault, Step};

/// The whole import: one that is there already is adopted.
///
/// # Errors
/// [`Fault::Stop`] when the account's credentials lack something; [`Fault::Elsewhere`] for a number without a trunk.
pub fn exchange(account: &Account<'_>, import: &Import) -> Result<Exchange<Held>, Fault> {
    let Carrier::Trunk { address, username, password } = &import.carrier else {
        let reason = "Retell takes numbers by SIP trunk alone, not by Twilio's credentials: make an elastic SIP trunk for \
                      it at Twilio";
        return Err(Fault::elsewhere("carrier_unsupported", reason));
    };
    let id = import.number.to_string();
    let mut fields = linked(account, &import.link, &import.webhooks);
    fields["nickname"] = import.name.as_str().into();
    let adopt = one(account, "retell.agents.adopt", "update", &id)?.json(&fields);
    fields["phone_number"] = id.as_str().into();
    fields["termination_uri"] = address.as_str().into();
    if let Some(user) = username {
        fields["sip_trunk_auth_username"] = user.as_str().into();
    }
    if let Some(password) = password {
        fields["sip_trunk_auth_password"] = json!(String::from_utf8_lossy(password.expose()));
    }
    let create = api::request(account, "retell.agents.import", Method::POST, "/import-phone-number")?;
    let create = create.json(&fields);
    let look = one(account, "retell.agents.import", "get", &id)?;
    Ok(Exchange::new(look, move |reply| match api::object(&reply) {
        Ok(record) if held(&record).is_some_and(|held| held.id == id) => {
            Ok(Step::Next(Exchange::last(adopt, the_one(&id))))
        }
        Ok(_) => Err(Fault::unclear("an answer that names another number")),
        Err(Fault::Gone { .. }) => Ok(Step::Next(Exchange::last(create, the_one(&id)))),
        Err(fault) => Err(fault),
    }))
}
