//! The pool: phone numbers of the platform's that no tenant has, and how they get there and away. Operators only.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::{AccountId, PhoneNumberId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;

use super::Api;
use super::auth::{InTenant, Operator, PathId, Viewer};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::phone_numbers::{PhoneNumber, leave, view};
use super::writes::Answered;
use crate::invalid::Invalid;
use crate::numbering;
use crate::store::numbers::{self, LifecycleStep};
use crate::store::pool::{self, Leaving, PooledNumber};
use crate::store::{StoreError, accounts, tenants};

/// A number for the pool.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPooledNumber {
    /// In the E.164 form. Nobody has it.
    phone_number: String,
    /// The platform's account that brings its calls: whoever gets the number is granted it.
    #[schema(value_type = Option<Uuid>)]
    account_id: Option<AccountId>,
}

/// A number that no tenant has, and its life.
#[derive(Serialize, ToSchema)]
pub struct PooledNumberWhole {
    #[serde(flatten)]
    number: PooledNumber,
    /// Where it has been, oldest first.
    history: Vec<LifecycleStep>,
}

/// Which numbers.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PoolQuery {
    /// Those of this lifecycle; absent: `available`.
    #[param(inline)]
    #[serde(default)]
    lifecycle: Unheld,
}

/// What a number may be that no tenant has.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unheld {
    /// To be had.
    #[default]
    Available,
    /// Somebody is about to get it.
    Reserved,
    /// It rests.
    Quarantined,
    /// The platform's no more.
    Released,
}

impl Unheld {
    const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Reserved => "reserved",
            Self::Quarantined => "quarantined",
            Self::Released => "released",
        }
    }
}

/// List the numbers that no tenant has. Operators only.
#[utoipa::path(get, path = "/pool", tag = "Pool", params(PageQuery, PoolQuery),
    responses((status = 200, body = Page<PooledNumber>)))]
pub async fn list(
    State(api): State<Api>,
    Operator(principal): Operator,
    list: List<PoolQuery>,
) -> Result<Json<Page<PooledNumber>>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    let rows =
        pool::list(tx.conn(), list.filter.lifecycle.name(), list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |row| row.id, |row| row)))
}

/// Add a number to the pool. Operators only.
#[utoipa::path(post, path = "/pool", tag = "Pool", params(WaitQuery),
    request_body = NewPooledNumber, responses((status = 201, body = PooledNumberWhole)))]
pub async fn add(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewPooledNumber>,
) -> Answered {
    let number = numbering::possible("phone_number", &new.phone_number)?;
    let mut write = api.write(order).await?;
    if let Some(account) = new.account_id {
        accounts::find(write.tx.conn(), None, account).await.map_err(|error| match error {
            StoreError::NotFound => Invalid::new("account_id", "wanted an account of the platform").into(),
            other => Problem::from(other),
        })?;
    }
    let id = pool::add(write.tx.conn(), number, new.account_id).await?;
    let pooled = whole(write.tx.conn(), id).await?;
    write.created(id, &pooled).await
}

/// Get a number that no tenant has. Operators only.
#[utoipa::path(get, path = "/pool/{phone_number_id}", tag = "Pool",
    params(("phone_number_id" = Uuid, Path)), responses((status = 200, body = PooledNumberWhole)))]
pub async fn get(
    State(api): State<Api>,
    Operator(principal): Operator,
    PathId(id): PathId<PhoneNumberId>,
) -> Result<Json<PooledNumberWhole>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    Ok(Json(whole(tx.conn(), id).await?))
}

async fn whole(conn: &mut PgConnection, id: PhoneNumberId) -> Result<PooledNumberWhole, StoreError> {
    let number = pool::find(conn, id).await?;
    Ok(PooledNumberWhole { number, history: numbers::history(conn, None, id).await? })
}

/// Release a number that no tenant has, whether it rests or not: it is the platform's no more, and what tenants had set of
/// it is forgotten. Operators only.
///
/// One that an account holds for the platform is given back by a job first, of kind `release` in `/provisioning`: until
/// then it is `quarantined`, and nobody's to have. One that a job is about to give to somebody is refused with
/// `phone_number_reserved`.
#[utoipa::path(delete, path = "/pool/{phone_number_id}", tag = "Pool",
    params(("phone_number_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn remove(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    pool::lock(write.tx.conn(), id).await?;
    write.expect(async |conn| whole(conn, id).await).await?;
    if pool::find(write.tx.conn(), id).await?.lifecycle == "reserved" {
        return Err(reserved().into());
    }
    pool::part_with(write.tx.conn(), id).await?;
    write.no_content().await
}

fn reserved() -> Problem {
    let detail =
        "a provisioning job is about to give this number to somebody: call the job off, or wait for its end";
    Problem::new(StatusCode::CONFLICT, "phone_number_reserved", detail)
}

/// Give a tenant a number that no tenant has, with all that the tenant had set of it when it had it before. Operators
/// only.
#[utoipa::path(post, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/assign",
    tag = "Pool",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    responses((status = 200, body = PhoneNumber)))]
pub async fn assign(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
    _operator: Operator,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    pool::assign(write.tx.conn(), tenant.id, id).await?;
    let row = write.tx.record_number(tenant.id, id).await?;
    write.answer(StatusCode::OK, &view(row)).await
}

/// Take a number from its tenant to the pool. What the tenant has set of it is kept, for when it gets the number again;
/// nobody else sees it. Operators only.
#[utoipa::path(post, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/unassign",
    tag = "Pool",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    responses((status = 200, body = PooledNumberWhole)))]
pub async fn unassign(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
    _operator: Operator,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    leave(&mut write, tenant.id, id, Leaving::Pool).await?;
    let pooled = whole(write.tx.conn(), id).await?;
    write.answer(StatusCode::OK, &pooled).await
}
