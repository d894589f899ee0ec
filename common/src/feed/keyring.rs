//! The feed's keys: what authenticates its messages and seals the secrets in its records.
//!
//! Each setting `FEED_KEY` is a passphrase or, better, random text. The keys in use are derived from it, one for each
//! purpose, with BLAKE3's key derivation: a message can't be taken for a sealed secret, nor the reverse.
//! Secrets are sealed with XChaCha20-Poly1305: its nonce is long enough to be drawn at random for ever.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::secret::Secret;

const KEY_CHARS_MIN: usize = 16;
const NONCE_BYTES: usize = 24;

/// Bytes of a message's authentication code.
pub const MAC_BYTES: usize = 32;

/// A list of keys: the first signs and seals, all verify and open.
pub struct Keyring {
    keys: Vec<DerivedKeys>,
}

struct DerivedKeys {
    mac: [u8; 32],
    cipher: XChaCha20Poly1305,
}

/// Why a list of keys is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No key at all.
    #[error("wanted at least one key")]
    Empty,
    /// A key that can be guessed.
    #[error(
        "key {position} has {chars} characters, wanted at least {KEY_CHARS_MIN} (try: openssl rand -hex 32)"
    )]
    Short {
        /// Which one, from 1.
        position: usize,
        /// Its length.
        chars: usize,
    },
}

/// The sealed bytes were made with another key, for another owner, or were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed with another key or for another owner")]
pub struct OpenError;

impl Keyring {
    /// Reads a comma-separated list. `domain` keeps the keys of different uses apart: the same text given for two
    /// settings still makes unrelated keys.
    ///
    /// # Errors
    /// See [`KeyringError`]; the message never holds a key.
    pub fn parse(domain: &'static str, list: &str) -> Result<Self, KeyringError> {
        let mut keys = Vec::new();
        for (index, text) in list.split(',').map(str::trim).filter(|text| !text.is_empty()).enumerate() {
            let chars = text.chars().count();
            if chars < KEY_CHARS_MIN {
                return Err(KeyringError::Short { position: index + 1, chars });
            }
            keys.push(DerivedKeys::derive(domain, text));
        }
        if keys.is_empty() { Err(KeyringError::Empty) } else { Ok(Self { keys }) }
    }

    /// The keyring of the feed and the snapshot file, from the setting `FEED_KEY`.
    ///
    /// # Errors
    /// As [`Keyring::parse`].
    pub fn feed(list: &str) -> Result<Self, KeyringError> {
        Self::parse("feed", list)
    }

    /// The authentication code of `message`, by the first key.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; MAC_BYTES] {
        *blake3::keyed_hash(&self.keys[0].mac, message).as_bytes()
    }

    /// Whether one of the keys made this authentication code of `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        self.keys.iter().any(|key| {
            let expected = blake3::keyed_hash(&key.mac, message);
            expected.as_bytes().ct_eq(mac).into()
        })
    }

    /// Seals `plain` with the first key, for `owner` only: opening it for another owner fails.
    ///
    /// `nonce` must be random or never used before with this key. Shape: nonce (24 bytes), ciphertext, tag (16).
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], owner: &[u8], plain: &[u8]) -> Vec<u8> {
        let payload = Payload { msg: plain, aad: owner };
        let sealed = self.keys[0].cipher.encrypt(&XNonce::from(nonce), payload);
        // The cipher fails only for messages beyond 256 GiB.
        let sealed = sealed.unwrap_or_default();
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`Keyring::seal`] sealed with any of the keys for the same owner.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<Secret, OpenError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError)?;
        self.keys
            .iter()
            .find_map(|key| {
                key.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: owner }).ok()
            })
            .map(Secret::new)
            .ok_or(OpenError)
    }
}

impl DerivedKeys {
    fn derive(domain: &str, text: &str) -> Self {
        let mut seal = blake3::derive_key(&format!("dialplane 2026-11 {domain} seal"), text.as_bytes());
        let keys = Self {
            mac: blake3::derive_key(&format!("dialplane 2026-11 {domain} mac"), text.as_bytes()),
            cipher: XChaCha20Poly1305::new(&Key::from(seal)),
        };
        seal.zeroize();
        keys
    }
}

impl Drop for DerivedKeys {
    fn drop(&mut self) {
        self.mac.zeroize();
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} keys]", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "the-old-key-0123456789";
    const NEW: &str = "the-new-key-0123456789";

    #[test]
    fn first_key_signs_and_seals_all_verify_and_open() {
        let old = Keyring::feed(OLD).unwrap();
        let both = Keyring::feed(&format!("{NEW}, {OLD}")).unwrap();
        let new = Keyring::feed(NEW).unwrap();
        let mac = old.sign(b"message");
        assert!(both.verify(b"message", &mac));
        assert!(!new.verify(b"message", &mac));
        assert!(!both.verify(b"messagf", &mac));
        assert!(new.verify(b"message", &both.sign(b"message")));
        let sealed = old.seal([7; 24], b"owner", b"token");
        assert_eq!(both.open(b"owner", &sealed).unwrap(), Secret::new("token"));
        assert_eq!(new.open(b"owner", &sealed), Err(OpenError));
    }

    #[test]
    fn opens_only_what_was_sealed_for_the_owner_and_not_changed() {
        let keys = Keyring::feed(OLD).unwrap();
        let sealed = keys.seal([7; 24], b"owner", b"token");
        assert_eq!(keys.open(b"other", &sealed), Err(OpenError));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(keys.open(b"owner", &changed), Err(OpenError));
            assert_eq!(keys.open(b"owner", &sealed[..index]), Err(OpenError));
        }
    }

    #[test]
    fn domains_share_no_key() {
        let feed = Keyring::parse("feed", OLD).unwrap();
        let admin = Keyring::parse("admin", OLD).unwrap();
        assert!(!admin.verify(b"m", &feed.sign(b"m")));
        assert_eq!(admin.open(b"o", &feed.seal([0; 24], b"o", b"x")), Err(OpenError));
    }

    #[test]
    fn refuses_lists_without_a_good_key() {
        assert_eq!(Keyring::feed(" , ").unwrap_err(), KeyringError::Empty);
        let short = Keyring::feed(&format!("{OLD},short")).unwrap_err();
        assert_eq!(short, KeyringError::Short { position: 2, chars: 5 });
        assert!(!short.to_string().contains("short,"));
        assert_eq!(format!("{:?}", Keyring::feed(OLD).unwrap()), "[1 keys]");
    }
}
