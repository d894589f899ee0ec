//! Bodies that a provider doesn't send, for the providers' tests.

use std::path::Path;

use serde_json::Value;

/// A body that isn't this provider's, and its media type.
pub struct Body {
    pub from: String,
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// What other providers send, by the requests in their folders.
pub fn of_others(provider: &str) -> Vec<Body> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider");
    let folders = std::fs::read_dir(here).unwrap().map(|entry| entry.unwrap().path());
    let mut bodies = Vec::new();
    for folder in folders.filter(|folder| folder.is_dir() && !folder.ends_with(provider)) {
        let Ok(json) = std::fs::read_to_string(folder.join("fixtures/signed.json")) else { continue };
        let file: Value = serde_json::from_str(&json).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            bodies.push(Body {
                from: format!("{} {}", folder.display(), vector["name"]),
                content_type: text(&vector["headers"]["Content-Type"]),
                bytes: text(&vector["body"]).into_bytes(),
            });
        }
    }
    assert!(!bodies.is_empty());
    bodies
}

/// Malformed, deep and large bodies.
pub fn malformed(content_type: &str) -> Vec<Body> {
    let bodies: [&[u8]; 8] = [b"", b"{", b"[", b"null", b"[]", b"{}", b"\"text\"", b"=&=&%00=\xc3\xa9"];
    let mut all: Vec<Vec<u8>> = bodies.map(<[u8]>::to_vec).into();
    all.push(vec![b'['; 1 << 20]);
    all.push(b"{\"a\":".repeat(1 << 18));
    let body = |bytes: Vec<u8>| Body {
        from: String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).into_owned(),
        content_type: content_type.to_owned(),
        bytes,
    };
    all.into_iter().map(body).collect()
}

/// Calls `check` with `count` bodies that differ from `body` in some bytes, the same ones each time.
pub fn mutations(body: &[u8], count: usize, mut check: impl FnMut(&[u8])) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below.max(1) as u64) as usize
    };
    for _ in 0..count {
        let mut bytes = body.to_vec();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), next(256) as u8),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ if at < bytes.len() => bytes[at] = next(256) as u8,
                _ => {}
            }
        }
        check(&bytes);
    }
}
