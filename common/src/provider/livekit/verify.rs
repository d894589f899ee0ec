//! A token in `Authorization`, without `Bearer`, which carries the hash of the body.
//!
//! The key that signed it is its `iss`. Other tokens of the same key, such as participants', have no hash, so none of
//! them passes here. Source: `webhook/verifier.go` in <https://github.com/livekit/protocol>; the leeway is that of
//! LiveKit's Python SDK 1.2, with which all is checked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::credentials::PAIR;
use crate::provider::credentials::Credential;
use crate::provider::hmac_sha256::Keys;
use crate::provider::json_text::Text;
use crate::provider::jwt::Token;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::time::UnixMillis;

/// How far clocks may be apart.
const LEEWAY_S: i64 = 60;

/// How long LiveKit's tokens hold, for those that don't say when they begin to.
const LIFE_S: i64 = 300;

/// An account's key pairs, prepared.
pub struct Account {
    pairs: Vec<(String, Keys)>,
}

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Text<'a>,
    exp: i64,
    nbf: Option<i64>,
    #[serde(borrow)]
    sha256: Text<'a>,
}

impl Account {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let pairs = credentials.iter().filter(|credential| credential.kind == PAIR);
        let prepared = |pair: &Credential| (pair.id.clone(), Keys::of_kind(std::slice::from_ref(pair), PAIR));
        Self { pairs: pairs.map(prepared).collect() }
    }
}

impl Verifier for Account {
    fn verify(&self, _kind: &Kind, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        let text =
            request.header(&AUTHORIZATION).filter(|text| !text.is_empty()).ok_or(VerifyError::Missing)?;
        let token = Token::parse(text).ok_or(VerifyError::Mismatch)?;
        let claims: Claims<'_> = token.claims().ok_or(VerifyError::Mismatch)?;
        let pair = self.pairs.iter().find(|(key, _)| *key == claims.iss.0);
        let (_, keys) = pair.ok_or(VerifyError::UnknownKey)?;
        if !token.is_signed_by(keys) {
            return Err(VerifyError::Mismatch);
        }
        check_time(&claims, now)?;
        let matches = claims.sha256.0.as_bytes().ct_eq(&body_hash(request.body));
        if matches.into() { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// That the token holds now, with [`LEEWAY_S`] at both ends.
fn check_time(claims: &Claims<'_>, now: UnixMillis) -> Result<(), VerifyError> {
    let now_s = now.seconds().0;
    let begins_s = claims.nbf.unwrap_or(claims.exp.saturating_sub(LIFE_S));
    let holds = now_s >= begins_s.saturating_sub(LEEWAY_S) && now_s <= claims.exp.saturating_add(LEEWAY_S);
    if holds {
        return Ok(());
    }
    let age_s_max = claims.exp.saturating_sub(begins_s).saturating_add(LEEWAY_S);
    Err(VerifyError::Stale { age_s: now_s.saturating_sub(begins_s), age_s_max })
}

/// In base64: a SHA-256 is 44 characters.
fn body_hash(body: &[u8]) -> [u8; 44] {
    let mut text = [0; 44];
    // There is room for it.
    let _ = STANDARD.encode_slice(Sha256::digest(body), &mut text);
    text
}
