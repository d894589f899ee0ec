//! Voice settings: of a number, a tenant and the platform.

use axum::Json;
use axum::extract::State;
use dialplane_common::ids::PhoneNumberId;

use super::Api;
use super::auth::{Editor, InTenant, Operator, PathId, Viewer};
use super::body::Body;
use super::documents;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::setting::Setting;
use super::writes::Answered;
use crate::profile::VoiceDocument;

/// Get the voice settings of a number.
#[utoipa::path(get, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/voice", tag = "Settings",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path)),
    responses((status = 200, body = Setting<VoiceDocument>)))]
pub async fn get(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PhoneNumberId>,
) -> Result<Json<Setting<VoiceDocument>>, Problem> {
    documents::get_of_number(&api, &tenant, id).await
}

/// Set the voice settings of a number. What the document leaves out is inherited.
#[utoipa::path(put, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/voice", tag = "Settings",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery), request_body = VoiceDocument,
    responses((status = 200, body = Setting<VoiceDocument>)))]
pub async fn put(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
    Body(document): Body<VoiceDocument>,
) -> Answered {
    documents::put_of_number(&api, &tenant, id, order, document).await
}

/// Unset the voice settings of a number: all is inherited.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/voice", tag = "Settings",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
) -> Answered {
    documents::delete_of_number::<VoiceDocument>(&api, &tenant, id, order).await
}

/// Get the voice settings of a tenant.
#[utoipa::path(get, path = "/tenants/{tenant_id}/defaults/voice", tag = "Defaults",
    params(("tenant_id" = Uuid, Path)), responses((status = 200, body = Setting<VoiceDocument>)))]
pub async fn get_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
) -> Result<Json<Setting<VoiceDocument>>, Problem> {
    documents::get_of_tenant(&api, &tenant).await
}

/// Set the voice settings of a tenant. What the document leaves out is inherited.
#[utoipa::path(put, path = "/tenants/{tenant_id}/defaults/voice", tag = "Defaults",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = VoiceDocument,
    responses((status = 200, body = Setting<VoiceDocument>)))]
pub async fn put_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(document): Body<VoiceDocument>,
) -> Answered {
    documents::put_of_tenant(&api, &tenant, order, document).await
}

/// Unset the voice settings of a tenant.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/defaults/voice", tag = "Defaults",
    params(("tenant_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete_of_tenant(State(api): State<Api>, tenant: InTenant<Editor>, order: Order) -> Answered {
    documents::delete_of_tenant::<VoiceDocument>(&api, &tenant, order).await
}

/// Get the voice settings of the platform. Operators only.
#[utoipa::path(get, path = "/defaults/voice", tag = "Defaults",
    responses((status = 200, body = Setting<VoiceDocument>)))]
pub async fn get_of_platform(
    State(api): State<Api>,
    Operator(principal): Operator,
) -> Result<Json<Setting<VoiceDocument>>, Problem> {
    documents::get_of_platform(&api, &principal).await
}

/// Set the voice settings of the platform. Operators only.
#[utoipa::path(put, path = "/defaults/voice", tag = "Defaults", params(WaitQuery),
    request_body = VoiceDocument, responses((status = 200, body = Setting<VoiceDocument>)))]
pub async fn put_of_platform(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(document): Body<VoiceDocument>,
) -> Answered {
    documents::put_of_platform(&api, order, document).await
}

/// Unset the voice settings of the platform. Operators only.
#[utoipa::path(delete, path = "/defaults/voice", tag = "Defaults",
    params(WaitQuery), responses((status = 204)))]
pub async fn delete_of_platform(State(api): State<Api>, _operator: Operator, order: Order) -> Answered {
    documents::delete_of_platform::<VoiceDocument>(&api, order).await
}
