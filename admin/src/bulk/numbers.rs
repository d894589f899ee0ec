//! Lines of phone numbers, which are also locations. A number is known by its address: `phone_number`, or `prefix` of a
//! range.

use dialplane_common::ids::{AccountId, AgentId, TenantId};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::check::{References, Refusal, TenantRef};
use super::line::{Given, document, given};
use crate::bindings::{self, NewBinding};
use crate::business::address::{LocationAddress, PostalAddress};
use crate::invalid::{self, Invalid};
use crate::numbering;
use crate::store::bindings::Binding;
use crate::store::instant::Instant;
use crate::store::numbers::{Address, NumberRow};

/// All columns. To add one: here, in [`NumberLine`], [`NumberChange`] and [`decide`], in [`cells`] of what is exported,
/// and in the statements of `store/bulk.rs`.
pub const COLUMNS: &[&str] = &[
    "phone_number",
    "prefix",
    "tenant_id",
    "tenant_external_id",
    "display_name",
    "address",
    "address_parts",
    "timezone",
    "status",
    "primary",
    "calls_max",
    "agent_id",
    "agent",
    "account_id",
    "account",
    "bindings",
];

/// Those that export writes: ids rather than names, which may change.
pub const EXPORTED: &[&str] = &[
    "phone_number",
    "prefix",
    "tenant_id",
    "display_name",
    "address",
    "address_parts",
    "timezone",
    "status",
    "primary",
    "calls_max",
    "agent_id",
    "account_id",
    "bindings",
];

/// Whoever has the number is nobody's business.
pub const TAKEN: &str = "this number is taken";
const STATUSES: [&str; 3] = ["active", "inactive", "suspended"];

/// A line as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberLine {
    phone_number: Option<String>,
    prefix: Option<String>,
    tenant_id: Option<TenantId>,
    tenant_external_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    display_name: Given<String>,
    #[serde(default, deserialize_with = "given")]
    address: Given<String>,
    #[serde(default, deserialize_with = "given")]
    address_parts: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    timezone: Given<String>,
    #[serde(default, deserialize_with = "given")]
    status: Given<String>,
    primary: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    calls_max: Given<u32>,
    #[serde(default, deserialize_with = "given")]
    agent_id: Given<AgentId>,
    #[serde(default, deserialize_with = "given")]
    agent: Given<String>,
    #[serde(default, deserialize_with = "given")]
    account_id: Given<AccountId>,
    #[serde(default, deserialize_with = "given")]
    account: Given<String>,
    #[serde(default, deserialize_with = "given")]
    bindings: Given<Value>,
}

/// What a line wants, checked by itself.
#[derive(Debug)]
pub struct NumberChange {
    /// Which number.
    pub address: Address,
    /// Whose it is.
    pub tenant: TenantRef,
    display_name: Given<String>,
    place: Given<LocationAddress>,
    timezone: Given<String>,
    status: Given<String>,
    /// It is its tenant's primary one from now on. That it isn't says nothing: one always is.
    is_to_be_primary: bool,
    calls_max: Given<i32>,
    /// Whoever answers.
    pub agent: Given<AgentRef>,
    /// The accounts.
    pub accounts: Given<AccountsRef>,
}

/// An agent, by its id or by its name among its tenant's.
#[derive(Debug)]
pub enum AgentRef {
    /// By its id.
    Id(AgentId),
    /// By its name.
    Name(String),
}

/// Accounts whose webhooks may speak of a number.
#[derive(Debug)]
pub enum AccountsRef {
    /// The carrier's, by its id.
    Id(AccountId),
    /// The carrier's, by its label among those that the tenant may use.
    Label(String),
    /// All, with what ties the number to them.
    List(Vec<Binding>),
}

/// What a line comes to.
#[derive(Debug)]
pub enum Decision {
    /// A number that wasn't there.
    Create(NumberRow),
    /// A number as it shall be; whether its bindings differ.
    Change(NumberRow, bool),
    /// It is so already.
    Keep,
}

/// The number or the range that is given, whichever it is.
///
/// # Errors
/// What is wanted where.
pub fn address(number: Option<&str>, prefix: Option<&str>) -> Result<Address, Invalid> {
    match (number, prefix) {
        (Some(number), None) => Ok(Address::Number(numbering::possible("phone_number", number)?)),
        (None, Some(prefix)) => Ok(Address::Range(numbering::possible_range("prefix", prefix)?)),
        (None, None) => Err(Invalid::new("phone_number", "wanted phone_number or prefix")),
        (Some(_), Some(_)) => Err(Invalid::new("prefix", "wanted phone_number or prefix, not both")),
    }
}

impl NumberLine {
    /// Checks what can be checked without looking at what is there.
    ///
    /// # Errors
    /// What is wanted where.
    pub fn check(self) -> Result<NumberChange, Invalid> {
        let line = |field: &str, text: &Given<String>, chars_max| match text {
            Some(Some(text)) => invalid::line(field, text, chars_max),
            _ => Ok(()),
        };
        line("display_name", &self.display_name, invalid::NAME_CHARS_MAX)?;
        if let Some(Some(status)) = &self.status
            && !STATUSES.contains(&status.as_str())
        {
            return Err(Invalid::new("status", format!("wanted one of: {}", STATUSES.join(", "))));
        }
        let zone = |zone: Option<String>| zone.map(|zone| invalid::timezone("timezone", &zone)).transpose();
        let limit =
            |calls: Option<u32>| calls.map(|calls| invalid::calls_max("calls_max", calls)).transpose();
        Ok(NumberChange {
            address: address(self.phone_number.as_deref(), self.prefix.as_deref())?,
            tenant: TenantRef::new(self.tenant_id, self.tenant_external_id)?,
            display_name: self.display_name,
            place: place(self.address, self.address_parts)?,
            timezone: self.timezone.map(zone).transpose()?,
            status: self.status,
            is_to_be_primary: self.primary == Some(true),
            calls_max: self.calls_max.map(limit).transpose()?,
            agent: match (self.agent_id, self.agent) {
                (Some(Some(_)), Some(Some(_))) => {
                    return Err(Invalid::new("agent", "wanted agent_id or agent, not both"));
                }
                (Some(Some(id)), _) => Some(Some(AgentRef::Id(id))),
                (_, Some(Some(name))) => Some(Some(AgentRef::Name(name))),
                (None, None) => None,
                _ => Some(None),
            },
            accounts: accounts(self.account_id, self.account, self.bindings)?,
        })
    }
}

/// Where the location is: in one line, or in parts.
fn place(line: Given<String>, parts: Given<Value>) -> Result<Given<LocationAddress>, Invalid> {
    match (line, parts) {
        (None, None) => Ok(None),
        (Some(Some(_)), Some(Some(_))) => {
            Err(Invalid::new("address_parts", "wanted address or address_parts, not both"))
        }
        (Some(Some(line)), _) => {
            let line = LocationAddress::Line(line);
            line.check()?;
            Ok(Some(Some(line)))
        }
        (_, Some(Some(parts))) => {
            let parts: PostalAddress = document("address_parts", &parts)?;
            parts.check("address_parts")?;
            Ok(Some(Some(LocationAddress::Parts(parts))))
        }
        _ => Ok(Some(None)),
    }
}

fn accounts(
    id: Given<AccountId>,
    label: Given<String>,
    list: Given<Value>,
) -> Result<Given<AccountsRef>, Invalid> {
    if id.is_none() && label.is_none() && list.is_none() {
        return Ok(None);
    }
    let given =
        [id.is_some_and(|id| id.is_some()), matches!(label, Some(Some(_))), matches!(list, Some(Some(_)))];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(Invalid::new("account_id", "wanted one of account_id, account and bindings"));
    }
    let list = match list.flatten() {
        Some(list) => {
            let list: Vec<NewBinding> = document("bindings", &list)?;
            let wanted = bindings::wanted(None, Some(&list), &[])?;
            let mut bindings = wanted.map(|wanted| wanted.bindings).unwrap_or_default();
            bindings.sort_by_key(|binding| binding.account_id);
            Some(AccountsRef::List(bindings))
        }
        None => None,
    };
    Ok(Some(id.flatten().map(AccountsRef::Id).or(label.flatten().map(AccountsRef::Label)).or(list)))
}

impl NumberChange {
    /// It makes the number its tenant's primary one, whether it is there already or not.
    #[must_use]
    pub const fn makes_primary(&self) -> bool {
        self.is_to_be_primary
    }

    /// It may change whether the number's calls are routed.
    #[must_use]
    pub const fn sets_status(&self) -> bool {
        self.status.is_some()
    }

    /// Tells lines apart: two of one file are about different numbers.
    #[must_use]
    pub fn key(&self) -> u128 {
        key(self.address)
    }
}

/// An address as a key.
#[must_use]
pub fn key(address: Address) -> u128 {
    match address {
        Address::Number(number) => u128::from(number.to_u64()),
        Address::Range(prefix) => (1 << 64) | u128::from(prefix.to_u64()),
    }
}

/// The name of the column that holds an address.
#[must_use]
pub const fn field(address: Address) -> &'static str {
    match address {
        Address::Number(_) => "phone_number",
        Address::Range(_) => "prefix",
    }
}

/// What a change comes to beside what is there: `existing` at its address, whoever's it is.
///
/// # Errors
/// Whoever it names isn't there, or the number is somebody else's.
pub fn decide(
    change: &NumberChange,
    existing: Option<&NumberRow>,
    references: &References,
) -> Result<Decision, Refusal> {
    let tenant = references.tenant(&change.tenant)?;
    if existing.is_some_and(|row| row.tenant_id != tenant.0) {
        return Err(Refusal::new("phone_number_taken", field(change.address), TAKEN));
    }
    let agent = match &change.agent {
        Some(Some(agent)) => Some(Some(references.agent(tenant, agent)?.0)),
        Some(None) => Some(None),
        None => None,
    };
    let wanted = match &change.accounts {
        Some(Some(accounts)) => Some(references.bindings(tenant, accounts)?),
        Some(None) => Some(Vec::new()),
        None => None,
    };
    let new = || blank(tenant, change.address);
    let mut row = existing.cloned().unwrap_or_else(new);
    if let Some(name) = &change.display_name {
        row.display_name = name.clone().unwrap_or_else(|| row.phone_number.clone());
    }
    if let Some(Some(status)) = &change.status {
        row.status.clone_from(status);
    }
    if let Some(place) = &change.place {
        row.address = place.as_ref().map(LocationAddress::line);
        row.address_parts = place.as_ref().and_then(LocationAddress::parts).cloned().map(Json);
    }
    if let Some(timezone) = &change.timezone {
        row.timezone.clone_from(timezone);
    }
    if let Some(calls_max) = change.calls_max {
        row.calls_max = calls_max;
    }
    if let Some(agent) = agent {
        row.agent_id = agent;
    }
    if let Some(wanted) = wanted {
        row.bindings = Json(wanted);
    }
    if change.is_to_be_primary {
        if !row.is_routed() {
            let wanted = "wanted of a number whose calls are routed";
            return Err(Refusal::new("invalid_field", "primary", wanted));
        }
        row.is_primary = true;
    }
    Ok(match existing {
        None => Decision::Create(row),
        Some(before) => {
            let rebound = before.bindings.0 != row.bindings.0;
            let is_same = |a: &NumberRow, b: &NumberRow| cells(a) == cells(b);
            if !rebound && is_same(before, &row) { Decision::Keep } else { Decision::Change(row, rebound) }
        }
    })
}

/// A number that sets nothing.
#[must_use]
pub fn blank(tenant: TenantId, address: Address) -> NumberRow {
    let now = Instant(Timestamp::UNIX_EPOCH);
    let text = address.to_string();
    NumberRow {
        id: Uuid::now_v7(),
        tenant_id: tenant.0,
        display_name: text.clone(),
        phone_number: text,
        is_range: matches!(address, Address::Range(_)),
        address: None,
        address_parts: None,
        timezone: None,
        status: "active".to_owned(),
        lifecycle: "active".to_owned(),
        source: "manual".to_owned(),
        is_primary: false,
        agent_id: None,
        calls_max: None,
        created_at: now,
        updated_at: now,
        bindings: Json(Vec::new()),
    }
}

/// A number as a line of export: the values of [`EXPORTED`], null where there is none.
#[must_use]
pub fn cells(row: &NumberRow) -> Vec<Value> {
    let address =
        |wanted: bool| if row.is_range == wanted { Value::from(&*row.phone_number) } else { Value::Null };
    // One account that is the carrier's is what nearly all numbers have.
    let (account, list) = match row.bindings.0.as_slice() {
        [] => (None, None),
        [only] if only.role == "carrier" && only.number_id.is_none() => (Some(only.account_id), None),
        list => (None, Some(list)),
    };
    let id = |id: Option<Uuid>| id.map_or(Value::Null, |id| Value::from(id.to_string()));
    vec![
        address(false),
        address(true),
        id(Some(row.tenant_id)),
        Value::from(&*row.display_name),
        Value::from(row.address.as_deref().filter(|_| row.address_parts.is_none())),
        row.address_parts
            .as_ref()
            .map_or(Value::Null, |parts| serde_json::to_value(parts).unwrap_or_default()),
        Value::from(row.timezone.as_deref()),
        Value::from(&*row.status),
        Value::from(row.is_primary),
        Value::from(row.calls_max),
        id(row.agent_id),
        id(account),
        list.map_or(Value::Null, |list| serde_json::to_value(list).unwrap_or_default()),
    ]
}
