//! Reconciliation: what accounts hold at their providers against what is believed here. Operators only.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use dialplane_common::ids::AccountId;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Operator, PathId, ReconciliationId};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::writes::Answered;
use crate::invalid::Invalid;
use crate::store::reconciliations::{self, FindingRow, NewRun, Reconciliation};
use crate::store::{Scope, StoreError, accounts};

/// So many findings are shown: whoever has more sees which kind they are of, and mends that first.
const SHOWN_MAX: i64 = 10_000;

/// What is to be compared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReconciliation {
    /// This account alone; absent: the platform's, and tenants' own that hold numbers which were bought or taken over here.
    #[schema(value_type = Option<Uuid>)]
    account_id: Option<AccountId>,
    /// Only say what is found, and what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// A comparison, and what it found.
#[derive(Serialize, ToSchema)]
pub struct ReconciliationWhole {
    #[serde(flatten)]
    run: Reconciliation,
    /// How many findings there are of each kind.
    counts: BTreeMap<String, i64>,
    /// What was found, the first 10,000.
    findings: Vec<FindingRow>,
}

/// Compare what accounts hold at their providers with what is believed here, and mend what differs as the platform's
/// settings say. Operators only.
///
/// It is done in the background, one after the other; without being asked for it is done every
/// `PROVISIONING_RECONCILE_MINUTES`. What a job is at work on is left to the job.
#[utoipa::path(post, path = "/reconciliations", tag = "Provisioning", params(WaitQuery),
    request_body = NewReconciliation, responses((status = 202, body = Reconciliation)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewReconciliation>,
) -> Answered {
    let mut write = api.write(order).await?;
    if let Some(account) = new.account_id {
        accounts::any(write.tx.conn(), account).await.map_err(|error| match error {
            StoreError::NotFound => Invalid::new("account_id", "there is no such account").into(),
            other => Problem::from(other),
        })?;
    }
    let origin = write.origin().clone();
    let account = new.account_id.map(|account| account.0);
    let run = NewRun { dry_run: new.dry_run, account, origin: &origin };
    let run = reconciliations::insert(write.tx.conn(), &run).await?;
    write.accepted(format!("{}/reconciliations/{}", super::BASE, run.id), &run).await
}

/// List reconciliations of the last 30 days. Operators only.
#[utoipa::path(get, path = "/reconciliations", tag = "Provisioning", params(PageQuery),
    responses((status = 200, body = Page<Reconciliation>)))]
pub async fn list(
    State(api): State<Api>,
    _operator: Operator,
    List { window, .. }: List,
) -> Result<Json<Page<Reconciliation>>, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    let rows = reconciliations::list(tx.conn(), window.after, window.rows()).await?;
    Ok(Json(window.page(rows, |run| run.id, |run| run)))
}

/// Get a reconciliation and what it found. Operators only.
#[utoipa::path(get, path = "/reconciliations/{reconciliation_id}", tag = "Provisioning",
    params(("reconciliation_id" = Uuid, Path)), responses((status = 200, body = ReconciliationWhole)))]
pub async fn get(
    State(api): State<Api>,
    _operator: Operator,
    PathId(ReconciliationId(id)): PathId<ReconciliationId>,
) -> Result<Json<ReconciliationWhole>, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    Ok(Json(whole(tx.conn(), id).await?))
}

async fn whole(conn: &mut PgConnection, id: Uuid) -> Result<ReconciliationWhole, StoreError> {
    let run = reconciliations::find(conn, id).await?;
    let counts = reconciliations::counts(conn, id).await?;
    Ok(ReconciliationWhole { run, counts, findings: reconciliations::findings(conn, id, SHOWN_MAX).await? })
}
