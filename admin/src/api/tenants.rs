//! Tenants.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Admin, InTenant, Operator, Principal, Viewer, operator_only};
use super::body::{Body, present};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery, Search};
use super::writes::Answered;
use crate::invalid;
use crate::store::tenants::{self, Tenant, TenantChanges, TenantFilter};

/// A tenant to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// 1 to 200 characters.
    name: String,
    /// IANA time zone; absent: UTC.
    timezone: Option<String>,
    /// How many calls it may have at a time, 1 to 1000; absent: any number.
    calls_max: Option<u32>,
}

/// Fields of a tenant to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantPatch {
    /// 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    /// IANA time zone.
    #[serde(default, deserialize_with = "present")]
    timezone: Option<String>,
    /// Operators only.
    #[serde(default, deserialize_with = "present")]
    status: Option<TenantStatus>,
    /// How many calls it may have at a time, 1 to 1000; null: any number. Operators only.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    calls_max: Option<Option<u32>>,
}

/// Whether a tenant's calls are routed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TenantStatus {
    /// They are.
    Active,
    /// They are rejected.
    Suspended,
}

impl TenantStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// Which tenants.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TenantQuery {
    /// Those whose name holds this, in capitals or not.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    q: Option<Search>,
    /// Those of this status.
    #[param(inline)]
    status: Option<TenantStatus>,
}

/// List tenants; a tenant's key sees its own alone.
#[utoipa::path(get, path = "/tenants", tag = "Tenants", params(PageQuery, TenantQuery),
    responses((status = 200, body = Page<Tenant>)))]
pub async fn list(
    State(api): State<Api>,
    principal: Principal,
    list: List<TenantQuery>,
) -> Result<Json<Page<Tenant>>, Problem> {
    let filter = TenantFilter {
        name: list.filter.q.map(|q| q.pattern()),
        status: list.filter.status.map(TenantStatus::name),
    };
    let mut tx = api.store.read(principal.scope()).await?;
    let rows = tenants::list(tx.conn(), &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |tenant| tenant.id, |tenant| tenant)))
}

/// Create a tenant. Operators only.
#[utoipa::path(post, path = "/tenants", tag = "Tenants", params(WaitQuery), request_body = NewTenant,
    responses((status = 201, body = Tenant)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewTenant>,
) -> Answered {
    invalid::name("name", &new.name)?;
    let timezone = invalid::timezone("timezone", new.timezone.as_deref().unwrap_or("UTC"))?;
    let calls_max = new.calls_max.map(|calls| invalid::calls_max("calls_max", calls)).transpose()?;
    let id = TenantId(Uuid::now_v7());
    let mut write = api.write_routing(order).await?;
    let tenant = tenants::insert(write.tx.conn(), id, &new.name, &timezone, calls_max).await?;
    write.tx.record_tenant(id).await?;
    write.created(tenant.id, &tenant).await
}

/// Get a tenant.
#[utoipa::path(get, path = "/tenants/{tenant_id}", tag = "Tenants", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, body = Tenant)))]
pub async fn get(State(api): State<Api>, tenant: InTenant<Viewer>) -> Result<Json<Tenant>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    Ok(Json(tenants::find(tx.conn(), tenant.id).await?))
}

/// Change a tenant.
#[utoipa::path(patch, path = "/tenants/{tenant_id}", tag = "Tenants",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = TenantPatch,
    responses((status = 200, body = Tenant)))]
pub async fn change(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    order: Order,
    Body(patch): Body<TenantPatch>,
) -> Answered {
    if (patch.status.is_some() || patch.calls_max.is_some()) && !tenant.principal.is_operator() {
        return Err(operator_only().into());
    }
    if let Some(name) = &patch.name {
        invalid::name("name", name)?;
    }
    let timezone = patch.timezone.as_deref().map(|zone| invalid::timezone("timezone", zone)).transpose()?;
    let status = patch.status.map(|status| status.name().to_owned());
    let limit = |calls: Option<u32>| calls.map(|calls| invalid::calls_max("calls_max", calls)).transpose();
    let calls_max = patch.calls_max.map(limit).transpose()?;
    let changes = TenantChanges { name: patch.name, timezone, status, calls_max };
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    write.expect(async |conn| tenants::find(conn, tenant.id).await).await?;
    let changed = tenants::update(write.tx.conn(), tenant.id, &changes).await?;
    write.tx.record_tenant(tenant.id).await?;
    write.answer(StatusCode::OK, &changed).await
}

/// Delete a tenant that has no phone numbers, with all else that it has. Operators only.
#[utoipa::path(delete, path = "/tenants/{tenant_id}", tag = "Tenants",
    params(("tenant_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(State(api): State<Api>, tenant: InTenant<Admin>, order: Order) -> Answered {
    if !tenant.principal.is_operator() {
        return Err(operator_only().into());
    }
    let mut write = api.write_routing(order).await?;
    // The platform first, as everywhere: it may name this tenant for unknown numbers.
    crate::store::settings::lock_platform(write.tx.conn()).await?;
    tenants::lock_for_deletion(write.tx.conn(), tenant.id).await?;
    write.expect(async |conn| tenants::find(conn, tenant.id).await).await?;
    let took_unknown = crate::store::settings::unknown_numbers(write.tx.conn()).await? == Some(tenant.id);
    write.tx.remove_tenant(tenant.id).await?;
    tenants::delete(write.tx.conn(), tenant.id).await?;
    if took_unknown {
        write.tx.record_platform().await?;
    }
    let answered = write.no_content().await?;
    api.gate.keys.doubt_all();
    Ok(answered)
}
