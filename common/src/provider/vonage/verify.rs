//! A signed token in `Authorization`, which carries the hash of what was sent; text messages of the older API carry the
//! parameter `sig` instead.
//!
//! Vonage's SDKs check the token and stop there. A token from one call would then sign any other body for as long as it
//! is fresh, so the hash is checked here, and a token without one is refused.
//! Source: <https://developer.vonage.com/en/getting-started/concepts/webhooks>; for a GET the hash is that of the decoded
//! parameters as an object of texts: <https://api.support.vonage.com> article 19033783342876.

use http::Method;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::sms_signature::{AGE_S_MAX, SmsKeys};
use crate::provider::credentials::Credential;
use crate::provider::hmac_sha256::{Keys, hexadecimal};
use crate::provider::json_text::{Text, Texts};
use crate::provider::jwt::Token;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier, age};
use crate::time::{UnixMillis, UnixSeconds};

/// An account's secrets, prepared.
pub struct Account {
    keys: Keys,
    sms_keys: SmsKeys,
    application_id: Option<Vec<u8>>,
}

impl Account {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let application = credentials.iter().find(|credential| credential.kind == "application_id");
        Self {
            keys: Keys::of_kind(credentials, "signature_secret"),
            sms_keys: SmsKeys::prepare(credentials),
            application_id: application.map(|credential| credential.value.expose().to_owned()),
        }
    }

    fn verify_token(&self, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        let token = bearer(request).ok_or(VerifyError::Missing)?;
        let token = Token::parse(token).ok_or(VerifyError::Mismatch)?;
        if !token.is_signed_by(&self.keys) {
            return Err(VerifyError::Mismatch);
        }
        let claims: Claims<'_> = token.claims().ok_or(VerifyError::Mismatch)?;
        age::check_seconds(UnixSeconds(claims.iat), now, AGE_S_MAX)?;
        if let Some(wanted) = &self.application_id {
            let claimed = claims.application_id.map(|Text(id)| id);
            if claimed.is_none_or(|id| !id.as_bytes().eq_ignore_ascii_case(wanted)) {
                return Err(VerifyError::UnknownKey);
            }
        }
        let matches = claims.payload_hash.0.as_bytes().ct_eq(&payload_hash(request));
        if matches.into() { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

impl Verifier for Account {
    fn verify(&self, kind: &Kind, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        if kind.name == "sms" && !request.has_header(&AUTHORIZATION) {
            self.sms_keys.verify(request, now)
        } else {
            self.verify_token(request, now)
        }
    }
}

#[derive(Deserialize)]
struct Claims<'a> {
    iat: i64,
    #[serde(borrow)]
    payload_hash: Text<'a>,
    #[serde(borrow)]
    application_id: Option<Text<'a>>,
}

/// The token in the one `Authorization` header.
pub fn bearer<'r>(request: &'r WebhookRequest<'_>) -> Option<&'r str> {
    let (scheme, token) = request.header(&AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_ascii())
}

fn payload_hash(request: &WebhookRequest<'_>) -> [u8; 64] {
    if request.method != Method::GET {
        return hexadecimal(&Sha256::digest(request.body).into());
    }
    let parameters = Texts(|put: &mut dyn FnMut(&str, &str)| {
        request.form.iter().for_each(|(name, value)| put(name, value));
    });
    // Writing to memory doesn't fail.
    let object = serde_json::to_vec(&parameters).unwrap_or_default();
    hexadecimal(&Sha256::digest(object).into())
}
