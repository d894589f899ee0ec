//! The tokens of accounts whose requests are authenticated by OAuth 2.0: we issue them and know them again.
//!
//! A token is the second it was issued in and an HMAC over it with the client's secret, so that any router knows it
//! again and none has to remember it. Source: RFC 6749, 4.4 (client credentials) and 2.3.1 (how a client says who it
//! is).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::header::AUTHORIZATION;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::provider::credentials::Credential;
use crate::provider::form::Form;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::time::UnixSeconds;

/// How long a token is good for, in seconds.
pub const TOKEN_S: i64 = 3600;

/// How far the clocks of two routers may differ, in seconds.
const CLOCKS_S: i64 = 300;

/// What the tokens' HMAC covers besides, so that it is worth nothing elsewhere.
const PURPOSE: &[u8] = b"dialplane vapi access token 1\n";

/// A client, prepared.
pub struct Client {
    id: String,
    secret: crate::secret::Secret,
    key: Hmac<Sha256>,
}

impl Client {
    /// `None` for an empty id or secret: they are nobody's.
    pub fn prepare(credential: &Credential) -> Option<Self> {
        let secret = credential.value.expose();
        if secret.is_empty() || credential.id.is_empty() {
            return None;
        }
        let mut key = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).ok()?;
        key.update(PURPOSE);
        key.update(credential.id.as_bytes());
        key.update(b"\n");
        Some(Self { id: credential.id.clone(), secret: credential.value.clone(), key })
    }

    /// A new token.
    pub fn issue(&self, now: UnixSeconds) -> String {
        self.token(&now.0.to_string())
    }

    fn token(&self, issued: &str) -> String {
        let mut mac = self.key.clone();
        mac.update(issued.as_bytes());
        format!("{issued}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    /// Whether the request shows one of this client's tokens.
    pub fn shows_token(&self, request: &WebhookRequest<'_>, now: UnixSeconds) -> Result<(), VerifyError> {
        let header = request.header(&AUTHORIZATION).ok_or(VerifyError::Missing)?;
        let shown = scheme(header, "Bearer").ok_or(VerifyError::Mismatch)?;
        let (issued, _) = shown.split_once('.').ok_or(VerifyError::Mismatch)?;
        let issued_s: i64 = issued.parse().map_err(|_| VerifyError::Mismatch)?;
        if !bool::from(self.token(issued).as_bytes().ct_eq(shown.as_bytes())) {
            return Err(VerifyError::Mismatch);
        }
        let age_s = now.0.saturating_sub(issued_s);
        if (-CLOCKS_S..=TOKEN_S + CLOCKS_S).contains(&age_s) {
            Ok(())
        } else {
            Err(VerifyError::Stale { age_s, age_s_max: TOKEN_S })
        }
    }

    /// Whether the request for a token comes from this client: it says id and secret in its body or by HTTP Basic.
    pub fn asks(&self, request: &WebhookRequest<'_>) -> Result<(), VerifyError> {
        let is = |id: &str, secret: &str| {
            let same = id.as_bytes().ct_eq(self.id.as_bytes());
            bool::from(same & secret.as_bytes().ct_eq(self.secret.expose()))
        };
        let matches = if request.has_header(&AUTHORIZATION) {
            let header = request.header(&AUTHORIZATION).ok_or(VerifyError::Missing)?;
            let pair = scheme(header, "Basic").and_then(|text| STANDARD.decode(text).ok());
            let pair = pair.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(VerifyError::Mismatch)?;
            let (id, secret) = pair.split_once(':').ok_or(VerifyError::Mismatch)?;
            // The RFC wants both encoded as in a form; many clients send them as they are.
            let decoded = || Some(is(&form_decoded(id)?, &form_decoded(secret)?));
            is(id, secret) || decoded().unwrap_or(false)
        } else {
            if ["client_id", "client_secret"].into_iter().any(|name| request.form.is_ambiguous(name)) {
                return Err(VerifyError::Missing);
            }
            let value = |name| request.form.get(name).ok_or(VerifyError::Missing);
            is(value("client_id")?, value("client_secret")?)
        };
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// What stands behind an authentication scheme, whose name may be in any case.
pub fn scheme<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let (scheme, rest) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then(|| rest.trim_start_matches(' '))
}

fn form_decoded(text: &str) -> Option<String> {
    Form::parse(format!("v={text}").as_bytes()).ok()?.get("v").map(str::to_owned)
}
