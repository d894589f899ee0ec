//! The audit log, newest first: entries as the chain has them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dialplane_common::ids::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Admin, InTenant, Operator, Principal};
use super::error::Problem;
use super::page::Page;
use super::parameters::Query;
use crate::audit::chain;
use crate::store::audit::{self, Filter, Sealed};
use crate::store::instant::Instant;
use crate::store::{StoreError, tenants};

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// One row's change.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain, from 1 without a hole; also the id of its event.
    seq: u64,
    /// SHA-256 over the entry and the hash before it, in hexadecimal digits.
    hash: String,
    /// Whose row; null: the platform's.
    tenant_id: Option<Uuid>,
    /// When the transaction began that changed it.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// Who changed it; null: nobody said.
    actor: Option<String>,
    /// The request that did.
    request_id: Option<String>,
    /// The client's address.
    address: Option<String>,
    /// `insert`, `update` or `delete`.
    action: String,
    /// What kind of thing: `tenant`, `phone_number.settings`.
    resource: String,
    /// Which one; where it takes two parts, with a `/` between: `{phone_number_id}/hours`.
    resource_id: String,
    /// The row before; null: there was none. Of secrets it says only that they are there (`secret`).
    #[schema(value_type = Option<Object>)]
    before: Option<Box<RawValue>>,
    /// The row after; null: there is none. A secret that is another than before is a `new secret`.
    #[schema(value_type = Option<Object>)]
    after: Option<Box<RawValue>>,
}

/// Which entries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Those of this tenant alone; below a tenant's path, that tenant or absent.
    tenant_id: Option<Uuid>,
    /// How many entries, 1 to 200; absent: 50.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next` of the page before; absent: the first page. The other parameters stay as they were.
    cursor: Option<String>,
    /// Those by this one alone.
    actor: Option<String>,
    /// Those of things of this kind alone.
    resource: Option<String>,
    /// Those of this thing alone.
    resource_id: Option<String>,
    /// Those of this action alone.
    // Inline: another type of this name is a step of a route.
    #[param(inline)]
    action: Option<Action>,
    /// Those at or after this instant alone (RFC 3339).
    since: Option<String>,
    /// Those before this instant alone (RFC 3339).
    until: Option<String>,
}

/// What was done to a row.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It came.
    Insert,
    /// It changed.
    Update,
    /// It went.
    Delete,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// List who changed what of all tenants and the platform, newest first. An entry is here once it is sealed, a moment
/// after its change. Operators only.
#[utoipa::path(get, path = "/audit", tag = "Audit", params(AuditQuery),
    responses((status = 200, body = Page<AuditEntry>)))]
pub async fn list(
    State(api): State<Api>,
    Operator(principal): Operator,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    page_of(&api, &principal, query.tenant_id.map(TenantId), query).await
}

/// List who changed what of a tenant, newest first. An entry is here once it is sealed, a moment after its change.
#[utoipa::path(get, path = "/tenants/{tenant_id}/audit", tag = "Audit",
    params(("tenant_id" = Uuid, Path), AuditQuery), responses((status = 200, body = Page<AuditEntry>)))]
pub async fn list_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    if query.tenant_id.is_some_and(|id| id != tenant.id.0) {
        return Err(refuse("tenant_id: wanted the path's, or none".into()));
    }
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    drop(tx);
    page_of(&api, &tenant.principal, Some(tenant.id), query).await
}

async fn page_of(
    api: &Api,
    principal: &Principal,
    tenant: Option<TenantId>,
    query: AuditQuery,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(refuse(format!("limit: wanted 1 to {LIMIT_MAX}")));
    }
    let before = query.cursor.as_deref().map(place).transpose()?;
    let filter = Filter {
        tenant,
        actor: query.actor,
        resource: query.resource,
        resource_id: query.resource_id,
        action: query.action.map(|action| action.name().to_owned()),
        since: query.since.as_deref().map(|text| instant("since", text)).transpose()?,
        until: query.until.as_deref().map(|text| instant("until", text)).transpose()?,
    };
    let mut tx = api.store.read(principal.scope()).await?;
    let mut entries = audit::list(tx.conn(), &filter, before, limit + 1).await?;
    drop(tx);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| has_more);
    let next = last.map(|last| URL_SAFE_NO_PAD.encode(last.seq.to_be_bytes()));
    let items = entries.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next }))
}

fn view(sealed: Sealed) -> Result<AuditEntry, StoreError> {
    let Sealed { seq, hash, entry } = sealed;
    let document = |text: Option<String>| {
        text.map(RawValue::from_string)
            .transpose()
            .map_err(|_| StoreError::Malformed("document in the audit log"))
    };
    Ok(AuditEntry {
        seq,
        hash: chain::digits(&hash),
        tenant_id: entry.tenant_id,
        at: entry.at,
        actor: entry.actor,
        request_id: entry.request_id,
        address: entry.address,
        action: entry.action,
        resource: entry.resource,
        resource_id: entry.resource_id,
        before: document(entry.before)?,
        after: document(entry.after)?,
    })
}

fn place(cursor: &str) -> Result<u64, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(u64::from_be_bytes)
        .ok_or_else(|| refuse("cursor: wanted next of the page before, as it was".into()))
}

fn instant(name: &str, text: &str) -> Result<Instant, Problem> {
    // In a query a plus is a space, and people forget.
    let parsed = text.replace(' ', "+").parse();
    parsed.map(Instant).map_err(|_| refuse(format!("{name}: wanted an instant like 2026-12-24T20:00:00Z")))
}

fn refuse(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
}
