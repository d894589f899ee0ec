//! Services: of a number and of a tenant.

use axum::Json;
use axum::extract::State;
use dialplane_common::ids::PhoneNumberId;

use super::Api;
use super::auth::{Editor, InTenant, PathId, Viewer};
use super::body::Body;
use super::documents;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::setting::Setting;
use super::writes::Answered;
use crate::people::ServicesDocument;

/// Get the services of a number.
#[utoipa::path(get, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/services", tag = "Staff and services",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path)),
    responses((status = 200, body = Setting<ServicesDocument>)))]
pub async fn get(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PhoneNumberId>,
) -> Result<Json<Setting<ServicesDocument>>, Problem> {
    documents::get_of_number(&api, &tenant, id).await
}

/// Set the services of a number. The list replaces what is inherited.
#[utoipa::path(put, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/services", tag = "Staff and services",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery), request_body = ServicesDocument,
    responses((status = 200, body = Setting<ServicesDocument>)))]
pub async fn put(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
    Body(document): Body<ServicesDocument>,
) -> Answered {
    documents::put_of_number(&api, &tenant, id, order, document).await
}

/// Unset the services of a number: all is inherited.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/services", tag = "Staff and services",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
) -> Answered {
    documents::delete_of_number::<ServicesDocument>(&api, &tenant, id, order).await
}

/// Get the services of a tenant.
#[utoipa::path(get, path = "/tenants/{tenant_id}/defaults/services", tag = "Staff and services",
    params(("tenant_id" = Uuid, Path)), responses((status = 200, body = Setting<ServicesDocument>)))]
pub async fn get_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
) -> Result<Json<Setting<ServicesDocument>>, Problem> {
    documents::get_of_tenant(&api, &tenant).await
}

/// Set the services of a tenant. The list replaces what is inherited.
#[utoipa::path(put, path = "/tenants/{tenant_id}/defaults/services", tag = "Staff and services",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = ServicesDocument,
    responses((status = 200, body = Setting<ServicesDocument>)))]
pub async fn put_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(document): Body<ServicesDocument>,
) -> Answered {
    documents::put_of_tenant(&api, &tenant, order, document).await
}

/// Unset the services of a tenant.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/defaults/services", tag = "Staff and services",
    params(("tenant_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete_of_tenant(State(api): State<Api>, tenant: InTenant<Editor>, order: Order) -> Answered {
    documents::delete_of_tenant::<ServicesDocument>(&api, &tenant, order).await
}
