//! Lines of settings: a number's, by its address; or a tenant's defaults, where a line names no number. Each column is a
//! document as its path in the API takes it.

use dialplane_common::ids::{AgentId, TenantId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::check::TenantRef;
use super::line::{Given, document, given};
use super::{numbers, tenants};
use crate::hours::HoursDocument;
use crate::invalid::Invalid;
use crate::messages::SmsDocument;
use crate::people::{ServicesDocument, StaffDocument};
use crate::profile::{RulesDocument, VoiceDocument};
use crate::routing::RoutingDocument;
use crate::store::numbers::Address;
use crate::store::settings::Kind;

/// All columns. To add a kind of setting: here, in [`SettingsLine`] and its check, and in [`KINDS`].
pub const COLUMNS: &[&str] = &[
    "phone_number",
    "prefix",
    "tenant_id",
    "tenant_external_id",
    "hours",
    "routing",
    "voice",
    "rules",
    "sms",
    "staff",
    "services",
];

/// Those that export writes.
pub const EXPORTED: &[&str] = &[
    "phone_number",
    "prefix",
    "tenant_id",
    "hours",
    "routing",
    "voice",
    "rules",
    "sms",
    "staff",
    "services",
];

/// The kinds of settings, in the order of [`EXPORTED`].
pub const KINDS: [Kind; 7] =
    [Kind::Hours, Kind::Routing, Kind::Voice, Kind::Rules, Kind::Sms, Kind::Staff, Kind::Services];

/// A line as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsLine {
    phone_number: Option<String>,
    prefix: Option<String>,
    tenant_id: Option<TenantId>,
    tenant_external_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    hours: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    routing: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    voice: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    rules: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    sms: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    staff: Given<Value>,
    #[serde(default, deserialize_with = "given")]
    services: Given<Value>,
}

/// What a line wants, checked by itself.
#[derive(Debug)]
pub struct SettingsChange {
    /// Which number's; absent: the tenant's.
    pub address: Option<Address>,
    /// Whose.
    pub tenant: TenantRef,
    /// Documents to set, and kinds to unset.
    pub documents: Vec<(Kind, Option<Value>)>,
    /// Agents that rules name, each with the place that does.
    pub agents: Vec<(AgentId, String)>,
    /// The staff, which names services.
    pub staff: Option<StaffDocument>,
}

impl SettingsLine {
    /// Checks what can be checked without looking at what is there.
    ///
    /// # Errors
    /// What is wanted where: `routing.rules[0].then.to`.
    pub fn check(self) -> Result<SettingsChange, Invalid> {
        let (number, prefix) = (self.phone_number.as_deref(), self.prefix.as_deref());
        let address = match (number, prefix) {
            (None, None) => None,
            _ => Some(numbers::address(number, prefix)?),
        };
        let mut documents = Vec::new();
        let mut keep = |kind, document: Given<Value>| documents.extend(document.map(|value| (kind, value)));
        keep(Kind::Hours, checked("hours", self.hours, |hours: &HoursDocument| hours.compile().map(drop))?.0);
        let (value, routing) =
            checked("routing", self.routing, |routing: &RoutingDocument| routing.check().map(drop))?;
        keep(Kind::Routing, value);
        keep(Kind::Voice, checked("voice", self.voice, |voice: &VoiceDocument| voice.compile().map(drop))?.0);
        keep(Kind::Rules, checked("rules", self.rules, |rules: &RulesDocument| rules.compile().map(drop))?.0);
        keep(Kind::Sms, checked("sms", self.sms, |sms: &SmsDocument| sms.compile().map(drop))?.0);
        let (value, staff) = checked("staff", self.staff, |staff: &StaffDocument| staff.compile().map(drop))?;
        keep(Kind::Staff, value);
        let services =
            checked("services", self.services, |services: &ServicesDocument| services.compile().map(drop))?;
        keep(Kind::Services, services.0);
        let below = |(agent, place)| (agent, format!("routing.{place}"));
        Ok(SettingsChange {
            address,
            tenant: TenantRef::new(self.tenant_id, self.tenant_external_id)?,
            documents,
            agents: routing.iter().flat_map(RoutingDocument::agents).map(below).collect(),
            staff,
        })
    }
}

/// The document as it is stored, and as it was read.
fn checked<T: DeserializeOwned + Serialize>(
    field: &str,
    given: Given<Value>,
    check: impl FnOnce(&T) -> Result<(), Invalid>,
) -> Result<(Given<Value>, Option<T>), Invalid> {
    let cell = match given {
        Some(Some(cell)) => cell,
        Some(None) => return Ok((Some(None), None)),
        None => return Ok((None, None)),
    };
    let read: T = document(field, &cell)?;
    check(&read)
        .map_err(|invalid| Invalid { field: format!("{field}.{}", invalid.field), wanted: invalid.wanted })?;
    let value = serde_json::to_value(&read).map_err(|_| Invalid::new(field, "wanted a document"))?;
    Ok((Some(Some(value)), Some(read)))
}

/// A tenant's document as it is stored, beside the one that is there: people and services of a tenant have ids, their own,
/// those of who is there under their name, or new ones.
#[must_use]
pub fn identified(kind: Kind, mut document: Value, before: Option<&Value>) -> Value {
    if !matches!(kind, Kind::Staff | Kind::Services) {
        return document;
    }
    let known = before.and_then(|before| before[kind.name()].as_array()).map_or(&[][..], Vec::as_slice);
    for item in document[kind.name()].as_array_mut().into_iter().flatten() {
        if item["id"].is_null() {
            let namesake =
                known.iter().find(|known| known["name"] == item["name"] && known["id"].is_string());
            let new = || Value::from(Uuid::now_v7().to_string());
            item["id"] = namesake.map_or_else(new, |known| known["id"].clone());
        }
    }
    document
}

impl SettingsChange {
    /// Tells lines apart: two of one file are about different numbers or tenants.
    #[must_use]
    pub fn key(&self) -> u128 {
        match (self.address, &self.tenant) {
            (Some(address), _) => numbers::key(address),
            (None, TenantRef::Own) => u128::MAX,
            (None, TenantRef::Id(id)) => id.0.as_u128(),
            (None, TenantRef::External(name)) => tenants::name_key(name),
        }
    }
}
