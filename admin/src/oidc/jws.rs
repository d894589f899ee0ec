//! A signed token in its compact form. Source: RFC 7515, RFC 7518, RFC 8037, RFC 8725.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// Issuers' tokens have one to two KiB. A longer one isn't looked at.
pub const BYTES_MAX: usize = 8 << 10;
const KEY_ID_BYTES_MAX: usize = 512;

/// How a token is signed. Neither `none` nor anything with a shared secret is among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// RSA, PKCS#1 1.5, SHA-256.
    Rs256,
    /// RSA, PKCS#1 1.5, SHA-384.
    Rs384,
    /// RSA, PKCS#1 1.5, SHA-512.
    Rs512,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// RSA, PSS, SHA-384.
    Ps384,
    /// RSA, PSS, SHA-512.
    Ps512,
    /// ECDSA, P-256, SHA-256.
    Es256,
    /// ECDSA, P-384, SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    const ALL: [(&'static str, Self); 9] = [
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];

    /// The algorithm of this name, letter by letter.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, algorithm)| (known == name).then_some(algorithm))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find_map(|(name, known)| (known == self).then_some(name)).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token, taken apart and not believed yet.
pub struct Jws<'a> {
    header: Header,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Whether this is meant to be a token: three parts, the first of which is a JSON object. An API key never is.
#[must_use]
pub fn is_token(text: &str) -> bool {
    text.split('.').count() == 3
        && text
            .split_once('.')
            .and_then(|(header, _)| URL_SAFE_NO_PAD.decode(header).ok())
            .is_some_and(|header| header.trim_ascii_start().starts_with(b"{"))
}

impl<'a> Jws<'a> {
    /// Takes a token apart; `None` when it isn't one, or wants what nobody here understands.
    #[must_use]
    pub fn parse(token: &'a str) -> Option<Self> {
        if token.len() > BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let typ = header.typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        // Other kinds of tokens that the same key signs (a logout's, say) open nothing.
        let is_access =
            typ.is_none_or(|typ| typ.eq_ignore_ascii_case("jwt") || typ.eq_ignore_ascii_case("at+jwt"));
        let is_plain =
            header.crit.is_none() && header.kid.as_ref().is_none_or(|kid| kid.len() <= KEY_ID_BYTES_MAX);
        (is_access && is_plain).then_some(())?;
        Some(Self {
            header,
            signed,
            payload: URL_SAFE_NO_PAD.decode(payload).ok()?,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// What it says that it is signed with; `None` when that is none of ours.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_name(&self.header.alg)
    }

    /// Which of the issuer's keys it says that it is signed with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What the signature covers.
    #[must_use]
    pub const fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    /// The claims.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"), "AAAA")
    }

    #[test]
    fn tokens_are_told_from_keys() {
        assert!(is_token(&token(r#"{"alg":"none"}"#)));
        for key in ["dp_0123456789abcdef", "a.b.c", "operator.key.of-the-tests", "", "..", "eyJ.x"] {
            assert!(!is_token(key), "{key}");
        }
    }

    #[test]
    fn what_is_malformed_or_of_another_kind_is_no_token() {
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(KEY_ID_BYTES_MAX + 1));
        let refused = [
            r#"{"alg":"RS256","crit":["exp"]}"#,
            r#"{"alg":"RS256","crit":[]}"#,
            r#"{"alg":"RS256","typ":"logout+jwt"}"#,
            r#"{"alg":"RS256","alg":"none"}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"kid":"a"}"#,
            "[]",
            &long,
        ];
        for header in refused {
            assert!(Jws::parse(&token(header)).is_none(), "{header}");
        }
        let good = token(r#"{"alg":"RS256","typ":"at+JWT","kid":"a","jku":"https://attacker.example"}"#);
        assert!(Jws::parse(&good).is_some_and(|jws| jws.algorithm() == Some(Algorithm::Rs256)));
        for text in [
            good.replace('.', ""),
            format!("{good}="),
            format!("{good}."),
            format!("{good}!"),
            "a".repeat(BYTES_MAX + 1),
        ] {
            assert!(Jws::parse(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn shared_secrets_and_nothing_are_no_algorithms() {
        for name in ["none", "None", "HS256", "HS384", "HS512", "rs256", "ES512", ""] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
        assert!(Algorithm::ALL.iter().all(|(name, algorithm)| algorithm.name() == *name));
    }
}
