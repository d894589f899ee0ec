//! One number, as the resource `IncomingPhoneNumbers` has it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Dialect;
use crate::rest::numbers::{Held, HeldState, Webhooks};
use crate::rest::{Account, Fault};

/// Something that is set on a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// What it is called in answers.
    pub json: &'static str,
    /// What it is called in forms.
    pub form: &'static str,
}

impl Field {
    /// A field by its two names.
    #[must_use]
    pub const fn new(json: &'static str, form: &'static str) -> Self {
        Self { json, form }
    }
}

/// What it is called: put back with the rest when the number is its owner's again.
const NAME: Field = Field::new("friendly_name", "FriendlyName");

const METHOD: &str = "POST";

/// What is set on a number of ours, an empty value for what isn't to be set. A URL that others had set is cleared, even
/// where we have none: calls and messages of ours would go there when nobody answers for us.
pub fn wanted<D: Dialect>(account: &Account<'_>, webhooks: &Webhooks) -> Vec<(Field, String)> {
    let url = |kind| webhooks.url(D::PROVIDER, kind, account);
    let fallback = |kind| webhooks.fallback_url(D::PROVIDER, kind, account).unwrap_or_default();
    let value = |field: &Field| {
        Some(match field.json {
            "voice_url" => url("voice") + D::VOICE_FRAGMENT,
            "voice_fallback_url" => fallback("voice"),
            "status_callback" => url("status"),
            "sms_url" => url("sms"),
            "sms_fallback_url" => fallback("sms"),
            // Without a URL there is nothing that a method is of.
            "voice_fallback_method" | "sms_fallback_method" if webhooks.public_urls.len() < 2 => return None,
            name if name.ends_with("_method") => METHOD.to_owned(),
            // Applications and trunks stand above the URLs.
            _ => String::new(),
        })
    };
    D::FIELDS.iter().filter_map(|field| Some((*field, value(field)?))).collect()
}

/// What of a number isn't as [`wanted`] has it.
pub fn drift<D: Dialect>(account: &Account<'_>, number: &Held, webhooks: &Webhooks) -> Vec<String> {
    let differs = |(field, wanted): &(Field, String)| text(&number.setup, field.json) != wanted;
    let wanted = wanted::<D>(account, webhooks);
    wanted.iter().filter(|field| differs(field)).map(|(field, _)| field.json.to_owned()).collect()
}

/// The form that puts back what stood on a number.
pub fn former<D: Dialect>(setup: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let fields = std::iter::once(&NAME).chain(D::FIELDS).filter(|field| setup.contains_key(field.json));
    let pairs = fields.map(|field| (field, text(setup, field.json)));
    // An empty method is none that the API takes.
    let pairs = pairs.filter(|(field, value)| !value.is_empty() || !field.json.ends_with("_method"));
    pairs.map(|(field, value)| (field.form, value.to_owned())).collect()
}

/// Reads a number.
///
/// # Errors
/// [`Fault::Unclear`] when it isn't one.
pub fn read<D: Dialect>(document: &Map<String, Value>) -> Result<Held, Fault> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Capabilities {
        voice: Option<bool>,
    }
    let id = text(document, "sid");
    if id.is_empty() {
        return Err(Fault::unclear("an answer about a number doesn't say which: it has no sid"));
    }
    let capabilities = document.get("capabilities").map(Capabilities::deserialize);
    let voice = capabilities.and_then(Result::ok).unwrap_or_default().voice;
    let setup = std::iter::once(&NAME).chain(D::FIELDS).filter_map(|field| {
        let value = document.get(field.json)?;
        Some((field.json.to_owned(), value.clone()))
    });
    Ok(Held {
        id: id.to_owned(),
        number: text(document, "phone_number").parse().ok(),
        sip_uri: None,
        name: text(document, NAME.json).to_owned(),
        state: if voice == Some(false) { HeldState::Blocked } else { HeldState::Active },
        setup: setup.collect(),
        agent_id: None,
        is_free: false,
    })
}

/// A field's text; null and absent are empty, as this API writes what isn't set.
fn text<'d>(document: &'d Map<String, Value>, field: &str) -> &'d str {
    document.get(field).and_then(Value::as_str).unwrap_or_default()
}
