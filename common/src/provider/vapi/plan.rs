//! How a server URL's requests are authenticated, with the field names of Vapi's `authenticationPlan`.
//!
//! What isn't secret of a plan travels as its credential's public name, as JSON. Defaults are Vapi's.
//! Source: schemas `BearerAuthenticationPlan`, `HMACAuthenticationPlan` and `OAuth2AuthenticationPlan` of
//! <https://api.vapi.ai/api-json>.

use serde::{Deserialize, Serialize};

use crate::provider::credentials::Credential;
use crate::secret::Secret;

/// The secret itself in a header.
pub const BEARER: &str = "bearer_token";

/// A signature.
pub const HMAC: &str = "hmac_key";

/// A token that Vapi fetches from us; the credential's public name is the client's id.
pub const OAUTH2: &str = "oauth2_client_secret";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bearer {
    pub header_name: String,
    pub bearer_prefix_enabled: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hmac {
    pub algorithm: Algorithm,
    pub signature_header: String,
    pub timestamp_header: String,
    pub signature_prefix: String,
    pub payload_format: String,
    pub message_id_header: Option<String>,
    pub signature_encoding: Encoding,
    pub secret_is_base64: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Hex,
    Base64,
}

impl Bearer {
    /// What Vapi sends for a server's inline `secret`.
    pub fn x_vapi_secret() -> Self {
        Self { header_name: "x-vapi-secret".to_owned(), bearer_prefix_enabled: false }
    }
}

/// The credential of a plan.
pub fn credential(kind: &str, plan: &impl Serialize, secret: &str) -> Credential {
    // Writing to memory fails for maps whose keys aren't text only, and no plan has one.
    let id = serde_json::to_string(plan).unwrap_or_default();
    Credential { kind: kind.to_owned(), id, value: Secret::new(secret) }
}
