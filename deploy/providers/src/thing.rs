//! What accounts make beside numbers: applications, assistants, credentials, orders, trunks, as JSON objects.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A thing of an account's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thing {
    /// Where.
    pub provider: String,
    /// What it is: `assistant`.
    pub kind: String,
    /// Whose.
    pub account: String,
    /// The provider's name of it.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// From when on the provider is done with it.
    pub ready: Timestamp,
    /// What it says, in the provider's words.
    pub body: Map<String, Value>,
}

impl Thing {
    /// What stands under this name, when it is text that says something.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}
