//! Two ways: post-call webhooks are signed, initiation webhooks aren't and carry a secret header instead.
//!
//! `ElevenLabs-Signature: t=<Unix seconds>,v0=<HMAC-SHA256 of t, a full stop and the body>`, keyed with the webhook's whole
//! secret. Source: <https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks>, checked against ElevenLabs's
//! Python SDK 2.78.0. Where that takes the last of several `v0` and the one for JavaScript the first, any will do here.

use http::HeaderName;
use subtle::{Choice, ConstantTimeEq};

use super::INITIATION;
use super::credentials::{INITIATION_HEADER, INITIATION_SECRET, WEBHOOK_SECRET};
use crate::provider::credentials::Credential;
use crate::provider::hmac_sha256::Keys;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier, age};
use crate::secret::Secret;
use crate::time::{UnixMillis, UnixSeconds};

static SIGNATURE: HeaderName = HeaderName::from_static("elevenlabs-signature");

/// Where the initiation webhook's secret stands, unless an account says otherwise.
pub const DEFAULT_HEADER: &str = "x-dialplane-secret";

/// How long ago a webhook may be signed, in seconds, inclusive: as in ElevenLabs's SDKs. They don't limit the future; here
/// it is the same, so that a clock may be wrong and no signature is good for ever.
const AGE_MAX_S: i64 = 1_800;

/// An account's secrets, prepared.
pub struct Secrets {
    webhook: Keys,
    header: HeaderName,
    initiation: Vec<Secret>,
}

impl Secrets {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let of_kind =
            |kind: &'static str| credentials.iter().filter(move |credential| credential.kind == kind);
        let header = of_kind(INITIATION_HEADER).next();
        let header = header.and_then(|header| HeaderName::from_bytes(header.value.expose()).ok());
        let secrets = of_kind(INITIATION_SECRET).map(|secret| secret.value.clone());
        Self {
            webhook: Keys::of_kind(credentials, WEBHOOK_SECRET),
            header: header.unwrap_or(HeaderName::from_static(DEFAULT_HEADER)),
            // An empty one is nobody's secret.
            initiation: secrets.filter(|secret| !secret.expose().is_empty()).collect(),
        }
    }

    fn verify_header(&self, request: &WebhookRequest<'_>) -> Result<(), VerifyError> {
        let shown = request.header(&self.header).ok_or(VerifyError::Missing)?;
        let matches = self.initiation.iter().map(|secret| secret.expose().ct_eq(shown.as_bytes()));
        if any(matches) { Ok(()) } else { Err(VerifyError::Mismatch) }
    }

    fn verify_signature(&self, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        let header =
            request.header(&SIGNATURE).filter(|text| !text.is_empty()).ok_or(VerifyError::Missing)?;
        let at_text = only_time(header).ok_or(VerifyError::Mismatch)?;
        let at_s: i64 = at_text.parse().map_err(|_| VerifyError::Mismatch)?;
        age::check_millis(UnixSeconds(at_s).into(), now, AGE_MAX_S)?;
        let signed = [at_text.as_bytes(), b".", request.body];
        let is_shown = |expected: [u8; 64]| {
            let shown = header.split(',').filter_map(|part| part.strip_prefix("v0="));
            any(shown.map(|shown| expected.ct_eq(shown.as_bytes())))
        };
        if self.webhook.signatures(&signed).any(is_shown) { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

impl Verifier for Secrets {
    fn verify(&self, kind: &Kind, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        if kind.name == INITIATION {
            self.verify_header(request)
        } else {
            self.verify_signature(request, now)
        }
    }
}

/// The digits of the header's one `t`.
fn only_time(header: &str) -> Option<&str> {
    let mut times = header.split(',').filter_map(|part| part.strip_prefix("t="));
    let first = times.next().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    times.next().is_none().then_some(first)
}

/// Looks at all, so that how long it takes doesn't tell which one it is.
fn any(choices: impl Iterator<Item = Choice>) -> bool {
    choices.fold(Choice::from(0), |any, choice| any | choice).into()
}
