//! How Plivo signs a voice webhook, version 3: HMAC-SHA256 over the URL, the query, the form and a nonce.

use std::fmt::Write;

use crate::secrets::{base64, hmac_sha256};

/// The signature of a POST of a form.
pub fn sign(token: &str, url: &str, form: &[(String, String)], nonce: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut query: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    query.sort();
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut form: Vec<_> = form.iter().collect();
    form.sort();
    let mut text = format!("{base}?{}", query.join("&"));
    if !query.is_empty() {
        text.push('.');
    }
    for (name, value) in form {
        // Writing to a string never fails.
        let _written = write!(text, "{name}{value}");
    }
    let signed = format!("{text}.{nonce}");
    base64(&hmac_sha256(token.as_bytes(), signed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_library_makes_the_same() {
        let body = "CallUUID=6b1c8f2e-0a4d-4c1b-9f3e-2d7a5b8c9e01&CallStatus=ringing&CallerName=15105550198&Direction=inbound&Event=StartApp&From=15105550198&ParentAuthID=MAXXXXXXXXXXXXXXXXXX&SessionStart=2026-11-20+18%3A13%3A42.521992&To=14155550123";
        let form: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let token = "NTBiZGUyMzk3ZGFiOWM4NjViNTYxYTA5ZDFjMTI0";
        let signature =
            sign(token, "https://edge.example.com/v1/plivo/answer", &form, "12345678901234567890");
        assert_eq!(signature, "iqLmWVV2p2mQ6MRExTRZVJjyFckBrXIAM16wS/LZ1LY=");
    }
}
