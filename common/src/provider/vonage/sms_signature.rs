//! The parameter `sig` of text messages that the older SMS API sends.
//!
//! Each other parameter is written as `&name=value`, by name in ascending order, with `&` and `=` in values as `_`. The
//! text and the secret are hashed in the way that the account is set to; the hexadecimal digits come in either case.
//! Source: <https://developer.vonage.com/en/getting-started/concepts/signing-messages>, checked against Vonage's
//! Python SDK (vonage-http-client 1.5).

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use md5::Md5;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::provider::age;
use crate::provider::credentials::Credential;
use crate::provider::json_text::Text;
use crate::provider::request::{Content, VerifyError, WebhookRequest};
use crate::secret::Secret;
use crate::time::{UnixMillis, UnixSeconds};

/// How old a token, or a message's `timestamp`, may be, either way. Vonage leaves it to the receiver.
pub const AGE_S_MAX: i64 = 300;

/// How an account may be set to sign; the first is Vonage's default.
pub const METHODS: [&str; 5] = ["md5hash", "md5", "sha1", "sha256", "sha512"];

/// An account's secrets, prepared for the way in which it signs text messages.
pub struct SmsKeys(Vec<SmsKey>);

enum SmsKey {
    Md5Hash(Secret),
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl SmsKeys {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let method = credentials.iter().find(|credential| credential.kind == "sms_signature_method");
        let method = method.map_or(METHODS[0].as_bytes(), |credential| credential.value.expose());
        let secrets = credentials.iter().filter(|credential| credential.kind == "signature_secret");
        let key = |credential: &Credential| {
            let secret = credential.value.expose();
            if secret.is_empty() {
                return None;
            }
            Some(match method {
                b"md5" => SmsKey::Md5(Hmac::new_from_slice(secret).ok()?),
                b"sha1" => SmsKey::Sha1(Hmac::new_from_slice(secret).ok()?),
                b"sha256" => SmsKey::Sha256(Hmac::new_from_slice(secret).ok()?),
                b"sha512" => SmsKey::Sha512(Hmac::new_from_slice(secret).ok()?),
                _ => SmsKey::Md5Hash(credential.value.clone()),
            })
        };
        Self(secrets.filter_map(key).collect())
    }

    pub fn verify(&self, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        let parameters = Parameters::of(request).ok_or(VerifyError::Mismatch)?;
        let signature = parameters.get("sig").ok_or(VerifyError::Missing)?;
        let signature = Signature::parse(signature).ok_or(VerifyError::Mismatch)?;
        let text = parameters.signed_text();
        if !self.0.iter().any(|key| key.signs(text.as_bytes(), signature.bytes())) {
            return Err(VerifyError::Mismatch);
        }
        let signed_at_s = parameters.get("timestamp").and_then(|text| text.parse().ok());
        age::check_seconds(UnixSeconds(signed_at_s.ok_or(VerifyError::Mismatch)?), now, AGE_S_MAX)
    }
}

impl SmsKey {
    fn signs(&self, text: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Md5Hash(secret) => {
                let hash = Md5::new_with_prefix(text).chain_update(secret.expose()).finalize();
                hash.as_slice().ct_eq(signature).into()
            }
            Self::Md5(key) => is_mac(key, text, signature),
            Self::Sha1(key) => is_mac(key, text, signature),
            Self::Sha256(key) => is_mac(key, text, signature),
            Self::Sha512(key) => is_mac(key, text, signature),
        }
    }
}

/// In constant time.
fn is_mac<M: Mac + Clone>(key: &M, text: &[u8], signature: &[u8]) -> bool {
    let mut mac = key.clone();
    mac.update(text);
    mac.verify_slice(signature).is_ok()
}

/// A signature's bytes, at most a SHA-512's.
struct Signature {
    bytes: [u8; 64],
    length: usize,
}

impl Signature {
    fn parse(hexadecimal: &str) -> Option<Self> {
        let digits = hexadecimal.as_bytes();
        let length = digits.len() / 2;
        let mut bytes = [0; 64];
        let room = bytes.get_mut(..length).filter(|_| digits.len().is_multiple_of(2))?;
        for (byte, pair) in room.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
        }
        Some(Self { bytes, length })
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A message's parameters, by name in ascending order, no name twice.
struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// `None` when a name is there twice, or the body is no flat object.
    fn of(request: &'a WebhookRequest<'_>) -> Option<Self> {
        let mut all = if request.method != Method::GET && request.content == Content::Json {
            request.json::<Flat<'a>>().ok()?.0
        } else {
            let borrowed = |(name, value): (&'a str, &'a str)| (name.into(), value.into());
            request.form.iter().map(borrowed).collect()
        };
        all.sort_unstable();
        let twice = all.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!twice).then_some(Self(all))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn signed_text(&self) -> String {
        let mut text = String::with_capacity(512);
        for (name, value) in self.0.iter().filter(|(name, _)| name != "sig") {
            text.extend(["&", name, "="]);
            text.extend(value.chars().map(|c| if matches!(c, '&' | '=') { '_' } else { c }));
        }
        text
    }
}

/// An object of texts and numbers.
struct Flat<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Flat<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(Cow<'de, str>, Cow<'de, str>)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts and numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(16);
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    let value = match value.get() {
                        text if text.starts_with('"') => {
                            serde_json::from_str::<Text<'de>>(text).map_err(A::Error::custom)?.0
                        }
                        nested if nested.starts_with(['{', '[']) => {
                            return Err(A::Error::custom("wanted texts and numbers"));
                        }
                        number => Cow::Borrowed(number),
                    };
                    entries.push((name, value));
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Entries).map(Flat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::signed;
    use http::HeaderMap;

    /// Signatures of `a=1&timestamp=100&x=b_c` with the secret `s`: the first by the rule in this file's head, the
    /// others by Vonage's Python SDK.
    const SIGNED: [(&str, &str); 5] = [
        ("md5hash", "85033f258ac63965aee9393b72184af6"),
        ("md5", "ff3c67e2e1298580808021ef17257c1c"),
        ("sha1", "2eb9af6f9bbabb5bf54ebee4e244ef4c109a3b44"),
        ("sha256", "d8c57f11810176323f50770ea3e75726d7d3d345f47d3ac6cff991cfce47b431"),
        (
            "sha512",
            "4459e1aa6b9e480122660099b7618e10a3838b6351095638f1382f70afa5e9a2a3820a9511fb146e02429fa2bd0c6dd35cc70be6a004e6a1066708952a08ca73",
        ),
    ];

    fn verdict(method: &str, secret: &str, query: &str, now_s: i64) -> Result<(), VerifyError> {
        let credentials =
            [Credential::new("signature_secret", secret), Credential::new("sms_signature_method", method)];
        let keys = SmsKeys::prepare(&credentials);
        let (target, headers) = (format!("/?{query}"), HeaderMap::new());
        let request = WebhookRequest::new(&Method::GET, &target, &headers, b"", &[]).unwrap();
        keys.verify(&request, UnixMillis(now_s * 1000))
    }

    #[test]
    fn each_method_is_known() {
        for (method, signature) in SIGNED {
            let query = format!("x=b%26c&timestamp=100&a=1&sig={signature}");
            assert_eq!(verdict(method, "s", &query, 100), Ok(()), "{method}");
            let mismatch = Err(VerifyError::Mismatch);
            assert_eq!(verdict(method, "t", &query, 100), mismatch, "{method}");
            assert_eq!(verdict(method, "", &query, 100), mismatch, "{method}");
            assert_eq!(verdict(method, "s", &query.replace("a=1", "a=2"), 100), mismatch, "{method}");
            assert_eq!(verdict(method, "s", &format!("{query}&x=b%26c"), 100), mismatch, "{method}");
            assert_eq!(verdict(method, "s", &format!("{query}00"), 100), mismatch, "{method}");
            assert_eq!(verdict(method, "s", &format!("{query}z"), 100), mismatch, "{method}");
            for (other, _) in SIGNED.iter().filter(|(other, _)| *other != method) {
                assert_eq!(verdict(other, "s", &query, 100), mismatch, "{method} {other}");
            }
        }
    }

    #[test]
    fn what_is_not_set_is_vonages_default() {
        let keys = SmsKeys::prepare(&[Credential::new("signature_secret", "s")]);
        assert!(matches!(&keys.0[..], [SmsKey::Md5Hash(_)]));
    }

    #[test]
    fn messages_are_fresh_for_five_minutes() {
        let query = format!("x=b%26c&timestamp=100&a=1&sig={}", SIGNED[3].1);
        for (now_s, age_s) in [(400, None), (401, Some(301)), (-200, None), (-201, Some(-301))] {
            let expected = age_s.map_or(Ok(()), |age_s| Err(VerifyError::Stale { age_s, age_s_max: 300 }));
            assert_eq!(verdict("sha256", "s", &query, now_s), expected);
        }
    }

    #[test]
    fn without_a_signature_it_is_missing() {
        assert_eq!(verdict("sha256", "s", "timestamp=100", 100), Err(VerifyError::Missing));
        assert_eq!(verdict("sha256", "s", "timestamp=100&sig=", 100), Err(VerifyError::Mismatch));
        let keys = SmsKeys::prepare(&[Credential::new("signature_secret", "s")]);
        for body in [r#"{"a":"1"}"#, "{}"] {
            let verdict = signed::with_json(body.as_bytes(), |request| keys.verify(request, UnixMillis(0)));
            assert_eq!(verdict, Err(VerifyError::Missing), "{body}");
        }
        for body in [r#"{"sig":{}}"#, r#"{"sig":"00","sig":"00"}"#, "[]", r#"{"sig":"00","a":[1]}"#] {
            let verdict = signed::with_json(body.as_bytes(), |request| keys.verify(request, UnixMillis(0)));
            assert_eq!(verdict, Err(VerifyError::Mismatch), "{body}");
        }
    }
}
