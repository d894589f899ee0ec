//! What OpenAPI 3.0's schemas say of values.
//!
//! Stricter than the standard in two ways, because what is misspelled is usually passed over in silence: a field that
//! the schema doesn't have is wrong, and a value that doesn't say which of several schemas it follows has to follow all.

use serde_json::{Map, Value};

/// A whole description, in which references lead to schemas.
pub struct Schemas(pub Value);

impl Schemas {
    /// Text that stands for a value of the schema's type.
    pub fn text(&self, schema: &Value, place: &str, text: &str, errors: &mut Vec<String>) {
        let schema = self.resolve(schema);
        let value = match schema["type"].as_str() {
            Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap_or(Value::Null),
            _ => Value::from(text),
        };
        self.value(schema, place, &value, errors);
    }

    /// Any value.
    pub fn value(&self, schema: &Value, place: &str, value: &Value, errors: &mut Vec<String>) {
        let schema = self.resolve(schema);
        if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
            return self.choice(schema, choices, place, value, errors);
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        // Vapi's repeats its items' on a list.
        let allowed = schema["enum"].as_array().filter(|_| schema["type"] != "array");
        if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(value)) {
            errors.push(format!("{place} is {value}, not one of {}", Value::from(allowed.clone())));
        }
        match (schema["type"].as_str(), value) {
            (Some("object"), Value::Object(fields)) => self.object(schema, place, fields, errors),
            (Some("array"), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&schema["items"], &format!("{place}[{index}]"), item, errors);
                }
            }
            (Some("string"), Value::String(text)) => string(schema, place, text, errors),
            (Some("number"), Value::Number(_)) | (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some("integer"), Value::Number(number)) if number.is_i64() => {}
            (Some(wanted), _) => errors.push(format!("{place} is {value}, not of type {wanted}")),
        }
        if let Some(number) = value.as_f64() {
            let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
            if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
                errors.push(format!("{place} is {value}, outside its limits"));
            }
        }
    }

    fn object(&self, schema: &Value, place: &str, fields: &Map<String, Value>, errors: &mut Vec<String>) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                errors.push(format!("{place}.{name} is missing"));
            }
        }
        // One without properties takes anything.
        let Some(properties) = schema["properties"].as_object() else { return };
        for (name, value) in fields {
            match properties.get(name) {
                Some(property) => self.value(property, &format!("{place}.{name}"), value, errors),
                None => errors.push(format!("no field {place}.{name}")),
            }
        }
    }

    /// One of several schemas: that which the value names; where it could name one and doesn't, all of them; else any.
    fn choice(
        &self,
        schema: &Value,
        choices: &[Value],
        place: &str,
        value: &Value,
        errors: &mut Vec<String>,
    ) {
        let tried = |choice: &Value| {
            let mut errors = Vec::new();
            self.value(choice, place, value, &mut errors);
            errors
        };
        let discriminator = schema["discriminator"]["propertyName"].as_str();
        match discriminator.map(|name| &value[name]) {
            Some(Value::String(name)) => match &schema["discriminator"]["mapping"][name] {
                Value::String(reference) => errors.extend(tried(&serde_json::json!({"$ref": reference}))),
                _ => errors.push(format!("{place} is of no kind {name}")),
            },
            Some(_) => errors.extend(choices.iter().flat_map(tried)),
            None => {
                let best = choices.iter().map(tried).min_by_key(Vec::len);
                errors.extend(best.unwrap_or_default());
            }
        }
    }

    /// What a reference leads to, or the one schema that stands in an `allOf`.
    pub fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.0.pointer(reference.trim_start_matches('#'));
            return self.resolve(target.unwrap_or_else(|| panic!("{reference} leads nowhere")));
        }
        match schema["allOf"].as_array().map(Vec::as_slice) {
            Some([only]) => self.resolve(only),
            _ => schema,
        }
    }
}

fn string(schema: &Value, place: &str, text: &str, errors: &mut Vec<String>) {
    let chars = text.chars().count() as u64;
    let (least, most) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
    if least.is_some_and(|least| chars < least) || most.is_some_and(|most| chars > most) {
        errors.push(format!("{place} has {chars} characters"));
    }
    if schema["format"] == "uuid" && uuid::Uuid::try_parse(text).is_err() {
        errors.push(format!("{place} is {text}, not a UUID"));
    }
    if schema["format"] == "uri" && !text.contains("://") {
        errors.push(format!("{place} is {text}, not a URI"));
    }
}
