//! JSON Web Tokens signed with a shared secret. Sources: RFC 7515, RFC 7519.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mac;

/// The header of a token signed by HS256.
pub const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// A token with this header and these claims, both JSON as it is to stand there. Only a header that says `HS256` is
/// signed; with another one the signature is empty, as a forger leaves it.
#[must_use]
pub fn token(secret: &[u8], header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    if !header.contains("\"HS256\"") {
        return format!("{signed}.");
    }
    let signature = URL_SAFE_NO_PAD.encode(mac::hmac_sha256(secret, &[signed.as_bytes()]));
    format!("{signed}.{signature}")
}

/// Header and claims of a token, as they stand there. `None` when it isn't one.
#[must_use]
pub fn parts(token: &str) -> Option<(String, String)> {
    let mut parts = token.split('.');
    let mut decoded = || String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok();
    Some((decoded()?, decoded()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that jwt.io shows first.
    const EXAMPLE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";

    #[test]
    fn signs_and_reads_the_well_known_token() {
        let claims = r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#;
        assert_eq!(token(b"your-256-bit-secret", HS256, claims), EXAMPLE);
        assert_eq!(parts(EXAMPLE), Some((HS256.into(), claims.into())));
        assert_eq!(parts("no token"), None);
        assert!(token(b"k", r#"{"alg":"none"}"#, "{}").ends_with('.'));
    }
}
