//! Names of fields: JSON may have them in either of protobuf's two ways, and maps' keys are nobody's names.

use serde_json::{Map, Value};

/// Fields whose keys are people's own.
const MAPS: &[&str] = &["attributes", "headers", "headers_to_attributes", "attributes_to_headers"];

/// The object with `snake_case` names.
pub fn snake(object: Map<String, Value>) -> Map<String, Value> {
    object
        .into_iter()
        .map(|(name, value)| {
            let name = snaked(&name);
            let value = if MAPS.contains(&name.as_str()) { value } else { inner(value) };
            (name, value)
        })
        .collect()
}

fn inner(value: Value) -> Value {
    match value {
        Value::Object(object) => snake(object).into(),
        Value::Array(list) => list.into_iter().map(inner).collect(),
        other => other,
    }
}

fn snaked(name: &str) -> String {
    name.chars().fold(String::new(), |mut all, letter| {
        if letter.is_ascii_uppercase() {
            all.push('_');
        }
        all.push(letter.to_ascii_lowercase());
        all
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_made_alike_and_keys_are_left_alone() {
        let given = json!({"sipTrunkId": 1, "roomConfig": {"agents": [{"agentName": "a"}]}, "attributes": {"myKey": "v"}});
        let expected = json!({"sip_trunk_id": 1, "room_config": {"agents": [{"agent_name": "a"}]}, "attributes": {"myKey": "v"}});
        assert_eq!(Value::from(snake(given.as_object().unwrap().clone())), expected);
    }
}
