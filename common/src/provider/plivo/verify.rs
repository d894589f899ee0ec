//! `X-Plivo-Signature-V3` over URL, parameters and a nonce; for messages `X-Plivo-Signature-V2` over URL and nonce.
//!
//! Both are base64 of an HMAC-SHA256. The plain header is made with the token of the account or subaccount whose number
//! it is, the header with `-Ma-` with the main account's: a token is tried on its own header only, so that a subaccount
//! can't speak for the main account. Nor is V2, which covers no parameters, taken where a call is decided.
//! Sources: <https://www.plivo.com/docs/voice/concepts/signature-validation>,
//! <https://www.plivo.com/docs/messaging/concepts/signature-validation>, checked against Plivo's Python SDK 4.63.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, Method};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::SMS;
use crate::provider::credentials::Credential;
use crate::provider::form::Form;
use crate::provider::request::{self, VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::time::UnixMillis;

struct Headers {
    signature: HeaderName,
    main_signature: HeaderName,
    nonce: HeaderName,
}

static V3: Headers = Headers {
    signature: HeaderName::from_static("x-plivo-signature-v3"),
    main_signature: HeaderName::from_static("x-plivo-signature-ma-v3"),
    nonce: HeaderName::from_static("x-plivo-signature-v3-nonce"),
};

static V2: Headers = Headers {
    signature: HeaderName::from_static("x-plivo-signature-v2"),
    main_signature: HeaderName::from_static("x-plivo-signature-ma-v2"),
    nonce: HeaderName::from_static("x-plivo-signature-v2-nonce"),
};

/// An account's tokens with their blocks already hashed.
pub struct Keys {
    tokens: Vec<Hmac<Sha256>>,
    main_tokens: Vec<Hmac<Sha256>>,
}

impl Keys {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let of_kind = |kind: &str| {
            let of_kind = credentials.iter().filter(|credential| credential.kind == kind);
            of_kind.filter_map(|credential| keyed(credential.value.expose())).collect()
        };
        Self { tokens: of_kind("auth_token"), main_tokens: of_kind("main_auth_token") }
    }
}

/// An HMAC takes keys of any length, so this is never `None`; an empty key is nobody's secret.
fn keyed(key: &[u8]) -> Option<Hmac<Sha256>> {
    if key.is_empty() { None } else { <Hmac<Sha256> as KeyInit>::new_from_slice(key).ok() }
}

impl Verifier for Keys {
    fn verify(&self, kind: &Kind, request: &WebhookRequest<'_>, _now: UnixMillis) -> Result<(), VerifyError> {
        let headers = if kind.name == SMS { &V2 } else { &V3 };
        let signature = one(request, &headers.signature)?;
        let main_signature = one(request, &headers.main_signature)?;
        let nonce = one(request, &headers.nonce)?.ok_or(VerifyError::Missing)?;
        if signature.is_none() && main_signature.is_none() {
            return Err(VerifyError::Missing);
        }
        let parameters = if kind.name == SMS { String::new() } else { signed_parameters(request)? };
        let text = Text { request, parameters: &parameters, nonce };
        let any = |tokens: &[Hmac<Sha256>], signature: Option<&str>| {
            signature.is_some_and(|signature| tokens.iter().any(|token| text.is_signed(token, signature)))
        };
        let matches = any(&self.tokens, signature) || any(&self.main_tokens, main_signature);
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// The header's value, if it is there. Twice, empty or unprintable is an error.
fn one<'r>(request: &WebhookRequest<'r>, name: &HeaderName) -> Result<Option<&'r str>, VerifyError> {
    if !request.has_header(name) {
        return Ok(None);
    }
    request.header(name).filter(|text| !text.is_empty()).map(Some).ok_or(VerifyError::Missing)
}

/// What is signed: public URL without query, parameters, nonce.
struct Text<'a> {
    request: &'a WebhookRequest<'a>,
    parameters: &'a str,
    nonce: &'a str,
}

impl Text<'_> {
    /// Whether `token` makes one of the signatures, which are separated by commas, for any form of any public URL.
    fn is_signed(&self, token: &Hmac<Sha256>, signatures: &str) -> bool {
        let target = self.request.target;
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        self.request.public_urls.iter().flat_map(|url| url.signed_forms()).any(|url| {
            let mut mac = token.clone();
            for part in [url, path, self.parameters, self.nonce] {
                mac.update(part.as_bytes());
            }
            let mut expected = [0; 44];
            let encoded = STANDARD.encode_slice(mac.finalize().into_bytes(), &mut expected);
            encoded.is_ok()
                && signatures.split(',').any(|signature| expected.ct_eq(signature.as_bytes()).into())
        })
    }
}

/// V3's part between the path and the nonce: the query as `?a=1&b=2`, then the body's parameters as `a1b2` with a dot
/// between, then a dot. A body's parameters have the question mark before them even without a query.
fn signed_parameters(request: &WebhookRequest<'_>) -> Result<String, VerifyError> {
    let none = Form::default();
    let parsed;
    let (query, body) = if request.method == Method::GET {
        (&request.form, &none)
    } else {
        let query = request::query(request.target).as_bytes();
        parsed = Form::parse(query).map_err(|_| VerifyError::Mismatch)?;
        (&parsed, &request.form)
    };
    let mut text = String::with_capacity(request.target.len() + request.body.len() + 3);
    if !query.is_empty() || !body.is_empty() {
        text.push('?');
    }
    query.each_sorted(|name, value| {
        if text.len() > 1 {
            text.push('&');
        }
        text.extend([name, "=", value]);
    });
    if !query.is_empty() && !body.is_empty() {
        text.push('.');
    }
    body.each_sorted(|name, value| text.extend([name, value]));
    text.push('.');
    Ok(text)
}
