//! Applies one piece of a file, in one transaction: the rows, the feed's records, the piece's deletion and the counts.

use dialplane_common::ids::TenantId;
use serde_json::Value;

use super::check::{Changes, Plan, Refusal};
use super::{Format, Kind, numbers};
use crate::store::bulk::{self, Hold};
use crate::store::imports::{self, BadLine, Import, Outcome};
use crate::store::settings::{self, Owner};
use crate::store::{Store, StoreError, WriteTx, compile};

/// What came of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applied {
    /// A piece was applied.
    Piece,
    /// There was none to take.
    Nothing,
}

/// Whether lines are written together, or each behind a savepoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    Together,
    /// After something was refused that no plan foresaw: a writer beside us, or two lines of the file against each other.
    OneByOne,
}

/// Takes a piece of an import that is applied, and applies it.
///
/// # Errors
/// When Postgres is away, or refuses what has no line to blame.
pub async fn next_piece(store: &Store, import: &Import) -> Result<Applied, StoreError> {
    match attempt(store, import, Care::Together).await {
        Err(error) if blame(&error).is_some() => attempt(store, import, Care::OneByOne).await,
        outcome => outcome,
    }
}

async fn attempt(store: &Store, import: &Import, care: Care) -> Result<Applied, StoreError> {
    let mut tx = super::worker::begin(store, import).await?;
    bulk::prefer_indexes(tx.conn()).await?;
    let Some(piece) = imports::take_piece(tx.conn(), import.id).await? else {
        imports::end_if_applied(tx.conn(), import.id).await?;
        tx.commit().await?;
        return Ok(Applied::Nothing);
    };
    let number = piece.piece;
    let (kind, format, header) = reading(import)?;
    let read =
        tokio::task::spawn_blocking(move || Changes::read(kind, format, header.as_ref(), &piece)).await;
    let (changes, mut bad) = read.map_err(|_| StoreError::Malformed("piece"))?;
    let own = import.tenant_id.map(TenantId);
    let mut plan = match care {
        Care::Together => {
            let plan = changes.plan(tx.conn(), own, Hold::Yes).await?;
            write(&mut tx, &plan).await?;
            plan
        }
        Care::OneByOne => one_by_one(&mut tx, changes, own).await?,
    };
    note(&mut tx, &plan).await?;
    bad.append(&mut plan.bad);
    let outcome =
        Outcome { created: plan.created, changed: plan.changed, unchanged: plan.kept, bad: count(&bad) };
    let Some(after) = imports::applied(tx.conn(), import, number, outcome, &bad).await? else {
        // Cancelled, or failed by another process: nothing of this is kept.
        return Ok(Applied::Nothing);
    };
    let ours = outcome.created + outcome.changed + outcome.unchanged;
    let is_first = after.lines_created + after.lines_changed + after.lines_unchanged == ours;
    if import.is_all_or_nothing() && !bad.is_empty() && is_first {
        drop(tx);
        return refuse_all(store, import, &bad).await;
    }
    tx.commit().await?;
    Ok(Applied::Piece)
}

/// What was good when it was validated no longer is, and nothing is applied yet.
async fn refuse_all(store: &Store, import: &Import, bad: &[BadLine]) -> Result<Applied, StoreError> {
    let mut tx = super::worker::begin(store, import).await?;
    imports::refuse(tx.conn(), import, bad, super::worker::BAD_LINES).await?;
    tx.commit().await?;
    Ok(Applied::Piece)
}

/// How an import's pieces are read.
///
/// # Errors
/// When its row isn't as this program writes it.
pub fn reading(import: &Import) -> Result<(Kind, Format, Option<csv::StringRecord>), StoreError> {
    let kind = Kind::from_name(&import.kind).ok_or(StoreError::Malformed("import"))?;
    let format = Format::from_name(&import.format).ok_or(StoreError::Malformed("import"))?;
    let header = import.header.as_deref().map(|header| super::line::header(header, kind.columns()));
    Ok((kind, format, header.transpose().map_err(|_| StoreError::Malformed("header"))?))
}

async fn one_by_one(tx: &mut WriteTx, changes: Changes, own: Option<TenantId>) -> Result<Plan, StoreError> {
    let mut all = Plan::default();
    for (line, change) in changes.one_by_one() {
        bulk::savepoint(tx.conn()).await?;
        let plan = change.plan(tx.conn(), own, Hold::Yes).await?;
        match write(tx, &plan).await {
            Ok(()) => {
                bulk::release(tx.conn()).await?;
                all.append(plan);
            }
            Err(error) => {
                let refusal = blame(&error).ok_or(error)?;
                bulk::roll_back(tx.conn()).await?;
                all.bad.push(refusal.at(line));
            }
        }
    }
    Ok(all)
}

async fn write(tx: &mut WriteTx, plan: &Plan) -> Result<(), StoreError> {
    let conn = tx.conn();
    bulk::insert_tenants(conn, &plan.new_tenants).await?;
    bulk::update_tenants(conn, &plan.changed_tenants).await?;
    bulk::insert_numbers(conn, &plan.new_numbers).await?;
    bulk::update_numbers(conn, &plan.changed_numbers).await?;
    bulk::make_primary(conn, &plan.primaries()).await?;
    bulk::replace_bindings(conn, &plan.rebound_numbers).await?;
    bulk::write_settings(conn, &plan.settings).await?;
    for (tenant, kind, value) in &plan.defaults {
        match value {
            Some(value) => settings::put::<Value>(conn, Owner::Tenant(*tenant), *kind, value).await?,
            None => settings::delete(conn, Owner::Tenant(*tenant), *kind).await?,
        }
    }
    Ok(())
}

/// Notes the records of all that was written.
async fn note(tx: &mut WriteTx, plan: &Plan) -> Result<(), StoreError> {
    for row in &plan.new_tenants {
        if row.plan.is_some() {
            // Its limits stand elsewhere.
            tx.record_tenant(TenantId(row.id)).await?;
        } else {
            tx.record_new_tenant(row)?;
        }
    }
    for row in &plan.changed_tenants {
        tx.record_tenant(TenantId(row.id)).await?;
    }
    for (tenant, _, _) in &plan.defaults {
        tx.record_tenant(*tenant).await?;
    }
    let nothing = bulk::Documents::new();
    for row in &plan.new_numbers {
        tx.record(&compile::number_record(row, &nothing)?)?;
    }
    let changed = || plan.changed_numbers.iter().chain(&plan.set_numbers);
    let ids: Vec<_> = changed().map(|row| row.id).collect();
    if !ids.is_empty() {
        let documents = bulk::documents(tx.conn(), &ids).await?;
        for row in changed() {
            tx.record(&compile::number_record(row, documents.get(&row.id).unwrap_or(&nothing))?)?;
        }
    }
    Ok(())
}

/// The refusal of the one line that was written, where it is to blame.
fn blame(error: &StoreError) -> Option<Refusal> {
    let (code, field, wanted) = match error {
        StoreError::NumberTaken => ("phone_number_taken", "phone_number", numbers::TAKEN),
        StoreError::PhoneNumbersMax => {
            ("phone_numbers_limit", "phone_number", "the tenant has as many phone numbers as it may")
        }
        StoreError::AddressOverlaps => {
            ("phone_number_overlaps", "phone_number", "it overlaps another tenant's")
        }
        StoreError::NumberIdTaken => {
            ("number_id_taken", "bindings", "another number of the account has this number_id")
        }
        StoreError::ExternalIdTaken => ("external_id_taken", "external_id", "another tenant has it"),
        StoreError::AccountInUse => ("unknown_account", "account_id", "it was taken away meanwhile"),
        StoreError::AgentInUse => ("unknown_agent", "agent_id", "it was deleted meanwhile"),
        StoreError::NotFound => ("unknown_tenant", "tenant_id", "it was deleted meanwhile"),
        StoreError::RecordTooLarge => {
            ("record_too_large", "line", "its documents are larger than routers take")
        }
        _ => return None,
    };
    Some(Refusal::new(code, field, wanted))
}

fn count(bad: &[BadLine]) -> i64 {
    i64::try_from(bad.len()).unwrap_or(i64::MAX)
}
