//! Changes of what routers needn't know of tenants, stored together with those that come meanwhile: see
//! [`super::gathering`], and `tenant_changes` in migration 0019.
//!
//! A change that can't be stored in company is tried alone by its own request: one whose row somebody else holds, which then
//! waits by itself, and all of a batch that PostgreSQL refused. What became of a batch whose connection was lost nobody
//! knows, so that none of it is tried again.

use std::sync::Arc;

use dialplane_common::ids::TenantId;
use serde::Serialize;
use sqlx::postgres::{PgConnection, PgDatabaseError, PgRow, PgSeverity};
use sqlx::{FromRow, Row};
use tokio::sync::Notify;
use uuid::Uuid;

use super::connections::Connections;
use super::gathering::Storing;
use super::tenants::{Tenant, TenantChanges};
use super::{Origin, Scope, Store, StoreError};

/// Where changes of tenants are stored.
pub(super) struct Tenants {
    pub connections: Connections,
    /// Rung after each commit.
    pub committed: Arc<Notify>,
}

/// A change, as it is sent.
pub(super) struct Change {
    scope: Scope,
    origin: Origin,
    id: TenantId,
    profile: Option<String>,
    integrations: Option<String>,
    provisioning: Option<String>,
}

/// What came of a change.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one, and live for a moment")]
pub(super) enum Outcome {
    /// It was stored, or it can't be.
    Known(Stored),
    /// Nothing: it is to be tried alone.
    Alone(Change),
}

/// What became of a change that is known: the tenant as it is now.
type Stored = Result<Tenant, StoreError>;

/// What of rows that others hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    WaitFor,
    /// They aren't changed.
    Skip,
}

impl Store {
    /// Changes a tenant's profile, integrations and provisioning, together with others' that come at the same time: see
    /// [`TenantChanges::are_of_one_statement`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; when Postgres can't be reached.
    pub async fn change_tenant(
        &self,
        scope: Scope,
        origin: Origin,
        id: TenantId,
        changes: &TenantChanges,
    ) -> Result<Tenant, StoreError> {
        let change = Change {
            scope,
            origin,
            id,
            profile: text(changes.profile.as_ref())?,
            integrations: text(changes.integrations.as_ref())?,
            provisioning: text(changes.provisioning.as_ref())?,
        };
        match self.tenant_changes.store(change).await {
            Some(Outcome::Known(outcome)) => outcome,
            Some(Outcome::Alone(change)) => self.tenant_changes.storing().store_alone(&change).await,
            None => Err(StoreError::Unavailable(sqlx::Error::WorkerCrashed)),
        }
    }
}

fn text(document: Option<&impl Serialize>) -> Result<Option<String>, StoreError> {
    document.map(serde_json::to_string).transpose().map_err(|_| StoreError::Malformed("document"))
}

impl Storing for Tenants {
    type Change = Change;
    type Outcome = Outcome;

    fn bytes(change: &Change) -> usize {
        [&change.profile, &change.integrations, &change.provisioning]
            .into_iter()
            .flatten()
            .map(String::len)
            .sum()
    }

    async fn store(&self, changes: Vec<Change>) -> Vec<Outcome> {
        let changes = in_order(changes);
        let sent: Vec<&Change> = changes.iter().map(|(_, change)| change).collect();
        let known = match self.send(&sent, Held::Skip).await {
            Ok(known) => known,
            Err(error) if is_undone(&error) => sent.iter().map(|_| None).collect(),
            Err(error) => {
                let error = StoreError::from(error);
                sent.iter().map(|_| Some(Err(likeness(&error)))).collect()
            }
        };
        let mut outcomes: Vec<(usize, Outcome)> = changes
            .into_iter()
            .zip(known)
            .map(|((came, change), known)| (came, known.map_or(Outcome::Alone(change), Outcome::Known)))
            .collect();
        outcomes.sort_unstable_by_key(|(came, _)| *came);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

impl Tenants {
    async fn store_alone(&self, change: &Change) -> Result<Tenant, StoreError> {
        let mut known = self.send(&[change], Held::WaitFor).await?;
        // No row is skipped where it is waited for.
        known.pop().flatten().unwrap_or(Err(StoreError::NotFound))
    }

    /// What came of each; `None`: somebody holds its row.
    async fn send(&self, changes: &[&Change], held: Held) -> Result<Vec<Option<Stored>>, sqlx::Error> {
        let mut connection = self.connections.take().await?;
        let rows = send(&mut connection, changes, held).await?;
        connection.keep();
        self.committed.notify_one();
        let mut known: Vec<_> = changes.iter().map(|_| Some(Err(StoreError::NotFound))).collect();
        for row in &rows {
            let place: i32 = row.try_get("place")?;
            let is_held = row.try_get::<Option<Uuid>, _>("id")?.is_none();
            if let Some(known) = usize::try_from(place - 1).ok().and_then(|place| known.get_mut(place)) {
                *known = if is_held { None } else { Some(Tenant::from_row(row).map_err(StoreError::from)) };
            }
        }
        Ok(known)
    }
}

async fn send(conn: &mut PgConnection, changes: &[&Change], held: Held) -> Result<Vec<PgRow>, sqlx::Error> {
    let origins: Vec<_> = changes.iter().map(|change| change.origin.values()).collect();
    let origin = |value: usize| origins.iter().map(|values| values[value].as_deref()).collect::<Vec<_>>();
    let documents =
        |of: fn(&Change) -> Option<&str>| changes.iter().map(|change| of(change)).collect::<Vec<_>>();
    sqlx::query(
        "SELECT place, (tenant).*, (tenant).spend_max::text AS spend_max_text, limits
         FROM tenant_changes($1, $2, $3, $4, $5, $6, $7, $8::text[]::jsonb[], $9::text[]::jsonb[], $10::text[]::jsonb[])",
    )
    .bind(held == Held::WaitFor)
    .bind(changes.iter().map(|change| change.scope.role()).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.scope.tenant().map(|id| id.0)).collect::<Vec<_>>())
    .bind(origin(0))
    .bind(origin(1))
    .bind(origin(2))
    .bind(changes.iter().map(|change| change.id.0).collect::<Vec<_>>())
    .bind(documents(|change| change.profile.as_deref()))
    .bind(documents(|change| change.integrations.as_deref()))
    .bind(documents(|change| change.provisioning.as_deref()))
    .fetch_all(conn)
    .await
}

/// Changes with their places as they came, those of a role together, and by tenants: whoever stores several goes through
/// their rows in one order. A tenant's own changes keep theirs.
fn in_order(changes: Vec<Change>) -> Vec<(usize, Change)> {
    let mut changes: Vec<_> = changes.into_iter().enumerate().collect();
    changes.sort_by_key(|(_, change)| (change.scope.role(), change.id.0));
    changes
}

/// Whether PostgreSQL said itself that nothing was stored. An end of its own ([`PgSeverity::Fatal`]) says nothing of what was
/// committed just before.
fn is_undone(error: &sqlx::Error) -> bool {
    let reason = error.as_database_error().and_then(|reason| reason.try_downcast_ref::<PgDatabaseError>());
    reason.is_some_and(|reason| reason.severity() == PgSeverity::Error)
}

/// The same error for each change of a batch: there is no copying it.
fn likeness(error: &StoreError) -> StoreError {
    let text = std::io::Error::other(error.to_string());
    match error {
        StoreError::Unavailable(_) => StoreError::Unavailable(sqlx::Error::Io(text)),
        _ => StoreError::Database(sqlx::Error::Io(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(scope: Scope, id: u128) -> Change {
        let id = TenantId(Uuid::from_u128(id));
        let origin = Origin::system("test");
        Change { scope, origin, id, profile: None, integrations: None, provisioning: None }
    }

    #[test]
    fn changes_of_a_role_stand_together_and_those_of_a_tenant_in_the_order_in_which_they_came() {
        let tenant = |id| change(Scope::Tenant(TenantId(Uuid::from_u128(id))), id);
        let operator = |id| change(Scope::Operator, id);
        let sorted = in_order(vec![tenant(2), operator(3), tenant(1), tenant(2), operator(2), tenant(1)]);
        let order: Vec<_> = sorted.iter().map(|(came, _)| *came).collect();
        assert_eq!(order, [4, 1, 2, 5, 0, 3]);
    }

    #[test]
    fn only_what_postgres_refused_is_known_to_be_undone() {
        for error in [
            sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
            sqlx::Error::Protocol("cut off".to_owned()),
            sqlx::Error::PoolTimedOut,
            sqlx::Error::ColumnNotFound("id".to_owned()),
        ] {
            assert!(!is_undone(&error), "{error}");
        }
    }

    #[test]
    fn each_change_of_a_batch_fails_as_the_batch_did() {
        let away = StoreError::from(sqlx::Error::PoolTimedOut);
        assert!(matches!(likeness(&away), StoreError::Unavailable(_)));
        let broken = StoreError::from(sqlx::Error::ColumnNotFound("id".to_owned()));
        assert!(matches!(likeness(&broken), StoreError::Database(_)));
    }
}
