//! JSON Web Tokens signed with HMAC-SHA256, as providers put them into `Authorization`.
//!
//! Written by hand because little of the standard is wanted: one algorithm, whatever the token says of itself. A token
//! that names another one, `none` included, isn't read at all. Sources: RFC 7515, RFC 7519.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::hmac_sha256::Keys;
use super::json_text::Text;

/// No provider's header is nearly as long.
const HEADER_BYTES_MAX: usize = 512;

/// A token taken apart. Nothing of it is proven before [`Token::is_signed_by`].
pub struct Token<'t> {
    signed: &'t str,
    signature: [u8; 32],
    claims: Vec<u8>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Text<'a>,
    crit: Option<IgnoredAny>,
}

impl<'t> Token<'t> {
    /// Takes a token apart; `None` when it isn't one, or not one of HMAC-SHA256.
    pub fn parse(text: &'t str) -> Option<Self> {
        let (signed, signature_text) = text.rsplit_once('.')?;
        let (header_text, claims_text) = signed.split_once('.')?;
        let mut header_bytes = [0; HEADER_BYTES_MAX];
        let length = URL_SAFE_NO_PAD.decode_slice(header_text, &mut header_bytes).ok()?;
        let header: Header<'_> = serde_json::from_slice(&header_bytes[..length]).ok()?;
        if header.alg.0 != "HS256" || header.crit.is_some() {
            return None;
        }
        let mut signature = [0; 33];
        let length = URL_SAFE_NO_PAD.decode_slice(signature_text, &mut signature).ok()?;
        let signature = signature[..length].try_into().ok()?;
        Some(Self { signed, signature, claims: URL_SAFE_NO_PAD.decode(claims_text).ok()? })
    }

    /// Whether one of these keys signed it.
    pub fn is_signed_by(&self, keys: &Keys) -> bool {
        keys.macs(&[self.signed.as_bytes()]).any(|mac| mac.ct_eq(&self.signature).into())
    }

    /// What it says; `None` when that isn't what is wanted. Duplicate claims are refused.
    pub fn claims<'c, T: Deserialize<'c>>(&'c self) -> Option<T> {
        serde_json::from_slice(&self.claims).ok()
    }
}

/// A token of these claims, signed with the first of the keys; `None` when there is none.
pub fn sign(claims: &Value, keys: &Keys) -> Option<String> {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mac = keys.macs(&[signed.as_bytes()]).next()?;
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::credentials::Credential;

    const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CLAIMS: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const HEADER: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";

    /// The example of RFC 7515, A.1.
    fn keys() -> Keys {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let mut credential = Credential::new("k", "");
        credential.value = crate::secret::Secret::new(URL_SAFE_NO_PAD.decode(key).unwrap());
        Keys::of_kind(&[credential], "k")
    }

    #[test]
    fn agrees_with_the_rfc() {
        #[derive(Deserialize)]
        struct Claims<'a> {
            iss: &'a str,
            exp: i64,
        }
        let text = format!("{HEADER}.{CLAIMS}.{SIGNATURE}");
        let token = Token::parse(&text).unwrap();
        assert!(token.is_signed_by(&keys()));
        let claims: Claims<'_> = token.claims().unwrap();
        assert_eq!((claims.iss, claims.exp), ("joe", 1_300_819_380));
        assert!(token.claims::<Vec<u8>>().is_none());
        let other = Keys::of_kind(&[Credential::new("k", "other")], "k");
        assert!(!token.is_signed_by(&other));
        assert!(!token.is_signed_by(&Keys::of_kind(&[], "k")));
    }

    #[test]
    fn what_is_signed_is_read_back() {
        let claims = serde_json::json!({"iss": "joe", "exp": 1_300_819_380});
        let text = sign(&claims, &keys()).unwrap();
        let token = Token::parse(&text).unwrap();
        assert!(token.is_signed_by(&keys()));
        assert_eq!(token.claims::<Value>(), Some(claims.clone()));
        assert_eq!(sign(&claims, &Keys::of_kind(&[], "k")), None);
    }

    #[test]
    fn what_is_no_token_of_this_algorithm_is_not_read() {
        let header = |json: &str| URL_SAFE_NO_PAD.encode(json);
        for text in [
            String::new(),
            "..".to_owned(),
            format!("{HEADER}.{CLAIMS}"),
            format!("{HEADER}.{CLAIMS}."),
            format!("{HEADER}.{CLAIMS}.{SIGNATURE}="),
            format!("{HEADER}.{CLAIMS}.{}", &SIGNATURE[1..]),
            format!("{HEADER}.{CLAIMS}.{SIGNATURE}AA"),
            format!("{HEADER}.{CLAIMS}.{SIGNATURE}.{SIGNATURE}"),
            format!("{HEADER}.a?b.{SIGNATURE}"),
            format!("{CLAIMS}.{CLAIMS}.{SIGNATURE}"),
            format!("{}.{CLAIMS}.{SIGNATURE}", header(r#"{"alg":"none"}"#)),
            format!("{}.{CLAIMS}.{SIGNATURE}", header(r#"{"alg":"HS512"}"#)),
            format!("{}.{CLAIMS}.{SIGNATURE}", header(r#"{"alg":"hs256"}"#)),
            format!("{}.{CLAIMS}.{SIGNATURE}", header(r#"{"alg":7}"#)),
            format!("{}.{CLAIMS}.{SIGNATURE}", header(r#"{"alg":"none","alg":"HS256"}"#)),
            format!("{}.{CLAIMS}.{SIGNATURE}", header(r#"{"alg":"HS256","crit":["b64"]}"#)),
            format!("{}.{CLAIMS}.{SIGNATURE}", header(&format!(r#"{{"alg":"HS256","x":"{:600}"}}"#, ""))),
        ] {
            assert!(Token::parse(&text).is_none(), "{text}");
        }
    }
}
