//! `Jambonz-Signature: t=<seconds>,v1=<HMAC-SHA256 of "t.body", lower-case hexadecimal>`.
//!
//! Several `v1` may be there, of which one has to be right. The time may be 300 s off, either way.
//! Source: jambonz-feature-server 0.9.8, `lib/utils/base-requestor.js`; checked against `@jambonz/sdk` 0.10.

use http::HeaderName;
use subtle::ConstantTimeEq;

use crate::provider::credentials::Credential;
use crate::provider::hmac_sha256::Keys;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier, age};
use crate::time::{UnixMillis, UnixSeconds};

static SIGNATURE: HeaderName = HeaderName::from_static("jambonz-signature");

const AGE_S_MAX: i64 = 300;

/// So that a long header costs no more than a usual one.
const SIGNATURES_MAX: usize = 4;

/// An account's secrets, prepared.
pub struct Account(Keys);

impl Account {
    pub fn prepare(credentials: &[Credential]) -> Self {
        Self(Keys::of_kind(credentials, "webhook_secret"))
    }
}

impl Verifier for Account {
    fn verify(&self, _kind: &Kind, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        let header = request.header(&SIGNATURE).ok_or(VerifyError::Missing)?;
        let (time, signatures) = taken_apart(header).ok_or(VerifyError::Missing)?;
        let signed_at_s: i64 = time.parse().map_err(|_| VerifyError::Mismatch)?;
        let parts = [time.as_bytes(), b".", request.body];
        let is_given = |wanted: [u8; 64]| {
            let mut given = signatures.iter().flatten();
            given.any(|given| wanted.ct_eq(given.as_bytes()).into())
        };
        if !self.0.signatures(&parts).any(is_given) {
            return Err(VerifyError::Mismatch);
        }
        age::check_seconds(UnixSeconds(signed_at_s), now, AGE_S_MAX)
    }
}

/// The time's digits and the first signatures; `None` when either is missing, or the time is there twice.
fn taken_apart(header: &str) -> Option<(&str, [Option<&str>; SIGNATURES_MAX])> {
    let mut time = None;
    let mut signatures = [None; SIGNATURES_MAX];
    let mut free = signatures.iter_mut();
    for part in header.split(',') {
        match part.trim_ascii().split_once('=') {
            Some(("t", digits)) if time.is_none() => time = Some(digits),
            Some(("t", _)) => return None,
            Some(("v1", signature)) => {
                if let Some(slot) = free.next() {
                    *slot = Some(signature);
                }
            }
            _ => {}
        }
    }
    let time = time.filter(|time| !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit()))?;
    signatures[0].is_some().then_some((time, signatures))
}
