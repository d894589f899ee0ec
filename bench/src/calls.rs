//! Signed Twilio calls for random numbers of a workload: a complete voice webhook with its 25 parameters.

use crate::signing::twilio;
use crate::workload;

/// The Twilio account's name, which webhooks claim.
pub const ACCOUNT_SID: &str = "AC5f0c2f1e8d7b4a6c9e3d2b1a0f9e8d7c";
/// What its webhooks are signed with.
pub const AUTH_TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// Where the provider reaches the router.
pub const PUBLIC_URL: &str = "https://calls.example.com";

/// A webhook that tells of a call.
pub struct Call {
    /// The called number.
    pub to: String,
    /// The form.
    pub body: String,
    /// `X-Twilio-Signature`.
    pub signature: String,
}

/// The path that it goes to.
#[must_use]
pub fn target() -> String {
    format!("/webhooks/twilio/voice/{}", workload::ACCOUNT)
}

/// A call to a number: the signature of its webhook, and its form.
#[must_use]
pub fn signed(call_sid: &str, to: &str) -> (String, String) {
    let parameters = workload::voice_parameters(ACCOUNT_SID, call_sid, to);
    let signature = twilio::signature(AUTH_TOKEN, &format!("{PUBLIC_URL}{}", target()), &parameters);
    (signature, workload::form(&parameters))
}

/// A webhook as bytes for the wire, with the headers that Twilio sends.
#[must_use]
pub fn request(signature: &str, body: &str) -> Vec<u8> {
    let (target, length) = (target(), body.len());
    format!(
        "POST {target} HTTP/1.1\r\nHost: calls.example.com\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n\
         Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nX-Twilio-Signature: {signature}\r\n\
         I-Twilio-Idempotency-Token: 9f0c2b5e-9e51-4f4e-9b6e-55c58dd1d8a7\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// So many calls to random ones of so many numbers, always the same.
pub fn calls(count: u64, numbers: u64) -> impl Iterator<Item = Call> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count).map_while(move |index| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let to = workload::number((random >> 20) % numbers)?.to_string();
        let (signature, body) = signed(&format!("CA{index:032x}"), &to);
        Some(Call { to, body, signature })
    })
}

impl Call {
    /// The bytes for the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        request(&self.signature, &self.body)
    }
}
