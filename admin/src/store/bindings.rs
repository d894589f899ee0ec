//! What ties numbers to accounts.

use dialplane_common::feed::record;
use dialplane_common::ids::{AccountId, PhoneNumberId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;

/// What ties a number to an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Binding {
    /// The account.
    pub account_id: Uuid,
    /// `carrier` or `agent`.
    pub role: String,
    /// The provider's own name of the number; null: its webhooks use none.
    pub number_id: Option<String>,
}

impl Binding {
    /// What routers need of it.
    #[must_use]
    pub fn record(&self) -> record::Binding {
        record::Binding { account: AccountId(self.account_id), number_id: self.number_id.clone() }
    }
}

/// Gives a locked number these bindings instead of those that it has. No account stands twice.
///
/// # Errors
/// [`StoreError::NumberIdTaken`].
pub async fn replace(
    conn: &mut PgConnection,
    tenant: TenantId,
    id: PhoneNumberId,
    bindings: &[Binding],
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM phone_number_bindings WHERE tenant_id = $1 AND phone_number_id = $2")
        .bind(tenant.0)
        .bind(id.0)
        .execute(&mut *conn)
        .await?;
    for binding in bindings {
        sqlx::query(
            "INSERT INTO phone_number_bindings (tenant_id, phone_number_id, account_id, role, number_id)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(tenant.0)
        .bind(id.0)
        .bind(binding.account_id)
        .bind(&binding.role)
        .bind(&binding.number_id)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
