//! What seals are made unique with.

use super::StoreError;

/// A nonce to seal with, never drawn before.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn draw() -> Result<[u8; 24], StoreError> {
    let mut nonce = [0; 24];
    getrandom::fill(&mut nonce).map_err(|_| StoreError::Malformed("randomness of the system"))?;
    Ok(nonce)
}
