//! Which refusals which operation gives. The integration tests compare: a refusal that isn't told here fails them.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::operation::Operation;
use crate::role::Role;

/// Status, code, what it says for people, and who gives it.
type Refusal = (u16, &'static str, &'static str, fn(&Operation<'_>) -> bool);

/// In the order of their statuses.
const REFUSALS: [Refusal; 58] = [
    (400, "bad_request", "the request can't be read", |_| true),
    (400, "invalid_query", "limit: wanted 1 to 200", |_| true),
    (400, "invalid_json", "the body isn't JSON: EOF while parsing an object at line 1 column 1", has_body),
    (400, "invalid_header", "Upload-Complete: wanted ?1 or ?0", |of| of.is_upload),
    (
        400,
        "body_broke_off",
        "the body broke off: what came is kept, go on at the offset that HEAD tells",
        |of| of.is_upload,
    ),
    (400, "invalid_cursor", "cursor: wanted next of the page before, as it was", |of| of.is_list),
    (
        400,
        "invalid_idempotency_key",
        "Idempotency-Key: wanted one, of 1 to 255 visible ASCII characters",
        is_post,
    ),
    (400, "invalid_if_match", "If-Match: wanted the ETag of a GET with its quotation marks", |of| {
        of.is_write()
    }),
    (
        400,
        "precondition_not_supported",
        "If-Match: this request has nothing that it could be compared with",
        |of| of.is_write() && !of.is_conditional(),
    ),
    (401, "unauthorized", "wanted the header Authorization: Bearer <key>", |_| true),
    (403, "forbidden", "this key's role doesn't allow it", |of| {
        of.is_in_tenant() && of.required_role() > Role::Viewer
    }),
    (403, "operator_only", "only operators may do this", |of| {
        let is_shared = of.path.starts_with("/tenants") && !of.is_in_tenant() && !of.is_write();
        let has_own = ["Tenants", "Accounts", "Phone numbers", "Pool", "Agents", "Usage"]
            .iter()
            .any(|tag| of.is_tagged(tag));
        if of.is_in_tenant() { of.is_write() && has_own } else { !is_shared }
    }),
    (404, "not_found", "there is no such resource", |of| of.path.contains('{') || is_post(of)),
    (409, "fleet_too_old", "these routers can't read what this version writes: edge-1", |of| of.is_write()),
    (409, "phone_number_taken", "phone_number: this number is taken", |of| {
        is_of(of, "Phone numbers", &["post"]) || is_of(of, "Pool", &["post"])
    }),
    (
        409,
        "phone_numbers_limit",
        "the tenant has as many phone numbers as it may (phone_numbers_max)",
        |of| is_of(of, "Phone numbers", &["post"]) || is_of(of, "Pool", &["post"]),
    ),
    (409, "pool_empty", "the pool has no such number", |of| is_of(of, "Phone numbers", &["post"])),
    (409, "phone_number_overlaps", "phone_number: a range of somebody else's holds it", |of| {
        is_of(of, "Phone numbers", &["post"]) || is_of(of, "Pool", &["post"])
    }),
    (409, "number_id_taken", "bindings: another number of the account has this number_id", |of| {
        is_of(of, "Phone numbers", &["post", "patch", "put"])
    }),
    (
        409,
        "account_exists",
        "credentials: the owner has an account at this provider for these already",
        |of| is_of(of, "Accounts", &["post", "patch"]),
    ),
    (409, "account_in_use", "a phone number is bound to this account or held there", |of| {
        is_of(of, "Accounts", &["delete"]) || is_of(of, "Tenants", &["delete"])
    }),
    (409, "agent_in_use", "a phone number or a routing rule uses this agent", |of| {
        is_of(of, "Agents", &["delete"])
    }),
    (409, "agent_in_making", "a job is making this agent at its provider: wait, or call it off", |of| {
        is_of(of, "Agents", &["delete"])
    }),
    (409, "agents_limit", "the tenant has as many agents as it may (agents_max)", |of| {
        is_of(of, "Agents", &["post"])
    }),
    (409, "plan_name_taken", "name: there is a plan of this name", |of| is_of(of, "Plans", &["post"])),
    (409, "plan_in_use", "a tenant has this plan: give it another one first", |of| {
        is_of(of, "Plans", &["delete"])
    }),
    (409, "rate_ambiguous", "valid_from: another rate for the same begins at this time", |of| {
        is_of(of, "Rates", &["post", "patch"])
    }),
    (409, "intent_in_use", "an agent knows this intent", |of| is_of(of, "Intents", &["delete"])),
    (409, "intent_name_taken", "name: the tenant has an intent of this name", |of| {
        is_of(of, "Intents", &["post", "patch"])
    }),
    (409, "external_id_taken", "external_id: another tenant is known by it", |of| {
        is_of(of, "Tenants", &["post", "patch"])
    }),
    (409, "tenant_has_numbers", "the tenant has 2 phone numbers: say what becomes of them", |of| {
        is_of(of, "Tenants", &["delete"])
    }),
    (
        409,
        "numbers_being_released",
        "the tenant's own accounts hold numbers that aren't given back yet (+12125550001)",
        |of| is_of(of, "Tenants", &["delete"]),
    ),
    (409, "phone_number_reserved", "a provisioning job is about to give this number to somebody", |of| {
        is_of(of, "Pool", &["delete"])
    }),
    (409, "public_urls_unset", "the admin plane doesn't know by which URL providers call", |of| {
        of.path == "/provisioning/configure"
    }),
    (409, "no_subaccounts", "vapi has no accounts below an account", |of| of.path.ends_with("/subaccounts")),
    (409, "upload_offset_mismatch", "Upload-Offset: wanted 65536, while it is uploading", |of| {
        is_bulk(of, "/content", "patch")
    }),
    (409, "upload_moved", "somebody else went on with the upload, or ended it", |of| of.is_upload),
    (409, "import_not_ready", "wanted an import that is ready; it is done", |of| {
        is_bulk(of, "/apply", "post")
    }),
    (409, "import_over", "the import is over: done", |of| is_bulk(of, "/{import_id}", "delete")),
    (409, "job_over", "the job is over: done", |of| of.path.ends_with("/{job_id}/cancel")),
    (409, "job_state", "wanted a job that is confirming; it is running", |of| {
        ["/confirm", "/retry", "/resolve"].iter().any(|end| of.path.ends_with(end))
    }),
    (
        410,
        "event_unknown",
        "there is no event 4711 yet: read anew what you show, and come back without an id",
        |of| is_of(of, "Events", &["get"]),
    ),
    (412, "precondition_failed", "If-Match: it was changed since: GET it again", |of| of.is_conditional()),
    (413, "body_too_large", "wanted a body of at most 1 MiB", has_body),
    (413, "record_too_large", "all that is set here is together larger than routers take (1 MiB)", |of| {
        of.is_write() && of.has_body
    }),
    (415, "unsupported_media_type", "wanted a body with the header Content-Type: application/json", has_body),
    (
        415,
        "unsupported_media_type",
        "wanted a body with the header Content-Type: application/partial-upload",
        |of| is_bulk(of, "/content", "patch"),
    ),
    (422, "invalid_field", "name: wanted", |of| of.has_body || of.is_upload || !of.is_write()),
    (422, "unknown_tenant", "tenant_id: there is no such tenant", |of| {
        is_bulk(of, "/imports", "post") || is_bulk(of, "/exports", "get")
    }),
    (422, "idempotency_key_reused", "Idempotency-Key: it was sent with another request before", is_post),
    (429, "rate_limited", "too many requests: wanted at most 200 a second", |_| true),
    (429, "too_many_streams", "this key has as many streams as it may: close one", is_stream),
    (500, "internal", "something broke here; it is in the log under this request's id", |_| true),
    (503, "database_unavailable", "the database is away: try again", |_| true),
    (503, "redis_unavailable", "Redis is away: try again", is_view),
    (503, "issuer_unavailable", "the issuer's keys aren't known: try again", |_| true),
    (503, "too_many_streams", "as many streams are open as may be: try again", is_stream),
    (503, "timeout", "the request took too long; it may have happened all the same", |_| true),
];

fn is_stream(of: &Operation<'_>) -> bool {
    is_of(of, "Events", &["get"]) || is_view(of)
}

fn is_view(of: &Operation<'_>) -> bool {
    of.path.ends_with("/calls/live")
}

fn is_bulk(of: &Operation<'_>, ending: &str, method: &str) -> bool {
    of.path.ends_with(ending) && is_of(of, "Bulk", &[method])
}

fn has_body(of: &Operation<'_>) -> bool {
    of.has_body
}

fn is_post(of: &Operation<'_>) -> bool {
    of.method == "post"
}

fn is_of(of: &Operation<'_>, tag: &str, methods: &[&str]) -> bool {
    of.is_tagged(tag) && methods.contains(&of.method)
}

/// The refusing responses of an operation, by status: which codes they have.
pub(super) fn of(operation: &Operation<'_>) -> BTreeMap<u16, Vec<&'static str>> {
    let mut codes: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for (status, code, _, _) in REFUSALS.iter().filter(|(_, _, _, gives)| gives(operation)) {
        codes.entry(*status).or_default().push(*code);
    }
    codes
}

/// The name of a response among the components: many operations share one.
pub(super) fn name(status: u16, codes: &[&str]) -> String {
    format!("{status}.{}", codes.join("."))
}

/// A response with an example of each of its codes.
pub(super) fn response(codes: &[&str]) -> Value {
    let quoted: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
    let examples: Map<_, _> = REFUSALS
        .iter()
        .filter(|(_, code, _, _)| codes.contains(code))
        .map(|(status, code, detail, _)| {
            ((*code).to_owned(), json!({"value": problem(*status, code, detail)}))
        })
        .collect();
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    let content = json!({"application/problem+json": {"schema": schema, "examples": examples}});
    json!({"description": quoted.join(", "), "content": content})
}

fn problem(status: u16, code: &str, detail: &str) -> Value {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut problem = json!({"type": "about:blank", "title": title, "status": status, "code": code,
        "detail": detail, "request_id": "0197c3a8-6a2e-7d31-9c55-2f1f0f6f7a10"});
    // Where a field is wrong, the detail begins with it.
    let field = detail.split_once(": ").map(|(field, _)| field);
    if let Some(field) =
        field.filter(|field| status >= 409 && field.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    {
        problem["field"] = field.into();
    }
    problem
}
