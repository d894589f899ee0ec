//! Numbers that accounts have.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::money::Money;

/// A number at a provider. One that stays at its carrier and is made known to another provider is there twice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Number {
    /// Where.
    pub provider: String,
    /// Whose.
    pub account: String,
    /// The provider's name of it, as requests want it.
    pub id: String,
    /// `+` and its digits; absent for a SIP URI alone.
    pub number: Option<String>,
    /// Its SIP URI, where it has one.
    pub sip_uri: Option<String>,
    /// What its owner calls it.
    pub name: String,
    /// How it came here.
    pub origin: Origin,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What kind it is.
    pub kind: Kind,
    /// What it costs each month.
    pub monthly: Money,
    /// When it came.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// From when on the provider is done with it.
    pub ready: Timestamp,
    /// What is set on it, in the provider's words.
    pub setup: Map<String, Value>,
}

impl Number {
    /// What is set under this name, when it says something.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.setup.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Its digits without `+`; empty when it has none.
    pub fn digits(&self) -> &str {
        self.number.as_deref().unwrap_or_default().trim_start_matches('+')
    }
}

/// How a number came to its account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// For money.
    Bought,
    /// For nothing.
    Free,
    /// It stays at another carrier.
    Imported,
}

/// A kind of number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Of a place.
    Local,
    /// Free for who calls.
    TollFree,
    /// A mobile one.
    Mobile,
}
