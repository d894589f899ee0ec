//! Tenants' rows.

use dialplane_common::ids::TenantId;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow};
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;
use super::search::Pattern;
use crate::business::ProfileDocument;
use crate::business::integrations::Integrations;
use crate::business::provisioning::ProvisioningDocument;

/// A business.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Tenant {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// IANA time zone of its locations that have none of their own.
    pub timezone: String,
    /// `active` or `suspended`: then its calls are rejected.
    pub status: String,
    /// Whoever sells the platform knows it by this; null: by its id alone.
    pub external_id: Option<String>,
    /// The business behind it.
    #[schema(value_type = ProfileDocument)]
    pub profile: Json<ProfileDocument>,
    /// What its other systems need to be known of it, by their names; no secrets.
    #[schema(value_type = std::collections::BTreeMap<String, Object>)]
    pub integrations: Json<Integrations>,
    /// How its numbers and agents are provisioned.
    #[schema(value_type = ProvisioningDocument)]
    pub provisioning: Json<ProvisioningDocument>,
    /// How many calls it may have at a time; null: any number.
    pub calls_max: Option<i32>,
    /// How many phone numbers it may have; null: any number.
    pub phone_numbers_max: Option<i32>,
    /// How many agents it may have; null: any number.
    pub agents_max: Option<i32>,
    /// How much may be spent on its numbers in a calendar month (UTC), in the platform's currency: a decimal with two
    /// places; null: the platform's default.
    // Of `numeric`, which isn't read as text by itself: see [`select`].
    #[sqlx(rename = "spend_max_text")]
    pub spend_max: Option<String>,
    /// What it pays for, by name; null: nothing, so that it has its own limits alone.
    pub plan: Option<String>,
    /// Its limits as they hold: its own, else its plan's.
    #[schema(value_type = Limits)]
    pub limits: Json<Limits>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
}

/// Limits of a tenant as they hold.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// How many calls at a time; null: any number.
    pub calls_max: Option<i32>,
    /// How many phone numbers; null: any number.
    pub phone_numbers_max: Option<i32>,
    /// How many agents; null: any number.
    pub agents_max: Option<i32>,
    /// How much may be spent on its numbers in a calendar month (UTC): a decimal; null: the platform's default.
    pub spend_max: Option<String>,
}

/// A tenant's columns, as a [`Tenant`] is read.
pub(super) const COLUMNS: &str = "*, spend_max::text AS spend_max_text, (
    SELECT jsonb_build_object('calls_max', coalesce(tenants.calls_max, own.calls_max),
        'phone_numbers_max', coalesce(tenants.phone_numbers_max, own.phone_numbers_max), 'agents_max', tenants.agents_max,
        'spend_max', coalesce(tenants.spend_max, own.spend_max)::text)
    FROM (SELECT) AS one LEFT JOIN plans AS own ON own.name = tenants.plan
) AS limits";

/// A query for [`Tenant`]s.
fn select(rest: &'static str) -> AssertSqlSafe<String> {
    // Safe: both parts are literals of this file.
    AssertSqlSafe(format!("SELECT {COLUMNS} FROM tenants {rest}"))
}

/// A statement that gives the [`Tenant`] that it wrote.
fn returning(statement: &'static str) -> AssertSqlSafe<String> {
    // Safe: both parts are literals of this file.
    AssertSqlSafe(format!("{statement} RETURNING {COLUMNS}"))
}

/// Which tenants a list has.
#[derive(Clone, Debug, Default)]
pub struct TenantFilter {
    /// Those of such a name.
    pub name: Option<Pattern>,
    /// Those of this status.
    pub status: Option<&'static str>,
}

/// Fields to change; those absent stay.
#[derive(Clone, Debug, Default)]
pub struct TenantChanges {
    /// Its name.
    pub name: Option<String>,
    /// Its time zone.
    pub timezone: Option<String>,
    /// The business behind it.
    pub profile: Option<ProfileDocument>,
    /// What its other systems need.
    pub integrations: Option<Integrations>,
    /// How its numbers and agents are provisioned.
    pub provisioning: Option<ProvisioningDocument>,
    /// What only operators' transactions may set.
    pub operators: OperatorsChanges,
}

impl TenantChanges {
    /// Whether routers have to know: the other fields aren't in a tenant's record.
    #[must_use]
    pub const fn concern_routers(&self) -> bool {
        let OperatorsChanges { status, calls_max, plan, .. } = &self.operators;
        let limits = calls_max.is_some() || plan.is_some();
        self.name.is_some() || self.timezone.is_some() || status.is_some() || limits
    }

    /// Whether [`super::Store::change_tenant`] makes all of them.
    #[must_use]
    pub fn are_of_one_statement(&self) -> bool {
        !self.concern_routers() && self.operators == OperatorsChanges::default()
    }
}

/// Fields that only operators' transactions may set; those absent stay.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OperatorsChanges {
    /// Its status.
    pub status: Option<String>,
    /// What whoever sells the platform knows it by.
    pub external_id: Option<Option<String>>,
    /// How many calls it may have at a time.
    pub calls_max: Option<Option<i32>>,
    /// How many phone numbers it may have.
    pub phone_numbers_max: Option<Option<i32>>,
    /// How many agents it may have.
    pub agents_max: Option<Option<i32>>,
    /// How much may be spent for it in a month, with two places.
    pub spend_max: Option<Option<String>>,
    /// What it pays for.
    pub plan: Option<Option<String>>,
}

/// A tenant that is to be.
#[derive(Clone, Debug)]
pub struct NewTenant<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its time zone.
    pub timezone: &'a str,
    /// What whoever sells the platform knows it by.
    pub external_id: Option<&'a str>,
    /// The business behind it.
    pub profile: &'a ProfileDocument,
    /// What its other systems need.
    pub integrations: &'a Integrations,
    /// How its numbers and agents are provisioned.
    pub provisioning: &'a ProvisioningDocument,
    /// How many calls it may have at a time.
    pub calls_max: Option<i32>,
    /// How many phone numbers it may have.
    pub phone_numbers_max: Option<i32>,
    /// How many agents it may have.
    pub agents_max: Option<i32>,
    /// How much may be spent for it in a month, with two places.
    pub spend_max: Option<&'a str>,
    /// What it pays for.
    pub plan: Option<&'a str>,
}

/// Inserts a tenant. For operators.
///
/// # Errors
/// [`StoreError::ExternalIdTaken`].
pub async fn insert(
    conn: &mut PgConnection,
    id: TenantId,
    new: &NewTenant<'_>,
) -> Result<Tenant, StoreError> {
    Ok(sqlx::query_as(returning(
        "INSERT INTO tenants (id, name, timezone, external_id, profile, integrations, provisioning, calls_max,
            phone_numbers_max, agents_max, spend_max, plan)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::numeric, $12)",
    ))
    .bind(id.0)
    .bind(new.name)
    .bind(new.timezone)
    .bind(new.external_id)
    .bind(Json(new.profile))
    .bind(Json(new.integrations))
    .bind(Json(new.provisioning))
    .bind(new.calls_max)
    .bind(new.phone_numbers_max)
    .bind(new.agents_max)
    .bind(new.spend_max)
    .bind(new.plan)
    .fetch_one(conn)
    .await?)
}

/// The tenant.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, id: TenantId) -> Result<Tenant, StoreError> {
    Ok(sqlx::query_as(select("WHERE id = $1")).bind(id.0).fetch_one(conn).await?)
}

/// The tenants behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    filter: &TenantFilter,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Tenant>, StoreError> {
    Ok(sqlx::query_as(select(
        "WHERE ($1::uuid IS NULL OR id > $1) AND ($3::text IS NULL OR name ILIKE $3)
            AND ($4::text IS NULL OR status = $4) ORDER BY id LIMIT $2",
    ))
    .bind(after)
    .bind(rows_max)
    .bind(filter.name.as_ref().map(Pattern::as_str))
    .bind(filter.status)
    .fetch_all(conn)
    .await?)
}

/// Locks the tenant until the transaction ends: the root of its record and of its defaults.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, id: TenantId) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM tenants WHERE id = $1 FOR NO KEY UPDATE").bind(id.0).fetch_one(conn).await?;
    Ok(())
}

/// Locks the tenant against everything until the transaction ends, so that nothing is added to it either.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock_for_deletion(conn: &mut PgConnection, id: TenantId) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM tenants WHERE id = $1 FOR UPDATE").bind(id.0).fetch_one(conn).await?;
    Ok(())
}

/// Whether a tenant may have one more phone number.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn has_room(conn: &mut PgConnection, id: TenantId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT coalesce(
            coalesce(tenants.phone_numbers_max, plans.phone_numbers_max)
                > (SELECT count(*) FROM phone_numbers WHERE tenant_id = tenants.id), true)
         FROM tenants LEFT JOIN plans ON plans.name = tenants.plan WHERE tenants.id = $1",
    )
    .bind(id.0)
    .fetch_one(conn)
    .await?)
}

/// Changes a locked tenant.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::ExternalIdTaken`].
pub async fn update(
    conn: &mut PgConnection,
    id: TenantId,
    changes: &TenantChanges,
) -> Result<Tenant, StoreError> {
    if changes.operators != OperatorsChanges::default() {
        let OperatorsChanges {
            status,
            external_id,
            calls_max,
            phone_numbers_max,
            agents_max,
            spend_max,
            plan,
        } = &changes.operators;
        // On its own: a tenant's role may not write these columns, not even their old values.
        sqlx::query(
            "UPDATE tenants SET status = coalesce($2, status),
                external_id = CASE WHEN $3 THEN $4 ELSE external_id END,
                calls_max = CASE WHEN $5 THEN $6 ELSE calls_max END,
                phone_numbers_max = CASE WHEN $7 THEN $8 ELSE phone_numbers_max END,
                agents_max = CASE WHEN $9 THEN $10 ELSE agents_max END,
                spend_max = CASE WHEN $11 THEN $12::numeric ELSE spend_max END,
                plan = CASE WHEN $13 THEN $14 ELSE plan END
             WHERE id = $1",
        )
        .bind(id.0)
        .bind(status)
        .bind(external_id.is_some())
        .bind(external_id.as_ref().and_then(Option::as_ref))
        .bind(calls_max.is_some())
        .bind(calls_max.flatten())
        .bind(phone_numbers_max.is_some())
        .bind(phone_numbers_max.flatten())
        .bind(agents_max.is_some())
        .bind(agents_max.flatten())
        .bind(spend_max.is_some())
        .bind(spend_max.as_ref().and_then(Option::as_ref))
        .bind(plan.is_some())
        .bind(plan.as_ref().and_then(Option::as_ref))
        .execute(&mut *conn)
        .await?;
    }
    Ok(sqlx::query_as(returning(
        "UPDATE tenants SET name = coalesce($2, name), timezone = coalesce($3, timezone),
            profile = coalesce($4, profile), integrations = coalesce($5, integrations),
            provisioning = coalesce($6, provisioning), updated_at = now()
         WHERE id = $1",
    ))
    .bind(id.0)
    .bind(&changes.name)
    .bind(&changes.timezone)
    .bind(changes.profile.as_ref().map(Json))
    .bind(changes.integrations.as_ref().map(Json))
    .bind(changes.provisioning.as_ref().map(Json))
    .fetch_one(conn)
    .await?)
}

/// What a tenant has beside its numbers.
#[derive(Clone, Copy, Debug, Serialize, FromRow, ToSchema)]
pub struct Holdings {
    /// How many phone numbers.
    pub phone_numbers: i64,
    /// How many agents.
    pub agents: i64,
    /// How many accounts.
    pub accounts: i64,
    /// How many intents.
    pub intents: i64,
    /// How many API keys.
    pub api_keys: i64,
}

/// What a tenant has.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn holdings(conn: &mut PgConnection, id: TenantId) -> Result<Holdings, StoreError> {
    Ok(sqlx::query_as(
        "SELECT (SELECT count(*) FROM phone_numbers WHERE tenant_id = $1) AS phone_numbers,
            (SELECT count(*) FROM agents WHERE tenant_id = $1) AS agents,
            (SELECT count(*) FROM accounts WHERE tenant_id = $1) AS accounts,
            (SELECT count(*) FROM intents WHERE tenant_id = $1) AS intents,
            (SELECT count(*) FROM api_keys WHERE tenant_id = $1) AS api_keys",
    )
    .bind(id.0)
    .fetch_one(conn)
    .await?)
}

/// Deletes a tenant and all that it has.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::TenantHasNumbers`].
pub async fn delete(conn: &mut PgConnection, id: TenantId) -> Result<(), StoreError> {
    // First, so that intents find nobody who knows them, in whatever order the rest goes.
    sqlx::query("DELETE FROM agent_intents WHERE tenant_id = $1").bind(id.0).execute(&mut *conn).await?;
    sqlx::query("DELETE FROM tenants WHERE id = $1 RETURNING id").bind(id.0).fetch_one(&mut *conn).await?;
    super::api_keys::announce_all_deleted(conn).await
}
