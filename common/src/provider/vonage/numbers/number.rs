//! One number, as Vonage shows it: named by its country and its digits.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::e164::E164;
use crate::provider::vonage::api::{REST, done, request, success};
use crate::rest::numbers::{Held, HeldState, Page};
use crate::rest::{Account, Effect, Exchange, Fault, Request, Step};

/// How many numbers a page has at most.
const PAGE_SIZE: u32 = 100;

/// What names a number in requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Id {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The digits, country code first.
    pub msisdn: String,
}

impl Id {
    /// The name of a number in this country.
    pub fn new(country: &str, number: E164) -> Self {
        Self { country: country.to_owned(), msisdn: number.to_u64().to_string() }
    }

    /// Reads what [`Held::id`] has: `GB:442079460958`.
    pub fn parse(id: &str) -> Result<Self, Fault> {
        let (country, msisdn) =
            id.split_once(':').ok_or_else(|| Fault::gone(format!("{id} names no number of Vonage's")))?;
        Ok(Self { country: country.to_owned(), msisdn: msisdn.to_owned() })
    }

    /// The number without anything that is set on it.
    pub fn bare(&self) -> Held {
        Held {
            id: format!("{}:{}", self.country, self.msisdn),
            number: format!("+{}", self.msisdn).parse().ok(),
            sip_uri: None,
            name: String::new(),
            state: HeldState::Active,
            setup: Map::new(),
            agent_id: None,
            is_free: false,
        }
    }

    /// A change of this number: which, and what is set.
    pub fn change(
        &self,
        account: &Account<'_>,
        operation: &'static str,
        path: &str,
        settings: &[(&str, &str)],
    ) -> Result<Request, Fault> {
        let request = request(account, REST, operation, Method::POST, path)?;
        let name = [("country", &*self.country), ("msisdn", &*self.msisdn)];
        Ok(request.form(name.into_iter().chain(settings.iter().copied())))
    }

    /// [`Id::change`] of what stands on it.
    pub fn update(
        &self,
        account: &Account<'_>,
        operation: &'static str,
        settings: &[(&str, &str)],
    ) -> Result<Exchange<()>, Fault> {
        let request = self.change(account, operation, "/number/update", settings)?;
        Ok(Exchange::last(request.effect(Effect::Repeatable), |reply| done(&reply)))
    }
}

#[derive(Deserialize)]
struct Number {
    country: String,
    msisdn: String,
    #[serde(default)]
    features: Vec<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Number {
    fn held(mut self) -> Held {
        let mut setup = Map::new();
        let mut link = self.rest.remove("app_id").unwrap_or_default();
        match self.rest.get("voiceCallbackType").and_then(Value::as_str) {
            // These win over the application.
            Some("sip" | "tel") => link = Value::Null,
            Some("app") if link.is_null() => {
                link = self.rest.get("voiceCallbackValue").cloned().unwrap_or_default();
            }
            _ => {}
        }
        setup.insert("app_id".to_owned(), link);
        for field in ["moHttpUrl", "voiceCallbackType", "voiceCallbackValue"] {
            setup.extend(self.rest.remove(field).map(|value| (field.to_owned(), value)));
        }
        let takes_calls = self.features.is_empty() || self.features.iter().any(|feature| feature == "VOICE");
        let state = if takes_calls { HeldState::Active } else { HeldState::Blocked };
        Held { setup, state, ..Id { country: self.country, msisdn: self.msisdn }.bare() }
    }
}

/// Numbers of the account. Where there are none, Vonage may leave out both fields.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    count: u32,
    #[serde(default)]
    numbers: Vec<Number>,
}

/// The account's number of this name. The pattern matches what numbers begin with.
pub fn find(
    account: &Account<'_>,
    operation: &'static str,
    id: &Id,
) -> Result<Exchange<Option<Held>>, Fault> {
    let request = request(account, REST, operation, Method::GET, "/account/numbers")?;
    let request = request.query([
        ("country", &*id.country),
        ("pattern", &*id.msisdn),
        ("search_pattern", "0"),
        ("size", "100"),
        ("index", "1"),
    ]);
    let msisdn = id.msisdn.clone();
    Ok(Exchange::last(request, move |reply| {
        let answer: Answer = success(&reply)?.json()?;
        Ok(answer.numbers.into_iter().find(|number| number.msisdn == msisdn).map(Number::held))
    }))
}

/// The account's number of this name, which is wanted.
pub fn get(account: &Account<'_>, operation: &'static str, id: &Id) -> Result<Exchange<Held>, Fault> {
    let missing = Fault::gone(format!("Vonage doesn't hold {} in {}", id.msisdn, id.country));
    Ok(find(account, operation, id)?.then(|found| found.map(Step::Done).ok_or(missing)))
}

/// The numbers from `cursor`, the number of a page, on.
pub fn page(account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
    let index: u32 = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(1);
    let (size, number) = (PAGE_SIZE.to_string(), index.to_string());
    let request = request(account, REST, "vonage.numbers.list", Method::GET, "/account/numbers")?;
    let request = request.query([("size", &*size), ("index", &*number)]);
    Ok(Exchange::last(request, move |reply| {
        let answer: Answer = success(&reply)?.json()?;
        let is_last = answer.numbers.is_empty() || index.saturating_mul(PAGE_SIZE) >= answer.count;
        let next = (!is_last).then(|| index.saturating_add(1).to_string());
        Ok(Page { numbers: answer.numbers.into_iter().map(Number::held).collect(), next })
    }))
}
