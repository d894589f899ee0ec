//! What a tenant's other systems need to be known of it: free JSON by the system's name, without secrets.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::invalid::Invalid;

const INTEGRATIONS_MAX: usize = 20;
const NAME_BYTES_MAX: usize = 50;
const BYTES_MAX: usize = 16 << 10;
const DEPTH_MAX: usize = 8;

/// By name: `{"calendar": {"id": "c1"}}`.
pub type Integrations = BTreeMap<String, Map<String, Value>>;

/// What a field's name has that holds a secret, written in small letters without `_` and `-`.
const SECRETS: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "credential",
    "accesskey",
    "authorization",
];

/// Refuses what isn't kept here: too much, and secrets. What stands here is shown to whoever may read the tenant.
///
/// # Errors
/// What is wanted where: `integrations.calendar.api_key`.
pub fn check(integrations: &Integrations) -> Result<(), Invalid> {
    if integrations.len() > INTEGRATIONS_MAX {
        return Err(Invalid::new("integrations", format!("wanted at most {INTEGRATIONS_MAX}")));
    }
    for (name, settings) in integrations {
        let place = format!("integrations.{name}");
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(is_plain) {
            let wanted =
                format!("wanted a name of 1 to {NAME_BYTES_MAX} lower-case letters, digits, _ and -");
            return Err(Invalid::new(place, wanted));
        }
        check_object(&place, settings, DEPTH_MAX)?;
    }
    let bytes = serde_json::to_vec(integrations).map_or(usize::MAX, |json| json.len());
    if bytes > BYTES_MAX {
        return Err(Invalid::new("integrations", format!("wanted at most {BYTES_MAX} bytes of JSON in all")));
    }
    Ok(())
}

fn check_object(place: &str, object: &Map<String, Value>, depth: usize) -> Result<(), Invalid> {
    for (name, value) in object {
        let place = format!("{place}.{name}");
        let folded: String = name.chars().filter(|char| char.is_alphanumeric()).collect();
        let folded = folded.to_lowercase();
        if SECRETS.iter().any(|secret| folded.contains(secret)) {
            let wanted = "wanted no secrets here: an account's credentials are sealed, this isn't";
            return Err(Invalid::new(place, wanted));
        }
        check_value(&place, value, depth)?;
    }
    Ok(())
}

fn check_value(place: &str, value: &Value, depth: usize) -> Result<(), Invalid> {
    if depth == 0 {
        return Err(Invalid::new(
            place,
            format!("wanted at most {DEPTH_MAX} objects and lists in each other"),
        ));
    }
    match value {
        Value::Object(object) => check_object(place, object, depth - 1),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_value(&format!("{place}[{index}]"), item, depth - 1)),
        // No text of Postgres's holds it.
        Value::String(text) if text.contains('\0') => Err(Invalid::new(place, "wanted no NUL")),
        _ => Ok(()),
    }
}

/// The same for one object of somebody else's settings, in which secrets can't be told from the rest by their names.
///
/// # Errors
/// What is wanted where.
pub fn check_free(field: &str, object: &Map<String, Value>) -> Result<(), Invalid> {
    check_value(field, &Value::Object(object.clone()), DEPTH_MAX)?;
    let bytes = serde_json::to_vec(object).map_or(usize::MAX, |json| json.len());
    if bytes > BYTES_MAX {
        return Err(Invalid::new(field, format!("wanted at most {BYTES_MAX} bytes of JSON")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_too_much_are_refused() {
        let read = |json: &str| check(&serde_json::from_str(json).unwrap()).map_err(|invalid| invalid.field);
        let refused = |json: &str, field: &str| assert_eq!(read(json).unwrap_err(), field, "{json}");
        assert_eq!(read(r#"{"calendar":{"id":"c1","days":[1,{"x":null}]}}"#), Ok(()));
        refused(r#"{"Calendar":{}}"#, "integrations.Calendar");
        refused(r#"{"":{}}"#, "integrations.");
        refused(r#"{"crm":{"api_key":"x"}}"#, "integrations.crm.api_key");
        refused(r#"{"crm":{"auth":[{"Client-Secret":"x"}]}}"#, "integrations.crm.auth[0].Client-Secret");
        refused(r#"{"crm":{"accessToken":"x"}}"#, "integrations.crm.accessToken");
        refused(r#"{"crm":{"a":"\u0000"}}"#, "integrations.crm.a");
        let deep = format!(r#"{{"crm":{{"a":{}{}}}}}"#, "[".repeat(9), "]".repeat(9));
        assert!(read(&deep).is_err());
        refused(&format!(r#"{{"crm":{{"a":"{}"}}}}"#, "x".repeat(BYTES_MAX)), "integrations");
        let many: Vec<String> = (0..21).map(|index| format!(r#""i{index}":{{}}"#)).collect();
        refused(&format!("{{{}}}", many.join(",")), "integrations");
    }
}
