//! `Idempotency-Key`: what a client says so that a POST which it repeats happens once.
//!
//! The key's row is the first that the transaction writes, and commits with all the rest. Two requests at once wait for
//! each other on its unique index: the second finds the first's answer, or does the work if the first was refused, as
//! that wrote nothing.

use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use sha2::{Digest, Sha256};

use super::error::Problem;

/// The request's header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const KEY_CHARS_MAX: usize = 255;

/// A key, and what it was sent with.
#[derive(Debug)]
pub struct Idempotency {
    key: String,
    /// Method, path and query.
    head: Sha256,
    body: BodyHash,
}

/// The body's SHA-256, told by whoever reads the body. What isn't read counts as empty.
#[derive(Clone, Debug, Default)]
pub struct BodyHash(Arc<OnceLock<[u8; 32]>>);

impl BodyHash {
    /// Tells it; the first to do so counts.
    pub fn set(&self, body: &[u8]) {
        let _ = self.0.set(Sha256::digest(body).into());
    }
}

impl Idempotency {
    /// The key of a request, and a [`BodyHash`] among its extensions, for whoever reads its body.
    ///
    /// # Errors
    /// `invalid_idempotency_key`.
    pub fn of(parts: &mut Parts, path: &str) -> Result<Option<Self>, Problem> {
        let mut given = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(key) = given.next() else { return Ok(None) };
        let key = key.to_str().unwrap_or_default();
        let is_key =
            (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_key || given.next().is_some() {
            let detail = "Idempotency-Key: wanted one, of 1 to 255 visible ASCII characters without blanks";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail));
        }
        let key = key.to_owned();
        let head = [parts.method.as_str(), path, parts.uri.query().unwrap_or_default()];
        // None of them can hold a line break.
        let head = Sha256::new_with_prefix(head.join("\n"));
        let body = BodyHash::default();
        parts.extensions.insert(body.clone());
        Ok(Some(Self { key, head, body }))
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The SHA-256 of all that the key was sent with. Only once the body has been read.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let body = self.body.0.get().copied().unwrap_or_else(|| Sha256::digest(b"").into());
        self.head.clone().chain_update("\n").chain_update(body).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn idempotency(method: &str, path: &str, keys: &[&str]) -> Result<Option<Idempotency>, Problem> {
        let mut request = Request::builder().method(method).uri(path);
        for key in keys {
            request = request.header(IDEMPOTENCY_KEY, *key);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let path = parts.uri.path().to_owned();
        Idempotency::of(&mut parts, &path)
    }

    #[test]
    fn all_of_the_request_counts() {
        let fingerprint = |method: &str, path: &str, body: &str| {
            let idempotency = idempotency(method, path, &["k"]).unwrap().unwrap();
            idempotency.body.set(body.as_bytes());
            idempotency.fingerprint()
        };
        let first = fingerprint("POST", "/a?b=c", "{}");
        assert_eq!(fingerprint("POST", "/a?b=c", "{}"), first);
        for (method, path, body) in [
            ("PUT", "/a?b=c", "{}"),
            ("POST", "/b?b=c", "{}"),
            ("POST", "/a?b=d", "{}"),
            ("POST", "/a?b=c", ""),
        ] {
            assert_ne!(fingerprint(method, path, body), first, "{method} {path} {body}");
        }
    }

    #[test]
    fn refuses_keys_that_are_none() {
        assert!(idempotency("POST", "/", &[]).unwrap().is_none());
        for keys in [&[""][..], &["a b"], &["ä"], &["a", "b"], &[&"a".repeat(256)]] {
            assert_eq!(
                idempotency("POST", "/", keys).unwrap_err().code(),
                "invalid_idempotency_key",
                "{keys:?}"
            );
        }
        assert_eq!(idempotency("POST", "/", &[&"a".repeat(255)]).unwrap().unwrap().key().len(), 255);
    }
}
