//! HMAC-SHA1 signatures, as Twilio and SignalWire make them, with keys prepared beforehand.
//!
//! Hashing is most of what a webhook costs, and each step of it waits for the one before. So the blocks to be hashed
//! are laid out first and then hashed in one go, straight from the text where they can be, and a key is the two states
//! that RFC 2104 starts from.

use sha1::block_api::compress;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::public_url::PublicUrl;

/// A block of SHA-1 in bytes.
const BLOCK: usize = 64;

/// How many bytes may stand before the text without being hashed apart from it: most URLs.
const HEAD: usize = 4 * BLOCK;

/// What SHA-1 begins with (FIPS 180-4, 5.3.1).
const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// A secret, hashed as far as it can be before there is a text.
#[derive(Clone)]
pub struct Key {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl Key {
    /// `None`: an empty key is nobody's secret.
    pub fn new(secret: &[u8]) -> Option<Self> {
        if secret.is_empty() {
            return None;
        }
        let mut block = [0; BLOCK];
        if secret.len() <= BLOCK {
            block[..secret.len()].copy_from_slice(secret);
        } else {
            block[..20].copy_from_slice(&Sha1::digest(secret));
        }
        let state = |pad: u8| {
            let mut state = INITIAL;
            compress(&mut state, &[block.map(|byte| byte ^ pad)]);
            state
        };
        Some(Self { inner: state(0x36), outer: state(0x5c) })
    }

    /// The codes of a request to `target`, by each form of each of these URLs, and a text behind it.
    pub fn codes<'a>(
        &'a self,
        urls: &'a [PublicUrl],
        target: &'a str,
        text: &'a [u8],
    ) -> impl Iterator<Item = [u8; 20]> {
        let forms = urls.iter().flat_map(PublicUrl::signed_forms);
        forms.map(move |url| self.code(url.as_bytes(), target.as_bytes(), text))
    }

    /// The code of a URL's two parts and a text, one after the other.
    fn code(&self, origin: &[u8], target: &[u8], text: &[u8]) -> [u8; 20] {
        let before = origin.len() + target.len();
        if before > HEAD {
            let mut joined = Vec::with_capacity(before + text.len());
            joined.extend([origin, target, text].into_iter().flatten());
            return self.code(&[], &[], &joined);
        }
        let mut head = [0; HEAD];
        head[..origin.len()].copy_from_slice(origin);
        head[origin.len()..before].copy_from_slice(target);
        let head_end = before.next_multiple_of(BLOCK);
        let (filling, text) = text.split_at(text.len().min(head_end - before));
        let filled = before + filling.len();
        head[before..filled].copy_from_slice(filling);
        let (blocks, rest) = text.as_chunks();

        // What is left over, a bit, zeros, and the length in bits with the key's block in it. A head that isn't full is
        // left over too: then there are no blocks.
        let rest = if filled < head_end { &head[head_end - BLOCK..filled] } else { rest };
        let head_end = if filled < head_end { head_end - BLOCK } else { head_end };
        let mut tail = [0; 2 * BLOCK];
        tail[..rest.len()].copy_from_slice(rest);
        tail[rest.len()] = 0x80;
        let tail_end = (rest.len() + 9).next_multiple_of(BLOCK);
        let length = BLOCK + before + filling.len() + text.len();
        tail[tail_end - 8..tail_end].copy_from_slice(&(8 * length as u64).to_be_bytes());

        let mut state = self.inner;
        compress(&mut state, head[..head_end].as_chunks().0);
        compress(&mut state, blocks);
        compress(&mut state, tail[..tail_end].as_chunks().0);
        self.finish(state)
    }

    /// The code from the inner hash.
    fn finish(&self, inner: [u32; 5]) -> [u8; 20] {
        let mut block = [0; BLOCK];
        block[..20].copy_from_slice(inner.map(u32::to_be_bytes).as_flattened());
        block[20] = 0x80;
        block[BLOCK - 8..].copy_from_slice(&(8 * (BLOCK as u64 + 20)).to_be_bytes());
        let mut state = self.outer;
        compress(&mut state, &[block]);
        let mut code = [0; 20];
        code.copy_from_slice(state.map(u32::to_be_bytes).as_flattened());
        code
    }
}

/// A code as it stands in a header, in base64. No step depends on what the code is.
pub fn base64(code: &[u8; 20]) -> [u8; 28] {
    let mut bytes = [0; 21];
    bytes[..20].copy_from_slice(code);
    let mut digits = [0; 28];
    for (four, three) in digits.as_chunks_mut::<4>().0.iter_mut().zip(bytes.as_chunks::<3>().0) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        *four = [18, 12, 6, 0].map(|shift| (bits >> shift) as u8 & 63);
    }
    // A to Z, a to z, 0 to 9, plus and slash: how far one is from the next where the alphabet jumps.
    let mut text = digits.map(|digit| {
        let from = |first: u8, jump: u8| u8::from(digit >= first).wrapping_mul(jump);
        let jumps = [from(26, 6), from(52, 181), from(62, 241), from(63, 3)];
        jumps.into_iter().fold(digit + b'A', u8::wrapping_add)
    });
    text[27] = b'=';
    text
}

/// Whether two texts are the same, in a time that only their length tells.
pub fn same<const N: usize>(expected: &[u8; N], given: &[u8]) -> bool {
    let Ok(given) = <&[u8; N]>::try_from(given) else { return false };
    let difference = expected.iter().zip(given).fold(0, |all, (one, other)| all | (one ^ other));
    difference.ct_eq(&0).into()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hmac::{Hmac, KeyInit, Mac};

    use super::*;

    /// The second and the sixth test case of RFC 2202.
    #[test]
    fn agrees_with_the_rfc() {
        let check = |secret: &[u8], text: &[u8], expected: &str| {
            let code = Key::new(secret).unwrap().code(b"", b"", text);
            let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(code, expected);
        };
        check(b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        check(&[0xaa; 80], text, "aa4ae5e15272d00e95705637ce8a3b55ed402112");
        assert!(Key::new(b"").is_none());
    }

    #[test]
    fn every_digit_is_as_in_a_header() {
        for first in 0..=255_u8 {
            let code = std::array::from_fn(|index| first.wrapping_mul(7).wrapping_add(index as u8 * 11));
            let text = base64(&code);
            assert_eq!(str::from_utf8(&text).unwrap(), STANDARD.encode(code));
            assert!(same(&text, &text) && !same(&text, &text[1..]));
            let mut other = text;
            other[usize::from(first) % 28] ^= 1;
            assert!(!same(&text, &other));
        }
    }

    #[test]
    fn agrees_with_another_at_any_length_of_each_part() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for secret in [1, 20, 63, 64, 65, 200] {
            let key = Key::new(&bytes[..secret]).unwrap();
            let other: Hmac<Sha1> = Hmac::new_from_slice(&bytes[..secret]).unwrap();
            for before in (0..HEAD + 70).step_by(7) {
                for length in (0..140).step_by(3).chain([1000]) {
                    let (origin, target) = bytes[..before].split_at(before / 3);
                    let text = &bytes[..length];
                    let parts = [origin, target, text];
                    let expected = other.clone().chain_update(parts.concat()).finalize().into_bytes();
                    assert_eq!(key.code(origin, target, text)[..], expected[..], "{before} {length}");
                }
            }
        }
    }
}
