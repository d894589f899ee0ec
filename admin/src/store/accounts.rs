//! Accounts' rows, their sealed credentials and who may use them.

use dialplane_common::ids::{AccountId, TenantId};
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;
use crate::config::SealKeys;
use crate::credentials::Credentials;
use crate::numbering;

/// Credentials at one provider, as stored.
#[derive(Clone, Debug, FromRow)]
pub struct AccountRow {
    /// Its id.
    pub id: Uuid,
    /// Whose it is; absent: the platform's.
    pub tenant_id: Option<Uuid>,
    /// The provider's name.
    pub provider: String,
    /// What people call it.
    pub label: String,
    /// The provider's name of it.
    pub external_id: String,
    /// The credentials, sealed for its id.
    pub credentials_sealed: Vec<u8>,
    /// `enforce`, `observe` or `off`.
    pub signature_policy: String,
    /// The country of numbers that the provider writes in their national form.
    pub country: Option<String>,
    /// When it was created.
    pub created_at: Instant,
    /// When it was last changed.
    pub updated_at: Instant,
}

/// What people set of an account.
pub struct AccountFields<'a> {
    /// What people call it.
    pub label: &'a str,
    /// The credentials.
    pub credentials: &'a Credentials,
    /// `enforce`, `observe` or `off`.
    pub signature_policy: &'a str,
    /// The country of numbers that the provider writes in their national form.
    pub country: Option<&'a str>,
}

impl AccountRow {
    /// The credentials, opened.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when no key opens them.
    pub fn credentials(&self, keys: &SealKeys) -> Result<Credentials, StoreError> {
        let plain = keys.at_rest.open(self.id.as_bytes(), &self.credentials_sealed)?;
        let document = serde_json::from_slice(plain.expose()).ok();
        document
            .and_then(|document| Credentials::parse(&self.provider, document).ok())
            .ok_or(StoreError::Malformed("credentials"))
    }

    /// The calling code of its country.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] when the country has none.
    pub fn calling_code(&self) -> Result<Option<u16>, StoreError> {
        let code = |country: &str| country.parse().ok().and_then(numbering::calling_code);
        let code =
            self.country.as_deref().map(|country| code(country).ok_or(StoreError::Malformed("country")));
        code.transpose()
    }
}

fn own_id(credentials: &Credentials) -> Option<&str> {
    credentials.own_id.as_ref().map(|(_, id)| id.as_str())
}

fn seal(keys: &SealKeys, id: AccountId, credentials: &Credentials) -> Result<Vec<u8>, StoreError> {
    Ok(keys.at_rest.seal(super::nonce::draw()?, id.as_bytes(), &credentials.plain()))
}

/// Inserts an account, and its owner among those who may use it.
///
/// # Errors
/// [`StoreError::AccountExists`]; [`StoreError::NotFound`] when there is no such tenant.
pub async fn insert(
    conn: &mut PgConnection,
    keys: &SealKeys,
    tenant: Option<TenantId>,
    provider: &str,
    fields: &AccountFields<'_>,
) -> Result<AccountRow, StoreError> {
    let id = AccountId(Uuid::now_v7());
    let row = sqlx::query_as(
        "INSERT INTO accounts
            (id, tenant_id, provider, label, external_id, credentials_sealed, signature_policy, country,
             own_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *",
    )
    .bind(id.0)
    .bind(tenant.map(|tenant| tenant.0))
    .bind(provider)
    .bind(fields.label)
    .bind(&fields.credentials.external_id)
    .bind(seal(keys, id, fields.credentials)?)
    .bind(fields.signature_policy)
    .bind(fields.country)
    .bind(own_id(fields.credentials))
    .fetch_one(&mut *conn)
    .await?;
    if let Some(tenant) = tenant {
        grant(conn, id, tenant).await?;
    }
    Ok(row)
}

/// The account, of a tenant or of the platform.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    id: AccountId,
) -> Result<AccountRow, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM accounts WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2")
        .bind(tenant.map(|tenant| tenant.0))
        .bind(id.0)
        .fetch_one(conn)
        .await?)
}

/// The account, whoever's it is. For operators.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn any(conn: &mut PgConnection, id: AccountId) -> Result<AccountRow, StoreError> {
    Ok(sqlx::query_as("SELECT * FROM accounts WHERE id = $1").bind(id.0).fetch_one(conn).await?)
}

/// Locks the account until the transaction ends, and reads it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    id: AccountId,
) -> Result<AccountRow, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM accounts WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2 FOR NO KEY UPDATE",
    )
    .bind(tenant.map(|tenant| tenant.0))
    .bind(id.0)
    .fetch_one(conn)
    .await?)
}

/// The accounts of a tenant, or the platform's, those at a provider where one is given, behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    provider: Option<&str>,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<AccountRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT * FROM accounts WHERE tenant_id IS NOT DISTINCT FROM $1 AND ($4::text IS NULL OR provider = $4)
            AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
    )
    .bind(tenant.map(|tenant| tenant.0))
    .bind(after)
    .bind(rows_max)
    .bind(provider)
    .fetch_all(conn)
    .await?)
}

/// Sets a locked account's fields.
///
/// # Errors
/// [`StoreError::AccountExists`]; [`StoreError::NotFound`].
pub async fn update(
    conn: &mut PgConnection,
    keys: &SealKeys,
    id: AccountId,
    fields: &AccountFields<'_>,
) -> Result<AccountRow, StoreError> {
    Ok(sqlx::query_as(
        "UPDATE accounts SET label = $2, external_id = $3, credentials_sealed = $4, signature_policy = $5,
         country = $6, own_id = $7, updated_at = now() WHERE id = $1 RETURNING *",
    )
    .bind(id.0)
    .bind(fields.label)
    .bind(&fields.credentials.external_id)
    .bind(seal(keys, id, fields.credentials)?)
    .bind(fields.signature_policy)
    .bind(fields.country)
    .bind(own_id(fields.credentials))
    .fetch_one(conn)
    .await?)
}

/// Deletes an account of a tenant or of the platform.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::AccountInUse`] while a number is bound to it.
pub async fn delete(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    id: AccountId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM accounts WHERE tenant_id IS NOT DISTINCT FROM $1 AND id = $2 RETURNING id")
        .bind(tenant.map(|tenant| tenant.0))
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Lets a tenant use an account.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such account or tenant.
pub async fn grant(conn: &mut PgConnection, id: AccountId, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO account_grants (tenant_id, account_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(tenant.0)
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes the use of an account back.
///
/// # Errors
/// [`StoreError::NotFound`]; [`StoreError::AccountInUse`] while a number of the tenant is bound to it.
pub async fn revoke(conn: &mut PgConnection, id: AccountId, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM account_grants WHERE tenant_id = $1 AND account_id = $2 RETURNING account_id")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Whether an account is a tenant's own.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn is_own(conn: &mut PgConnection, tenant: TenantId, id: AccountId) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT FROM accounts WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.0)
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

/// Whether a tenant may use an account, held so until the transaction ends.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn is_usable(conn: &mut PgConnection, tenant: TenantId, id: AccountId) -> Result<bool, StoreError> {
    let row =
        sqlx::query("SELECT FROM account_grants WHERE tenant_id = $1 AND account_id = $2 FOR KEY SHARE")
            .bind(tenant.0)
            .bind(id.0)
            .fetch_optional(conn)
            .await?;
    Ok(row.is_some())
}
