//! An event: what a sealed entry of the audit log says to those who listen.

use std::collections::BTreeMap;

use dialplane_common::ids::{PhoneNumberId, TenantId};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::channel::Channel;
use crate::store::audit::{Entry, Sealed};
use crate::store::instant::Instant;

/// A change, as those who listen get it.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventDocument<'a> {
    /// Its place among all changes: the SSE id.
    id: u64,
    /// What happened: `agent.created`, `phone_number.updated`, `phone_number.settings.hours.deleted`.
    #[serde(rename = "type")]
    kind: String,
    /// The channels that it is on; it is sent once, whichever of them are listened to.
    channels: Vec<String>,
    /// Whose change; null: the platform's.
    tenant_id: Option<Uuid>,
    /// What kind of thing changed.
    resource: &'a str,
    /// Which one; where it takes two parts, with a `/` between.
    resource_id: &'a str,
    /// The phone number that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<&'a str>,
    /// Who changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    /// The request that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// The fields whose value is another than before; of a setting, those of its document.
    changed: Vec<String>,
    /// Of a setting, the document that is now set at this place; null: none. Of `free_numbers`, how full the account was
    /// when its level changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    value: Option<Option<&'a RawValue>>,
}

/// An event, ready to be sent.
#[derive(Debug)]
pub struct Event {
    /// Its place.
    pub seq: u64,
    /// Whose; absent: the platform's.
    pub tenant: Option<TenantId>,
    /// What kind of thing changed.
    pub resource: String,
    /// The channels that it is on.
    pub channels: Vec<Channel>,
    /// The document.
    pub json: String,
}

/// How full an account is with free numbers.
const FREE_NUMBERS: &str = "free_numbers";

/// A row's columns, each as Postgres wrote it: equal texts are equal values.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

impl Event {
    /// The event of an entry.
    #[must_use]
    pub fn of(sealed: &Sealed) -> Option<Self> {
        let entry = &sealed.entry;
        let tenant = entry.tenant_id.map(TenantId);
        let (before, after) = (fields(entry.before.as_deref()), fields(entry.after.as_deref()));
        let setting = setting(entry);
        let number = phone_number(entry);
        let channels = channels(tenant, number, setting);
        let document = EventDocument {
            id: sealed.seq,
            kind: kind(entry, setting),
            channels: channels.iter().map(ToString::to_string).collect(),
            tenant_id: entry.tenant_id,
            resource: &entry.resource,
            resource_id: &entry.resource_id,
            phone_number_id: number.and(entry.resource_id.split('/').next()),
            actor: entry.actor.as_deref(),
            request_id: entry.request_id.as_deref(),
            at: entry.at,
            changed: match setting {
                None => changed(&before, &after),
                Some(_) => changed(&fields(value(&before)), &fields(value(&after))),
            },
            value: match setting {
                None if entry.resource == FREE_NUMBERS => Some(row(entry.after.as_deref())),
                None => None,
                Some(_) => Some(after.get("value").copied()),
            },
        };
        let json = serde_json::to_string(&document).ok()?;
        Some(Self { seq: sealed.seq, tenant, resource: entry.resource.clone(), channels, json })
    }
}

/// A row as a whole.
fn row(text: Option<&str>) -> Option<&RawValue> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

/// What isn't an object has no fields.
fn fields(row: Option<&str>) -> Fields<'_> {
    row.and_then(|row| serde_json::from_str(row).ok()).unwrap_or_default()
}

fn value<'a>(row: &Fields<'a>) -> Option<&'a str> {
    row.get("value").map(|value| value.get())
}

fn changed(before: &Fields<'_>, after: &Fields<'_>) -> Vec<String> {
    let text = |fields: &Fields<'_>, name: &str| fields.get(name).map(|value| value.get().to_owned());
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter(|name| text(before, name) != text(after, name)).cloned().collect()
}

/// The kind of setting, where it is one.
fn setting(entry: &Entry) -> Option<&str> {
    let is_setting = matches!(entry.resource.as_str(), "phone_number.settings" | "tenant.defaults");
    entry.resource_id.split_once('/').filter(|_| is_setting).map(|(_, kind)| kind)
}

/// The number that it is about, whose id then comes first.
fn phone_number(entry: &Entry) -> Option<PhoneNumberId> {
    let is_about_number = entry.resource == "phone_number" || entry.resource.starts_with("phone_number.");
    entry.resource_id.split('/').next().filter(|_| is_about_number)?.parse().ok()
}

fn kind(entry: &Entry, setting: Option<&str>) -> String {
    let happened = match entry.action.as_str() {
        "insert" => "created",
        "delete" => "deleted",
        _ => "updated",
    };
    match setting {
        Some(setting) => format!("{}.{setting}.{happened}", entry.resource),
        None => format!("{}.{happened}", entry.resource),
    }
}

fn channels(tenant: Option<TenantId>, number: Option<PhoneNumberId>, setting: Option<&str>) -> Vec<Channel> {
    let Some(tenant) = tenant else { return vec![Channel::Platform] };
    let mut channels = vec![Channel::Business(tenant)];
    let (Some(number), Some(setting)) = (number, setting) else { return channels };
    channels.push(Channel::Settings(number));
    match setting {
        "voice" => channels.push(Channel::Voice(number)),
        "hours" => channels.push(Channel::Hours(number)),
        _ => {}
    }
    channels
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NUMBER: Uuid = Uuid::from_u128(2);

    fn event(action: &str, resource: &str, id: &str, before: Option<Value>, after: Option<Value>) -> Value {
        let entry = Entry {
            id: 1,
            tenant_id: Some(Uuid::from_u128(1)),
            at: Instant(jiff::Timestamp::UNIX_EPOCH),
            actor: Some("key:1".into()),
            request_id: None,
            address: Some("192.0.2.1".into()),
            action: action.into(),
            resource: resource.into(),
            resource_id: id.into(),
            before: before.map(|row| row.to_string()),
            after: after.map(|row| row.to_string()),
        };
        let event = Event::of(&Sealed { seq: 9, hash: Vec::new(), entry }).unwrap();
        serde_json::from_str(&event.json).unwrap()
    }

    #[test]
    fn a_setting_says_which_of_its_fields_changed_and_what_it_is_now() {
        let before = json!({"kind": "hours", "value": {"weekly": {}, "override": null}});
        let after = json!({"kind": "hours", "value": {"weekly": {"mon": []}, "override": null}});
        let event = event(
            "update",
            "phone_number.settings",
            &format!("{NUMBER}/hours"),
            Some(before),
            Some(after.clone()),
        );
        assert_eq!(event["type"], "phone_number.settings.hours.updated");
        assert_eq!(event["changed"], json!(["weekly"]));
        assert_eq!(event["value"], after["value"]);
        assert_eq!(event["phone_number_id"], NUMBER.to_string());
        let tenant = Uuid::from_u128(1);
        let channels = [
            format!("business:{tenant}"),
            format!("phone:{NUMBER}:settings"),
            format!("phone:{NUMBER}:hours"),
        ];
        assert_eq!(event["channels"], json!(channels));
        assert!(event.get("address").is_none());
    }

    #[test]
    fn a_setting_that_is_gone_is_null() {
        let before = json!({"kind": "sms", "value": {"a": 1}});
        let event = event("delete", "phone_number.settings", &format!("{NUMBER}/sms"), Some(before), None);
        assert_eq!(event["type"], "phone_number.settings.sms.deleted");
        assert_eq!((&event["value"], &event["changed"]), (&Value::Null, &json!(["a"])));
        assert!(event.as_object().unwrap().contains_key("value"));
    }

    #[test]
    fn other_resources_say_their_fields_alone() {
        let (before, after) = (json!({"name": "a", "status": "x"}), json!({"name": "b", "status": "x"}));
        let event = event("update", "agent", &NUMBER.to_string(), Some(before), Some(after));
        assert_eq!((&event["type"], &event["changed"]), (&json!("agent.updated"), &json!(["name"])));
        assert!(event.get("value").is_none() && event.get("phone_number_id").is_none());
        assert_eq!(event["channels"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_tenants_is_the_platforms() {
        let entry = Entry {
            id: 1,
            tenant_id: None,
            at: Instant(jiff::Timestamp::UNIX_EPOCH),
            actor: None,
            request_id: None,
            address: None,
            action: "update".into(),
            resource: "free_numbers".into(),
            resource_id: NUMBER.to_string(),
            before: Some(json!({"level": "ok", "total": 3}).to_string()),
            after: Some(json!({"level": "warning", "total": 4}).to_string()),
        };
        let event = Event::of(&Sealed { seq: 1, hash: Vec::new(), entry }).unwrap();
        assert_eq!((event.tenant, event.channels), (None, vec![Channel::Platform]));
        let event: Value = serde_json::from_str(&event.json).unwrap();
        assert_eq!((&event["type"], &event["tenant_id"]), (&json!("free_numbers.updated"), &Value::Null));
        assert_eq!(event["changed"], json!(["level", "total"]));
        assert_eq!((&event["channels"], &event["value"]["level"]), (&json!(["platform"]), &json!("warning")));
    }
}
