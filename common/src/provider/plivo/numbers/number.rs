//! One number, as Plivo shows it: named by its digits.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::e164::E164;
use crate::provider::plivo::api::{request, success};
use crate::rest::numbers::{Held, HeldState};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault};

/// What is set on a number, and put back.
pub const SETUP: [&str; 2] = ["app_id", "alias"];

#[derive(Deserialize)]
pub struct Number {
    number: String,
    #[serde(default)]
    alias: Option<String>,
    #[serde(default)]
    application: Option<String>,
    #[serde(default)]
    voice_enabled: Option<bool>,
}

impl Number {
    pub fn held(self) -> Held {
        let name = self.alias.unwrap_or_default();
        let state = if self.voice_enabled == Some(false) { HeldState::Blocked } else { HeldState::Active };
        // `/v1/Account/MA…/Application/{app_id}/`
        let application = self.application.as_deref().map(|path| path.trim_end_matches('/'));
        let application = application.and_then(|path| path.rsplit('/').next()).filter(|id| !id.is_empty());
        let values = [application.map_or(Value::Null, Value::from), name.as_str().into()];
        let setup = SETUP.map(str::to_owned).into_iter().zip(values).collect();
        Held { name, setup, ..bare(self.number, state) }
    }
}

/// A number of which no more is known.
pub fn bare(digits: String, state: HeldState) -> Held {
    Held {
        number: number(&digits),
        id: digits,
        sip_uri: None,
        name: String::new(),
        state,
        setup: Map::new(),
        agent_id: None,
        is_free: false,
    }
}

/// The number of these digits; a plus may stand before them.
pub fn number(digits: &str) -> Option<E164> {
    format!("+{}", digits.strip_prefix('+').unwrap_or(digits)).parse().ok()
}

/// Reads a number.
pub fn get(account: &Account<'_>, operation: &'static str, id: &str) -> Result<Exchange<Held>, Fault> {
    let request = request(account, operation, Method::GET, &format!("Number/{}/", segment(id)))?;
    let id = id.to_owned();
    Ok(Exchange::last(request, move |reply| {
        let held = success(&reply)?.json::<Number>()?.held();
        match held.number.is_some() && held.number == number(&id) {
            true => Ok(Held { id, ..held }),
            false => Err(Fault::unclear(format!("asked about {id}, and was told of {}", held.id))),
        }
    }))
}
