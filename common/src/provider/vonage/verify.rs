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

use super::sms_signature::SmsKeys;
use crate::provider::credentials::Credential;
use crate::provider::hmac_sha256::{Keys, hexadecimal};
use crate::provider::json_text::{Text, Texts};
use crate::provider::jwt::Token;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::time::UnixMillis;

/// How old a token, or a message's `timestamp`, may be, either way. Vonage leaves it to the receiver.
pub const AGE_S_MAX: i64 = 300;

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
        check_age(claims.iat, now)?;
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
        if kind.name == "sms" && !request.headers.contains_key(AUTHORIZATION) {
            self.sms_keys.verify(request, now)
        } else {
            self.verify_token(request, now)
        }
    }
}

/// That something was signed at most [`AGE_S_MAX`] ago, and not further in the future.
pub fn check_age(signed_at_s: i64, now: UnixMillis) -> Result<(), VerifyError> {
    let age_s = now.seconds().0.saturating_sub(signed_at_s);
    if (-AGE_S_MAX..=AGE_S_MAX).contains(&age_s) {
        Ok(())
    } else {
        Err(VerifyError::Stale { age_s, age_s_max: AGE_S_MAX })
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
