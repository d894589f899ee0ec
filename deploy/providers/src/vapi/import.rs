//! Numbers that stay at their carrier: Twilio's, whose calls are sent to Vapi from then on, and those of SIP trunks.

use serde_json::{Map, Value};

use super::buy::{number, taken};
use super::{INBOUND_CALL, NAME, error, invalid};
use crate::number::Origin;
use crate::turn::{Outcome, Turn};
use crate::world::World;

/// Makes a number of Twilio's known: its voice URL is Vapi's from then on, as is the one for messages unless
/// `smsEnabled` is false.
pub fn twilio(turn: &mut Turn<'_>, body: Map<String, Value>) -> Outcome {
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (address, sid) = (text("number"), text("twilioAccountSid"));
    let missing: Vec<_> = [("number", &address), ("twilioAccountSid", &sid)]
        .into_iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(field, _)| format!("{field} must be a string"))
        .collect();
    if !missing.is_empty() {
        return Err(invalid(&missing));
    }
    let known = turn.world.numbers.iter().find(|held| {
        held.provider == NAME
            && held.number.as_deref() == Some(&address)
            && held.text("twilioAccountSid") == Some(&sid)
    });
    if let Some(known) = known {
        let id = &known.id;
        let message = format!(
            "Existing Phone Number {id} Has Identical `twilioAccountSid` {sid} and `number` {address}"
        );
        return Err(error(400, &message));
    }
    let credentials =
        [(sid.clone(), text("twilioAuthToken")), (text("twilioApiKey"), text("twilioApiSecret"))];
    if !credentials.iter().any(|(user, secret)| opens(turn.world, &sid, user, secret)) {
        return Err(error(
            400,
            "Invalid Twilio Credentials. Please check the `twilioAccountSid` and the token.",
        ));
    }
    let sms = body.get("smsEnabled") != Some(&Value::Bool(false));
    if !point(turn.world, &sid, &address, sms) {
        return Err(error(400, &format!("Number {address} Not Found on Twilio Account {sid}.")));
    }
    let mut number = number(turn, body, Origin::Imported);
    number.setup.remove("number");
    number.number = Some(address);
    Ok(taken(turn, number))
}

/// Makes a number of a SIP trunk known.
pub fn trunk(turn: &mut Turn<'_>, body: Map<String, Value>) -> Outcome {
    let address = body.get("number").and_then(Value::as_str).map(str::to_owned);
    let is_checked = body.get("numberE164CheckEnabled") != Some(&Value::Bool(false));
    let is_e164 =
        |address: &String| address.starts_with('+') && address[1..].bytes().all(|it| it.is_ascii_digit());
    if is_checked && !address.as_ref().is_some_and(is_e164) {
        return Err(error(
            400,
            "number must be a valid phone number in the E.164 format. Hot tip, you may be missing the country code (Eg. US: +1).",
        ));
    }
    if !body.get("credentialId").is_some_and(Value::is_string) {
        return Err(invalid(&["credentialId must be a string".to_owned()]));
    }
    let mut number = number(turn, body, Origin::Imported);
    number.setup.remove("number");
    number.number = address;
    Ok(taken(turn, number))
}

/// Whether these credentials are the Twilio account's, as far as anybody knows them.
fn opens(world: &World, sid: &str, user: &str, secret: &str) -> bool {
    let account = world.account(crate::twilio::NAME, sid).filter(|_| !secret.is_empty());
    account.is_some_and(|account| match account.keys.get(user) {
        Some(held) => held == secret,
        None => user == sid && account.secret.as_deref().is_none_or(|held| held == secret),
    })
}

/// Sends a number's calls to Vapi.
fn point(world: &mut World, sid: &str, address: &str, sms: bool) -> bool {
    let held = world.numbers.iter_mut().find(|held| {
        held.provider == crate::twilio::NAME && held.account == sid && held.number.as_deref() == Some(address)
    });
    let Some(held) = held else { return false };
    let mut set = |field: &str, value: &str| held.setup.insert(field.to_owned(), value.into());
    set("voice_url", INBOUND_CALL);
    set("voice_method", "POST");
    if sms {
        set("sms_url", "https://api.vapi.ai/twilio/sms");
        set("sms_method", "POST");
    }
    world.changed = true;
    true
}
