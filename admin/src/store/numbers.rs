//! Phone numbers' rows, with what ties them to accounts.

use std::fmt;

use dialplane_common::e164::{E164, Prefix};
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::ids::{AgentId, PhoneNumberId, TenantId};
use serde::Serialize;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::types::Json;
use sqlx::{FromRow, Row};
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::bindings::Binding;
use super::instant::Instant;
use super::search::Pattern;
use crate::business::address::{LocationAddress, PostalAddress};

/// What calls come to: a number, or any of the numbers of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Address {
    /// A number.
    Number(E164),
    /// All numbers that begin so and aren't somebody's by themselves or by a longer prefix.
    Range(Prefix),
}

impl Address {
    pub(super) fn from_row(text: &str, is_range: bool) -> Result<Self, StoreError> {
        let address = match is_range {
            true => text.parse().ok().map(Self::Range),
            false => text.parse().ok().map(Self::Number),
        };
        address.ok_or(StoreError::Malformed("phone number"))
    }

    /// Whether it is a block.
    #[must_use]
    pub const fn is_range(self) -> bool {
        matches!(self, Self::Range(_))
    }

    /// The key of its record.
    #[must_use]
    pub const fn key(self) -> RecordKey {
        match self {
            Self::Number(number) => RecordKey::Number(number),
            Self::Range(prefix) => RecordKey::Range(prefix),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Range(prefix) => prefix.fmt(f),
        }
    }
}

/// A phone number, as stored, with its bindings in the order of their accounts.
#[derive(Clone, Debug, FromRow)]
pub struct NumberRow {
    /// Its id.
    pub id: Uuid,
    /// Whose number it is.
    pub tenant_id: Uuid,
    /// The number, or what the block's numbers begin with.
    pub phone_number: String,
    /// Whether it is a block.
    pub is_range: bool,
    /// The location's name.
    pub display_name: String,
    /// Where the location is, in one line.
    pub address: Option<String>,
    /// The same taken apart, where it was given so.
    pub address_parts: Option<Json<PostalAddress>>,
    /// The location's time zone; absent: its tenant's.
    pub timezone: Option<String>,
    /// `active`, `inactive` or `suspended`.
    pub status: String,
    /// Where it is in its life.
    pub lifecycle: String,
    /// How it came here.
    pub source: String,
    /// Whether it is its tenant's primary one.
    pub is_primary: bool,
    /// Whoever answers where a rule names nobody.
    pub agent_id: Option<Uuid>,
    /// How many calls it may have at a time; absent: any number.
    pub calls_max: Option<i32>,
    /// When it was created.
    pub created_at: Instant,
    /// When it was last changed.
    pub updated_at: Instant,
    /// What ties it to accounts; none where a query leaves them out.
    #[sqlx(default)]
    pub bindings: Json<Vec<Binding>>,
}

impl NumberRow {
    /// What calls come to.
    ///
    /// # Errors
    /// [`StoreError::Malformed`].
    pub fn address(&self) -> Result<Address, StoreError> {
        Address::from_row(&self.phone_number, self.is_range)
    }

    /// Whether its calls are routed.
    #[must_use]
    pub fn is_routed(&self) -> bool {
        self.status == "active" && matches!(self.lifecycle.as_str(), "active" | "porting")
    }

    /// Where the location is, as it was given.
    #[must_use]
    pub fn location_address(&self) -> Option<LocationAddress> {
        let parts = self.address_parts.as_ref().map(|parts| LocationAddress::Parts(parts.0.clone()));
        parts.or_else(|| self.address.clone().map(LocationAddress::Line))
    }

    /// What people set of it.
    #[must_use]
    pub fn fields(&self) -> NumberFields {
        NumberFields {
            display_name: self.display_name.clone(),
            address: self.location_address(),
            timezone: self.timezone.clone(),
            status: self.status.clone(),
            agent_id: self.agent_id.map(AgentId),
            calls_max: self.calls_max,
        }
    }
}

/// What people set of a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumberFields {
    /// The location's name.
    pub display_name: String,
    /// Where the location is.
    pub address: Option<LocationAddress>,
    /// The location's time zone.
    pub timezone: Option<String>,
    /// `active`, `inactive` or `suspended`.
    pub status: String,
    /// Whoever answers where a rule names nobody.
    pub agent_id: Option<AgentId>,
    /// How many calls it may have at a time; absent: any number.
    pub calls_max: Option<i32>,
}

impl NumberFields {
    /// Of a number of which nothing is set.
    #[must_use]
    pub fn of(address: Address) -> Self {
        Self {
            display_name: address.to_string(),
            address: None,
            timezone: None,
            status: "active".to_owned(),
            agent_id: None,
            calls_max: None,
        }
    }
}

/// Which of a tenant's numbers a list has.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NumberFilter {
    /// Those with such digits, or with such a text.
    pub digits: Option<Pattern>,
    /// Those with such a display name, or with such digits.
    pub text: Option<Pattern>,
    /// This number alone.
    pub phone_number: Option<String>,
    /// Those of this status.
    pub status: Option<&'static str>,
    /// Those that are there in their life.
    pub lifecycle: Option<&'static str>,
    /// Those that this agent answers.
    pub agent_id: Option<Uuid>,
}

const COLUMNS_AND_BINDINGS: &str = "SELECT n.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'account_id', account_id, 'role', role, 'number_id', number_id) ORDER BY account_id), '[]')
        FROM phone_number_bindings b WHERE b.phone_number_id = n.id
    ) AS bindings
    FROM phone_numbers n";

/// The query with the columns of a [`NumberRow`].
pub(super) fn select(condition: &'static str) -> sqlx::AssertSqlSafe<String> {
    // Safe: both parts are literals of this file.
    sqlx::AssertSqlSafe(format!("{COLUMNS_AND_BINDINGS} {condition}"))
}

/// Inserts a number or a block.
///
/// # Errors
/// [`StoreError::NumberTaken`]; [`StoreError::AddressOverlaps`] another tenant's; [`StoreError::PhoneNumbersMax`];
/// [`StoreError::NotFound`] when there is no such tenant.
pub async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    address: Address,
    source: &str,
    fields: &NumberFields,
) -> Result<PhoneNumberId, StoreError> {
    let id = PhoneNumberId(Uuid::now_v7());
    sqlx::query(
        "INSERT INTO phone_numbers (id, tenant_id, phone_number, is_range, display_name, address, address_parts,
            timezone, status, source, agent_id, calls_max)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(id.0)
    .bind(tenant.0)
    .bind(address.to_string())
    .bind(address.is_range())
    .bind(&fields.display_name)
    .bind(fields.address.as_ref().map(LocationAddress::line))
    .bind(fields.address.as_ref().and_then(LocationAddress::parts).map(Json))
    .bind(&fields.timezone)
    .bind(&fields.status)
    .bind(source)
    .bind(fields.agent_id.map(|agent| agent.0))
    .bind(fields.calls_max)
    .execute(conn)
    .await?;
    Ok(id)
}

/// The number.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
) -> Result<NumberRow, StoreError> {
    Ok(sqlx::query_as(select("WHERE n.tenant_id = $1 AND n.id = $2"))
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}

/// Whose a number is; `None`: nobody's. For operators.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn holder(conn: &mut PgConnection, id: PhoneNumberId) -> Result<Option<TenantId>, StoreError> {
    let tenant: Option<Uuid> = sqlx::query_scalar("SELECT tenant_id FROM phone_numbers WHERE id = $1")
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(tenant.map(TenantId))
}

/// A number's digits, whoever's it is. For operators.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::Malformed`] of a range.
pub async fn e164(conn: &mut PgConnection, id: PhoneNumberId) -> Result<E164, StoreError> {
    let text: String = sqlx::query_scalar("SELECT phone_number FROM phone_numbers WHERE id = $1")
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    text.parse().map_err(|_| StoreError::Malformed("phone number"))
}

/// Whether somebody has a number, or nobody does and the platform keeps it. For operators.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn is_known(conn: &mut PgConnection, number: E164) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM phone_numbers
            WHERE phone_number = $1 AND NOT is_range AND lifecycle <> 'released')",
    )
    .bind(number.to_string())
    .fetch_one(conn)
    .await?)
}

/// Says where a number is in its life.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn set_lifecycle(
    conn: &mut PgConnection,
    id: PhoneNumberId,
    lifecycle: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE phone_numbers SET lifecycle = $2, updated_at = now() WHERE id = $1")
        .bind(id.0)
        .bind(lifecycle)
        .execute(conn)
        .await?;
    Ok(())
}

/// Those of these numbers that are being ported, with their tenants.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn porting(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<(TenantId, PhoneNumberId)>, StoreError> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT tenant_id, id FROM phone_numbers
         WHERE lifecycle = 'porting' AND tenant_id IS NOT NULL AND id = ANY ($1) ORDER BY id",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(tenant, id)| (TenantId(tenant), PhoneNumberId(id))).collect())
}

/// Reserves a number that a locked tenant has and doesn't use, `like` this in the words of `LIKE`: nobody answers it, and
/// it is inactive.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn take_unused(
    conn: &mut PgConnection,
    tenant: TenantId,
    like: &str,
) -> Result<Option<PhoneNumberId>, StoreError> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "UPDATE phone_numbers SET lifecycle = 'reserved', updated_at = now()
         WHERE id = (
            SELECT id FROM phone_numbers
            WHERE tenant_id = $1 AND status = 'inactive' AND lifecycle = 'active' AND agent_id IS NULL
                AND NOT is_range AND phone_number LIKE $2
            ORDER BY id LIMIT 1 FOR NO KEY UPDATE
         ) RETURNING id",
    )
    .bind(tenant.0)
    .bind(like)
    .fetch_optional(conn)
    .await?;
    Ok(id.map(PhoneNumberId))
}

/// Locks the number until the transaction ends: the root of its record, its bindings and its settings.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, tenant: TenantId, id: PhoneNumberId) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM phone_numbers WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// The tenant's numbers behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    tenant: TenantId,
    filter: &NumberFilter,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<NumberRow>, StoreError> {
    // A plan for conditions that may be left out expects so few rows that it would read and sort all that there are.
    let conditions = if *filter == NumberFilter::default() { "" } else { CONDITIONS };
    // Safe: both parts are literals of this file.
    let query = sqlx::AssertSqlSafe(format!(
        "SELECT n.*, account_id, role, number_id FROM (
            SELECT * FROM phone_numbers WHERE tenant_id = $1 AND id > $2 {conditions} ORDER BY id LIMIT $3
         ) AS n LEFT JOIN phone_number_bindings ON phone_number_id = n.id ORDER BY n.id, account_id",
    ));
    let query = sqlx::query(query).bind(tenant.0).bind(after.unwrap_or_default()).bind(rows_max);
    let query = match conditions {
        "" => query,
        _ => query
            .bind(&filter.phone_number)
            .bind(filter.status)
            .bind(filter.text.as_ref().map(Pattern::as_str))
            .bind(filter.digits.as_ref().map(Pattern::as_str))
            .bind(filter.lifecycle)
            .bind(filter.agent_id),
    };
    gather(&query.fetch_all(conn).await?)
}

/// The tenant's numbers that have a limit of calls at a time, or are among `also`, each with its limit.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn limited(
    conn: &mut PgConnection,
    tenant: TenantId,
    also: &[Uuid],
    rows_max: i64,
) -> Result<Vec<(Uuid, Option<i32>)>, StoreError> {
    let query = sqlx::query_as(
        "SELECT id, calls_max FROM phone_numbers
         WHERE tenant_id = $1 AND (calls_max IS NOT NULL OR id = ANY($2)) ORDER BY id LIMIT $3",
    );
    Ok(query.bind(tenant.0).bind(also).bind(rows_max).fetch_all(conn).await?)
}

/// Of a filter that isn't empty.
const CONDITIONS: &str = "AND ($4::text IS NULL OR (phone_number = $4 AND NOT is_range))
    AND ($5::text IS NULL OR status = $5)
    AND ($6::text IS NULL OR display_name ILIKE $6 OR phone_number LIKE $7)
    AND ($8::text IS NULL OR lifecycle = $8)
    AND ($9::uuid IS NULL OR agent_id = $9)";

/// Numbers of rows that each have one of their bindings, if any: asking for each number's by itself would take twice as long
/// as all the rest.
fn gather(rows: &[PgRow]) -> Result<Vec<NumberRow>, StoreError> {
    let mut numbers: Vec<NumberRow> = Vec::with_capacity(rows.len());
    for row in rows {
        let id: Uuid = row.try_get("id")?;
        if numbers.last().is_none_or(|number| number.id != id) {
            numbers.push(NumberRow::from_row(row)?);
        }
        let account_id: Option<Uuid> = row.try_get("account_id")?;
        if let (Some(account_id), Some(number)) = (account_id, numbers.last_mut()) {
            let (role, number_id) = (row.try_get("role")?, row.try_get("number_id")?);
            number.bindings.push(Binding { account_id, role, number_id });
        }
    }
    Ok(numbers)
}

/// Sets a locked number's fields.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn update(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
    fields: &NumberFields,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE phone_numbers SET display_name = $3, address = $4, timezone = $5, status = $6, agent_id = $7,
            calls_max = $8, address_parts = $9, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING id",
    )
    .bind(tenant.0)
    .bind(id.0)
    .bind(&fields.display_name)
    .bind(fields.address.as_ref().map(LocationAddress::line))
    .bind(&fields.timezone)
    .bind(&fields.status)
    .bind(fields.agent_id.map(|agent| agent.0))
    .bind(fields.calls_max)
    .bind(fields.address.as_ref().and_then(LocationAddress::parts).map(Json))
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Makes a locked number whose calls are routed its locked tenant's primary one.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn make_primary(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
) -> Result<(), StoreError> {
    // In this order, as no two may be at any moment.
    for (is_primary, condition) in [(false, "is_primary AND id <> $2"), (true, "id = $2 AND NOT is_primary")]
    {
        // Safe: a literal of this file.
        let query = sqlx::AssertSqlSafe(format!(
            "UPDATE phone_numbers SET is_primary = $3 WHERE tenant_id = $1 AND {condition}"
        ));
        sqlx::query(query).bind(tenant.0).bind(id.0).bind(is_primary).execute(&mut *conn).await?;
    }
    Ok(())
}

/// A tenant's primary number; absent: none of its numbers' calls are routed.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn primary(conn: &mut PgConnection, tenant: TenantId) -> Result<Option<PhoneNumberId>, StoreError> {
    let id: Option<Uuid> =
        sqlx::query_scalar("SELECT id FROM phone_numbers WHERE tenant_id = $1 AND is_primary")
            .bind(tenant.0)
            .fetch_optional(conn)
            .await?;
    Ok(id.map(PhoneNumberId))
}

/// One step of a number's life.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct LifecycleStep {
    /// What it became.
    pub lifecycle: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
}

/// Where a number has been in its life while it was this tenant's, oldest first; absent tenant: the platform's.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn history(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    id: PhoneNumberId,
) -> Result<Vec<LifecycleStep>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT lifecycle, at FROM (
            SELECT id, lifecycle, at FROM phone_number_history
            WHERE phone_number_id = $1 AND ($2::uuid IS NULL OR tenant_id = $2)
            UNION ALL
            SELECT 0, lifecycle, created_at FROM phone_numbers
            WHERE id = $1 AND ($2::uuid IS NULL OR tenant_id = $2)
                AND NOT EXISTS (SELECT FROM phone_number_history WHERE phone_number_id = $1)
         ) AS steps ORDER BY id",
    )
    .bind(id.0)
    .bind(tenant.map(|tenant| tenant.0))
    .fetch_all(conn)
    .await?)
}
