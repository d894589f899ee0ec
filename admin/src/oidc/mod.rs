//! JSON Web Tokens of an OIDC issuer, as bearer tokens.
//!
//! [`jws`] reads a token, [`jwk`] holds the issuer's keys and verifies with them, [`issuer`] fetches and keeps them,
//! [`claims`] says who a verified token speaks for. What a token says of its own key (`jwk`, `jku`, `x5c`, `x5u`) is never
//! looked at, and its algorithm only chooses among those that are configured and that the key is for.
//!
//! Written on ring, which the programs have already, rather than with the jsonwebtoken crate. That one (11.1) comes with
//! two backends: aws-lc-rs, a second cryptographic library in C beside ring, and RustCrypto's crates, among them rsa,
//! for which RUSTSEC-2023-0071 names no version that is fixed (2026-09). The advisory is about private keys, and whoever
//! verifies has none; but `deny.toml` has no exceptions, and this would be the first. Without either, what is left of
//! the crate is JSON.

pub mod claims;
pub mod issuer;
pub mod jwk;
pub mod jws;

use std::time::Instant;

use jiff::Timestamp;

pub use claims::Identity;
use claims::{ClaimError, Claims};
use issuer::Issuer;
use jwk::KeySet;
use jws::{Algorithm, Jws};

/// What operators say of the issuer.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Exactly what `iss` says.
    pub issuer: String,
    /// What `aud` has to name.
    pub audience: String,
    /// Where its keys are; absent: where its configuration says.
    pub jwks_url: Option<reqwest::Url>,
    /// The algorithms that are taken.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the tenant.
    pub tenant_claim: String,
    /// The claim that names the role, or several.
    pub role_claim: String,
    /// Whether a token can make somebody an operator.
    pub operators: bool,
}

#[cfg(test)]
impl OidcSettings {
    /// An issuer of tests, whose tokens make nobody an operator.
    pub(crate) fn example() -> Self {
        Self {
            issuer: "https://issuer.example".into(),
            audience: "dialplane".into(),
            jwks_url: None,
            algorithms: Vec::new(),
            tenant_claim: "tenant_id".into(),
            role_claim: "realm.roles".into(),
            operators: false,
        }
    }
}

/// Why a token opens nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It isn't one.
    #[error("the token is malformed")]
    Malformed,
    /// It is signed as nobody here takes it.
    #[error("the token's algorithm isn't taken here")]
    Algorithm,
    /// The issuer has no such key, or it isn't for this algorithm.
    #[error("the token's key isn't known")]
    UnknownKey,
    /// The signature isn't that key's.
    #[error("the token's signature doesn't hold")]
    Signature,
    /// What it says doesn't do.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Nobody knows: the issuer hasn't said its keys for too long.
    #[error("the issuer's keys aren't known: the issuer is away")]
    NoKeys,
}

/// Verifies tokens of one issuer.
pub struct Oidc {
    settings: OidcSettings,
    issuer: Issuer,
}

impl Oidc {
    /// A verifier that has no keys yet.
    #[must_use]
    pub fn new(settings: OidcSettings, http: reqwest::Client) -> Self {
        Self { issuer: Issuer::new(settings.issuer.clone(), settings.jwks_url.clone(), http), settings }
    }

    /// Where the keys come from.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Who this token speaks for.
    ///
    /// # Errors
    /// Why it opens nothing.
    pub async fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let jws = Jws::parse(token).ok_or(TokenError::Malformed)?;
        let algorithm = jws.algorithm().ok_or(TokenError::Algorithm)?;
        if !self.settings.algorithms.contains(&algorithm) {
            return Err(TokenError::Algorithm);
        }
        let held = self.issuer.keys(Instant::now());
        let outcome =
            held.as_ref().map_or(Err(TokenError::NoKeys), |held| verify(&held.keys, &jws, algorithm));
        match outcome {
            // A key that is new, or one of before the first answer: the issuer is asked, rarely.
            Err(TokenError::UnknownKey | TokenError::NoKeys) => {
                let fresh = self.issuer.refreshed(held.as_ref()).await.ok_or(TokenError::NoKeys)?;
                verify(&fresh.keys, &jws, algorithm)?;
            }
            outcome => outcome?,
        }
        let claims = Claims::parse(jws.payload()).ok_or(TokenError::Malformed)?;
        Ok(claims.identity(&self.settings, Timestamp::now())?)
    }
}

fn verify(keys: &KeySet, jws: &Jws<'_>, algorithm: Algorithm) -> Result<(), TokenError> {
    let mut fitting = keys.fitting(jws.key_id(), algorithm).peekable();
    if fitting.peek().is_none() {
        return Err(TokenError::UnknownKey);
    }
    let holds = fitting.any(|key| key.verify(algorithm, jws.signed(), jws.signature()));
    if holds { Ok(()) } else { Err(TokenError::Signature) }
}
