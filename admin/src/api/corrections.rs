//! What people say of a call against what its provider does.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{CallId, Editor, InTenant, Operator, PathId, Viewer};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::writes::Answered;
use crate::invalid::{self, Invalid};
use crate::store::corrections::{self, Correction, NewCorrection};

/// No call lasts longer.
const DURATION_MS_MAX: i64 = 24 * 3_600_000;
const REASON_CHARS_MAX: usize = 500;

/// A correction to make. What it doesn't say stays as it counted before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectionOrder {
    /// How long the call lasted, in milliseconds: 0 to 86400000.
    duration_ms: Option<i64>,
    /// What it costs in all, a decimal of at most six places: `0.25`. With `currency`.
    cost: Option<String>,
    /// ISO 4217.
    currency: Option<String>,
    /// Why: 1 to 500 characters.
    reason: String,
}

/// Correct a call's duration or cost: it counts before all that its provider reports, now and later. Operators only.
#[utoipa::path(post, path = "/tenants/{tenant_id}/calls/{call_id}/corrections", tag = "Usage",
    params(("tenant_id" = Uuid, Path), ("call_id" = Uuid, Path), WaitQuery), request_body = CorrectionOrder,
    responses((status = 201, body = Correction)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(call): PathId<CallId>,
    _operator: Operator,
    order: Order,
    Body(new): Body<CorrectionOrder>,
) -> Answered {
    invalid::line("reason", &new.reason, REASON_CHARS_MAX)?;
    if new.duration_ms.is_some_and(|ms| !(0..=DURATION_MS_MAX).contains(&ms)) {
        return Err(Invalid::new("duration_ms", format!("wanted 0 to {DURATION_MS_MAX}")).into());
    }
    let cost = match (&new.cost, &new.currency) {
        (Some(cost), Some(currency)) => {
            invalid::price("cost", cost)?;
            invalid::currency("currency", currency)?;
            Some((cost.as_str(), currency.as_str()))
        }
        (Some(_), None) => return Err(Invalid::new("currency", "wanted, with cost").into()),
        (None, Some(_)) => return Err(Invalid::new("cost", "wanted, with currency").into()),
        (None, None) => None,
    };
    if cost.is_none() && new.duration_ms.is_none() {
        return Err(Invalid::new("duration_ms", "wanted, or cost").into());
    }
    let correction = NewCorrection { duration_ms: new.duration_ms, cost, reason: &new.reason };
    let mut write = api.write(order).await?;
    let correction = corrections::insert(write.tx.conn(), tenant.id, call.0, &correction).await?;
    write.answer(StatusCode::CREATED, &correction).await
}

/// List a call's corrections, oldest first.
#[utoipa::path(get, path = "/tenants/{tenant_id}/calls/{call_id}/corrections", tag = "Usage",
    params(("tenant_id" = Uuid, Path), ("call_id" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<Correction>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(call): PathId<CallId>,
    list: List,
) -> Result<Json<Page<Correction>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    let rows = corrections::list(tx.conn(), tenant.id, call.0, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |correction| correction.id, |correction| correction)))
}
