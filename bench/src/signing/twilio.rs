//! `X-Twilio-Signature`. Source: <https://www.twilio.com/docs/usage/security>.

use super::mac;

/// Base64 HMAC-SHA1 with the account's token over the URL and the parameters, sorted by name.
#[must_use]
pub fn signature(auth_token: &str, url: &str, parameters: &[(&str, &str)]) -> String {
    mac::base64(&mac::hmac_sha1(auth_token.as_bytes(), &[text(url, parameters).as_bytes()]))
}

/// Base64 HMAC-SHA256 of the same with a shared key, which `X-Twilio-Webhooks-Signature-Settings` names.
#[must_use]
pub fn sha256_signature(shared_key: &str, url: &str, parameters: &[(&str, &str)]) -> String {
    mac::base64(&mac::hmac_sha256(shared_key.as_bytes(), &[text(url, parameters).as_bytes()]))
}

/// What is signed: pairs that are there twice count once.
fn text(url: &str, parameters: &[(&str, &str)]) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let pairs = sorted.iter().flat_map(|(name, value)| [*name, *value]);
    std::iter::once(url).chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_worked_example_of_the_documentation() {
        let parameters = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675310"),
            ("Digits", "1234"),
            ("From", "+14158675310"),
            ("To", "+18005551212"),
        ];
        let url = "https://example.com/myapp.php?foo=1&bar=2";
        assert_eq!(signature("12345", url, &parameters), "L/OH5YylLD5NRKLltdqwSvS0BnU=");
    }
}
