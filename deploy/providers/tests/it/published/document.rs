//! An OpenAPI document, as far as answers are held against it: types, enumerations, properties that exist and those that
//! must.

use serde_json::{Map, Value};

pub struct Document(Value);

impl Document {
    pub fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// Whether there is such an operation; places in paths may have any name, and stand for any word.
    pub fn has(&self, method: &str, path: &str) -> bool {
        let paths = self.0["paths"].as_object().unwrap();
        paths
            .iter()
            .any(|(published, item)| same(published, path) && item.get(method.to_lowercase()).is_some())
    }

    /// What of an answer isn't as it stands there.
    pub fn faults(&self, method: &str, path: &str, status: u16, answer: &Value) -> Vec<String> {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let schema = &operation["responses"][status.to_string()]["content"]["application/json"]["schema"];
        if schema.is_null() {
            return vec![format!("status {status} isn't published")];
        }
        let mut faults = Vec::new();
        self.compare(schema, answer, "", &mut faults);
        faults
    }

    fn compare(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        let schema = self.resolved(schema);
        for choice in ["oneOf", "anyOf"] {
            if let Some(choices) = schema[choice].as_array() {
                return self.choose(choices, value, place, faults);
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.compare(part, value, place, faults);
        }
        if value.is_null() {
            return;
        }
        let allowed = schema["enum"].as_array().filter(|_| schema["type"] != "array");
        if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(value)) {
            faults.push(format!("{place}: {value} isn't one of {allowed:?}"));
        }
        match (schema["type"].as_str(), value) {
            (Some("object"), Value::Object(object)) => self.object(schema, object, place, faults),
            (Some("array"), Value::Array(items)) => {
                for item in items {
                    self.compare(&schema["items"], item, &format!("{place}/*"), faults);
                }
            }
            (None, _)
            | (Some("string"), Value::String(_))
            | (Some("boolean"), Value::Bool(_))
            | (Some("number" | "integer"), Value::Number(_)) => {}
            // Twilio publishes numbers where it says decimals.
            (Some("number"), Value::String(text)) if text.parse::<f64>().is_ok() => {}
            (Some(kind), _) => faults.push(format!("{place}: {value} is no {kind}")),
        }
    }

    /// One of several must fit; which, says the property that tells them apart, or else trying.
    fn choose(&self, choices: &[Value], value: &Value, place: &str, faults: &mut Vec<String>) {
        let tried = choices.iter().map(|choice| {
            let mut faults = Vec::new();
            self.compare(choice, value, place, &mut faults);
            faults
        });
        let best = tried.min_by_key(Vec::len);
        faults.extend(best.unwrap_or_default());
    }

    fn object(&self, schema: &Value, object: &Map<String, Value>, place: &str, faults: &mut Vec<String>) {
        for wanted in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(wanted) {
                faults.push(format!("{place}/{wanted} is missing"));
            }
        }
        let Some(properties) = schema["properties"].as_object() else { return };
        for (name, value) in object {
            let place = format!("{place}/{name}");
            match properties.get(name) {
                Some(schema) => self.compare(schema, value, &place, faults),
                None if schema.get("additionalProperties").is_some() => {}
                None => faults.push(format!("{place} isn't published")),
            }
        }
    }

    fn resolved<'d>(&'d self, schema: &'d Value) -> &'d Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.resolved(self.0.pointer(reference.trim_start_matches('#')).unwrap()),
            None => schema,
        }
    }
}

fn same(published: &str, path: &str) -> bool {
    let (published, path): (Vec<_>, Vec<_>) = (published.split('/').collect(), path.split('/').collect());
    let is_place = |segment: &str| segment.starts_with('{');
    published.len() == path.len()
        && published.iter().zip(&path).all(|(one, other)| one == other || is_place(one) || is_place(other))
}
