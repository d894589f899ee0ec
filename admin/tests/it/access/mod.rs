//! Who is let in: with keys, with tokens of an issuer, and how often.

pub mod issuer;
mod keys;
mod rates;
pub mod signer;
mod tokens;
