//! A number's fields: as forms name them, and as answers do.

use serde_json::{Map, Value, json};

use super::dialect;
use crate::clock;
use crate::number::{Kind, Number};
use crate::request::Params;
use crate::stock::countries::{self, Needs};

/// What can be set: a form's name, the answers' name, and what stands there when nothing is.
const FIELDS: &[(&str, &str, &str)] = &[
    ("VoiceUrl", "voice_url", ""),
    ("VoiceMethod", "voice_method", "POST"),
    ("VoiceFallbackUrl", "voice_fallback_url", ""),
    ("VoiceFallbackMethod", "voice_fallback_method", "POST"),
    ("StatusCallback", "status_callback", ""),
    ("StatusCallbackMethod", "status_callback_method", "POST"),
    ("SmsUrl", "sms_url", ""),
    ("SmsMethod", "sms_method", "POST"),
    ("SmsFallbackUrl", "sms_fallback_url", ""),
    ("SmsFallbackMethod", "sms_fallback_method", "POST"),
    ("VoiceApplicationSid", "voice_application_sid", ""),
    ("SmsApplicationSid", "sms_application_sid", ""),
    ("TrunkSid", "trunk_sid", ""),
    ("AddressSid", "address_sid", ""),
    ("BundleSid", "bundle_sid", ""),
    ("IdentitySid", "identity_sid", ""),
    ("EmergencyStatus", "emergency_status", "Inactive"),
    ("EmergencyAddressSid", "emergency_address_sid", ""),
    ("VoiceReceiveMode", "voice_receive_mode", "voice"),
];

/// Names of things, which answers leave `null` where there is none.
const NULLED: &[&str] = &["trunk_sid", "address_sid", "bundle_sid", "identity_sid", "emergency_address_sid"];

const NAME_CHARS_MAX: usize = 64;

/// What a form sets, by the answers' names.
///
/// # Errors
/// Which parameter isn't as it must be.
pub fn read(form: &Params) -> Result<Map<String, Value>, String> {
    let mut set = Map::new();
    for (name, field, _) in FIELDS {
        let Some(value) = form.get(name) else { continue };
        let is_url = field.ends_with("_url") || *field == "status_callback";
        if is_url && !value.is_empty() && !value.starts_with("http://") && !value.starts_with("https://") {
            return Err(format!("{name} is not valid: {value}"));
        }
        if field.ends_with("_method") && !matches!(value, "GET" | "POST") {
            return Err(format!("{name} is not valid: {value}"));
        }
        set.insert((*field).to_owned(), value.into());
    }
    if let Some(value) = form.get("VoiceCallerIdLookup") {
        set.insert("voice_caller_id_lookup".to_owned(), (value == "true").into());
    }
    match form.get("FriendlyName") {
        Some(name) if name.chars().count() > NAME_CHARS_MAX => Err("FriendlyName is too long".to_owned()),
        _ => Ok(set),
    }
}

/// The number as an answer tells it.
pub fn document(number: &Number) -> Value {
    let dialect = dialect::of(&number.provider);
    let mut document = Map::new();
    for (_, field, default) in FIELDS {
        let value = number.setup.get(*field).cloned().unwrap_or_else(|| (*default).into());
        let is_unset = value == "" && NULLED.contains(field);
        document.insert((*field).to_owned(), if is_unset { Value::Null } else { value });
    }
    let path = format!("Accounts/{}/IncomingPhoneNumbers/{}", number.account, number.id);
    let sms = number.kind != Kind::TollFree;
    let more = json!({
        "sid": number.id, "account_sid": number.account, "phone_number": number.number,
        "friendly_name": number.name, "api_version": "2010-04-01", "origin": "twilio", "beta": false,
        "capabilities": {"voice": true, "sms": sms, "mms": sms, "fax": false}, "status": "in-use",
        "type": kind_name(number.kind), "address_requirements": requirements(&number.provider, &number.country),
        "emergency_address_status": "unregistered",
        "voice_caller_id_lookup": number.setup.get("voice_caller_id_lookup").cloned().unwrap_or(Value::Bool(false)),
        "date_created": clock::rfc2822(number.created), "date_updated": clock::rfc2822(number.updated),
        "uri": format!("{}/{path}{}", dialect.root, dialect.suffix),
    });
    if let Value::Object(more) = more {
        document.extend(more);
    }
    if dialect.plain_ids {
        document.insert("account_id".to_owned(), number.account.clone().into());
        document.insert("country_code".to_owned(), number.country.clone().into());
    }
    document.into()
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Local => "local",
        Kind::TollFree => "tollfree",
        Kind::Mobile => "mobile",
    }
}

/// What address a country's numbers want.
pub fn requirements(provider: &str, country: &str) -> &'static str {
    let needs =
        countries::country(country).filter(|_| dialect::of(provider).wants_addresses).map(|it| it.needs);
    match needs {
        Some(Needs::Address) => "any",
        Some(Needs::LocalAddress) => "local",
        _ => "none",
    }
}
