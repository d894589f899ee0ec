//! Signatures: an HMAC over a text that the plan's `payloadFormat` builds from the request.
//!
//! Vapi documents neither the unit of the timestamp nor how old it may be: seconds and milliseconds are both read, and
//! 300 s either way allowed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::plan::{self, Algorithm, Encoding};
use crate::provider::age;
use crate::provider::credentials::Credential;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::time::UnixMillis;

/// How old a signature may be, in seconds, and how far in the future.
pub const AGE_MAX_S: i64 = 300;

/// Timestamps from here on count milliseconds: as seconds it is the year 5138, as milliseconds March 1973.
const MILLIS_FROM: i64 = 100_000_000_000;

/// A plan, prepared.
pub struct Signer {
    key: Key,
    format: Vec<Part>,
    signature: HeaderName,
    timestamp: HeaderName,
    message_id: Option<HeaderName>,
    prefix: String,
    encoding: Encoding,
}

/// Keyed HMACs with their blocks already hashed.
enum Key {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

/// One part of the text that is signed.
enum Part {
    Literal(String),
    Field(Field),
}

/// A part of the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Body,
    Timestamp,
    Method,
    Url,
    MessageId,
}

const PLACEHOLDERS: [(&str, Field); 5] = [
    ("{body}", Field::Body),
    ("{timestamp}", Field::Timestamp),
    ("{method}", Field::Method),
    ("{url}", Field::Url),
    ("{svix-id}", Field::MessageId),
];

/// The parts of the text that aren't the same for all requests.
struct Facts<'r> {
    timestamp: &'r str,
    message_id: &'r str,
}

impl Signer {
    /// `None` for a plan that can't be read and for an empty key: it is nobody's secret.
    pub fn prepare(credential: &Credential) -> Option<Self> {
        let plan: plan::Hmac = serde_json::from_str(&credential.id).ok()?;
        let secret = credential.value.expose();
        let decoded = if plan.secret_is_base64 { Some(STANDARD.decode(secret).ok()?) } else { None };
        let key = decoded.as_deref().unwrap_or(secret);
        if key.is_empty() {
            return None;
        }
        Some(Self {
            key: match plan.algorithm {
                Algorithm::Sha1 => Key::Sha1(KeyInit::new_from_slice(key).ok()?),
                Algorithm::Sha256 => Key::Sha256(KeyInit::new_from_slice(key).ok()?),
                Algorithm::Sha512 => Key::Sha512(KeyInit::new_from_slice(key).ok()?),
            },
            format: parts(&plan.payload_format),
            signature: plan.signature_header.parse().ok()?,
            timestamp: plan.timestamp_header.parse().ok()?,
            message_id: plan.message_id_header.map(|name| name.parse()).transpose().ok()?,
            prefix: plan.signature_prefix,
            encoding: plan.signature_encoding,
        })
    }

    /// Whether the request carries this plan's signature, made lately.
    pub fn verify(&self, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        let signature = request.header(&self.signature).ok_or(VerifyError::Missing)?;

        let facts = Facts {
            timestamp: match self.has(Field::Timestamp) {
                true => request.header(&self.timestamp).ok_or(VerifyError::Missing)?,
                false => "",
            },
            message_id: match (self.has(Field::MessageId), &self.message_id) {
                (true, Some(name)) => request.header(name).ok_or(VerifyError::Missing)?,
                (true, None) => return Err(VerifyError::Missing),
                (false, _) => "",
            },
        };
        let digest = signature.strip_prefix(self.prefix.as_str()).ok_or(VerifyError::Mismatch)?;
        let matches = match &self.key {
            Key::Sha1(key) => self.signs(key, request, &facts, digest),
            Key::Sha256(key) => self.signs(key, request, &facts, digest),
            Key::Sha512(key) => self.signs(key, request, &facts, digest),
        };
        if !matches {
            return Err(VerifyError::Mismatch);
        }
        if self.has(Field::Timestamp) { fresh(facts.timestamp, now) } else { Ok(()) }
    }

    fn has(&self, wanted: Field) -> bool {
        self.format.iter().any(|part| matches!(part, Part::Field(field) if *field == wanted))
    }

    /// Whether `key` makes this digest for any form of any public URL, where the URL is signed at all.
    fn signs<M: Mac + Clone>(
        &self,
        key: &M,
        request: &WebhookRequest<'_>,
        facts: &Facts<'_>,
        digest: &str,
    ) -> bool {
        let signs = |origin: &str| {
            let mut mac = key.clone();
            for part in &self.format {
                match part {
                    Part::Literal(text) => mac.update(text.as_bytes()),
                    Part::Field(Field::Body) => mac.update(request.body),
                    Part::Field(Field::Timestamp) => mac.update(facts.timestamp.as_bytes()),
                    Part::Field(Field::Method) => mac.update(request.method.as_str().as_bytes()),
                    Part::Field(Field::Url) => {
                        mac.update(origin.as_bytes());
                        mac.update(request.target.as_bytes());
                    }
                    Part::Field(Field::MessageId) => mac.update(facts.message_id.as_bytes()),
                }
            }
            // The longest is SHA-512 in hexadecimal.
            let mut expected = [0; 128];
            let length = encode(&mac.finalize().into_bytes(), self.encoding, &mut expected);
            expected[..length].ct_eq(digest.as_bytes()).into()
        };
        if self.has(Field::Url) {
            request.public_urls.iter().flat_map(|url| url.signed_forms()).any(|origin| signs(origin))
        } else {
            signs("")
        }
    }
}

/// Writes a digest into `text`, and says how long it is there.
fn encode(digest: &[u8], encoding: Encoding, text: &mut [u8; 128]) -> usize {
    match encoding {
        Encoding::Base64 => STANDARD.encode_slice(digest, text).unwrap_or_default(),
        Encoding::Hex => {
            for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
                pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            digest.len() * 2
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn fresh(timestamp: &str, now: UnixMillis) -> Result<(), VerifyError> {
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(VerifyError::Mismatch)?;
    let millis = if number < MILLIS_FROM { number * 1000 } else { number };
    age::check_millis(UnixMillis(millis), now, AGE_MAX_S)
}

/// Cuts a `payloadFormat` at its placeholders. Other braces stand for themselves.
fn parts(format: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = format;
    loop {
        let next = PLACEHOLDERS
            .iter()
            .filter_map(|(text, field)| rest.find(text).map(|at| (at, text.len(), *field)))
            .min_by_key(|(at, ..)| *at);
        let literal = next.map_or(rest, |(at, ..)| &rest[..at]);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        let Some((at, length, field)) = next else { return parts };
        parts.push(Part::Field(field));
        rest = &rest[at + length..];
    }
}
