//! A carrier's number made known to Vapi: by Twilio's credentials, or behind a SIP trunk.
//!
//! A trunk is a credential of the organisation's, made once for each address and user. Vapi refuses a number that it
//! knows already and names it: that one is adopted.

use std::net::Ipv4Addr;

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::api::{self, Object, Problem};
use super::super::numbers::{PATH, one, phone_number, the_one};
use super::{document, linked};
use crate::e164::E164;
use crate::rest::agents::{Carrier, Import};
use crate::rest::numbers::Held;
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Reply, Request, Step};
use crate::secret::Secret;

const CREDENTIALS: &str = "/credential";

/// What Vapi calls a trunk's credential.
const TRUNK: &str = "byo-sip-trunk";

/// SIP's port.
const PORT: u16 = 5060;

/// The whole import.
///
/// # Errors
/// [`Fault::Stop`] when the account's credentials lack something, or the trunk's address isn't one that Vapi lets calls
/// in from.
pub fn exchange(account: &Account<'_>, import: &Import) -> Result<Exchange<Held>, Fault> {
    let number = Number::of(account, import)?;
    match &import.carrier {
        Carrier::Twilio { account_sid, auth_token } => {
            let (sid, token) = (account_sid.as_str(), text(auth_token));
            // Twilio's text messages stay with who has them.
            Ok(number.add(json!({
                "provider": "twilio", "twilioAccountSid": sid, "twilioAuthToken": token, "smsEnabled": false,
            })))
        }
        Carrier::Trunk { address, username, password } => {
            let trunk = Trunk::of(account, address, username.as_deref(), password.as_ref())?;
            Ok(trunk.ensure().then(|credential_id| {
                let behind = json!({"provider": "byo-phone-number", "credentialId": credential_id});
                Ok(Step::Next(number.add(behind)))
            }))
        }
    }
}

fn text(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// A number to be made known: the requests that do, which only lack where it stays.
struct Number {
    number: E164,
    fields: Value,
    create: Request,
    /// To the number of an id, which is put behind the path.
    adopt: Request,
}

impl Number {
    fn of(account: &Account<'_>, import: &Import) -> Result<Self, Fault> {
        let mut fields = linked(account, &import.link, &import.webhooks)?;
        fields["name"] = phone_number::name(&import.name).into();
        Ok(Self {
            number: import.number,
            fields,
            create: api::request(account, "vapi.agents.import", Method::POST, PATH)?,
            adopt: one(account, "vapi.agents.adopt", Method::PATCH, "")?,
        })
    }

    fn add(self, carrier: Value) -> Exchange<Held> {
        let mut body = document::without_nulls(self.fields.clone());
        body["number"] = self.number.to_string().into();
        if let (Value::Object(body), Value::Object(carrier)) = (&mut body, carrier) {
            body.extend(carrier);
        }
        let request = self.create.clone().json(&body);
        Exchange::new(request, move |reply| match known_already(&reply) {
            Some(id) => Ok(Step::Next(self.adopted(&id))),
            None => {
                let held = phone_number::read(&reply)?;
                if held.number == Some(self.number) {
                    Ok(Step::Done(held))
                } else {
                    Err(Fault::unclear("an answer that names another number"))
                }
            }
        })
    }

    fn adopted(self, id: &str) -> Exchange<Held> {
        let mut request = self.adopt.json(&self.fields);
        request.target.push_str(&segment(id));
        Exchange::last(request, the_one(id))
    }
}

/// The id in ``Existing Phone Number <uuid> Has Identical `twilioAccountSid` … and `number` …``.
fn known_already(reply: &Reply) -> Option<String> {
    let said = Problem::of(reply).said();
    let (_, rest) = said.split_once("Existing Phone Number ").filter(|_| reply.status == 400)?;
    let id = rest.split_whitespace().next()?;
    Uuid::try_parse(id).ok().map(|_| id.to_owned())
}

/// A trunk to be known as a credential.
struct Trunk {
    list: Request,
    create: Request,
    /// To the credential of an id, which is put behind the path.
    update: Request,
    host: String,
    port: u16,
    username: Option<String>,
    document: Value,
}

impl Trunk {
    fn of(
        account: &Account<'_>,
        address: &str,
        username: Option<&str>,
        password: Option<&Secret>,
    ) -> Result<Self, Fault> {
        let (host, port) = split(address)?;
        let mut document = json!({
            "provider": TRUNK, "name": phone_number::name(&format!("dialplane {address}")),
            "gateways": [{"ip": host, "port": port, "inboundEnabled": true, "outboundEnabled": true}],
        });
        if let Some(user) = username {
            document["outboundAuthenticationPlan"] = json!({"authUsername": user});
            if let Some(password) = password {
                document["outboundAuthenticationPlan"]["authPassword"] = text(password).into();
            }
        }
        let request = |method, path: &str| api::request(account, "vapi.agents.trunk", method, path);
        Ok(Self {
            list: request(Method::GET, CREDENTIALS)?.query([("limit", "1000")]),
            create: request(Method::POST, CREDENTIALS)?,
            update: request(Method::PATCH, "/credential/")?,
            host,
            port,
            username: username.map(str::to_owned),
            document,
        })
    }

    /// Makes the credential, or brings the one that there is up to date: its password is never told.
    fn ensure(self) -> Exchange<String> {
        Exchange::new(self.list.clone(), move |reply| {
            let credentials = api::objects(&reply)?;
            let known = credentials.iter().find(|credential| self.is(credential)).and_then(id_of);
            let request = match &known {
                Some(id) => {
                    let mut request = self.update;
                    request.target.push_str(&segment(id));
                    request
                }
                None => self.create,
            };
            Ok(Step::Next(Exchange::last(request.json(&self.document), |reply| {
                let credential = api::object(&reply)?;
                id_of(&credential).ok_or_else(|| Fault::unclear("an answer that names no credential"))
            })))
        })
    }

    fn is(&self, credential: &Object) -> bool {
        let gateways = credential.get("gateways").and_then(Value::as_array).into_iter().flatten();
        let user =
            credential.get("outboundAuthenticationPlan").and_then(|plan| plan["authUsername"].as_str());
        credential.get("provider").and_then(Value::as_str) == Some(TRUNK)
            && user == self.username.as_deref()
            && gateways.into_iter().any(|gateway| {
                let port = gateway["port"].as_u64().unwrap_or(u64::from(PORT));
                gateway["ip"].as_str() == Some(&*self.host) && port == u64::from(self.port)
            })
    }
}

fn id_of(credential: &Object) -> Option<String> {
    credential.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned)
}

/// Host and port. Vapi lets calls in from IPv4 addresses alone.
fn split(address: &str) -> Result<(String, u16), Fault> {
    let (host, port) = match address.split_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)),
        None => (address, Some(PORT)),
    };
    match (host.parse::<Ipv4Addr>(), port) {
        (Ok(_), Some(port)) => Ok((host.to_owned(), port)),
        _ => {
            let reason =
                "Vapi lets a trunk's calls in from IPv4 addresses alone: give the trunk's address as one";
            Err(Fault::stop("trunk_address", reason))
        }
    }
}
