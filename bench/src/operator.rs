//! The admin plane's REST API as an operator uses it, and the smallest session.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{self, Response};
use crate::signing::twilio;
use crate::system::OPERATOR_KEY;
use crate::workload::form;

/// Someone who holds a key.
#[derive(Clone, Debug)]
pub struct Operator {
    address: SocketAddr,
    authorization: String,
}

impl Operator {
    /// With the first operator key.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self::with_key(address, OPERATOR_KEY)
    }

    /// With another key.
    #[must_use]
    pub fn with_key(address: SocketAddr, key: &str) -> Self {
        Self { address, authorization: format!("Bearer {key}") }
    }

    /// Sends a request below `/api/v2`; `Value::Null` is no body.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn try_send(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Response> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let mut headers = vec![("Authorization", &*self.authorization)];
        if !body.is_null() {
            headers.push(("Content-Type", "application/json"));
        }
        http::request(self.address, method, &format!("/api/v2{path}"), &headers, text.as_bytes())
    }

    /// Sends a file that is to be taken; the answer's JSON.
    ///
    /// # Errors
    /// When the connection fails or the file is refused.
    pub fn upload(&self, path: &str, file: &[u8]) -> Result<Value, String> {
        let headers = [("Authorization", &*self.authorization)];
        let sent = http::request(self.address, "POST", &format!("/api/v2{path}"), &headers, file);
        let response = sent.map_err(|error| format!("POST {path}: {error}"))?;
        match response.status {
            200..=299 => Ok(serde_json::from_str(&response.body).unwrap_or_default()),
            status => Err(format!("POST {path}: {status} {}", response.body)),
        }
    }

    /// The same.
    ///
    /// # Panics
    /// When the connection fails.
    #[must_use]
    #[expect(clippy::panic, reason = "without the admin plane there is nothing to measure or to test")]
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        self.try_send(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Sends a request that is to succeed; the answer's JSON.
    ///
    /// # Panics
    /// When it doesn't.
    #[must_use]
    pub fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.send(method, path, body);
        assert!(
            matches!(response.status, 200..=299),
            "{method} {path}: {} {}",
            response.status,
            response.body
        );
        serde_json::from_str(&response.body).unwrap_or_default()
    }

    /// A POST that is to succeed; the new thing's id.
    #[must_use]
    pub fn create(&self, path: &str, body: &Value) -> String {
        self.ok("POST", path, body)["id"].as_str().unwrap_or_default().to_owned()
    }
}

/// One salon with one number, as in the smallest session.
#[derive(Clone, Debug)]
pub struct Salon {
    /// Its tenant's id.
    pub tenant: String,
    /// Its Twilio account's id.
    pub account: String,
    /// The account's name at Twilio.
    pub account_sid: String,
    /// What the account's webhooks are signed with.
    pub auth_token: String,
    /// Its agent's id.
    pub agent: String,
    /// Its number's id.
    pub phone: String,
    /// Its number.
    pub number: String,
}

impl Salon {
    /// Creates one whose numbers and names end with `suffix` (0 to 9999), and waits until live routers serve it.
    #[must_use]
    pub fn create(operator: &Operator, suffix: u32) -> Self {
        let tenant =
            operator.create("/tenants", &json!({"name": "Sparkle Nails", "timezone": "America/New_York"}));
        let account_sid = format!("AC{suffix:032x}");
        let auth_token = format!("{:032x}", suffix + 0x00ab_cdef);
        let account = operator.create(
            &format!("/tenants/{tenant}/accounts"),
            &json!({"provider": "twilio", "label": "main",
                    "credentials": {"account_sid": account_sid, "auth_token": auth_token}}),
        );
        let agent = operator.create(
            &format!("/tenants/{tenant}/agents"),
            &json!({"name": "Front desk", "language": "en", "provider": "custom",
                    "target": {"type": "stream", "url": "wss://voice.example/agent"}}),
        );
        let number = format!("+1212555{suffix:04}");
        let phone = operator.create(
            &format!("/tenants/{tenant}/phone-numbers?wait=applied"),
            &json!({"source": "manual", "phone_number": number, "account_id": account, "agent_id": agent,
                    "display_name": "Broadway", "timezone": "America/New_York"}),
        );
        Self { tenant, account, account_sid, auth_token, agent, phone, number }
    }

    /// The path of its number in the API.
    #[must_use]
    pub fn phone_path(&self) -> String {
        format!("/tenants/{}/phone-numbers/{}", self.tenant, self.phone)
    }

    /// The path of its account's webhooks of this kind.
    #[must_use]
    pub fn webhook_path(&self, kind: &str) -> String {
        format!("/webhooks/twilio/{kind}/{}", self.account)
    }

    /// The parameters of a call to its number.
    #[must_use]
    pub fn call<'a>(&'a self, call_sid: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("AccountSid", &*self.account_sid),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", call_sid),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", "+15105550198"),
            ("To", &*self.number),
        ]
    }

    /// A webhook of its account's as bytes for the wire, signed over `base`, the URL by which the router is called.
    #[must_use]
    pub fn webhook(&self, base: &str, kind: &str, parameters: &[(&str, &str)]) -> Vec<u8> {
        let target = self.webhook_path(kind);
        let signature = twilio::signature(&self.auth_token, &format!("{base}{target}"), parameters);
        let host = base.split_once("://").map_or(base, |(_, host)| host);
        let body = form(parameters);
        format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             X-Twilio-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Sends parameters to a router as Twilio does: form-encoded, signed with the account's token over the router's
    /// own address.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn post(
        &self,
        router: SocketAddr,
        target: &str,
        parameters: &[(&str, &str)],
    ) -> std::io::Result<Response> {
        let signature = twilio::signature(&self.auth_token, &format!("http://{router}{target}"), parameters);
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"),
            ("X-Twilio-Signature", &*signature),
        ];
        http::request(router, "POST", target, &headers, form(parameters).as_bytes())
    }

    /// Calls its number: the router's answer.
    ///
    /// # Panics
    /// When the connection fails.
    #[must_use]
    #[expect(clippy::panic, reason = "without the router there is nothing to measure or to test")]
    pub fn ring(&self, router: SocketAddr) -> Response {
        let call = self.call("CA8d2f4b6a0c1e3d5f7a9b8c7d6e5f4a3b");
        self.post(router, &self.webhook_path("voice"), &call).unwrap_or_else(|error| panic!("call: {error}"))
    }
}
