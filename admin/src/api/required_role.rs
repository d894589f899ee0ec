//! The least role that each operation takes, by rule, for the OpenAPI document. The extractors in a handler's arguments
//! are what holds; a test tries every operation with every role, so that the two say the same.

use crate::role::Role;

/// The least role for this method (in small letters) on this path below the API's base.
#[must_use]
pub fn required_role(method: &str, path: &str) -> Role {
    let Some(of_tenant) = path.strip_prefix("/tenants/{tenant_id}") else {
        // Whoever asks for tenants sees their own.
        return if (method, path) == ("get", "/tenants") { Role::Viewer } else { Role::Operator };
    };
    let resource = of_tenant.split('/').nth(1).unwrap_or_default();
    match (method, resource) {
        ("delete", "") | ("post", "suspend" | "resume") => Role::Operator,
        ("post", "calls") if of_tenant.ends_with("/corrections") => Role::Operator,
        _ if of_tenant.ends_with("/assign") || of_tenant.ends_with("/unassign") => Role::Operator,
        (_, "api-keys" | "audit") => Role::Admin,
        ("get", _) => Role::Viewer,
        (_, "" | "accounts" | "tool-server" | "provisioning") => Role::Admin,
        (_, "agents") if of_tenant.ends_with("/token") => Role::Admin,
        _ => Role::Editor,
    }
}
