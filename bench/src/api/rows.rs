//! The rows that both servers have: tenants with numbers, made over REST.

use std::net::SocketAddr;

use serde_json::json;

use crate::operator::Operator;

/// All tenants.
pub struct Rows(pub Vec<Tenant>);

/// One tenant.
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// A key that may do all that a tenant may.
    pub key: String,
    /// The id of its first number.
    pub number: String,
}

impl Rows {
    /// Makes so many tenants with so many numbers each.
    #[must_use]
    pub fn create(admin: SocketAddr, tenants: usize, numbers: usize) -> Self {
        let operator = Operator::new(admin);
        let tenant = |index| {
            let name = format!("Sparkle Nails {index}");
            let id = operator.create("/tenants", &json!({"name": name, "timezone": "America/New_York"}));
            let below = format!("/tenants/{id}");
            let account = operator.create(
                &format!("{below}/accounts"),
                &json!({"provider": "twilio", "label": "main", "credentials": {
                    "account_sid": format!("AC{index:032x}"), "auth_token": format!("{index:032x}")}}),
            );
            let create = |place| {
                let phone_number = format!("+1212{:07}", 2_000_000 + index * numbers + place);
                let location = json!({"source": "manual", "phone_number": phone_number, "account_id": account,
                    "display_name": format!("Location {place}"), "timezone": "America/New_York"});
                operator.create(&format!("{below}/phone-numbers"), &location)
            };
            let created: Vec<String> = (0..numbers).map(create).collect();
            let key = json!({"name": "measured", "role": "admin"});
            let key = operator.ok("POST", &format!("{below}/api-keys"), &key);
            let key = key["key"].as_str().unwrap_or_default().to_owned();
            Tenant { id, key, number: created.into_iter().next().unwrap_or_default() }
        };
        Self((0..tenants).map(tenant).collect())
    }
}
