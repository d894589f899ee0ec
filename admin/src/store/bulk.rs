//! Many rows in one statement: what bulk reads and writes.
//!
//! Lists come as arrays. Each transaction that uses these begins with [`prefer_indexes`].

use std::collections::HashMap;

use dialplane_common::ids::{AgentId, PhoneNumberId, TenantId};
use futures_util::{Stream, StreamExt};
use serde_json::Value;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Postgres, Row};
use uuid::Uuid;

use super::StoreError;
use super::numbers::{NumberRow, select};
use super::settings::Kind;
use super::tenants::{COLUMNS as TENANT, Tenant};

/// A number's documents by kind, or a tenant's.
pub type Documents = HashMap<String, Value>;

/// A statement whose arguments are being bound.
type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Whether rows are held against changes until the transaction ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// They are.
    Yes,
    /// They are only read.
    No,
}

/// Until the transaction ends, no table is read whole for the sake of some thousand rows: a plan that was made while it
/// was small would be.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn prefer_indexes(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql("SET LOCAL enable_seqscan = off").execute(conn).await?;
    Ok(())
}

/// From here until [`release`], [`roll_back`] undoes what was done.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn savepoint(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql("SAVEPOINT line").execute(conn).await?;
    Ok(())
}

/// Keeps what was done since [`savepoint`].
///
/// # Errors
/// When Postgres can't be asked.
pub async fn release(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql("RELEASE SAVEPOINT line").execute(conn).await?;
    Ok(())
}

/// Undoes what was done since [`savepoint`].
///
/// # Errors
/// When Postgres can't be asked.
pub async fn roll_back(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::raw_sql("ROLLBACK TO SAVEPOINT line; RELEASE SAVEPOINT line").execute(conn).await?;
    Ok(())
}

/// The tenants of these ids or external ids: id and external id.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn tenants(
    conn: &mut PgConnection,
    ids: &[Uuid],
    external_ids: &[String],
) -> Result<Vec<(Uuid, Option<String>)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, external_id FROM tenants WHERE id = ANY ($1)
         UNION SELECT id, external_id FROM tenants WHERE external_id = ANY ($2)",
    )
    .bind(ids)
    .bind(external_ids)
    .fetch_all(conn)
    .await?)
}

/// The tenants of these ids or external ids, whole, in the order of their ids.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn whole_tenants(
    conn: &mut PgConnection,
    ids: &[Uuid],
    external_ids: &[String],
    hold: Hold,
) -> Result<Vec<Tenant>, StoreError> {
    let lock = if hold == Hold::Yes { "FOR NO KEY UPDATE" } else { "" };
    // Safe: all parts are literals of this file.
    let query = AssertSqlSafe(format!(
        "SELECT {TENANT} FROM tenants WHERE id = ANY (
            ARRAY(SELECT id FROM tenants WHERE id = ANY ($1) UNION SELECT id FROM tenants WHERE external_id = ANY ($2))
         ) ORDER BY id {lock}"
    ));
    Ok(sqlx::query_as(query).bind(ids).bind(external_ids).fetch_all(conn).await?)
}

/// Locks tenants until the transaction ends, in the order of their ids.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn lock_tenants(conn: &mut PgConnection, ids: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM tenants WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}

/// Of the agents that these tenants may use, those of these ids or names: id, tenant, name.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn agents(
    conn: &mut PgConnection,
    ids: &[AgentId],
    tenants: &[Uuid],
    names: &[String],
) -> Result<Vec<(Uuid, Uuid, String)>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    Ok(sqlx::query_as(
        "SELECT agent_id, granted.tenant_id, name FROM agent_grants AS granted JOIN agents ON agents.id = agent_id
         WHERE granted.tenant_id = ANY ($2) AND (agent_id = ANY ($1) OR name = ANY ($3))",
    )
    .bind(ids)
    .bind(tenants)
    .bind(names)
    .fetch_all(conn)
    .await?)
}

/// Holds agents against deletion, and against being taken from whoever may use them, until the transaction ends.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn hold_agents(
    conn: &mut PgConnection,
    ids: &[AgentId],
    tenants: &[Uuid],
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query(
        "SELECT FROM agent_grants WHERE agent_id = ANY ($1) AND tenant_id = ANY ($2) ORDER BY agent_id, tenant_id
         FOR KEY SHARE",
    )
        .bind(ids)
        .bind(tenants)
        .execute(conn)
        .await?;
    Ok(())
}

/// The accounts that these tenants may use: tenant, account, label where it can be seen.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn accounts(
    conn: &mut PgConnection,
    tenants: &[Uuid],
) -> Result<Vec<(Uuid, Uuid, Option<String>)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT account_grants.tenant_id, account_id, label FROM account_grants
         LEFT JOIN accounts ON accounts.id = account_id WHERE account_grants.tenant_id = ANY ($1)",
    )
    .bind(tenants)
    .fetch_all(conn)
    .await?)
}

/// Numbers and ranges of these digits that no tenant has, and to whom each comes back if it comes again: it rests.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn unheld(
    conn: &mut PgConnection,
    digits: &[String],
) -> Result<Vec<(String, bool, Option<Uuid>)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT phone_number, is_range, CASE WHEN lifecycle = 'quarantined' THEN (
            SELECT former.tenant_id FROM former_locations AS former
            WHERE former.phone_number = n.phone_number AND former.is_range = n.is_range ORDER BY left_at DESC LIMIT 1
         ) END
         FROM phone_numbers AS n
         WHERE phone_number = ANY ($1) AND tenant_id IS NULL AND lifecycle <> 'released'",
    )
    .bind(digits)
    .fetch_all(conn)
    .await?)
}

/// Tenants that had numbers or ranges of these digits: tenant, digits, whether it is a range.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn former(
    conn: &mut PgConnection,
    digits: &[String],
) -> Result<Vec<(Uuid, String, bool)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT tenant_id, phone_number, is_range FROM former_locations WHERE phone_number = ANY ($1)
         ORDER BY phone_number, is_range, tenant_id",
    )
    .bind(digits)
    .fetch_all(conn)
    .await?)
}

/// Whether any tenant has a number or a range of these digits.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn any_held(conn: &mut PgConnection, digits: &[String]) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM phone_numbers
            WHERE phone_number = ANY ($1) AND tenant_id IS NOT NULL AND lifecycle <> 'released')",
    )
    .bind(digits)
    .fetch_one(conn)
    .await?)
}

/// The numbers and ranges of these digits, whichever tenant's they are, in their order. A range may have the digits of a
/// number.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn numbers(
    conn: &mut PgConnection,
    digits: &[String],
    hold: Hold,
) -> Result<Vec<NumberRow>, StoreError> {
    let query = match hold {
        Hold::Yes => select(
            "WHERE n.phone_number = ANY ($1) AND n.tenant_id IS NOT NULL AND n.lifecycle <> 'released'
             ORDER BY n.phone_number, n.is_range FOR NO KEY UPDATE OF n",
        ),
        Hold::No => select(
            "WHERE n.phone_number = ANY ($1) AND n.tenant_id IS NOT NULL AND n.lifecycle <> 'released'
             ORDER BY n.phone_number, n.is_range",
        ),
    };
    Ok(sqlx::query_as(query).bind(digits).fetch_all(conn).await?)
}

/// Which of these addresses would overlap another tenant's: their places in the list.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn overlapping(
    conn: &mut PgConnection,
    addresses: &[(String, bool, Uuid)],
) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT place - 1 FROM unnest($1::text[], $2::boolean[], $3::uuid[]) WITH ORDINALITY
            AS wanted (phone_number, is_range, tenant_id, place)
         WHERE EXISTS (
            SELECT FROM generate_series(5, length(wanted.phone_number) - 1) AS upto
            JOIN phone_numbers AS block ON block.is_range AND block.phone_number = left(wanted.phone_number, upto)
            WHERE block.lifecycle <> 'released' AND block.tenant_id <> wanted.tenant_id
         ) OR (wanted.is_range AND EXISTS (
            SELECT FROM phone_numbers AS inside
            WHERE inside.phone_number ~>~ wanted.phone_number
                AND inside.phone_number ~<~ (wanted.phone_number || ':')
                AND inside.lifecycle <> 'released' AND inside.tenant_id <> wanted.tenant_id
         ))",
    )
    .bind(addresses.iter().map(|address| address.0.clone()).collect::<Vec<_>>())
    .bind(addresses.iter().map(|address| address.1).collect::<Vec<_>>())
    .bind(addresses.iter().map(|address| address.2).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?)
}

/// Whether there are ranges at all.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn has_ranges(conn: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM phone_numbers WHERE is_range)").fetch_one(conn).await?)
}

/// The documents of these numbers.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn documents(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Documents>, StoreError> {
    let rows: Vec<(Uuid, String, Value)> = sqlx::query_as(
        "SELECT phone_number_id, kind, value FROM number_settings WHERE phone_number_id = ANY ($1)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(gather(rows))
}

/// The documents of these tenants.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn defaults(
    conn: &mut PgConnection,
    tenants: &[Uuid],
) -> Result<HashMap<Uuid, Documents>, StoreError> {
    let rows: Vec<(Uuid, String, Value)> =
        sqlx::query_as("SELECT tenant_id, kind, value FROM tenant_defaults WHERE tenant_id = ANY ($1)")
            .bind(tenants)
            .fetch_all(conn)
            .await?;
    Ok(gather(rows))
}

fn gather(rows: Vec<(Uuid, String, Value)>) -> HashMap<Uuid, Documents> {
    let mut documents: HashMap<Uuid, Documents> = HashMap::new();
    for (id, kind, value) in rows {
        documents.entry(id).or_default().insert(kind, value);
    }
    documents
}

fn column<R, T>(rows: &[R], get: impl FnMut(&R) -> T) -> Vec<T> {
    rows.iter().map(get).collect()
}

/// Inserts numbers with their bindings.
///
/// # Errors
/// As [`super::numbers::insert`] and [`super::bindings::replace`] for the first that is refused: none is inserted then.
pub async fn insert_numbers(conn: &mut PgConnection, rows: &[NumberRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(
        "INSERT INTO phone_numbers (id, display_name, address, timezone, status, agent_id, calls_max, address_parts,
            tenant_id, phone_number, is_range, source)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::integer[],
            $8::jsonb[], $9::uuid[], $10::text[], $11::boolean[], $12::text[])",
    );
    bind_numbers(query, rows)
        .bind(column(rows, |row| row.tenant_id))
        .bind(column(rows, |row| row.phone_number.clone()))
        .bind(column(rows, |row| row.is_range))
        .bind(column(rows, |row| row.source.clone()))
        .execute(&mut *conn)
        .await?;
    insert_bindings(conn, rows).await
}

/// Sets locked numbers' fields.
///
/// # Errors
/// When one is refused: none is changed then.
pub async fn update_numbers(conn: &mut PgConnection, rows: &[NumberRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(
        "UPDATE phone_numbers AS n SET display_name = changed.display_name, address = changed.address,
            timezone = changed.timezone, status = changed.status, agent_id = changed.agent_id,
            calls_max = changed.calls_max, address_parts = changed.address_parts, updated_at = now()
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::integer[], $8::jsonb[])
            AS changed (id, display_name, address, timezone, status, agent_id, calls_max, address_parts)
         WHERE n.id = changed.id",
    );
    bind_numbers(query, rows).execute(conn).await?;
    Ok(())
}

/// Binds what an update sets of numbers as `$1` to `$8`; an insert takes the rest behind it.
fn bind_numbers<'q>(query: Statement<'q>, rows: &[NumberRow]) -> Statement<'q> {
    query
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.display_name.clone()))
        .bind(column(rows, |row| row.address.clone()))
        .bind(column(rows, |row| row.timezone.clone()))
        .bind(column(rows, |row| row.status.clone()))
        .bind(column(rows, |row| row.agent_id))
        .bind(column(rows, |row| row.calls_max))
        .bind(column(rows, |row| row.address_parts.clone()))
}

/// Makes locked numbers whose calls are routed their tenants' primary ones, one a tenant.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn make_primary(conn: &mut PgConnection, numbers: &[(Uuid, Uuid)]) -> Result<(), StoreError> {
    if numbers.is_empty() {
        return Ok(());
    }
    let (tenants, ids) = (column(numbers, |number| number.0), column(numbers, |number| number.1));
    lock_tenants(conn, &tenants).await?;
    // In this order, as no two may be at any moment.
    sqlx::query("UPDATE phone_numbers SET is_primary = false WHERE tenant_id = ANY ($1) AND is_primary AND id <> ALL ($2)")
        .bind(tenants)
        .bind(&ids)
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE phone_numbers SET is_primary = true WHERE id = ANY ($1) AND NOT is_primary")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives locked numbers their bindings instead of those that they have.
///
/// # Errors
/// As [`super::bindings::replace`] for the first that is refused: none is changed then.
pub async fn replace_bindings(conn: &mut PgConnection, rows: &[NumberRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query("DELETE FROM phone_number_bindings WHERE phone_number_id = ANY ($1)")
        .bind(column(rows, |row| row.id))
        .execute(&mut *conn)
        .await?;
    insert_bindings(conn, rows).await
}

async fn insert_bindings(conn: &mut PgConnection, rows: &[NumberRow]) -> Result<(), StoreError> {
    let bound: Vec<_> =
        rows.iter().flat_map(|row| row.bindings.iter().map(move |binding| (row, binding))).collect();
    if bound.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO phone_number_bindings (tenant_id, phone_number_id, account_id, role, number_id)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])",
    )
    .bind(column(&bound, |(row, _)| row.tenant_id))
    .bind(column(&bound, |(row, _)| row.id))
    .bind(column(&bound, |(_, binding)| binding.account_id))
    .bind(column(&bound, |(_, binding)| binding.role.clone()))
    .bind(column(&bound, |(_, binding)| binding.number_id.clone()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts tenants. For operators.
///
/// # Errors
/// [`StoreError::ExternalIdTaken`]: none is inserted then.
pub async fn insert_tenants(conn: &mut PgConnection, rows: &[Tenant]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(
        "INSERT INTO tenants (id, external_id, name, timezone, status, calls_max, phone_numbers_max, agents_max,
            spend_max, plan, profile, integrations, provisioning)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::integer[],
            $8::integer[], $9::numeric[], $10::text[], $11::jsonb[], $12::jsonb[], $13::jsonb[])",
    );
    bind_tenants(query, rows).execute(conn).await?;
    Ok(())
}

/// Sets locked tenants' fields. For operators.
///
/// # Errors
/// [`StoreError::ExternalIdTaken`]: none is changed then.
pub async fn update_tenants(conn: &mut PgConnection, rows: &[Tenant]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(
        "UPDATE tenants AS t SET external_id = changed.external_id, name = changed.name,
            timezone = changed.timezone, status = changed.status, calls_max = changed.calls_max,
            phone_numbers_max = changed.phone_numbers_max, agents_max = changed.agents_max,
            spend_max = changed.spend_max, plan = changed.plan, profile = changed.profile,
            integrations = changed.integrations, provisioning = changed.provisioning, updated_at = now()
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::integer[],
            $8::integer[], $9::numeric[], $10::text[], $11::jsonb[], $12::jsonb[], $13::jsonb[])
            AS changed (id, external_id, name, timezone, status, calls_max, phone_numbers_max, agents_max,
                spend_max, plan, profile, integrations, provisioning)
         WHERE t.id = changed.id",
    );
    bind_tenants(query, rows).execute(conn).await?;
    Ok(())
}

/// Binds tenants as `$1` to `$13`: an insert and an update take the same columns in the same order.
fn bind_tenants<'q>(query: Statement<'q>, rows: &[Tenant]) -> Statement<'q> {
    query
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.external_id.clone()))
        .bind(column(rows, |row| row.name.clone()))
        .bind(column(rows, |row| row.timezone.clone()))
        .bind(column(rows, |row| row.status.clone()))
        .bind(column(rows, |row| row.calls_max))
        .bind(column(rows, |row| row.phone_numbers_max))
        .bind(column(rows, |row| row.agents_max))
        .bind(column(rows, |row| row.spend_max.clone()))
        .bind(column(rows, |row| row.plan.clone()))
        .bind(column(rows, |row| row.profile.clone()))
        .bind(column(rows, |row| row.integrations.clone()))
        .bind(column(rows, |row| row.provisioning.clone()))
}

/// A setting to set, or to unset.
pub struct SettingWrite {
    /// Whose number.
    pub tenant: TenantId,
    /// The number.
    pub number: PhoneNumberId,
    /// Which setting.
    pub kind: Kind,
    /// The document; absent: unset.
    pub value: Option<Value>,
}

/// Sets and unsets settings of locked numbers, none of them twice.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn write_settings(conn: &mut PgConnection, writes: &[SettingWrite]) -> Result<(), StoreError> {
    let (set, unset): (Vec<_>, Vec<_>) = writes.iter().partition(|write| write.value.is_some());
    if !set.is_empty() {
        sqlx::query(
            "INSERT INTO number_settings (tenant_id, phone_number_id, kind, value)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[])
             ON CONFLICT ON CONSTRAINT number_settings_pkey DO UPDATE SET value = excluded.value, updated_at = now()",
        )
        .bind(column(&set, |write| write.tenant.0))
        .bind(column(&set, |write| write.number.0))
        .bind(column(&set, |write| write.kind.name().to_owned()))
        .bind(column(&set, |write| Json(write.value.clone())))
        .execute(&mut *conn)
        .await?;
    }
    if !unset.is_empty() {
        sqlx::query(
            "DELETE FROM number_settings AS s USING unnest($1::uuid[], $2::text[]) AS gone (phone_number_id, kind)
             WHERE s.phone_number_id = gone.phone_number_id AND s.kind = gone.kind",
        )
        .bind(column(&unset, |write| write.number.0))
        .bind(column(&unset, |write| write.kind.name().to_owned()))
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// All tenants' numbers, or one's, in the order of their digits.
pub fn all_numbers(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
) -> impl Stream<Item = Result<NumberRow, StoreError>> + Send + '_ {
    sqlx::query_as(select(
        "WHERE ($1::uuid IS NULL OR n.tenant_id = $1) AND n.tenant_id IS NOT NULL
         ORDER BY n.phone_number USING ~<~, n.is_range",
    ))
    .bind(tenant.map(|tenant| tenant.0))
    .fetch(conn)
    .map(|row| row.map_err(StoreError::from))
}

/// All tenants, or one, in the order of their ids.
pub fn all_tenants(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
) -> impl Stream<Item = Result<Tenant, StoreError>> + Send + '_ {
    // Safe: both parts are literals.
    let query = AssertSqlSafe(format!(
        "SELECT {TENANT} FROM tenants WHERE ($1::uuid IS NULL OR id = $1) ORDER BY id"
    ));
    sqlx::query_as(query)
        .bind(tenant.map(|tenant| tenant.0))
        .fetch(conn)
        .map(|row| row.map_err(StoreError::from))
}

/// Settings of one number, or of one tenant.
pub struct SettingsRow {
    /// Whose.
    pub tenant: TenantId,
    /// The number's digits and whether it is a range; absent: the tenant's defaults.
    pub number: Option<(String, bool)>,
    /// The documents by kind.
    pub documents: Documents,
}

/// All settings, or a tenant's: tenants' in the order of their ids, then numbers' in the order of their digits.
pub fn all_settings(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
) -> impl Stream<Item = Result<SettingsRow, StoreError>> + Send + '_ {
    let read = |row: PgRow| -> Result<SettingsRow, StoreError> {
        let digits: Option<String> = row.try_get("phone_number")?;
        let is_range: bool = row.try_get("is_range")?;
        let Json(documents): Json<Documents> = row.try_get("documents")?;
        let number = digits.map(|digits| (digits, is_range));
        Ok(SettingsRow { tenant: TenantId(row.try_get("tenant_id")?), number, documents })
    };
    sqlx::query(
        "SELECT * FROM (
            SELECT tenant_id, NULL AS phone_number, false AS is_range, jsonb_object_agg(kind, value) AS documents
            FROM tenant_defaults WHERE ($1::uuid IS NULL OR tenant_id = $1) GROUP BY tenant_id
            UNION ALL
            SELECT n.tenant_id, n.phone_number, n.is_range, jsonb_object_agg(s.kind, s.value)
            FROM number_settings s JOIN phone_numbers n ON n.id = s.phone_number_id
            WHERE ($1::uuid IS NULL OR n.tenant_id = $1) GROUP BY n.id
         ) AS settings
         ORDER BY phone_number COLLATE \"C\" NULLS FIRST, is_range, tenant_id",
    )
    .bind(tenant.map(|tenant| tenant.0))
    .fetch(conn)
    .map(move |row| read(row?))
}
