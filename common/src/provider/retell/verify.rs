//! `X-Retell-Signature`: `v=<Unix milliseconds>,d=<HMAC-SHA256 of body and v>`.
//!
//! The key is an API key; the body comes before the time, with nothing in between. Source:
//! <https://docs.retellai.com/features/secure-webhook>, checked against Retell's Python SDK 6.2.13.

use http::HeaderName;
use subtle::ConstantTimeEq;

use super::credentials::API_KEY;
use crate::provider::credentials::Credential;
use crate::provider::hmac_sha256::Keys;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier, age};
use crate::time::UnixMillis;

static SIGNATURE: HeaderName = HeaderName::from_static("x-retell-signature");

/// How long ago a webhook may be signed, or in the future, in seconds. Inclusive, as in Retell's SDK.
const AGE_MAX_S: i64 = 300;

/// An account's API keys, prepared.
pub struct ApiKeys(Keys);

impl ApiKeys {
    pub fn prepare(credentials: &[Credential]) -> Self {
        Self(Keys::of_kind(credentials, API_KEY))
    }
}

impl Verifier for ApiKeys {
    fn verify(&self, _kind: &Kind, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        let header =
            request.header(&SIGNATURE).filter(|text| !text.is_empty()).ok_or(VerifyError::Missing)?;
        let signature = Signature::parse(header).ok_or(VerifyError::Mismatch)?;
        age::check_millis(signature.at, now, AGE_MAX_S)?;
        let signed = [request.body, signature.at_text.as_bytes()];
        let matches = self.0.signatures(&signed).any(|expected| expected.ct_eq(signature.digest).into());
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// When the request says that it was signed. Nothing is proven by it.
pub fn signed_at(request: &WebhookRequest<'_>) -> Option<UnixMillis> {
    Some(Signature::parse(request.header(&SIGNATURE)?)?.at)
}

/// The header, whose parts have to be these two in this order.
struct Signature<'r> {
    at: UnixMillis,
    at_text: &'r str,
    digest: &'r [u8],
}

impl<'r> Signature<'r> {
    fn parse(header: &'r str) -> Option<Self> {
        let (at_text, digest) = header.strip_prefix("v=")?.split_once(",d=")?;
        let digits = at_text.bytes().all(|byte| byte.is_ascii_digit());
        let at = UnixMillis(at_text.parse().ok().filter(|_| digits)?);
        Some(Self { at, at_text, digest: digest.as_bytes() })
    }
}
