//! Lines of tenants. A tenant is known by `tenant_id`, or by `external_id`, its name in the system that the file comes
//! from. Where a business's one number stands in its own line, the number becomes its location.

use std::collections::HashSet;

use dialplane_common::ids::TenantId;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

use super::check::Refusal;
use super::line::{Given, document, given};
use super::numbers;
use crate::business::ProfileDocument;
use crate::business::integrations::{self, Integrations};
use crate::business::provisioning::ProvisioningDocument;
use crate::invalid::{self, Invalid};
use crate::store::instant::Instant;
use crate::store::numbers::Address;
use crate::store::tenants::Tenant;

/// All columns. To add one: here, in [`TenantLine`], [`TenantChange`] and [`decide`], in [`cells`], and in the statements
/// of `store/bulk.rs`.
pub const COLUMNS: &[&str] = &[
    "tenant_id",
    "external_id",
    "name",
    "timezone",
    "status",
    "calls_max",
    "phone_numbers_max",
    "agents_max",
    "spend_max",
    "plan",
    "profile",
    "integrations",
    "provisioning",
    "phone_number",
];

/// Those that export writes: a tenant's numbers are lines of their own.
pub const EXPORTED: &[&str] = &[
    "tenant_id",
    "external_id",
    "name",
    "timezone",
    "status",
    "calls_max",
    "phone_numbers_max",
    "agents_max",
    "spend_max",
    "plan",
    "profile",
    "integrations",
    "provisioning",
];

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
    #[serde(default, deserialize_with = "given")]
    phone_numbers_max: Given<u32>,
    #[serde(default, deserialize_with = "given")]
    agents_max: Given<u32>,
    #[serde(default, deserialize_with = "given")]
    spend_max: Given<String>,
    #[serde(default, deserialize_with = "given")]
    plan: Given<String>,
    #[serde(default, deserialize_with = "given")]
    profile: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    integrations: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    provisioning: Given<Value>,
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
    phone_numbers_max: Given<i32>,
    agents_max: Given<i32>,
    spend_max: Given<String>,
    /// The plan that it pays for.
    pub plan: Given<String>,
    profile: Option<ProfileDocument>,
    integrations: Option<Integrations>,
    provisioning: Option<ProvisioningDocument>,
    /// Its number, in its own line.
    pub number: Option<Address>,
}

/// What a line comes to.
#[derive(Debug)]
pub enum Decision {
    /// A tenant that wasn't there.
    Create(Tenant),
    /// A tenant as it shall be.
    Change(Tenant),
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
        let spend =
            |most: Option<String>| most.map(|most| invalid::spend_max("spend_max", &most)).transpose();
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
            phone_numbers_max: count_max("phone_numbers_max", self.phone_numbers_max)?,
            agents_max: count_max("agents_max", self.agents_max)?,
            spend_max: self.spend_max.map(spend).transpose()?,
            plan: self.plan,
            profile: checked("profile", self.profile, ProfileDocument::check)?,
            integrations: checked("integrations", self.integrations, integrations::check)?,
            provisioning: checked("provisioning", self.provisioning, ProvisioningDocument::check)?,
            number: number.transpose()?,
        })
    }
}

fn count_max(field: &str, most: Given<u32>) -> Result<Given<i32>, Invalid> {
    most.map(|most| most.map(|most| invalid::count_max(field, most)).transpose()).transpose()
}

/// A document; unset, it says nothing.
fn checked<T: DeserializeOwned + Default>(
    field: &str,
    given: Given<Value>,
    check: impl FnOnce(&T) -> Result<(), Invalid>,
) -> Result<Option<T>, Invalid> {
    let Some(cell) = given else { return Ok(None) };
    let read: T = cell.map(|cell| document(field, &cell)).transpose()?.unwrap_or_default();
    check(&read)?;
    Ok(Some(read))
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
/// A new tenant without a name; a plan that isn't among `plans`, those of the file that there are.
pub fn decide(
    change: &TenantChange,
    existing: Option<&Tenant>,
    plans: &HashSet<String>,
) -> Result<Decision, Refusal> {
    let mut row = match existing {
        Some(row) => row.clone(),
        None => blank(change).ok_or_else(|| Refusal::new("invalid_field", "name", "wanted"))?,
    };
    if let Some(external_id) = &change.external_id {
        row.external_id.clone_from(external_id);
    }
    if let Some(name) = &change.name {
        row.name.clone_from(name);
    }
    if let Some(timezone) = &change.timezone {
        row.timezone.clone_from(timezone);
    }
    if let Some(status) = &change.status {
        row.status.clone_from(status);
    }
    if let Some(calls_max) = change.calls_max {
        row.calls_max = calls_max;
    }
    if let Some(most) = change.phone_numbers_max {
        row.phone_numbers_max = most;
    }
    if let Some(most) = change.agents_max {
        row.agents_max = most;
    }
    if let Some(most) = &change.spend_max {
        row.spend_max.clone_from(most);
    }
    if let Some(plan) = &change.plan {
        if plan.as_ref().is_some_and(|plan| !plans.contains(plan)) {
            return Err(Refusal::new("invalid_field", "plan", "wanted the name of a plan that there is"));
        }
        row.plan.clone_from(plan);
    }
    if let Some(profile) = &change.profile {
        row.profile.0.clone_from(profile);
    }
    if let Some(integrations) = &change.integrations {
        row.integrations.0.clone_from(integrations);
    }
    if let Some(provisioning) = &change.provisioning {
        row.provisioning.0.clone_from(provisioning);
    }
    Ok(match existing {
        None => Decision::Create(row),
        Some(before) if cells(before) == cells(&row) => Decision::Keep(TenantId(row.id)),
        Some(_) => Decision::Change(row),
    })
}

fn blank(change: &TenantChange) -> Option<Tenant> {
    let now = Instant(Timestamp::UNIX_EPOCH);
    Some(Tenant {
        id: change.id.map_or_else(Uuid::now_v7, |id| id.0),
        name: change.name.clone()?,
        timezone: TIMEZONE.to_owned(),
        status: "active".to_owned(),
        external_id: None,
        profile: Json::default(),
        integrations: Json::default(),
        provisioning: Json::default(),
        calls_max: None,
        phone_numbers_max: None,
        agents_max: None,
        spend_max: None,
        plan: None,
        limits: Json::default(),
        created_at: now,
        updated_at: now,
    })
}

/// A tenant as a line of export: the values of [`EXPORTED`], null where there is none.
#[must_use]
pub fn cells(row: &Tenant) -> Vec<Value> {
    vec![
        Value::from(row.id.to_string()),
        Value::from(row.external_id.as_deref()),
        Value::from(&*row.name),
        Value::from(&*row.timezone),
        Value::from(&*row.status),
        Value::from(row.calls_max),
        Value::from(row.phone_numbers_max),
        Value::from(row.agents_max),
        Value::from(row.spend_max.as_deref()),
        Value::from(row.plan.as_deref()),
        cell(&row.profile.0),
        cell(&row.integrations.0),
        cell(&row.provisioning.0),
    ]
}

/// A document; null where it says nothing.
fn cell<T: Serialize + Default + PartialEq>(document: &T) -> Value {
    if *document == T::default() { Value::Null } else { serde_json::to_value(document).unwrap_or_default() }
}
