//! What a router got to know of calls lately, on the channel `{namespace}:live:changes`.
//!
//! ```text
//! "DPL2" · router 16 · postcard · MAC 32
//! ```
//!
//! A message is lost where nobody listens: the hash beside the channel holds the same.

use uuid::Uuid;

use super::{CallKey, State};
use crate::calls::batch::WriterId;
use crate::feed::keyring::{Keyring, MAC_BYTES};
use crate::feed::message::MessageError;

const MAGIC: &[u8; 4] = b"DPL2";

/// A message tells of no more calls: some 50 KB.
pub const CALLS_MAX: usize = 512;

/// The message's bytes.
#[must_use]
pub fn sign(router: WriterId, calls: &[(CallKey, State)], keys: &Keyring) -> Vec<u8> {
    let mut out = [MAGIC, &router.0.as_bytes()[..], &crate::feed::frame::encode(&calls)].concat();
    let mac = keys.sign(&out);
    out.extend_from_slice(&mac);
    out
}

/// Reads a message: who sent it, and what it says.
///
/// # Errors
/// See [`MessageError`]; never panics on any bytes.
pub fn verify(bytes: &[u8], keys: &Keyring) -> Result<(WriterId, Vec<(CallKey, State)>), MessageError> {
    let (signed, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(MessageError::Malformed)?;
    if !keys.verify(signed, mac) {
        return Err(MessageError::Unsigned);
    }
    let rest = signed.strip_prefix(MAGIC).ok_or(MessageError::Malformed)?;
    let (router, calls) = rest.split_first_chunk::<16>().ok_or(MessageError::Malformed)?;
    let calls = postcard::from_bytes(calls).map_err(|_| MessageError::Malformed)?;
    Ok((WriterId(Uuid::from_bytes(*router)), calls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TenantId;
    use crate::live::{Counted, Ended};
    use crate::time::UnixSeconds;

    #[test]
    fn only_whole_messages_by_our_keys_are_read() {
        let [keys, other] = ["a-feed-key-of-some-length", "another-key-of-some-length"]
            .map(|text| Keyring::feed(text).unwrap());
        let router = WriterId(Uuid::from_u128(1));
        let until = UnixSeconds(1_800_014_400);
        let counted =
            Counted { noted_ms: 1, until, router, tenant: TenantId(Uuid::from_u128(2)), number: None };
        let calls = [
            (CallKey(u128::MAX), State::Counted(counted)),
            (CallKey(9), State::Ended(Ended { until, router })),
        ];
        let bytes = sign(router, &calls, &keys);
        assert_eq!(verify(&bytes, &keys), Ok((router, calls.to_vec())));
        assert_eq!(verify(&bytes, &other), Err(MessageError::Unsigned));
        for index in 0..bytes.len() {
            assert!(verify(&bytes[..index], &keys).is_err());
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(verify(&changed, &keys), Err(MessageError::Unsigned));
        }
        let most = sign(router, &[calls[0]; CALLS_MAX], &keys);
        assert!(most.len() < 64 << 10, "{} bytes", most.len());
    }
}
