//! A number's hours and routing: its own, what it inherits, and what holds.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::{PhoneNumberId, TenantId};
use dialplane_common::time::UnixSeconds;
use sqlx::postgres::PgConnection;

use super::Api;
use super::auth::{Editor, InTenant, PathId, Viewer};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::setting::Setting;
use super::writes::{Answered, Stop, Write};
use crate::hours::HoursDocument;
use crate::invalid::Invalid;
use crate::routing::{PlatformRoutingDocument, RoutingDocument};
use crate::store::settings::{self, Kind, Owner};
use crate::store::{StoreError, agents, numbers};

/// Which hours stand behind an owner's, merged.
///
/// # Errors
/// When they can't be read.
pub async fn hours_of(
    conn: &mut PgConnection,
    owners: &[Owner],
) -> Result<Setting<HoursDocument>, StoreError> {
    let now = UnixSeconds(jiff::Timestamp::now().as_second());
    let mut scopes = Vec::with_capacity(owners.len());
    for owner in owners {
        scopes.push(settings::get::<HoursDocument>(conn, *owner, Kind::Hours).await?);
    }
    Ok(Setting::merged(owners, scopes, |near, far| near.over(far, now)))
}

/// Which routing stands behind an owner's, merged: a list of rules replaces the list.
///
/// # Errors
/// When they can't be read.
pub async fn routing_of(
    conn: &mut PgConnection,
    owners: &[Owner],
) -> Result<Setting<RoutingDocument>, StoreError> {
    let mut scopes = Vec::with_capacity(owners.len());
    for owner in owners {
        scopes.push(match owner {
            Owner::Platform => settings::get::<PlatformRoutingDocument>(conn, *owner, Kind::Routing)
                .await?
                .map(RoutingDocument::from),
            _ => settings::get::<RoutingDocument>(conn, *owner, Kind::Routing).await?,
        });
    }
    Ok(Setting::merged(owners, scopes, RoutingDocument::over))
}

/// Refuses rules that name an agent that isn't the tenant's; holds those that are.
///
/// # Errors
/// The place that names it.
pub async fn check_agents(
    conn: &mut PgConnection,
    tenant: TenantId,
    document: &RoutingDocument,
) -> Result<(), Problem> {
    let named = document.agents();
    let ids: Vec<_> = named.iter().map(|(id, _)| *id).collect();
    let held = agents::hold(conn, tenant, &ids).await?;
    match named.into_iter().find(|(id, _)| !held.contains(id)) {
        Some((_, place)) => Err(Invalid::new(place, "wanted an agent of this tenant").into()),
        None => Ok(()),
    }
}

/// Refuses to change hours or routing that aren't as `If-Match` says.
///
/// # Errors
/// As [`Write::expect`].
pub async fn expect(write: &mut Write<'_>, owners: &[Owner], kind: Kind) -> Result<(), Stop> {
    match kind {
        Kind::Hours => write.expect(async |conn| hours_of(conn, owners).await).await,
        _ => write.expect(async |conn| routing_of(conn, owners).await).await,
    }
}

const fn owners(tenant: TenantId, id: PhoneNumberId) -> [Owner; 3] {
    [Owner::Number(tenant, id), Owner::Tenant(tenant), Owner::Platform]
}

/// Get a number's opening hours.
#[utoipa::path(get, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/hours", tag = "Settings",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path)),
    responses((status = 200, body = Setting<HoursDocument>)))]
pub async fn get_hours(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PhoneNumberId>,
) -> Result<Json<Setting<HoursDocument>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    numbers::find(tx.conn(), tenant.id, id).await?;
    Ok(Json(hours_of(tx.conn(), &owners(tenant.id, id)).await?))
}

/// Set a number's opening hours. What the document leaves out is inherited.
#[utoipa::path(put, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/hours", tag = "Settings",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    request_body = HoursDocument, responses((status = 200, body = Setting<HoursDocument>)))]
pub async fn put_hours(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
    Body(document): Body<HoursDocument>,
) -> Answered {
    document.compile()?;
    let mut write = api.write_routing(order).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    expect(&mut write, &owners(tenant.id, id), Kind::Hours).await?;
    settings::put(write.tx.conn(), Owner::Number(tenant.id, id), Kind::Hours, &document).await?;
    write.tx.record_number(tenant.id, id).await?;
    let setting = hours_of(write.tx.conn(), &owners(tenant.id, id)).await?;
    write.answer(StatusCode::OK, &setting).await
}

/// Unset a number's opening hours: all is inherited.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/hours",
    tag = "Settings", params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    responses((status = 204)))]
pub async fn delete_hours(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
) -> Answered {
    delete(&api, &tenant, id, order, Kind::Hours).await
}

/// Get a number's routing.
#[utoipa::path(get, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/routing", tag = "Settings",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path)),
    responses((status = 200, body = Setting<RoutingDocument>)))]
pub async fn get_routing(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PhoneNumberId>,
) -> Result<Json<Setting<RoutingDocument>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    numbers::find(tx.conn(), tenant.id, id).await?;
    Ok(Json(routing_of(tx.conn(), &owners(tenant.id, id)).await?))
}

/// Set a number's routing. What the document leaves out is inherited; a list of rules replaces the list.
#[utoipa::path(put, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/routing", tag = "Settings",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    request_body = RoutingDocument, responses((status = 200, body = Setting<RoutingDocument>)))]
pub async fn put_routing(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
    Body(document): Body<RoutingDocument>,
) -> Answered {
    document.check()?;
    let mut write = api.write_routing(order).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    expect(&mut write, &owners(tenant.id, id), Kind::Routing).await?;
    check_agents(write.tx.conn(), tenant.id, &document).await?;
    settings::put(write.tx.conn(), Owner::Number(tenant.id, id), Kind::Routing, &document).await?;
    write.tx.record_number(tenant.id, id).await?;
    let setting = routing_of(write.tx.conn(), &owners(tenant.id, id)).await?;
    write.answer(StatusCode::OK, &setting).await
}

/// Unset a number's routing: its tenant's holds.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/routing", tag = "Settings",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    responses((status = 204)))]
pub async fn delete_routing(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
) -> Answered {
    delete(&api, &tenant, id, order, Kind::Routing).await
}

async fn delete(
    api: &Api,
    tenant: &InTenant<Editor>,
    id: PhoneNumberId,
    order: Order,
    kind: Kind,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    expect(&mut write, &owners(tenant.id, id), kind).await?;
    settings::delete(write.tx.conn(), Owner::Number(tenant.id, id), kind).await?;
    write.tx.record_number(tenant.id, id).await?;
    write.no_content().await
}
