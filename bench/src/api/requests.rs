//! The same questions to both servers, as bytes for the wire. Each connection walks through those of one tenant.

use std::sync::Arc;

use serde_json::{Value, json};

use super::rows::{Rows, Tenant};

/// So many requests of each connection that no run repeats one: a write that changes nothing leaves no trace.
const PER_CONNECTION: usize = 10_000;

const TENANT: &str = "rowId name timezone status externalId profile integrations provisioning callsMax phoneNumbersMax \
    agentsMax createdAt updatedAt";
const NUMBER: &str = "rowId tenantId phoneNumber isRange displayName address addressParts timezone status lifecycle \
    source isPrimary agentId callsMax createdAt updatedAt \
    phoneNumberBindingsByTenantIdAndPhoneNumberId { nodes { accountId role numberId } }";

/// One kind of request.
pub struct Case {
    /// What it does.
    pub what: &'static str,
    /// Whether each leaves an entry in the audit log.
    pub is_write: bool,
    /// What the admin plane's answer contains.
    pub admin_expects: &'static str,
    /// What PostGraphile's contains.
    pub other_expects: &'static str,
    admin: fn(&Tenant, usize) -> Vec<u8>,
    other: fn(&Tenant, usize) -> Vec<u8>,
}

/// What both are asked.
pub const CASES: [Case; 3] = [
    Case {
        what: "read one tenant by its id",
        is_write: false,
        admin_expects: "\"Sparkle Nails ",
        other_expects: "{\"data\":{\"tenantByRowId\":{\"rowId\":",
        admin: |tenant, _| request(tenant, "GET", &format!("/api/v2/tenants/{}", tenant.id), None),
        other: |tenant, _| {
            let query = format!("query($id: UUID!) {{ tenantByRowId(rowId: $id) {{ {TENANT} }} }}");
            graphql(tenant, &query, &json!({"id": tenant.id}))
        },
    },
    Case {
        what: "read a page of 50 phone numbers",
        is_write: false,
        admin_expects: "\"Location 49\"",
        // Behind the last number's name: its bindings came as well.
        other_expects: "\"role\":\"carrier\",\"numberId\":null}]}}],\"pageInfo\"",
        admin: |tenant, _| {
            request(tenant, "GET", &format!("/api/v2/tenants/{}/phone-numbers?limit=50", tenant.id), None)
        },
        other: |tenant, _| {
            let query = format!(
                "query($id: UUID!) {{ allPhoneNumbers(condition: {{tenantId: $id}}, orderBy: PRIMARY_KEY_ASC, \
                 first: 50) {{ nodes {{ {NUMBER} }} pageInfo {{ hasNextPage endCursor }} }} }}"
            );
            graphql(tenant, &query, &json!({"id": tenant.id}))
        },
    },
    Case {
        what: "an audited write that routers needn't see",
        is_write: true,
        admin_expects: "\"crm\":{",
        other_expects: "{\"data\":{\"updateTenantByRowId\":{\"tenant\":{\"rowId\":",
        admin: |tenant, index| {
            let patch = json!({"integrations": integrations("a", index)});
            request(tenant, "PATCH", &format!("/api/v2/tenants/{}", tenant.id), Some(&patch))
        },
        other: |tenant, index| {
            let query = format!(
                "mutation($id: UUID!, $new: JSON!) {{ updateTenantByRowId(input: {{rowId: $id, \
                 tenantPatch: {{integrations: $new}}}}) {{ tenant {{ {TENANT} }} }} }}"
            );
            graphql(tenant, &query, &json!({"id": tenant.id, "new": integrations("b", index)}))
        },
    },
];

impl Case {
    /// All requests to the admin plane.
    #[must_use]
    pub fn to_admin(&self, rows: &Rows) -> Arc<[Vec<u8>]> {
        for_each(rows, self.admin)
    }

    /// All requests to PostGraphile.
    #[must_use]
    pub fn to_other(&self, rows: &Rows) -> Arc<[Vec<u8>]> {
        for_each(rows, self.other)
    }
}

/// Writes that routers see, each connection's to its own number.
#[must_use]
pub fn changes_of_numbers(rows: &Rows) -> Arc<[Vec<u8>]> {
    for_each(rows, |tenant, index| {
        let target = format!("/api/v2/tenants/{}/phone-numbers/{}", tenant.id, tenant.number);
        request(tenant, "PATCH", &target, Some(&json!({"display_name": format!("Salon {index}")})))
    })
}

fn for_each(rows: &Rows, request: impl Fn(&Tenant, usize) -> Vec<u8>) -> Arc<[Vec<u8>]> {
    let of = |tenant| (0..PER_CONNECTION).map(|index| request(tenant, index)).collect::<Vec<_>>();
    rows.0.iter().flat_map(of).collect()
}

fn integrations(by: &str, index: usize) -> Value {
    json!({"crm": {"account": format!("{by}-{index}"), "sync": true}})
}

fn graphql(tenant: &Tenant, query: &str, variables: &Value) -> Vec<u8> {
    request(tenant, "POST", "/graphql", Some(&json!({"query": query, "variables": variables})))
}

fn request(tenant: &Tenant, method: &str, target: &str, body: Option<&Value>) -> Vec<u8> {
    let key = &tenant.key;
    let head = format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n");
    match body.map(Value::to_string) {
        Some(body) => {
            let length = body.len();
            format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        }
        None => format!("{head}\r\n"),
    }
    .into_bytes()
}
