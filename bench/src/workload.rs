//! Routing data of any size and requests about it, the same for the same size.

use dialplane_common::e164::E164;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::{
    AccountRecord, AgentRecord, AgentTarget, NumberRecord, Record, SignaturePolicy, TenantRecord,
};
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use dialplane_common::provider::credentials::Credential;
use uuid::Uuid;

/// The first number of a generated workload, `+12000000000`; the others follow it.
pub const FIRST_NUMBER: u64 = 12_000_000_000;

/// How many numbers a generated tenant has.
pub const NUMBERS_PER_TENANT: u64 = 10;

/// The account that all generated numbers are bound to: the platform's own.
pub const ACCOUNT: AccountId = AccountId(Uuid::from_u128(0x0190_c5a4_7b1e_7000_8000_0000_0000_0001));

/// The number at a place of a generated workload. `None` beyond E.164.
#[must_use]
pub fn number(index: u64) -> Option<E164> {
    E164::from_u64(FIRST_NUMBER.checked_add(index)?)
}

/// One location: a line of a CSV file, or generated.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
pub struct Location {
    /// Its number.
    pub number: E164,
    /// Where its agent listens.
    pub stream_url: String,
    /// Its agent's name.
    pub agent: String,
    /// Its tenant's name.
    pub tenant: String,
}

/// Generates the location at a place.
#[must_use]
pub fn location(index: u64) -> Option<Location> {
    let tenant = index / NUMBERS_PER_TENANT;
    Some(Location {
        number: number(index)?,
        stream_url: format!("wss://voice.example.com/agents/{tenant}"),
        agent: "Front desk".into(),
        tenant: format!("Tenant {tenant}"),
    })
}

/// A stable id for a name, so that the same names make the same snapshot.
fn id(kind: &str, name: &str) -> Uuid {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, kind, name).hash(&mut hasher);
        hasher.finish()
    };
    uuid::Builder::from_custom_bytes(((u128::from(half(0)) << 64) | u128::from(half(1))).to_be_bytes())
        .into_uuid()
}

impl Location {
    /// Its tenant's id.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        TenantId(id("tenant", &self.tenant))
    }

    /// Its agent's id.
    #[must_use]
    pub fn agent_id(&self) -> AgentId {
        AgentId(id("agent", &format!("{}\u{0}{}\u{0}{}", self.tenant, self.agent, self.stream_url)))
    }

    /// Its tenant.
    #[must_use]
    pub fn tenant_record(&self) -> Record {
        let record = TenantRecord::new(&self.tenant, "America/New_York");
        Record::Tenant(self.tenant_id(), record)
    }

    /// Its agent.
    #[must_use]
    pub fn agent_record(&self) -> Record {
        let target = AgentTarget::Stream { url: self.stream_url.clone() };
        let record = AgentRecord::new(self.tenant_id(), &self.agent, target);
        Record::Agent(self.agent_id(), record)
    }

    /// Itself, bound to an account.
    #[must_use]
    pub fn number_record(&self, account: AccountId) -> Record {
        let id = PhoneNumberId(id("number", &self.number.to_string()));
        let record = NumberRecord {
            agent_id: Some(self.agent_id()),
            bindings: vec![account.into()],
            ..NumberRecord::new(id, self.tenant_id())
        };
        Record::Number(self.number, record)
    }
}

/// The platform's Twilio account, its token sealed with the feed's key.
#[must_use]
pub fn account_record(id: AccountId, account_sid: &str, auth_token: &str, keys: &Keyring) -> Record {
    let token = Credential::new("auth_token", auth_token);
    let plain = postcard::to_stdvec([token].as_slice()).unwrap_or_default();
    // One snapshot holds one such secret, and each run draws another nonce.
    let nonce: [u8; 24] = std::array::from_fn(|index| Uuid::now_v7().as_bytes()[10 + index % 6]);
    let record = AccountRecord {
        tenant_id: None,
        provider: "twilio".into(),
        external_id: account_sid.to_owned(),
        calling_code: None,
        signature_policy: SignaturePolicy::Enforce,
        sealed_credentials: keys.seal(nonce, id.as_bytes(), &plain),
    };
    Record::Account(id, record)
}

/// Encodes form parameters.
#[must_use]
pub fn form(parameters: &[(&str, &str)]) -> String {
    let encode = |text: &str, out: &mut String| {
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
                b' ' => out.push('+'),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
    };
    let mut out = String::new();
    for (name, value) in parameters {
        if !out.is_empty() {
            out.push('&');
        }
        encode(name, &mut out);
        out.push('=');
        encode(value, &mut out);
    }
    out
}

/// The 25 parameters of a complete voice webhook, sorted by name as Twilio sends them.
#[must_use]
pub fn voice_parameters<'a>(
    account_sid: &'a str,
    call_sid: &'a str,
    to: &'a str,
) -> [(&'a str, &'a str); 25] {
    let from = "+15105550198";
    [
        ("AccountSid", account_sid),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", call_sid),
        ("CallStatus", "ringing"),
        ("Called", to),
        ("CalledCity", "SAN FRANCISCO"),
        ("CalledCountry", "US"),
        ("CalledState", "CA"),
        ("CalledZip", "94105"),
        ("Caller", from),
        ("CallerCity", "OAKLAND"),
        ("CallerCountry", "US"),
        ("CallerState", "CA"),
        ("CallerZip", "94601"),
        ("Direction", "inbound"),
        ("From", from),
        ("FromCity", "OAKLAND"),
        ("FromCountry", "US"),
        ("FromState", "CA"),
        ("FromZip", "94601"),
        ("StirVerstat", "TN-Validation-Passed-A"),
        ("To", to),
        ("ToCity", "SAN FRANCISCO"),
        ("ToCountry", "US"),
        ("ToZip", "94105"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_and_parameters_sorted() {
        assert_eq!(form(&[("To", "+1 2"), ("a", "&=\u{e9}")]), "To=%2B1+2&a=%26%3D%C3%A9");
        assert!(voice_parameters("AC", "CA", "+1").is_sorted());
    }
}
