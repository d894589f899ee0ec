//! A setting from all sides: what is set here, what stands behind it and where, and what holds.
//!
//! **The merge**, in this one place: scopes lie one behind the other, a number's own, its tenant's, the platform's. A field
//! comes from the nearest scope that sets it; one that is absent or null isn't set. A field is replaced as a whole, lists
//! included, with two exceptions that the documents' own `over` makes: variables are merged name by name, and an
//! `override` of hours that is over isn't set. See `admin/SETTINGS.md`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::store::settings::Owner;

/// A setting from all sides.
#[derive(Serialize, ToSchema)]
pub struct Setting<T> {
    /// As set here; null: not set.
    pub own: Option<T>,
    /// What stands behind it, merged; null: nothing.
    pub inherited: Option<T>,
    /// Where each field of `inherited` is set, `tenant` or `platform`; where fields are merged name by name, by
    /// `field.name`.
    pub inherited_from: BTreeMap<String, &'static str>,
    /// What holds; null: nothing is set anywhere.
    pub effective: Option<T>,
}

impl<T: Serialize + Clone> Setting<T> {
    /// Of what these owners set, the nearest first; `over` puts a document over the one behind it.
    pub fn merged(owners: &[Owner], scopes: Vec<Option<T>>, over: impl Fn(T, &T) -> T) -> Self {
        let merge =
            |scopes: &[Option<T>]| scopes.iter().flatten().cloned().reduce(|near, far| over(near, &far));
        let behind = scopes.get(1..).unwrap_or_default();
        let (inherited, effective) = (merge(behind), merge(&scopes));
        let named = owners.iter().skip(1).map(|owner| owner.name());
        let documents: Vec<_> =
            named.zip(behind).filter_map(|(name, scope)| Some((name, fields(scope.as_ref()?)))).collect();
        let inherited_from = inherited.as_ref().map(|inherited| origins(&fields(inherited), &documents));
        Self {
            own: scopes.into_iter().next().flatten(),
            inherited,
            inherited_from: inherited_from.unwrap_or_default(),
            effective,
        }
    }
}

fn fields(document: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(document) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The nearest scope that has each field as it is inherited.
fn origins(
    inherited: &Map<String, Value>,
    scopes: &[(&'static str, Map<String, Value>)],
) -> BTreeMap<String, &'static str> {
    let mut origins = BTreeMap::new();
    for (field, value) in inherited.iter().filter(|(_, value)| !value.is_null()) {
        let nearest = scopes.iter().find(|(_, set)| set.get(field) == Some(value));
        match (nearest, value) {
            (Some((scope, _)), _) => {
                origins.insert(field.clone(), *scope);
            }
            // In no scope as a whole: it is merged name by name.
            (None, Value::Object(names)) => {
                let of = |set: &Map<String, Value>| match set.get(field) {
                    Some(Value::Object(names)) => names.clone(),
                    _ => Map::new(),
                };
                let parts: Vec<_> = scopes.iter().map(|(scope, set)| (*scope, of(set))).collect();
                let named = self::origins(names, &parts);
                origins.extend(named.into_iter().map(|(name, scope)| (format!("{field}.{name}"), scope)));
            }
            (None, _) => {}
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::RulesDocument;
    use dialplane_common::ids::{PhoneNumberId, TenantId};

    #[test]
    fn each_field_says_where_it_comes_from() {
        let nil = uuid::Uuid::nil();
        let owners =
            [Owner::Number(TenantId(nil), PhoneNumberId(nil)), Owner::Tenant(TenantId(nil)), Owner::Platform];
        let document = |json: &str| Some(serde_json::from_str::<RulesDocument>(json).unwrap());
        let scopes = vec![
            document(r#"{"prompt":"own"}"#),
            document(r#"{"rules":["near"],"variables":{"a":"near","b":"near"}}"#),
            document(r#"{"prompt":"far","rules":["far"],"variables":{"b":"far","c":"far"}}"#),
        ];
        let setting = Setting::merged(&owners, scopes, |near, far| near.over(far));
        let expected = [
            ("prompt", "platform"),
            ("rules", "tenant"),
            ("variables.a", "tenant"),
            ("variables.b", "tenant"),
            ("variables.c", "platform"),
        ];
        assert_eq!(setting.inherited_from, expected.map(|(field, scope)| (field.to_owned(), scope)).into());
        assert_eq!(setting.inherited.unwrap().prompt.as_deref(), Some("far"));
        assert_eq!(setting.effective.unwrap().prompt.as_deref(), Some("own"));
        let nothing = Setting::<RulesDocument>::merged(&owners, vec![None, None, None], |near, _| near);
        assert!(nothing.inherited_from.is_empty() && nothing.effective.is_none());
    }
}
