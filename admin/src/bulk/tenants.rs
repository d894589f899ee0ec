//! Lines of tenants. A tenant is known by `tenant_id`, or by `external_id`, its name in the system that the file comes
//! from. Where a business's one number stands in its own line, the number becomes its location.

use dialplane_common::ids::TenantId;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::check::Refusal;
use super::line::{Given, given};
use super::numbers;
use crate::invalid::{self, Invalid};
use crate::store::bulk::BulkTenant;
use crate::store::instant::Instant;
use crate::store::numbers::Address;
use crate::store::tenants::Tenant;

/// All columns. To add one: here, in [`TenantLine`], [`TenantChange`] and [`decide`], in [`cells`], and in the statements
/// of `store/bulk.rs`.
pub const COLUMNS: &[&str] =
    &["tenant_id", "external_id", "name", "timezone", "status", "calls_max", "phone_number"];

/// Those that export writes: a tenant's numbers are lines of their own.
pub const EXPORTED: &[&str] = &["tenant_id", "external_id", "name", "timezone", "status", "calls_max"];

const STATUSES: [&str; 2] = ["active", "suspended"];
const TIMEZONE: &str = "UTC";

/// A line as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantLine {
    tenant_id: Option<TenantId>,
    #[serde(default, deserialize_with = "given")]
    external_id: Given<String>,
    #[serde(default, deserialize_with = "given")]
    name: Given<String>,
    #[serde(default, deserialize_with = "given")]
    timezone: Given<String>,
    #[serde(default, deserialize_with = "given")]
    status: Given<String>,
    #[serde(default, deserialize_with = "given")]
    calls_max: Given<u32>,
    phone_number: Option<String>,
}

/// What a line wants, checked by itself.
#[derive(Debug)]
pub struct TenantChange {
    /// Its id.
    pub id: Option<TenantId>,
    /// Its name elsewhere.
    pub external_id: Given<String>,
    name: Option<String>,
    timezone: Option<String>,
    status: Option<String>,
    calls_max: Given<i32>,
    /// Its number, in its own line.
    pub number: Option<Address>,
}

/// What a line comes to.
#[derive(Debug)]
pub enum Decision {
    /// A tenant that wasn't there.
    Create(BulkTenant),
    /// A tenant as it shall be.
    Change(BulkTenant),
    /// It is so already.
    Keep(TenantId),
}

impl TenantLine {
    /// Checks what can be checked without looking at what is there.
    ///
    /// # Errors
    /// What is wanted where.
    pub fn check(self) -> Result<TenantChange, Invalid> {
        if let Some(Some(text)) = &self.external_id {
            invalid::name("external_id", text)?;
        }
        if self.tenant_id.is_none() && self.external_id.as_ref().is_none_or(Option::is_none) {
            let wanted = "wanted tenant_id or external_id, so that the file can come again";
            return Err(Invalid::new("external_id", wanted));
        }
        let name = self.name.flatten();
        if let Some(name) = &name {
            invalid::name("name", name)?;
        }
        let status = self.status.flatten();
        if status.as_ref().is_some_and(|status| !STATUSES.contains(&status.as_str())) {
            return Err(Invalid::new("status", format!("wanted one of: {}", STATUSES.join(", "))));
        }
        let limit =
            |calls: Option<u32>| calls.map(|calls| invalid::calls_max("calls_max", calls)).transpose();
        let timezone =
            self.timezone.flatten().map(|zone| invalid::timezone("timezone", &zone)).transpose()?;
        let number = self.phone_number.as_deref().map(|number| numbers::address(Some(number), None));
        Ok(TenantChange {
            id: self.tenant_id,
            external_id: self.external_id,
            name,
            timezone,
            status,
            calls_max: self.calls_max.map(limit).transpose()?,
            number: number.transpose()?,
        })
    }
}

impl TenantChange {
    /// Tells lines apart: two of one file are about different tenants.
    #[must_use]
    pub fn key(&self) -> u128 {
        match (self.id, &self.external_id) {
            (Some(id), _) => id.0.as_u128(),
            (None, name) => name_key(name.iter().flatten().next().map_or("", String::as_str)),
        }
    }
}

/// An external id as a key, beside which ids are keys as well.
#[must_use]
pub fn name_key(name: &str) -> u128 {
    Sha256::digest(name).iter().take(16).fold(0, |key, byte| (key << 8) | u128::from(*byte))
}

/// What a change comes to beside what is there.
///
/// # Errors
/// A new tenant without a name.
pub fn decide(change: &TenantChange, existing: Option<&BulkTenant>) -> Result<Decision, Refusal> {
    let mut row = match existing {
        Some(row) => row.clone(),
        None => blank(change).ok_or_else(|| Refusal::new("invalid_field", "name", "wanted"))?,
    };
    if let Some(external_id) = &change.external_id {
        row.external_id.clone_from(external_id);
    }
    if let Some(name) = &change.name {
        row.tenant.name.clone_from(name);
    }
    if let Some(timezone) = &change.timezone {
        row.tenant.timezone.clone_from(timezone);
    }
    if let Some(status) = &change.status {
        row.tenant.status.clone_from(status);
    }
    if let Some(calls_max) = change.calls_max {
        row.tenant.calls_max = calls_max;
    }
    Ok(match existing {
        None => Decision::Create(row),
        Some(before) if cells(before) == cells(&row) => Decision::Keep(TenantId(row.tenant.id)),
        Some(_) => Decision::Change(row),
    })
}

fn blank(change: &TenantChange) -> Option<BulkTenant> {
    let now = Instant(Timestamp::UNIX_EPOCH);
    let tenant = Tenant {
        id: change.id.map_or_else(Uuid::now_v7, |id| id.0),
        name: change.name.clone()?,
        timezone: TIMEZONE.to_owned(),
        status: "active".to_owned(),
        calls_max: None,
        created_at: now,
        updated_at: now,
    };
    Some(BulkTenant { tenant, external_id: None })
}

/// A tenant as a line of export: the values of [`EXPORTED`], null where there is none.
#[must_use]
pub fn cells(row: &BulkTenant) -> Vec<Value> {
    vec![
        Value::from(row.tenant.id.to_string()),
        Value::from(row.external_id.as_deref()),
        Value::from(&*row.tenant.name),
        Value::from(&*row.tenant.timezone),
        Value::from(&*row.tenant.status),
        Value::from(row.tenant.calls_max),
    ]
}
