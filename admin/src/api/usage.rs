//! What the platform uses of what it may: free numbers, and money.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::Operator;
use super::error::Problem;
use crate::provisioning::free_numbers::{Level, Used, concerns};
use crate::store::purchases::TenantSpending;
use crate::store::{Scope, holdings, purchases};

/// So many tenants are told of, those for whom most was spent.
const TENANTS_MAX: i64 = 50;

/// Free numbers, of all accounts of the platform's that have, or could have, any.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreeNumbers {
    /// How many there are.
    total: i64,
    /// How many there may be.
    limit: i64,
    /// How many more there may be.
    remaining: i64,
    /// The share that is used, in percent with one place.
    percent_used: f64,
    /// Each account.
    accounts: Vec<FreeNumbersOfAccount>,
}

/// The free numbers of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreeNumbersOfAccount {
    /// The account.
    account_id: Uuid,
    /// What people call it.
    label: String,
    /// How many it has.
    total: i64,
    /// How many it may have.
    limit: i64,
    /// How many more it may have.
    remaining: i64,
    /// The share that is used, in percent with one place.
    percent_used: f64,
    /// `warning` from 70 percent on, `critical` from 90: an event `free_numbers` on the channel `platform` says so.
    level: Level,
}

/// Get how many of the free numbers that the platform's accounts may have are used. Operators only.
#[utoipa::path(get, path = "/usage/free-numbers", tag = "Provisioning", responses((status = 200, body = FreeNumbers)))]
pub async fn free_numbers(State(api): State<Api>, _operator: Operator) -> Result<Json<FreeNumbers>, Problem> {
    let limit = api.provisioner.settings.free_numbers_max;
    let mut tx = api.store.read(Scope::Operator).await?;
    let mut rows = holdings::free_by_account(tx.conn()).await?;
    drop(tx);
    rows.retain(concerns);
    let all = rows
        .iter()
        .fold(Used::default(), |all, row| Used { total: all.total + row.total, limit: all.limit + limit });
    // What one account has too many, another can't have instead.
    let remaining = rows.iter().map(|row| Used { total: row.total, limit }.remaining()).sum();
    let accounts = rows.into_iter().map(|row| {
        let used = Used { total: row.total, limit };
        FreeNumbersOfAccount {
            account_id: row.account_id,
            label: row.label,
            total: used.total,
            limit,
            remaining: used.remaining(),
            percent_used: used.percent(),
            level: used.level(),
        }
    });
    Ok(Json(FreeNumbers {
        total: all.total,
        limit: all.limit,
        remaining,
        percent_used: all.percent(),
        accounts: accounts.collect(),
    }))
}

/// What was spent on numbers in this calendar month (UTC).
#[derive(Debug, Serialize, ToSchema)]
pub struct Spending {
    /// ISO 4217: the platform's. What was paid in others isn't counted.
    currency: String,
    /// The month: `2026-11`.
    month: String,
    /// How much, a decimal with two places: what was ordered counts, whether or not it came.
    spent: String,
    /// How much may be.
    limit: String,
    /// The tenants for whom most was spent, those first; at most 50. What the pool cost is nobody's.
    tenants: Vec<TenantSpending>,
}

/// Get what was spent on numbers this month, and for whom. Operators only.
#[utoipa::path(get, path = "/provisioning/spending", tag = "Provisioning", responses((status = 200, body = Spending)))]
pub async fn spending(State(api): State<Api>, _operator: Operator) -> Result<Json<Spending>, Problem> {
    let limits = &api.provisioner.settings.limits;
    let mut tx = api.store.read(Scope::Operator).await?;
    let spent = purchases::spent(tx.conn(), limits).await?;
    let tenants = purchases::spent_most(tx.conn(), limits, TENANTS_MAX).await?;
    Ok(Json(Spending {
        currency: limits.currency.clone(),
        month: spent.month,
        spent: spent.spent,
        limit: spent.limit,
        tenants,
    }))
}
