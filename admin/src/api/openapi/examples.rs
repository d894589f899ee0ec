//! An example of each body and each answer, by its schema's name or else its operation's.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

static EXAMPLES: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default());

/// The example of a schema. What wraps another is made of its example.
fn of_schema(name: &str) -> Option<Value> {
    if let Some(item) = name.strip_prefix("Page_") {
        return of_schema(item).map(|item| json!({"items": [item], "next": null}));
    }
    if let Some(document) = name.strip_prefix("Setting_") {
        return of_schema(document)
            .map(|own| json!({"own": own, "inherited": null, "inherited_from": {}, "effective": own}));
    }
    if let Some(document) = name.strip_prefix("PlatformSetting_") {
        return of_schema(document).map(|own| json!({"own": own}));
    }
    EXAMPLES.get(name).cloned()
}

/// Adds an example to a body, unless it has one.
pub(super) fn add(content: &mut Value, operation: &str) {
    if content.get("example").is_some() || content.get("examples").is_some() {
        return;
    }
    let name = content["schema"]["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let example = name.map_or_else(|| EXAMPLES.get(operation).cloned(), of_schema);
    if let Some(example) = example {
        content["example"] = example;
    }
}
