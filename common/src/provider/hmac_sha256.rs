//! HMAC-SHA256 signatures, as they are and in hexadecimal, with keys prepared beforehand.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::credentials::Credential;

/// An account's secrets of one kind, with their blocks already hashed.
pub struct Keys(Vec<Hmac<Sha256>>);

impl Keys {
    /// The credentials of this kind. An empty one is nobody's secret and left out.
    pub fn of_kind(credentials: &[Credential], kind: &str) -> Self {
        let keyed = |credential: &Credential| {
            let key = credential.value.expose();
            // An HMAC takes keys of any length.
            if key.is_empty() { None } else { Hmac::new_from_slice(key).ok() }
        };
        Self(credentials.iter().filter(|credential| credential.kind == kind).filter_map(keyed).collect())
    }

    /// The signature of `parts`, one after the other, by each key: lower-case hexadecimal digits.
    pub fn signatures<'k>(&'k self, parts: &'k [&[u8]]) -> impl Iterator<Item = [u8; 64]> {
        self.macs(parts).map(|mac| hexadecimal(&mac))
    }

    /// The signature of `parts`, one after the other, by each key: bytes.
    pub fn macs<'k>(&'k self, parts: &'k [&[u8]]) -> impl Iterator<Item = [u8; 32]> {
        self.0.iter().map(|key| {
            let mut mac = key.clone();
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().into()
        })
    }
}

/// Lower-case hexadecimal digits.
pub fn hexadecimal(bytes: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    /// The second test case of RFC 4231.
    #[test]
    fn agrees_with_the_rfc() {
        let credentials =
            [("k", "Jefe"), ("k", ""), ("other", "x")].map(|(kind, key)| Credential::new(kind, key));
        let keys = Keys::of_kind(&credentials, "k");
        let signatures: Vec<_> = keys.signatures(&[b"what do ya want ", b"for nothing?"]).collect();
        let expected = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signatures, [*expected]);
    }
}
