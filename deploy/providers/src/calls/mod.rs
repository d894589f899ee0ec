//! Calls: a caller dials a number, and its provider does what the real one does. It asks our webhooks, signed as it signs,
//! follows what they say and the fallback when they don't answer, and tells how it ended.
//!
//! [`place`] finds the number's carrier. One that is told by documents what to do ([`documents`]) walks through
//! them; a provider of agents ([`hosted`]) answers itself.

mod call;
pub mod documents;
pub mod hosted;
pub mod markup;
mod patience;

use std::collections::VecDeque;

pub use call::{Answer, Call, Outgoing};
pub use patience::Patience;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::Account;
use crate::number::Number;
use crate::simulator::Simulator;

/// A call that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The number that is dialled: `+` and its digits, or a SIP URI.
    pub to: String,
    /// Who calls; as the provider tells it, so anything.
    #[serde(default)]
    pub from: String,
    /// Where, when several providers have the number.
    pub provider: Option<String>,
    /// How what is tried ends, one after the other: `completed`, `busy`, `no-answer`, `failed`. What comes after the
    /// last is completed.
    #[serde(default)]
    pub outcomes: VecDeque<String>,
}

/// Who is asked first when several providers have a number: carriers before those that import from them.
const ORDER: &[&str] = &[
    "twilio",
    "signalwire",
    "telnyx",
    "plivo",
    "vonage",
    "bandwidth",
    "vapi",
    "retell",
    "elevenlabs",
    "livekit",
];

/// Makes a call and tells what came of it; `None` when nobody has the number.
pub async fn place(simulator: &Simulator, asked: Asked) -> Option<Value> {
    let (number, account) = holder(simulator, &asked)?;
    let mut call = Call::new(simulator, asked, number, account);
    let provider = call.number.provider.clone();
    let answered_by = match provider.as_str() {
        "twilio" | "signalwire" => crate::twilio::call::run(&mut call).await,
        "telnyx" => crate::telnyx::call::run(&mut call).await,
        "vonage" => crate::vonage::call::run(&mut call).await,
        "bandwidth" => crate::bandwidth::call::run(&mut call).await,
        "plivo" => crate::plivo::call::run(&mut call).await,
        provider => hosted::answer(&mut call, provider).await,
    };
    Some(json!({
        "call_id": call.id, "provider": call.number.provider, "account": call.account.id, "to": call.to,
        "from": call.from, "answered_by": answered_by, "steps": call.steps, "requests": call.requests,
    }))
}

/// Who has the number, and whose it is.
fn holder(simulator: &Simulator, asked: &Asked) -> Option<(Number, Account)> {
    let world = simulator.world();
    let is_meant = |number: &&Number| {
        let address =
            [&number.number, &number.sip_uri].into_iter().any(|own| own.as_ref() == Some(&asked.to));
        address && asked.provider.as_ref().is_none_or(|provider| number.provider == *provider)
    };
    let rank = |number: &&Number| ORDER.iter().position(|provider| *provider == number.provider);
    let Some(number) = world.numbers.iter().filter(is_meant).min_by_key(rank) else {
        return crate::livekit::call::taken(&world, &asked.to);
    };
    let account = world.account(&number.provider, &number.account)?;
    Some((number.clone(), account.clone()))
}
