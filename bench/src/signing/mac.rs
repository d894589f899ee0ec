//! Message authentication codes and how they are written down.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// HMAC-SHA1 of the parts, one after the other. Source: RFC 2104.
#[must_use]
pub fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    code::<Hmac<Sha1>>(key, parts)
}

/// HMAC-SHA256 of the parts, one after the other. Source: RFC 2104.
#[must_use]
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    code::<Hmac<Sha256>>(key, parts)
}

/// HMAC-SHA512 of the parts, one after the other. Source: RFC 2104.
#[must_use]
pub fn hmac_sha512(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    code::<Hmac<Sha512>>(key, parts)
}

/// HMAC-MD5 of the parts, one after the other. Source: RFC 2104.
#[must_use]
pub fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    code::<Hmac<md5::Md5>>(key, parts)
}

/// SHA-256 of bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// MD5 of bytes.
#[must_use]
pub fn md5(bytes: &[u8]) -> Vec<u8> {
    md5::Md5::digest(bytes).to_vec()
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 with padding. Source: RFC 4648, 4.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Keys have any length, so there always is a code.
fn code<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_test_cases_of_the_standards() {
        let (key, text) = (&b"Jefe"[..], [&b"what do ya want "[..], b"for nothing?"]);
        assert_eq!(hex(&hmac_md5(key, &text)), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(hex(&hmac_sha1(key, &text)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            hex(&hmac_sha256(key, &text)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(
            hex(&hmac_sha512(key, &text)).starts_with("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd6")
        );
        assert_eq!(hex(&md5(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
        assert!(hex(&sha256(b"abc")).starts_with("ba7816bf8f01cfea"));
        assert_eq!(base64(b"fo"), "Zm8=");
    }
}
