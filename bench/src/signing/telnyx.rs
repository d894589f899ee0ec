//! `telnyx-signature-ed25519`. Source: <https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks>.

use ed25519_dalek::{Signer, SigningKey};

use super::mac;

/// Base64 Ed25519 signature of `timestamp|body`; `timestamp` is the text of the header `telnyx-timestamp`, in seconds.
#[must_use]
pub fn signature(seed: &[u8; 32], timestamp: &str, body: &[u8]) -> String {
    signature_of(seed, &[timestamp.as_bytes(), b"|", body].concat())
}

/// Base64 Ed25519 signature of any text.
#[must_use]
pub fn signature_of(seed: &[u8; 32], text: &[u8]) -> String {
    mac::base64(&SigningKey::from_bytes(seed).sign(text).to_bytes())
}

/// The public key that goes with a seed, in base64 as Telnyx's portal shows it.
#[must_use]
pub fn public_key(seed: &[u8; 32]) -> String {
    mac::base64(SigningKey::from_bytes(seed).verifying_key().as_bytes())
}
