//! A tenant's staff and services one by one. They are the lists of its defaults, `defaults/staff` and
//! `defaults/services`, which locations without lists of their own have.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::TenantId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Api;
use super::auth::{Editor, InPath, InTenant, PathId, Viewer};
use super::body::Body;
use super::documents::{Document, check_offered};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::Page;
use super::writes::{Answered, Stop, Write};
use crate::invalid::{self, Invalid};
use crate::people::{PersonDocument, ServiceDocument, ServicesDocument, StaffDocument};
use crate::store::settings::{self, Owner};
use crate::store::tenants;

/// Something that stands in a list by its id.
trait Listed: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// The list.
    type List: Document + Default;
    /// Its field in the list's document.
    const FIELD: &'static str;

    fn id(&self) -> Option<Uuid>;
    fn items(list: &Self::List) -> &[Self];
    fn items_mut(list: &mut Self::List) -> &mut Vec<Self>;
}

impl Listed for PersonDocument {
    type List = StaffDocument;
    const FIELD: &'static str = "staff";

    fn id(&self) -> Option<Uuid> {
        self.id
    }
    fn items(list: &StaffDocument) -> &[Self] {
        &list.staff
    }
    fn items_mut(list: &mut StaffDocument) -> &mut Vec<Self> {
        &mut list.staff
    }
}

impl Listed for ServiceDocument {
    type List = ServicesDocument;
    const FIELD: &'static str = "services";

    fn id(&self) -> Option<Uuid> {
        self.id
    }
    fn items(list: &ServicesDocument) -> &[Self] {
        &list.services
    }
    fn items_mut(list: &mut ServicesDocument) -> &mut Vec<Self> {
        &mut list.services
    }
}

/// A person's id in a path.
pub struct PersonId(Uuid);
/// A service's id in a path.
pub struct ServiceId(Uuid);

impl std::str::FromStr for PersonId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
impl std::str::FromStr for ServiceId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
impl InPath for PersonId {
    const NAME: &'static str = "person_id";
}
impl InPath for ServiceId {
    const NAME: &'static str = "service_id";
}

async fn list_of<T: Listed>(api: &Api, tenant: &InTenant<Viewer>) -> Result<Vec<T>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    let list: Option<T::List> = settings::get(tx.conn(), Owner::Tenant(tenant.id), T::List::KIND).await?;
    Ok(list.as_ref().map(T::items).unwrap_or_default().to_vec())
}

async fn one_of<T: Listed>(api: &Api, tenant: &InTenant<Viewer>, id: Uuid) -> Result<Json<T>, Problem> {
    let found = list_of::<T>(api, tenant).await?.into_iter().find(|item| item.id() == Some(id));
    found.map(Json).ok_or_else(Problem::not_found)
}

/// The locked tenant's list.
async fn lock<T: Listed>(write: &mut Write<'_>, tenant: TenantId) -> Result<T::List, Stop> {
    tenants::lock(write.tx.conn(), tenant).await?;
    let owner = Owner::Tenant(tenant);
    Ok(settings::get(write.tx.conn(), owner, T::List::KIND).await?.unwrap_or_default())
}

/// Writes the list in which the item at `index` is new, or changed.
async fn put<T: Listed>(
    write: &mut Write<'_>,
    tenant: TenantId,
    mut list: T::List,
    index: Option<usize>,
) -> Result<T::List, Stop> {
    let place = index.map(|index| format!("{}[{index}].", T::FIELD)).unwrap_or_default();
    // The caller sent one item, and knows nothing of its place in the list.
    let within = |refused: Invalid| match refused.field.strip_prefix(&place) {
        Some(field) => Invalid::new(field.to_owned(), refused.wanted),
        None => refused,
    };
    list.check().map_err(within)?;
    list.identify();
    let owner = Owner::Tenant(tenant);
    check_offered(write.tx.conn(), &[owner], &list).await?.map_err(within)?;
    settings::put(write.tx.conn(), owner, T::List::KIND, &list).await?;
    write.tx.record_tenant(tenant).await?;
    Ok(list)
}

async fn add<T: Listed>(api: &Api, tenant: &InTenant<Editor>, order: Order, item: T) -> Answered {
    if item.id().is_some() {
        return Err(Invalid::new("id", "wanted none: it is given").into());
    }
    let mut write = api.write_routing(order).await?;
    let mut list = lock::<T>(&mut write, tenant.id).await?;
    let index = T::items(&list).len();
    T::items_mut(&mut list).push(item);
    let list = put::<T>(&mut write, tenant.id, list, Some(index)).await?;
    let item = T::items(&list).last().ok_or_else(Problem::internal)?;
    write.created(item.id().unwrap_or_default(), item).await
}

async fn change<T: Listed>(
    api: &Api,
    tenant: &InTenant<Editor>,
    id: Uuid,
    order: Order,
    patch: Map<String, Value>,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    let mut list = lock::<T>(&mut write, tenant.id).await?;
    let (index, item) = find::<T>(&mut write, &list, id).await?;
    T::items_mut(&mut list)[index] = patched(&item, patch)?;
    let list = put::<T>(&mut write, tenant.id, list, Some(index)).await?;
    write.answer(StatusCode::OK, &T::items(&list)[index]).await
}

async fn remove<T: Listed>(api: &Api, tenant: &InTenant<Editor>, id: Uuid, order: Order) -> Answered {
    let mut write = api.write_routing(order).await?;
    let mut list = lock::<T>(&mut write, tenant.id).await?;
    let (index, _) = find::<T>(&mut write, &list, id).await?;
    T::items_mut(&mut list).remove(index);
    put::<T>(&mut write, tenant.id, list, None).await?;
    write.no_content().await
}

async fn find<T: Listed>(write: &mut Write<'_>, list: &T::List, id: Uuid) -> Result<(usize, T), Stop> {
    let found = T::items(list).iter().enumerate().find(|(_, item)| item.id() == Some(id));
    let (index, item) = found.ok_or_else(Problem::not_found)?;
    write.expect(async |_| Ok::<_, Problem>(item.clone())).await?;
    Ok((index, item.clone()))
}

/// The item with the fields of a patch; null unsets one.
fn patched<T: Listed>(item: &T, patch: Map<String, Value>) -> Result<T, Problem> {
    if patch.contains_key("id") {
        return Err(Invalid::new("id", "wanted none: it stays").into());
    }
    let Ok(Value::Object(mut fields)) = serde_json::to_value(item) else { return Err(Problem::internal()) };
    for (name, value) in patch {
        match value {
            Value::Null => drop(fields.remove(&name)),
            value => drop(fields.insert(name, value)),
        }
    }
    serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| invalid::at_path(None, error.path(), &error.inner().to_string()).into())
}

/// List a tenant's staff.
#[utoipa::path(get, path = "/tenants/{tenant_id}/staff", tag = "Staff and services",
    params(("tenant_id" = Uuid, Path)), responses((status = 200, body = Page<PersonDocument>)))]
pub async fn list_staff(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
) -> Result<Json<Page<PersonDocument>>, Problem> {
    Ok(Json(Page { items: list_of(&api, &tenant).await?, next: None }))
}

/// Add somebody to a tenant's staff.
#[utoipa::path(post, path = "/tenants/{tenant_id}/staff", tag = "Staff and services",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = PersonDocument,
    responses((status = 201, body = PersonDocument)))]
pub async fn add_person(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(person): Body<PersonDocument>,
) -> Answered {
    add(&api, &tenant, order, person).await
}

/// Get somebody of a tenant's staff.
#[utoipa::path(get, path = "/tenants/{tenant_id}/staff/{person_id}",
    tag = "Staff and services", params(("tenant_id" = Uuid, Path), ("person_id" = Uuid, Path)),
    responses((status = 200, body = PersonDocument)))]
pub async fn get_person(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PersonId>,
) -> Result<Json<PersonDocument>, Problem> {
    one_of(&api, &tenant, id.0).await
}

/// Change somebody of a tenant's staff: the fields that are given; null unsets one.
#[utoipa::path(patch, path = "/tenants/{tenant_id}/staff/{person_id}",
    tag = "Staff and services", params(("tenant_id" = Uuid, Path), ("person_id" = Uuid, Path), WaitQuery),
    request_body = PersonDocument, responses((status = 200, body = PersonDocument)))]
pub async fn change_person(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PersonId>,
    order: Order,
    Body(patch): Body<Map<String, Value>>,
) -> Answered {
    change::<PersonDocument>(&api, &tenant, id.0, order, patch).await
}

/// Remove somebody from a tenant's staff.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/staff/{person_id}",
    tag = "Staff and services", params(("tenant_id" = Uuid, Path), ("person_id" = Uuid, Path), WaitQuery),
    responses((status = 204)))]
pub async fn remove_person(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PersonId>,
    order: Order,
) -> Answered {
    remove::<PersonDocument>(&api, &tenant, id.0, order).await
}

/// List a tenant's services.
#[utoipa::path(get, path = "/tenants/{tenant_id}/services",
    tag = "Staff and services", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, body = Page<ServiceDocument>)))]
pub async fn list_services(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
) -> Result<Json<Page<ServiceDocument>>, Problem> {
    Ok(Json(Page { items: list_of(&api, &tenant).await?, next: None }))
}

/// Add something to a tenant's services.
#[utoipa::path(post, path = "/tenants/{tenant_id}/services",
    tag = "Staff and services", params(("tenant_id" = Uuid, Path), WaitQuery), request_body = ServiceDocument,
    responses((status = 201, body = ServiceDocument)))]
pub async fn add_service(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(service): Body<ServiceDocument>,
) -> Answered {
    add(&api, &tenant, order, service).await
}

/// Get one of a tenant's services.
#[utoipa::path(get, path = "/tenants/{tenant_id}/services/{service_id}",
    tag = "Staff and services", params(("tenant_id" = Uuid, Path), ("service_id" = Uuid, Path)),
    responses((status = 200, body = ServiceDocument)))]
pub async fn get_service(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<ServiceId>,
) -> Result<Json<ServiceDocument>, Problem> {
    one_of(&api, &tenant, id.0).await
}

/// Change one of a tenant's services: the fields that are given; null unsets one.
#[utoipa::path(patch, path = "/tenants/{tenant_id}/services/{service_id}",
    tag = "Staff and services", params(("tenant_id" = Uuid, Path), ("service_id" = Uuid, Path), WaitQuery),
    request_body = ServiceDocument, responses((status = 200, body = ServiceDocument)))]
pub async fn change_service(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<ServiceId>,
    order: Order,
    Body(patch): Body<Map<String, Value>>,
) -> Answered {
    change::<ServiceDocument>(&api, &tenant, id.0, order, patch).await
}

/// Remove one of a tenant's services.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/services/{service_id}",
    tag = "Staff and services", params(("tenant_id" = Uuid, Path), ("service_id" = Uuid, Path), WaitQuery),
    responses((status = 204)))]
pub async fn remove_service(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<ServiceId>,
    order: Order,
) -> Answered {
    remove::<ServiceDocument>(&api, &tenant, id.0, order).await
}
