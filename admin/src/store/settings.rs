//! Settings of numbers, tenants and the platform: documents by kind.

use dialplane_common::ids::{PhoneNumberId, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::StoreError;

/// A kind of setting, by its name in the tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Opening hours.
    Hours,
    /// Routing rules.
    Routing,
    /// How agents sound.
    Voice,
    /// What they say and do.
    Rules,
    /// How text messages are answered.
    Sms,
    /// Who works there.
    Staff,
    /// What is offered.
    Services,
}

/// Whose setting. The finders of one number's or tenant's rows take its tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// A number's own.
    Number(TenantId, PhoneNumberId),
    /// A tenant's defaults.
    Tenant(TenantId),
    /// The platform's defaults.
    Platform,
}

impl Owner {
    /// What kind of owner it is, in the words of the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number(..) => "number",
            Self::Tenant(_) => "tenant",
            Self::Platform => "platform",
        }
    }
}

impl Kind {
    /// Its name in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hours => "hours",
            Self::Routing => "routing",
            Self::Voice => "voice",
            Self::Rules => "rules",
            Self::Sms => "sms",
            Self::Staff => "staff",
            Self::Services => "services",
        }
    }
}

/// The setting, if it is set.
///
/// # Errors
/// [`StoreError::Malformed`] when it isn't such a document.
pub async fn get<T: DeserializeOwned>(
    conn: &mut PgConnection,
    owner: Owner,
    kind: Kind,
) -> Result<Option<T>, StoreError> {
    let query = match owner {
        Owner::Number(tenant, id) => sqlx::query_scalar(
            "SELECT value FROM number_settings WHERE kind = $1 AND tenant_id = $2 AND phone_number_id = $3",
        )
        .bind(kind.name())
        .bind(tenant.0)
        .bind(id.0),
        Owner::Tenant(tenant) => {
            sqlx::query_scalar("SELECT value FROM tenant_defaults WHERE kind = $1 AND tenant_id = $2")
                .bind(kind.name())
                .bind(tenant.0)
        }
        Owner::Platform => {
            sqlx::query_scalar("SELECT value FROM platform_defaults WHERE kind = $1").bind(kind.name())
        }
    };
    let value: Option<serde_json::Value> = query.fetch_optional(conn).await?;
    value.map(serde_json::from_value).transpose().map_err(|_| StoreError::Malformed("setting"))
}

/// Sets it. The root of `owner` is locked.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn put<T: Serialize + Sync>(
    conn: &mut PgConnection,
    owner: Owner,
    kind: Kind,
    value: &T,
) -> Result<(), StoreError> {
    let query = match owner {
        Owner::Number(tenant, id) => sqlx::query(
            "INSERT INTO number_settings (kind, value, tenant_id, phone_number_id) VALUES ($1, $2, $3, $4)
             ON CONFLICT ON CONSTRAINT number_settings_pkey DO UPDATE SET value = excluded.value, updated_at = now()",
        )
        .bind(kind.name())
        .bind(Json(serde_json::to_value(value).map_err(|_| StoreError::Malformed("setting"))?))
        .bind(tenant.0)
        .bind(id.0),
        Owner::Tenant(tenant) => sqlx::query(
            "INSERT INTO tenant_defaults (kind, value, tenant_id) VALUES ($1, $2, $3)
             ON CONFLICT ON CONSTRAINT tenant_defaults_pkey DO UPDATE SET value = excluded.value, updated_at = now()",
        )
        .bind(kind.name())
        .bind(Json(serde_json::to_value(value).map_err(|_| StoreError::Malformed("setting"))?))
        .bind(tenant.0),
        Owner::Platform => sqlx::query(
            "INSERT INTO platform_defaults (kind, value) VALUES ($1, $2)
             ON CONFLICT ON CONSTRAINT platform_defaults_pkey DO UPDATE SET value = excluded.value, updated_at = now()",
        )
        .bind(kind.name())
        .bind(Json(serde_json::to_value(value).map_err(|_| StoreError::Malformed("setting"))?)),
    };
    query.execute(conn).await?;
    Ok(())
}

/// Unsets it. The root of `owner` is locked.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn delete(conn: &mut PgConnection, owner: Owner, kind: Kind) -> Result<(), StoreError> {
    let query = match owner {
        Owner::Number(tenant, id) => sqlx::query(
            "DELETE FROM number_settings WHERE kind = $1 AND tenant_id = $2 AND phone_number_id = $3",
        )
        .bind(kind.name())
        .bind(tenant.0)
        .bind(id.0),
        Owner::Tenant(tenant) => {
            sqlx::query("DELETE FROM tenant_defaults WHERE kind = $1 AND tenant_id = $2")
                .bind(kind.name())
                .bind(tenant.0)
        }
        Owner::Platform => sqlx::query("DELETE FROM platform_defaults WHERE kind = $1").bind(kind.name()),
    };
    query.execute(conn).await?;
    Ok(())
}

/// Locks the platform's settings until the transaction ends: the root of its record. For operators.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn lock_platform(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM platform FOR NO KEY UPDATE").fetch_one(conn).await?;
    Ok(())
}

/// The tenant who takes calls for numbers that nobody has. For operators.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn unknown_numbers(conn: &mut PgConnection) -> Result<Option<TenantId>, StoreError> {
    let id: Option<Uuid> =
        sqlx::query_scalar("SELECT unknown_numbers_tenant_id FROM platform").fetch_one(conn).await?;
    Ok(id.map(TenantId))
}

/// Sets who takes calls for numbers that nobody has. For operators; the platform is locked.
///
/// # Errors
/// When Postgres can't be asked; a tenant that isn't there violates a foreign key.
pub async fn set_unknown_numbers(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE platform SET unknown_numbers_tenant_id = $1")
        .bind(tenant.map(|tenant| tenant.0))
        .execute(conn)
        .await?;
    Ok(())
}
