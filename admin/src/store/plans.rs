//! Plans' rows: what tenants may, by the name of what they pay for.

use std::collections::HashSet;

use dialplane_common::ids::TenantId;
use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::bulk::Hold;
use super::instant::Instant;
use crate::routing::StepDocument;

/// What a tenant pays for. Limits that a tenant has itself come before its plan's.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
#[schema(as = TenantPlan)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// How many calls at a time; null: any number.
    pub calls_max: Option<i32>,
    /// How many phone numbers; null: any number.
    pub phone_numbers_max: Option<i32>,
    /// How much may be spent on a tenant's numbers in a calendar month (UTC): a decimal; null: the platform's default.
    pub spend_max: Option<String>,
    /// What is done with a call that is one too many, where the tenant doesn't say; null: as the platform says.
    #[schema(value_type = Option<StepDocument>)]
    pub over_limit: Option<Json<StepDocument>>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
}

macro_rules! columns {
    () => {
        "name, calls_max, phone_numbers_max, spend_max::text AS spend_max, over_limit, created_at, updated_at"
    };
}

/// What people set of a plan.
#[derive(Clone, Debug)]
pub struct PlanFields {
    /// How many calls at a time.
    pub calls_max: Option<i32>,
    /// How many phone numbers.
    pub phone_numbers_max: Option<i32>,
    /// How much may be spent, with two places.
    pub spend_max: Option<String>,
    /// What is done with a call that is one too many.
    pub over_limit: Option<Json<StepDocument>>,
}

/// Inserts a plan.
///
/// # Errors
/// [`StoreError::PlanNameTaken`].
pub async fn insert(conn: &mut PgConnection, name: &str, fields: &PlanFields) -> Result<Plan, StoreError> {
    Ok(sqlx::query_as(concat!(
        "INSERT INTO plans (name, calls_max, phone_numbers_max, spend_max, over_limit)
         VALUES ($1, $2, $3, $4::numeric, $5) RETURNING ",
        columns!()
    ))
    .bind(name)
    .bind(fields.calls_max)
    .bind(fields.phone_numbers_max)
    .bind(&fields.spend_max)
    .bind(&fields.over_limit)
    .fetch_one(conn)
    .await?)
}

/// The plan.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, name: &str) -> Result<Plan, StoreError> {
    let query = sqlx::query_as(concat!("SELECT ", columns!(), " FROM plans WHERE name = $1"));
    Ok(query.bind(name).fetch_one(conn).await?)
}

/// The plan, locked until the transaction ends: no tenant gets it meanwhile.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, name: &str) -> Result<Plan, StoreError> {
    let query = sqlx::query_as(concat!("SELECT ", columns!(), " FROM plans WHERE name = $1 FOR UPDATE"));
    Ok(query.bind(name).fetch_one(conn).await?)
}

/// Holds a plan as it is until the transaction ends, for a tenant that is to have it. Before the tenant is locked: who changes
/// a plan locks it, and then its tenants.
///
/// # Errors
/// [`StoreError::NoSuchPlan`].
pub async fn hold(conn: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let held = sqlx::query("SELECT FROM plans WHERE name = $1 FOR KEY SHARE").bind(name);
    held.fetch_optional(conn).await?.map(drop).ok_or(StoreError::NoSuchPlan)
}

/// Which of these names are plans', which stay until the transaction ends where they are held.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn known(
    conn: &mut PgConnection,
    names: &[String],
    hold: Hold,
) -> Result<HashSet<String>, StoreError> {
    if names.is_empty() {
        return Ok(HashSet::new());
    }
    let query = match hold {
        Hold::Yes => "SELECT name FROM plans WHERE name = ANY($1) ORDER BY name FOR KEY SHARE",
        Hold::No => "SELECT name FROM plans WHERE name = ANY($1)",
    };
    let known: Vec<String> = sqlx::query_scalar(query).bind(names).fetch_all(conn).await?;
    Ok(known.into_iter().collect())
}

/// All plans, by name: they are few.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Plan>, StoreError> {
    let query = sqlx::query_as(concat!("SELECT ", columns!(), " FROM plans ORDER BY name"));
    Ok(query.fetch_all(conn).await?)
}

/// Sets a locked plan's fields, and has its tenants' records written anew.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn update(conn: &mut PgConnection, name: &str, fields: &PlanFields) -> Result<Plan, StoreError> {
    let plan = sqlx::query_as(concat!(
        "UPDATE plans SET calls_max = $2, phone_numbers_max = $3, spend_max = $4::numeric, over_limit = $5,
            updated_at = now()
         WHERE name = $1 RETURNING ",
        columns!()
    ))
    .bind(name)
    .bind(fields.calls_max)
    .bind(fields.phone_numbers_max)
    .bind(&fields.spend_max)
    .bind(&fields.over_limit)
    .fetch_one(&mut *conn)
    .await?;
    // A row that is there is held all the same: who takes it away has to see this plan.
    sqlx::query(
        "INSERT INTO tenants_to_record (tenant_id) SELECT id FROM tenants WHERE plan = $1 ORDER BY id
         ON CONFLICT (tenant_id) DO UPDATE SET tenant_id = excluded.tenant_id",
    )
    .bind(name)
    .execute(conn)
    .await?;
    Ok(plan)
}

/// Deletes a plan that no tenant has.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::PlanInUse`].
pub async fn delete(conn: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM plans WHERE name = $1 RETURNING name").bind(name).fetch_one(conn).await?;
    Ok(())
}

/// What a tenant's plan says is done with a call that is one too many.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn over_limit(
    conn: &mut PgConnection,
    tenant: TenantId,
) -> Result<Option<StepDocument>, StoreError> {
    let document: Option<Option<Json<StepDocument>>> = sqlx::query_scalar(
        "SELECT plans.over_limit FROM tenants JOIN plans ON plans.name = tenants.plan WHERE tenants.id = $1",
    )
    .bind(tenant.0)
    .fetch_optional(conn)
    .await?;
    Ok(document.flatten().map(|document| document.0))
}

/// Takes tenants whose records are to be written anew, at most so many; nobody else takes them meanwhile. With the
/// transaction's end that is done.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn take_changed(conn: &mut PgConnection, tenants_max: i64) -> Result<Vec<Uuid>, StoreError> {
    let taken: Vec<Uuid> = sqlx::query_scalar(
        "DELETE FROM tenants_to_record WHERE tenant_id IN (
            SELECT tenant_id FROM tenants_to_record ORDER BY tenant_id LIMIT $1 FOR UPDATE SKIP LOCKED
         ) RETURNING tenant_id",
    )
    .bind(tenants_max)
    .fetch_all(&mut *conn)
    .await?;
    // In one order, so that no two wait for each other.
    let locked =
        sqlx::query_scalar("SELECT id FROM tenants WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE");
    Ok(locked.bind(taken).fetch_all(conn).await?)
}
