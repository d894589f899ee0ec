//! Keys that open the API. A key is shown once, when it is made.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::ids::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{self, Admin, InTenant, Operator, PathId, Principal};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, NameFilter, Page, PageQuery};
use super::writes::Answered;
use crate::invalid::{self, Invalid};
use crate::store::api_keys::{self, ApiKey, NewApiKey};
use crate::store::instant::Instant;
use crate::store::tenants;

/// A tenant's key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenantKey {
    /// 1 to 200 characters.
    name: String,
    /// What it may do.
    role: TenantRole,
    /// When it ceases to be good (RFC 3339); absent or null: never.
    expires_at: Option<String>,
}

/// An operator's key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperatorKey {
    /// 1 to 200 characters.
    name: String,
    /// When it ceases to be good (RFC 3339); absent or null: never.
    expires_at: Option<String>,
}

/// What a tenant's key may do.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TenantRole {
    /// Everything of its tenant.
    Admin,
    /// Writes, but neither accounts nor keys.
    Editor,
    /// Reads.
    Viewer,
}

impl TenantRole {
    const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

/// A key that was just made.
#[derive(Clone, Serialize, ToSchema)]
pub struct MadeKey {
    /// The key itself: shown this once. Null in the answer to a repetition.
    key: Option<String>,
    #[serde(flatten)]
    #[expect(missing_docs, reason = "flattened: it has no name of its own")]
    pub stored: ApiKey,
}

/// List a tenant's keys.
#[utoipa::path(get, path = "/tenants/{tenant_id}/api-keys", tag = "API keys",
    params(("tenant_id" = Uuid, Path), PageQuery, NameFilter), responses((status = 200, body = Page<ApiKey>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    list: List<NameFilter>,
) -> Result<Json<Page<ApiKey>>, Problem> {
    page_of(&api, &tenant.principal, Some(tenant.id), list).await
}

/// List the operators' keys. Operators only.
#[utoipa::path(get, path = "/api-keys", tag = "API keys", params(PageQuery, NameFilter),
    responses((status = 200, body = Page<ApiKey>)))]
pub async fn list_operator(
    State(api): State<Api>,
    Operator(principal): Operator,
    list: List<NameFilter>,
) -> Result<Json<Page<ApiKey>>, Problem> {
    page_of(&api, &principal, None, list).await
}

async fn page_of(
    api: &Api,
    principal: &Principal,
    owner: Option<TenantId>,
    list: List<NameFilter>,
) -> Result<Json<Page<ApiKey>>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    if let Some(tenant) = owner {
        tenants::find(tx.conn(), tenant).await?;
    }
    let rows =
        api_keys::list(tx.conn(), owner, list.filter.name(), list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |key| key.id, |key| key)))
}

/// Make a key of a tenant. The answer shows it, this once.
#[utoipa::path(post, path = "/tenants/{tenant_id}/api-keys", tag = "API keys",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = NewTenantKey,
    responses((status = 201, body = MadeKey)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    order: Order,
    Body(new): Body<NewTenantKey>,
) -> Answered {
    let named = (new.name.as_str(), new.role.name());
    make(&api, order, Some(tenant.id), named, new.expires_at.as_deref()).await
}

/// Make a key of an operator. The answer shows it, this once. Operators only.
#[utoipa::path(post, path = "/api-keys", tag = "API keys", params(WaitQuery), request_body = NewOperatorKey,
    responses((status = 201, body = MadeKey)))]
pub async fn create_operator(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewOperatorKey>,
) -> Answered {
    make(&api, order, None, (&new.name, "operator"), new.expires_at.as_deref()).await
}

async fn make(
    api: &Api,
    order: Order,
    owner: Option<TenantId>,
    (name, role): (&str, &str),
    expires_at: Option<&str>,
) -> Answered {
    invalid::name("name", name)?;
    let expires_at = expires_at.map(expiry).transpose()?;
    let key = draw("dp_")?;
    let new = NewApiKey {
        tenant_id: owner,
        name,
        role,
        hash: auth::hash(&key),
        hint: &key[key.len() - 4..],
        expires_at,
    };
    let mut write = api.write_routing(order).await?;
    if let Some(tenant) = owner {
        tenants::find(write.tx.conn(), tenant).await?;
    }
    // A key drawn twice is a broken source of randomness.
    let stored = api_keys::insert(write.tx.conn(), &new).await?.ok_or_else(Problem::internal)?;
    write.tx.record(&stored.record()?)?;
    let redacted = MadeKey { key: None, stored };
    let made = MadeKey { key: Some(key), ..redacted.clone() };
    write.answer_once(StatusCode::CREATED, &made, &redacted).await
}

fn expiry(text: &str) -> Result<Instant, Invalid> {
    let at = text.parse::<jiff::Timestamp>().ok().filter(|at| *at > jiff::Timestamp::now());
    at.map(Instant)
        .ok_or_else(|| Invalid::new("expires_at", "wanted an instant to come, such as 2030-01-01T00:00:00Z"))
}

/// `prefix` and 32 random bytes in hexadecimal digits.
pub(crate) fn draw(prefix: &str) -> Result<String, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Problem::internal())?;
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    Ok(std::iter::once(prefix.to_owned()).chain(digits).collect())
}

/// Delete a key of a tenant: it is no longer good.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/api-keys/{api_key_id}", tag = "API keys",
    params(("tenant_id" = Uuid, Path), ("api_key_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    PathId(id): PathId<Uuid>,
    order: Order,
) -> Answered {
    remove(&api, order, Some(tenant.id), id).await
}

/// Delete a key of an operator: it is no longer good. Operators only.
#[utoipa::path(delete, path = "/api-keys/{api_key_id}", tag = "API keys",
    params(("api_key_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete_operator(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<Uuid>,
    order: Order,
) -> Answered {
    remove(&api, order, None, id).await
}

async fn remove(api: &Api, order: Order, owner: Option<TenantId>, id: Uuid) -> Answered {
    let mut write = api.write(order).await?;
    let hash = api_keys::delete(write.tx.conn(), owner, id).await?;
    write.tx.remove(RecordKey::Token(hash));
    let answered = write.no_content().await?;
    // Postgres tells this process as well, but a moment later.
    api.gate.keys.forget(&hash.0);
    Ok(answered)
}
