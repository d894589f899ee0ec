//! How Twilio, and SignalWire, sign a webhook: HMAC-SHA1 over the URL and the form's names and values.

use crate::secrets::{base64, hmac_sha1};

/// The signature of a form that is posted to a URL; without a body, the form is empty.
///
/// The fragment isn't signed. Names are sorted, the values of one name as well, and equal ones count once.
pub fn sign(secret: &str, url: &str, form: &[(String, String)]) -> String {
    let mut text = url.split('#').next().unwrap_or_default().to_owned();
    let mut pairs: Vec<_> = form.iter().collect();
    pairs.sort();
    pairs.dedup();
    for (name, value) in pairs {
        text.push_str(name);
        text.push_str(value);
    }
    base64(&hmac_sha1(secret.as_bytes(), text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(secret: &str, url: &str, body: &str, signature: &str) {
        let form: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        assert_eq!(sign(secret, url, &form), signature, "{url}");
    }

    #[test]
    fn the_documented_check_values() {
        check(
            "12345",
            "https://example.com/myapp.php?foo=1&bar=2#rc=2",
            "CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234&From=%2B14158675310&To=%2B18005551212",
            "L/OH5YylLD5NRKLltdqwSvS0BnU=",
        );
        // SignalWire's own, of its validator's tests.
        check(
            "PSK_V3bF8oyeRNpJWGoRWHNYQMUU",
            "http://0aac-189-71-169-171.ngrok-free.app/voice",
            "AccountSid=6bfbbe86-a901-4197-8759-2a0de1fa319d&ApiVersion=2010-04-01&CallbackSource=call-progress-events&CallSid=0703574f-b151-465d-aedb-28972eb513c7&CallStatus=busy&Direction=outbound-api&From=sip%3A%2B17063958228%40sip.swire.io&HangupBy=sip%3Ajpsantos%40joaosantos-2a0de1fa319d.sip.swire.io&HangupDirection=inbound&Timestamp=Thu%2C+09+Nov+2023+17%3A05%3A04+%2B0000&To=sip%3Ajpsantos%40joaosantos-2a0de1fa319d.sip.swire.io&SipResultCode=486",
            "lf3nWPmUr2y6jSeeoMW4mg58vgI=",
        );
    }
}
