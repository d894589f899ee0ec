//! Defaults: what holds where a number sets nothing, by tenant and for the platform.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::TenantId;
use serde::Serialize;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Editor, InTenant, Operator, Viewer};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::setting::Setting;
use super::settings::{check_agents, expect, hours_of, routing_of};
use super::writes::Answered;
use crate::hours::HoursDocument;
use crate::invalid::Invalid;
use crate::routing::{PlatformRoutingDocument, RoutingDocument};
use crate::store::settings::{self, Kind, Owner};
use crate::store::{StoreError, tenants};

/// The platform's setting: nothing stands behind it.
#[derive(Serialize, ToSchema)]
pub struct PlatformSetting<T> {
    /// As set; null: not set.
    own: Option<T>,
}

const fn owners(tenant: TenantId) -> [Owner; 2] {
    [Owner::Tenant(tenant), Owner::Platform]
}

async fn platform_hours(conn: &mut PgConnection) -> Result<PlatformSetting<HoursDocument>, StoreError> {
    Ok(PlatformSetting { own: settings::get(conn, Owner::Platform, Kind::Hours).await? })
}

async fn platform_routing(
    conn: &mut PgConnection,
) -> Result<PlatformSetting<PlatformRoutingDocument>, StoreError> {
    let stored: Option<PlatformRoutingDocument> = settings::get(conn, Owner::Platform, Kind::Routing).await?;
    // The column is what counts: it is cleared when the tenant goes.
    let unknown_numbers = settings::unknown_numbers(conn).await?;
    Ok(PlatformSetting { own: stored.map(|stored| PlatformRoutingDocument { unknown_numbers, ..stored }) })
}

/// Get a tenant's default hours.
#[utoipa::path(get, path = "/tenants/{tenant_id}/defaults/hours", tag = "Defaults",
    params(("tenant_id" = Uuid, Path)), responses((status = 200, body = Setting<HoursDocument>)))]
pub async fn get_hours(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
) -> Result<Json<Setting<HoursDocument>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    Ok(Json(hours_of(tx.conn(), &owners(tenant.id)).await?))
}

/// Set a tenant's default hours.
#[utoipa::path(put, path = "/tenants/{tenant_id}/defaults/hours", tag = "Defaults",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = HoursDocument,
    responses((status = 200, body = Setting<HoursDocument>)))]
pub async fn put_hours(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(document): Body<HoursDocument>,
) -> Answered {
    document.compile()?;
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    expect(&mut write, &owners(tenant.id), Kind::Hours).await?;
    settings::put(write.tx.conn(), Owner::Tenant(tenant.id), Kind::Hours, &document).await?;
    write.tx.record_tenant(tenant.id).await?;
    let setting = hours_of(write.tx.conn(), &owners(tenant.id)).await?;
    write.answer(StatusCode::OK, &setting).await
}

/// Unset a tenant's default hours.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/defaults/hours", tag = "Defaults",
    params(("tenant_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete_hours(State(api): State<Api>, tenant: InTenant<Editor>, order: Order) -> Answered {
    delete_of_tenant(&api, &tenant, order, Kind::Hours).await
}

/// Get a tenant's default routing.
#[utoipa::path(get, path = "/tenants/{tenant_id}/defaults/routing", tag = "Defaults",
    params(("tenant_id" = Uuid, Path)), responses((status = 200, body = Setting<RoutingDocument>)))]
pub async fn get_routing(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
) -> Result<Json<Setting<RoutingDocument>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    Ok(Json(routing_of(tx.conn(), &owners(tenant.id)).await?))
}

/// Set a tenant's default routing.
#[utoipa::path(put, path = "/tenants/{tenant_id}/defaults/routing", tag = "Defaults",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = RoutingDocument,
    responses((status = 200, body = Setting<RoutingDocument>)))]
pub async fn put_routing(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(document): Body<RoutingDocument>,
) -> Answered {
    document.check()?;
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    expect(&mut write, &owners(tenant.id), Kind::Routing).await?;
    check_agents(write.tx.conn(), tenant.id, &document).await?;
    settings::put(write.tx.conn(), Owner::Tenant(tenant.id), Kind::Routing, &document).await?;
    write.tx.record_tenant(tenant.id).await?;
    let setting = routing_of(write.tx.conn(), &owners(tenant.id)).await?;
    write.answer(StatusCode::OK, &setting).await
}

/// Unset a tenant's default routing.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/defaults/routing", tag = "Defaults",
    params(("tenant_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete_routing(State(api): State<Api>, tenant: InTenant<Editor>, order: Order) -> Answered {
    delete_of_tenant(&api, &tenant, order, Kind::Routing).await
}

async fn delete_of_tenant(api: &Api, tenant: &InTenant<Editor>, order: Order, kind: Kind) -> Answered {
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    expect(&mut write, &owners(tenant.id), kind).await?;
    settings::delete(write.tx.conn(), Owner::Tenant(tenant.id), kind).await?;
    write.tx.record_tenant(tenant.id).await?;
    write.no_content().await
}

/// Get the platform's default hours. Operators only.
#[utoipa::path(get, path = "/defaults/hours", tag = "Defaults",
    responses((status = 200, body = PlatformSetting<HoursDocument>)))]
pub async fn get_platform_hours(
    State(api): State<Api>,
    Operator(principal): Operator,
) -> Result<Json<PlatformSetting<HoursDocument>>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    Ok(Json(platform_hours(tx.conn()).await?))
}

/// Set the platform's default hours. Operators only.
#[utoipa::path(put, path = "/defaults/hours", tag = "Defaults", params(WaitQuery), request_body = HoursDocument,
    responses((status = 200, body = PlatformSetting<HoursDocument>)))]
pub async fn put_platform_hours(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(document): Body<HoursDocument>,
) -> Answered {
    document.compile()?;
    let mut write = api.write_routing(order).await?;
    settings::lock_platform(write.tx.conn()).await?;
    write.expect(platform_hours).await?;
    settings::put(write.tx.conn(), Owner::Platform, Kind::Hours, &document).await?;
    write.tx.record_platform().await?;
    write.answer(StatusCode::OK, &PlatformSetting { own: Some(document) }).await
}

/// Unset the platform's default hours. Operators only.
#[utoipa::path(delete, path = "/defaults/hours", tag = "Defaults", params(WaitQuery), responses((status = 204)))]
pub async fn delete_platform_hours(State(api): State<Api>, _operator: Operator, order: Order) -> Answered {
    delete_of_platform(&api, order, Kind::Hours).await
}

/// Get the platform's default routing. Operators only.
#[utoipa::path(get, path = "/defaults/routing", tag = "Defaults",
    responses((status = 200, body = PlatformSetting<PlatformRoutingDocument>)))]
pub async fn get_platform_routing(
    State(api): State<Api>,
    Operator(principal): Operator,
) -> Result<Json<PlatformSetting<PlatformRoutingDocument>>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    Ok(Json(platform_routing(tx.conn()).await?))
}

/// Set the platform's default routing, and who takes calls for numbers that nobody has. Operators only.
#[utoipa::path(put, path = "/defaults/routing", tag = "Defaults", params(WaitQuery),
    request_body = PlatformRoutingDocument,
    responses((status = 200, body = PlatformSetting<PlatformRoutingDocument>)))]
pub async fn put_platform_routing(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(document): Body<PlatformRoutingDocument>,
) -> Answered {
    document.check()?;
    let mut write = api.write_routing(order).await?;
    settings::lock_platform(write.tx.conn()).await?;
    write.expect(platform_routing).await?;
    if let Some(tenant) = document.unknown_numbers {
        tenants::find(write.tx.conn(), tenant).await.map_err(|error| match error {
            StoreError::NotFound => Invalid::new("unknown_numbers", "wanted a tenant's id, or null").into(),
            other => Problem::from(other),
        })?;
    }
    settings::set_unknown_numbers(write.tx.conn(), document.unknown_numbers).await?;
    settings::put(write.tx.conn(), Owner::Platform, Kind::Routing, &document).await?;
    write.tx.record_platform().await?;
    write.answer(StatusCode::OK, &PlatformSetting { own: Some(document) }).await
}

/// Unset the platform's default routing: calls for numbers that nobody has are rejected. Operators only.
#[utoipa::path(delete, path = "/defaults/routing", tag = "Defaults", params(WaitQuery),
    responses((status = 204)))]
pub async fn delete_platform_routing(State(api): State<Api>, _operator: Operator, order: Order) -> Answered {
    delete_of_platform(&api, order, Kind::Routing).await
}

async fn delete_of_platform(api: &Api, order: Order, kind: Kind) -> Answered {
    let mut write = api.write_routing(order).await?;
    settings::lock_platform(write.tx.conn()).await?;
    match kind {
        Kind::Hours => write.expect(platform_hours).await?,
        _ => write.expect(platform_routing).await?,
    }
    settings::delete(write.tx.conn(), Owner::Platform, kind).await?;
    if kind == Kind::Routing {
        settings::set_unknown_numbers(write.tx.conn(), None).await?;
    }
    write.tx.record_platform().await?;
    write.no_content().await
}
