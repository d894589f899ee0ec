//! HTTP Basic: Bandwidth signs nothing, and shows the user name and password that its application was given.
//!
//! Sources: RFC 7617; RFC 9110, 11.1 (the scheme's case) and 11.4 (the blanks behind it);
//! <https://dev.bandwidth.com/docs/account/applications>. Checked against Bandwidth's Python SDK 23.3.
//!
//! What follows a step is asked by a verb of our document, and a verb's request shows only what the verb itself carries.
//! Putting the password into each document would send the secret back and forth with every call, for a proof that is
//! there already: the state in the URL was sealed by us, for this call and this account, and whoever has it was sent our
//! document. So a request of that kind is let through here with a state, whichever, and opening the state is what
//! proves it. Nothing else may be read from such a request: see [`super::parse`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use super::parse::state;
use crate::provider::credentials::Credential;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{AFTER, Kind, Verifier};
use crate::secret::Secret;
use crate::time::UnixMillis;

/// A credential of a user name and a password.
pub const BASIC: &str = "basic";

/// An account's user names and passwords, as they stand in the header: base64 of both with a colon between.
pub struct Passwords(Vec<Secret>);

impl Passwords {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let basic = credentials.iter().filter(|credential| credential.kind == BASIC);
        Self(basic.filter_map(encoded).collect())
    }
}

/// `None` when there is nothing secret, or where the user name would end elsewhere.
fn encoded(credential: &Credential) -> Option<Secret> {
    let (username, password) = (credential.id.as_bytes(), credential.value.expose());
    if password.is_empty() || username.contains(&b':') {
        return None;
    }
    let both = Secret::new([username, b":", password].concat());
    Some(Secret::new(STANDARD.encode(both.expose())))
}

impl Verifier for Passwords {
    fn verify(&self, kind: &Kind, request: &WebhookRequest<'_>, _now: UnixMillis) -> Result<(), VerifyError> {
        if kind.name == AFTER {
            return state(request).map(drop).ok_or(VerifyError::Missing);
        }
        let shown = request.header(&AUTHORIZATION).and_then(basic).ok_or(VerifyError::Missing)?;
        let matches = self.0.iter().any(|known| known.expose().ct_eq(shown.as_bytes()).into());
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// What stands behind the scheme; `None` for another scheme.
fn basic(value: &str) -> Option<&str> {
    let (scheme, shown) = value.split_once(' ')?;
    let shown = shown.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case(BASIC) && !shown.is_empty()).then_some(shown)
}
