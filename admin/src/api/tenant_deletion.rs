//! Deleting a tenant: what becomes of its numbers is said beforehand, and then done.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dialplane_common::ids::{PhoneNumberId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Admin, InTenant, Operator};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::writes::Answered;
use crate::store::numbers::{self, NumberFilter};
use crate::store::pool::{self, Leaving};
use crate::store::tenants::{self, Holdings};
use crate::store::{StoreError, holdings, settings};

/// How many numbers a preview names.
const NAMED_MAX: i64 = 200;

/// How a tenant is deleted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeletionQuery {
    /// What becomes of its phone numbers; absent: `refuse`.
    #[param(inline)]
    #[serde(default)]
    numbers: Numbers,
    /// Only say what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// What becomes of a deleted tenant's phone numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// A tenant that has numbers isn't deleted.
    #[default]
    Refuse,
    /// They go to the pool.
    Pool,
    /// They rest, then they are released.
    Release,
}

impl Numbers {
    fn leaving(self, api: &Api) -> Option<Leaving> {
        match self {
            Self::Refuse => None,
            Self::Pool => Some(Leaving::Pool),
            Self::Release => Some(Leaving::Quarantine(api.number_quarantine)),
        }
    }
}

/// What would happen.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// The tenant.
    tenant_id: Uuid,
    /// Whether it would be deleted; false: it has numbers, and nothing is said of them, or its own accounts hold numbers.
    deletes: bool,
    /// What was asked for.
    numbers: Numbers,
    /// How much it has that would be gone, its numbers apart.
    counts: Holdings,
    /// Its numbers, the first 200, and what they would become.
    phone_numbers: Vec<PreviewNumber>,
    /// Numbers that its own accounts hold and that have to be given back first, the first 200: its own, and those that
    /// rest.
    held_in_own_accounts: Vec<String>,
    /// Whether calls for numbers that nobody has go to it: they would be rejected then.
    takes_unknown_numbers: bool,
}

/// What would become of a number.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewNumber {
    /// Its id.
    id: Uuid,
    /// The number; of a range, what its numbers begin with.
    phone_number: String,
    /// Its lifecycle then: `available` or `quarantined`; null: it would keep the tenant from being deleted.
    becomes: Option<&'static str>,
}

/// Delete a tenant with all that it has. Operators only.
///
/// Its phone numbers go where `numbers` says; without a word on them, a tenant that has any is refused with
/// `tenant_has_numbers`. `dry_run=true` says what would happen.
///
/// Its accounts go with it. As long as they hold numbers that were bought or taken over for it, it is refused with
/// `numbers_being_released`: who had no credentials any more could neither give the numbers back nor put back what stood on
/// them. DELETE the numbers with `?release=now`, and those that rest over `/pool`; they are given back by jobs.
#[utoipa::path(delete, path = "/tenants/{tenant_id}", tag = "Tenants",
    params(("tenant_id" = Uuid, Path), DeletionQuery, WaitQuery),
    responses((status = 204), (status = 200, body = Preview)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    order: Order<DeletionQuery>,
    _operator: Operator,
) -> Answered {
    let (id, wanted, dry_run) = (tenant.id, order.query.numbers, order.query.dry_run);
    if dry_run {
        let mut tx = api.store.read(tenant.principal.scope()).await?;
        tenants::find(tx.conn(), id).await?;
        return Ok(Json(preview(&api, tx.conn(), id, wanted).await?).into_response());
    }
    let mut write = api.write_routing(order).await?;
    // The platform first, as everywhere: it may name this tenant for unknown numbers.
    settings::lock_platform(write.tx.conn()).await?;
    tenants::lock_for_deletion(write.tx.conn(), id).await?;
    write.expect(async |conn| tenants::find(conn, id).await).await?;
    let took_unknown = settings::unknown_numbers(write.tx.conn()).await? == Some(id);
    match wanted.leaving(&api) {
        Some(leaving) => {
            // All at once, though they are many: half of a deletion would be neither.
            for row in numbers::list(write.tx.conn(), id, &NumberFilter::default(), None, i64::MAX).await? {
                let address = pool::leave(write.tx.conn(), id, PhoneNumberId(row.id), leaving).await?;
                write.tx.remove(address.key());
            }
        }
        None => {
            let held = tenants::holdings(write.tx.conn(), id).await?.phone_numbers;
            if held > 0 {
                return Err(has_numbers(write.tx.conn(), id, held).await?.into());
            }
        }
    }
    if !holdings::in_accounts_of(write.tx.conn(), id, 1).await?.is_empty() {
        return Err(accounts_hold(write.tx.conn(), id).await?.into());
    }
    write.tx.remove_tenant(id).await?;
    tenants::delete(write.tx.conn(), id).await?;
    if took_unknown {
        write.tx.record_platform().await?;
    }
    let answered = write.no_content().await?;
    api.gate.keys.doubt_all();
    Ok(answered)
}

async fn preview(
    api: &Api,
    conn: &mut PgConnection,
    id: TenantId,
    wanted: Numbers,
) -> Result<Preview, StoreError> {
    let counts = tenants::holdings(conn, id).await?;
    let becomes = wanted.leaving(api).map(Leaving::lifecycle);
    let rows = numbers::list(conn, id, &NumberFilter::default(), None, NAMED_MAX).await?;
    let held_in_own_accounts = holdings::in_accounts_of(conn, id, NAMED_MAX).await?;
    let named =
        rows.into_iter().map(|row| PreviewNumber { id: row.id, phone_number: row.phone_number, becomes });
    Ok(Preview {
        tenant_id: id.0,
        deletes: held_in_own_accounts.is_empty() && (becomes.is_some() || counts.phone_numbers == 0),
        numbers: wanted,
        counts,
        phone_numbers: named.collect(),
        held_in_own_accounts,
        takes_unknown_numbers: settings::unknown_numbers(conn).await? == Some(id),
    })
}

async fn has_numbers(conn: &mut PgConnection, id: TenantId, held: i64) -> Result<Problem, StoreError> {
    const SHOWN: i64 = 5;
    let rows = numbers::list(conn, id, &NumberFilter::default(), None, SHOWN).await?;
    let shown: Vec<_> = rows.into_iter().map(|row| row.phone_number).collect();
    let more = if held > SHOWN { ", and more" } else { "" };
    let detail = format!(
        "the tenant has {held} phone numbers ({}{more}): say what becomes of them, ?numbers=pool to keep them for other \
         tenants or ?numbers=release to give them back after their rest; with &dry_run=true you see it beforehand",
        shown.join(", ")
    );
    Ok(Problem::new(StatusCode::CONFLICT, "tenant_has_numbers", detail))
}

async fn accounts_hold(conn: &mut PgConnection, id: TenantId) -> Result<Problem, StoreError> {
    const SHOWN: usize = 5;
    let mut held = holdings::in_accounts_of(conn, id, NAMED_MAX).await?;
    let more = if held.len() > SHOWN { ", and more" } else { "" };
    held.truncate(SHOWN);
    let detail = format!(
        "the tenant's own accounts hold numbers that aren't given back yet ({}{more}): delete the tenant's numbers with \
         ?release=now, and over /pool those that rest; when their jobs of kind release are done, try again",
        held.join(", ")
    );
    Ok(Problem::new(StatusCode::CONFLICT, "numbers_being_released", detail))
}
