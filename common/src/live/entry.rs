//! A call in the hash `{namespace}:live`.
//!
//! ```text
//! "DPL1" · key u128, big-endian · postcard · MAC 32
//! ```
//!
//! The MAC, by `FEED_KEY`, covers all before it, the call's key included: who can write to Redis can neither make up calls
//! nor put one in another's place.

use super::{CallKey, Counted};
use crate::feed::keyring::{Keyring, MAC_BYTES};
use crate::feed::message::MessageError;

const MAGIC: &[u8; 4] = b"DPL1";

/// The entry's bytes.
#[must_use]
pub fn sign(key: CallKey, call: &Counted, keys: &Keyring) -> Vec<u8> {
    let mut out = [MAGIC, &key.to_bytes()[..], &crate::feed::frame::encode(call)].concat();
    let mac = keys.sign(&out);
    out.extend_from_slice(&mac);
    out
}

/// Reads the entry of the field `field`.
///
/// # Errors
/// See [`MessageError`]; never panics on any bytes.
pub fn verify(field: &[u8], bytes: &[u8], keys: &Keyring) -> Result<(CallKey, Counted), MessageError> {
    let (signed, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(MessageError::Malformed)?;
    if !keys.verify(signed, mac) {
        return Err(MessageError::Unsigned);
    }
    let rest = signed.strip_prefix(MAGIC).ok_or(MessageError::Malformed)?;
    let (key, fields) = rest.split_first_chunk::<16>().ok_or(MessageError::Malformed)?;
    if field != key {
        return Err(MessageError::Malformed);
    }
    let call = postcard::from_bytes(fields).map_err(|_| MessageError::Malformed)?;
    Ok((CallKey(u128::from_be_bytes(*key)), call))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::batch::WriterId;
    use crate::ids::{PhoneNumberId, TenantId};
    use crate::time::UnixSeconds;
    use uuid::Uuid;

    #[test]
    fn only_whole_entries_by_our_keys_in_their_own_place_are_read() {
        let [keys, other] = ["a-feed-key-of-some-length", "another-key-of-some-length"]
            .map(|text| Keyring::feed(text).unwrap());
        let call = Counted {
            noted_ms: 1_800_000_000_123,
            until: UnixSeconds(1_800_014_400),
            router: WriterId(Uuid::from_u128(1)),
            tenant: TenantId(Uuid::from_u128(2)),
            number: Some(PhoneNumberId(Uuid::from_u128(3))),
        };
        let (key, elsewhere) = (CallKey(7), CallKey(8).to_bytes());
        let bytes = sign(key, &call, &keys);
        assert_eq!(verify(&key.to_bytes(), &bytes, &keys), Ok((key, call)));
        assert_eq!(verify(&elsewhere, &bytes, &keys), Err(MessageError::Malformed));
        assert_eq!(verify(&key.to_bytes(), &bytes, &other), Err(MessageError::Unsigned));
        for index in 0..bytes.len() {
            assert!(verify(&key.to_bytes(), &bytes[..index], &keys).is_err());
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(verify(&key.to_bytes(), &changed, &keys), Err(MessageError::Unsigned));
        }
    }
}
