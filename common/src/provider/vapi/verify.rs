//! The four ways in which Vapi authenticates its requests. Several may be set; any that verifies is enough.
//!
//! Source: <https://docs.vapi.ai/server-url/server-authentication>.

use http::HeaderName;
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::access_token::{Client, TOKEN_S, scheme};
use super::hmac::Signer;
use super::{TOKEN, plan};
use crate::provider::credentials::Credential;
use crate::provider::reply::Rendered;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::secret::Secret;
use crate::time::UnixMillis;

/// An account's plans, prepared.
pub struct Plans {
    bearers: Vec<Bearer>,
    signers: Vec<Signer>,
    clients: Vec<Client>,
}

/// The secret itself in a header.
struct Bearer {
    header: HeaderName,
    prefix: bool,
    token: Secret,
}

impl Plans {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let of_kind =
            |kind: &'static str| credentials.iter().filter(move |credential| credential.kind == kind);
        Self {
            bearers: of_kind(plan::BEARER).filter_map(Bearer::prepare).collect(),
            signers: of_kind(plan::HMAC).filter_map(Signer::prepare).collect(),
            clients: of_kind(plan::OAUTH2).filter_map(Client::prepare).collect(),
        }
    }
}

impl Bearer {
    /// `None` for a plan that can't be read and for an empty token: it is nobody's secret.
    fn prepare(credential: &Credential) -> Option<Self> {
        let plan: plan::Bearer = serde_json::from_str(&credential.id).ok()?;
        let token = credential.value.clone();
        let header = plan.header_name.parse().ok()?;
        (!token.expose().is_empty()).then_some(Self { header, prefix: plan.bearer_prefix_enabled, token })
    }

    fn verify(&self, request: &WebhookRequest<'_>) -> Result<(), VerifyError> {
        let value = request.header(&self.header).ok_or(VerifyError::Missing)?;
        let shown = if self.prefix { scheme(value, "Bearer") } else { Some(value) };
        let shown = shown.ok_or(VerifyError::Mismatch)?;
        let same = shown.as_bytes().ct_eq(self.token.expose());
        if same.into() { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

impl Verifier for Plans {
    fn verify(&self, kind: &Kind, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        if kind.name == TOKEN {
            return any(self.clients.iter().map(|client| client.asks(request)));
        }
        let bearers = self.bearers.iter().map(|bearer| bearer.verify(request));
        let signers = self.signers.iter().map(|signer| signer.verify(request, now));
        let clients = self.clients.iter().map(|client| client.shows_token(request, now.seconds()));
        any(bearers.chain(signers).chain(clients))
    }

    /// The first client's token, whichever asked: each is the account's, and the second is there while the secret
    /// is being changed.
    fn token(&self, now: UnixMillis) -> Option<Rendered> {
        #[derive(Serialize)]
        struct Token {
            access_token: String,
            token_type: &'static str,
            expires_in: i64,
        }
        let access_token = self.clients.first()?.issue(now.seconds());
        Some(Rendered::json(&Token { access_token, token_type: "Bearer", expires_in: TOKEN_S }))
    }
}

/// Whether any verdict is good; else the one that says most: a signature that is right but old, then a wrong one.
fn any(verdicts: impl Iterator<Item = Result<(), VerifyError>>) -> Result<(), VerifyError> {
    let telling = |error: &VerifyError| match error {
        VerifyError::Missing => 0,
        VerifyError::UnknownKey => 1,
        VerifyError::Mismatch => 2,
        VerifyError::Stale { .. } => 3,
    };
    let mut worst = VerifyError::Missing;
    for verdict in verdicts {
        match verdict {
            Ok(()) => return Ok(()),
            Err(error) if telling(&error) > telling(&worst) => worst = error,
            Err(_) => {}
        }
    }
    Err(worst)
}
