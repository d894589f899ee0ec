//! An issuer's keys. Source: RFC 7517, RFC 7518 section 6, RFC 8037 section 2.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use serde_json::Value;

use super::jws::Algorithm;

/// Issuers have two or three.
const KEYS_MAX: usize = 100;

/// The keys of an issuer that verify signatures.
#[derive(Debug, Default)]
pub struct KeySet(Vec<Key>);

/// A public key.
#[derive(Debug)]
pub struct Key {
    id: Option<String>,
    /// The one algorithm that the issuer says it is for.
    algorithm: Option<String>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct SetDocument {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct KeyDocument {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that aren't for signatures, and those of kinds that nobody here knows, are left out.
    ///
    /// # Errors
    /// What is wrong with the set as a whole.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        let set: SetDocument = serde_json::from_slice(json).map_err(|_| "it isn't a JSON Web Key Set")?;
        if set.keys.len() > KEYS_MAX {
            return Err("it has more than 100 keys");
        }
        let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() { Err("it has no key that verifies signatures") } else { Ok(Self(keys)) }
    }

    /// The keys that a token signed with `algorithm` may be signed with. One that names no key is taken where there is
    /// but one. Source: OpenID Connect Core 1.0, section 10.1.
    pub fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let fits =
            move |key: &&Key| key.is_for(algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id));
        let most = if id.is_none() && self.0.iter().filter(fits).count() > 1 { 0 } else { usize::MAX };
        self.0.iter().filter(fits).take(most)
    }
}

impl Key {
    fn read(document: Value) -> Option<Self> {
        let key: KeyDocument = serde_json::from_value(document).ok()?;
        let is_for_signatures = key.usage.as_deref().is_none_or(|usage| usage == "sig")
            && key.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        is_for_signatures.then_some(())?;
        let part = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let public = match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", _) => Public::Rsa { modulus: number(&part(&key.n)?), exponent: number(&part(&key.e)?) },
            ("EC", Some("P-256")) => Public::P256(point(&part(&key.x)?, &part(&key.y)?, 32)?),
            ("EC", Some("P-384")) => Public::P384(point(&part(&key.x)?, &part(&key.y)?, 48)?),
            ("OKP", Some("Ed25519")) => Public::Ed25519(part(&key.x).filter(|x| x.len() == 32)?),
            _ => return None,
        };
        Some(Self { id: key.kid, algorithm: key.alg, public })
    }

    /// Whether the key's kind, and what the issuer says of it, is for this algorithm.
    fn is_for(&self, algorithm: Algorithm) -> bool {
        let is_its_kind = match &self.public {
            Public::Rsa { .. } => rsa(algorithm).is_some(),
            Public::P256(_) => algorithm == Algorithm::Es256,
            Public::P384(_) => algorithm == Algorithm::Es384,
            Public::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        // Ed25519 also has a name of its own. Source: RFC 9864.
        let is_named =
            |name: &String| name == algorithm.name() || (algorithm == Algorithm::EdDsa && name == "Ed25519");
        is_its_kind && self.algorithm.as_ref().is_none_or(is_named)
    }

    /// Whether this key signed that.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let check = |kind: &'static dyn VerificationAlgorithm, point: &[u8]| {
            UnparsedPublicKey::new(kind, point).verify(signed, signature).is_ok()
        };
        match &self.public {
            Public::Rsa { modulus, exponent } => rsa(algorithm).is_some_and(|parameters| {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, signed, signature).is_ok()
            }),
            Public::P256(point) if algorithm == Algorithm::Es256 => {
                check(&signature::ECDSA_P256_SHA256_FIXED, point)
            }
            Public::P384(point) if algorithm == Algorithm::Es384 => {
                check(&signature::ECDSA_P384_SHA384_FIXED, point)
            }
            Public::Ed25519(point) if algorithm == Algorithm::EdDsa => check(&signature::ED25519, point),
            _ => false,
        }
    }
}

/// Moduli of fewer than 2048 bits are refused by all of these.
fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
    })
}

/// Without the zeros in front, which some issuers send.
fn number(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// An uncompressed point of a curve whose coordinates have so many bytes. Whether it lies on the curve is checked when it
/// is used.
fn point(x: &[u8], y: &[u8], bytes: usize) -> Option<Vec<u8>> {
    (x.len() == bytes && y.len() == bytes).then(|| [&[4], x, y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COORDINATE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn fitting(keys: &str, id: Option<&str>, algorithm: Algorithm) -> usize {
        KeySet::parse(keys.as_bytes()).map_or(0, |keys| keys.fitting(id, algorithm).count())
    }

    #[test]
    fn a_key_is_for_what_its_kind_and_its_issuer_say() {
        let check = |key: &str, algorithm: Algorithm, expected: usize| {
            let set = format!(r#"{{"keys":[{{"kid":"a",{key}}}]}}"#);
            assert_eq!(fitting(&set, Some("a"), algorithm), expected, "{key} {algorithm:?}");
        };
        let rsa = r#""kty":"RSA","n":"AQAB","e":"AQAB""#;
        let p256 = format!(r#""kty":"EC","crv":"P-256","x":"{COORDINATE}","y":"{COORDINATE}""#);
        let edwards = format!(r#""kty":"OKP","crv":"Ed25519","x":"{COORDINATE}""#);
        check(rsa, Algorithm::Rs256, 1);
        check(rsa, Algorithm::Ps512, 1);
        check(rsa, Algorithm::Es256, 0);
        check(&format!(r#"{rsa},"alg":"RS256","use":"sig""#), Algorithm::Rs256, 1);
        check(&format!(r#"{rsa},"alg":"RS256""#), Algorithm::Rs512, 0);
        check(&format!(r#"{rsa},"alg":"HS256""#), Algorithm::Rs256, 0);
        check(&format!(r#"{rsa},"use":"enc""#), Algorithm::Rs256, 0);
        check(&format!(r#"{rsa},"key_ops":["encrypt"]"#), Algorithm::Rs256, 0);
        check(&format!(r#"{rsa},"key_ops":["verify"]"#), Algorithm::Rs256, 1);
        check(&p256, Algorithm::Es256, 1);
        check(&p256, Algorithm::Es384, 0);
        check(&p256, Algorithm::EdDsa, 0);
        check(&p256.replace("P-256", "P-384"), Algorithm::Es384, 0);
        check(&edwards, Algorithm::EdDsa, 1);
        check(&format!(r#"{edwards},"alg":"Ed25519""#), Algorithm::EdDsa, 1);
        check(&edwards.replace("Ed25519", "X25519"), Algorithm::EdDsa, 0);
        check(r#""kty":"oct","k":"AQAB""#, Algorithm::Rs256, 0);
    }

    #[test]
    fn a_token_without_a_key_id_wants_one_key_and_no_choice() {
        let key = |id: &str| format!(r#"{{"kid":"{id}","kty":"RSA","n":"AQAB","e":"AQAB"}}"#);
        let one = format!(r#"{{"keys":[{}]}}"#, key("a"));
        let two = format!(r#"{{"keys":[{},{}]}}"#, key("a"), key("b"));
        assert_eq!(fitting(&one, None, Algorithm::Rs256), 1);
        assert_eq!(fitting(&two, None, Algorithm::Rs256), 0);
        assert_eq!(fitting(&two, Some("b"), Algorithm::Rs256), 1);
        assert_eq!(fitting(&two, Some("c"), Algorithm::Rs256), 0);
    }

    #[test]
    fn sets_that_say_nothing_are_refused() {
        for set in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"RSA"}]}"#, r#"{"keys":[7]}"#] {
            assert!(KeySet::parse(set.as_bytes()).is_err(), "{set}");
        }
        let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; KEYS_MAX + 1].join(","));
        assert!(KeySet::parse(many.as_bytes()).is_err());
    }
}
