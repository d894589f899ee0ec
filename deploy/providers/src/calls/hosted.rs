//! Calls at providers that host agents: their own numbers', and those that carriers send them.

use reqwest::Url;
use serde_json::{Value, json};

use super::Call;
use super::documents::Target;
use crate::number::Number;

/// The provider whose calls this URL takes.
pub fn of_url(url: &str) -> Option<&'static str> {
    let url = Url::parse(url).ok()?;
    let place = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
    match place.as_str() {
        "api.vapi.ai/twilio/inbound_call" => Some("vapi"),
        "api.elevenlabs.io/twilio/inbound_call" | "api.us.elevenlabs.io/twilio/inbound_call" => {
            Some("elevenlabs")
        }
        place if place.ends_with("/vapi/twilio/inbound_call") => Some("vapi"),
        place if place.ends_with("/elevenlabs/twilio/inbound_call") => Some("elevenlabs"),
        _ => None,
    }
}

/// The provider whose SIP server this is, when calls of imported numbers come by it.
pub fn of_target(target: &Target) -> Option<&'static str> {
    let Target::Sip(uri) = target else { return None };
    let host = uri.split('@').nth(1)?.split([';', '?', ':']).next()?;
    match host {
        "sip.vapi.ai" => Some("vapi"),
        "sip.rtc.elevenlabs.io" => Some("elevenlabs"),
        "sip.retellai.com" => Some("retell"),
        host if host.ends_with(".sip.livekit.cloud") => Some("livekit"),
        _ => None,
    }
}

/// What the provider does with the call.
pub async fn answer(call: &mut Call<'_>, provider: &str) -> Value {
    let Some(number) = known(call, provider) else {
        return json!({"failed": format!("{provider} doesn't know {}", call.to)});
    };
    match provider {
        "elevenlabs" => crate::elevenlabs::call::answer(call, &number).await,
        "livekit" => crate::livekit::call::answer(call),
        "retell" => crate::retell::call::answer(call, &number).await,
        "vapi" => crate::vapi::call::answer(call, &number).await,
        _ => json!({"failed": format!("{provider} takes no calls here")}),
    }
}

/// The called number as this provider knows it.
fn known(call: &Call<'_>, provider: &str) -> Option<Number> {
    if call.number.provider == provider {
        return Some(call.number.clone());
    }
    let world = call.simulator.world();
    if provider == "livekit" {
        return crate::livekit::call::taken(&world, &call.to).map(|(number, _)| number);
    }
    let carrier = &call.number;
    let is_it = |number: &&Number| {
        let sid = number.text("twilioAccountSid").or_else(|| number.text("sid"));
        let same_account = carrier.provider != "twilio" || sid.is_none_or(|sid| sid == carrier.account);
        number.provider == provider && number.number == carrier.number && same_account
    };
    world.numbers.iter().find(is_it).cloned()
}
