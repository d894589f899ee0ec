//! How Vapi shows who it is to a server: static headers, an inline secret, or what the server's credential plans.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::calls::Outgoing;
use crate::secrets::{base64, hex, hmac_sha1, hmac_sha256, hmac_sha512};

/// The headers that go with a request to this server.
pub fn headers(
    server: &Value,
    credential: Option<&Map<String, Value>>,
    request: &Outgoing,
) -> Vec<(String, String)> {
    let fixed = server["headers"].as_object().into_iter().flatten();
    let mut headers: Vec<_> =
        fixed.filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned()))).collect();
    if let Some(secret) = server["secret"].as_str() {
        headers.push(("x-vapi-secret".to_owned(), secret.to_owned()));
    }
    if let Some(plan) = credential.and_then(|credential| credential.get("authenticationPlan")) {
        headers.extend(planned(plan, request, Timestamp::now().as_second()));
    }
    headers
}

fn planned(plan: &Value, request: &Outgoing, now: i64) -> Vec<(String, String)> {
    let text = |field: &str, default: &str| plan[field].as_str().unwrap_or(default).to_owned();
    match plan["type"].as_str() {
        Some("bearer") => {
            let prefix = if plan["bearerPrefixEnabled"] == false { "" } else { "Bearer " };
            let name = text("headerName", "authorization").to_lowercase();
            vec![(name, format!("{prefix}{}", text("token", "")))]
        }
        Some("hmac") => hmac(plan, request, now),
        _ => Vec::new(),
    }
}

fn hmac(plan: &Value, request: &Outgoing, now: i64) -> Vec<(String, String)> {
    let text = |field: &str, default: &str| plan[field].as_str().unwrap_or(default).to_owned();
    let with_time = plan["includeTimestamp"] != false;
    let format = text("payloadFormat", if with_time { "{timestamp}.{body}" } else { "{body}" });
    let url = request.url.split('#').next().unwrap_or_default();
    let (before, after) = format.split_once("{body}").unwrap_or((&format, ""));
    let filled = |part: &str| {
        part.replace("{timestamp}", &now.to_string())
            .replace("{method}", request.method)
            .replace("{url}", url)
    };
    let signed = format!("{}{}{}", filled(before), request.body, filled(after));
    let secret = text("secretKey", "");
    let digest = match plan["algorithm"].as_str() {
        Some("sha1") => hmac_sha1(secret.as_bytes(), signed.as_bytes()),
        Some("sha512") => hmac_sha512(secret.as_bytes(), signed.as_bytes()),
        _ => hmac_sha256(secret.as_bytes(), signed.as_bytes()),
    };
    let encoded = if plan["signatureEncoding"] == "base64" { base64(&digest) } else { hex(&digest) };
    let signature = format!("{}{encoded}", text("signaturePrefix", ""));
    let mut headers = vec![(text("signatureHeader", "x-signature").to_lowercase(), signature)];
    if with_time {
        headers.push((text("timestampHeader", "x-timestamp").to_lowercase(), now.to_string()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_plan_has_its_headers() {
        let request = Outgoing {
            method: "POST",
            url: "https://x.example/s".into(),
            headers: vec![],
            body: "{}".into(),
        };
        let check = |plan: Value, headers: &[(&str, &str)]| {
            let planned = planned(&plan, &request, 7);
            let planned: Vec<_> =
                planned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(planned, headers, "{plan}");
        };
        check(json!({"type": "bearer", "token": "t"}), &[("authorization", "Bearer t")]);
        let plain = json!({"type": "bearer", "token": "t", "headerName": "X-Vapi-Secret", "bearerPrefixEnabled": false});
        check(plain, &[("x-vapi-secret", "t")]);
        let digest = hex(&hmac_sha256(b"k", b"7.{}"));
        let hmac = json!({"type": "hmac", "secretKey": "k", "algorithm": "sha256"});
        check(hmac, &[("x-signature", &digest), ("x-timestamp", "7")]);
        let digest = format!("sha512={}", base64(&hmac_sha512(b"k", b"POST {}")));
        let hmac = json!({"type": "hmac", "secretKey": "k", "algorithm": "sha512", "payloadFormat": "{method} {body}",
            "includeTimestamp": false, "signatureEncoding": "base64", "signaturePrefix": "sha512="});
        check(hmac, &[("x-signature", &digest)]);
        check(json!({"type": "none"}), &[]);
        let server = json!({"headers": {"X-Token": "h"}, "secret": "s"});
        let expected = [("x-token".to_owned(), "h".to_owned()), ("x-vapi-secret".to_owned(), "s".to_owned())];
        assert_eq!(headers(&server, None, &request), expected);
    }
}
