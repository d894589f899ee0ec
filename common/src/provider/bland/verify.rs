//! `X-Webhook-Signature`: HMAC-SHA256 of the raw body, in lower-case hexadecimal digits.
//!
//! Nothing says when it was made: a webhook that is sent again is proven again.
//! Source: <https://docs.bland.ai/tutorials/webhook-signing>.

use http::HeaderName;
use subtle::ConstantTimeEq;

use crate::provider::credentials::Credential;
use crate::provider::hmac_sha256::Keys;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::time::UnixMillis;

static SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-signature");

/// An account's secrets, prepared.
pub struct Account(Keys);

impl Account {
    pub fn prepare(credentials: &[Credential]) -> Self {
        Self(Keys::of_kind(credentials, "webhook_secret"))
    }
}

impl Verifier for Account {
    fn verify(
        &self,
        _kind: &Kind,
        request: &WebhookRequest<'_>,
        _now: UnixMillis,
    ) -> Result<(), VerifyError> {
        let given = request.header(&SIGNATURE).filter(|text| !text.is_empty()).ok_or(VerifyError::Missing)?;
        let parts = [request.body];
        let matches = self.0.signatures(&parts).any(|wanted| wanted.ct_eq(given.as_bytes()).into());
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}
