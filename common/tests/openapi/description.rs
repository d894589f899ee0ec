//! What an OpenAPI 3.0 description says of a request: path, method, parameters and body.
//!
//! Laxer than the standard in one way: null at the top of a PATCH, and an empty value in a form, unset a field, whether or not
//! its schema says so.

use std::collections::BTreeSet;
use std::path::Path;

use dialplane_common::rest::Request;
use http::Method;
use serde_json::Value;

use super::schema::Schemas;

/// A published description.
pub struct Description(Schemas);

impl Description {
    /// Reads `bench/providers/<name>.json`.
    pub fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/providers");
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        Self(Schemas(serde_json::from_str(&text).unwrap()))
    }

    /// What is wrong with a request.
    pub fn errors(&self, request: &Request) -> Vec<String> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let Some((item, values)) = self.path(path) else { return vec![format!("no path {path}")] };
        let method = request.method.as_str().to_lowercase();
        let Some(operation) = item.get(&method) else { return vec![format!("no {method} of {path}")] };
        let mut errors = Vec::new();
        self.parameters(item, operation, query, &values, &mut errors);
        self.body(operation, request, &mut errors);
        errors
    }

    /// What is wrong with a value that ought to follow the schema of this name.
    pub fn schema_errors(&self, name: &str, value: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        self.0.value(&self.0.0["components"]["schemas"][name], name, value, &mut errors);
        errors
    }

    /// The description of a path, with the values of its parameters. Literal paths go before templates.
    fn path(&self, path: &str) -> Option<(&Value, Vec<(String, String)>)> {
        let paths = self.0.0["paths"].as_object()?;
        let matching = paths.iter().filter_map(|(template, item)| Some((item, fill(template, path)?)));
        matching.min_by_key(|(_, values)| values.len())
    }

    fn parameters(
        &self,
        item: &Value,
        operation: &Value,
        query: &str,
        values: &[(String, String)],
        errors: &mut Vec<String>,
    ) {
        let lists = [&item["parameters"], &operation["parameters"]];
        let known: Vec<&Value> = lists.into_iter().filter_map(Value::as_array).flatten().collect();
        let find = |place: &str, name: &str| {
            known.iter().find(|parameter| parameter["in"] == place && parameter["name"] == name)
        };
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for (place, given) in [("path", values), ("query", &query)] {
            for (name, value) in given {
                match find(place, name) {
                    Some(parameter) => self.0.text(&parameter["schema"], name, value, errors),
                    None => errors.push(format!("no {place} parameter {name}")),
                }
            }
        }
        let is_given = |name: &Value| query.iter().any(|(given, _)| name == given);
        for parameter in known.iter().filter(|parameter| parameter["in"] == "query") {
            if parameter["required"] == true && !is_given(&parameter["name"]) {
                errors.push(format!("{} is missing", parameter["name"]));
            }
        }
    }

    fn body(&self, operation: &Value, request: &Request, errors: &mut Vec<String>) {
        let described = &operation["requestBody"];
        let Some((kind, bytes)) = &request.body else {
            if described["required"] == true {
                errors.push("the body is missing".to_owned());
            }
            return;
        };
        let schema = &described["content"][*kind]["schema"];
        if schema.is_null() {
            return errors.push(format!("no body of {kind}"));
        }
        if *kind == "application/x-www-form-urlencoded" {
            return self.form(schema, bytes, errors);
        }
        let body: Value = serde_json::from_slice(bytes).unwrap();
        let body = if request.method == Method::PATCH { without_nulls(body) } else { body };
        self.0.value(schema, "body", &body, errors);
    }

    /// A form: its fields are the schema's properties, repeated where those are lists.
    fn form(&self, schema: &Value, bytes: &[u8], errors: &mut Vec<String>) {
        let schema = self.0.resolve(schema);
        let fields: Vec<(String, String)> = form_urlencoded::parse(bytes).into_owned().collect();
        let mut seen = BTreeSet::new();
        for (name, value) in &fields {
            let property = self.0.resolve(&schema["properties"][name]);
            let is_list = property["type"] == "array";
            let property = if is_list { &property["items"] } else { property };
            if property.is_null() {
                errors.push(format!("no field {name}"));
            } else if !value.is_empty() {
                self.0.text(property, name, value, errors);
            }
            if !seen.insert(name) && !is_list {
                errors.push(format!("{name} stands there twice"));
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.iter().any(|(given, _)| name == given) {
                errors.push(format!("{name} is missing"));
            }
        }
    }
}

/// The values of a template's parameters in a path; `None` when it is another path.
fn fill(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != given.len() {
        return None;
    }
    let mut values = Vec::new();
    for (wanted, given) in wanted.into_iter().zip(given) {
        match wanted.split_once('{') {
            None if wanted == given => {}
            None => return None,
            Some((before, rest)) => {
                let (name, after) = rest.split_once('}')?;
                let value = given.strip_prefix(before)?.strip_suffix(after)?;
                values.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    Some(values)
}

fn without_nulls(body: Value) -> Value {
    match body {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use dialplane_common::provider::Api;
    use serde_json::json;

    use super::*;

    fn request(method: Method, target: &str) -> Request {
        Request::new("x", method, Api { base_setting: "X", base: "https://x.example" }, target)
    }

    fn check(request: &Request, expected: &[&str]) {
        let errors = Description::read("vapi").errors(request);
        assert_eq!(errors, expected, "{request:?}");
    }

    #[test]
    fn paths_methods_and_parameters_have_to_exist() {
        const ID: &str = "5a5a04dc-dcbe-45b1-8f64-fd32a253d135";
        check(&request(Method::GET, "/phone-number?limit=1"), &[]);
        check(&request(Method::GET, &format!("/phone-number/{ID}")), &[]);
        check(&request(Method::GET, "/phone-numbers"), &["no path /phone-numbers"]);
        check(&request(Method::PUT, "/phone-number"), &["no put of /phone-number"]);
        check(&request(Method::GET, "/phone-number/7"), &["id is 7, not a UUID"]);
        check(&request(Method::GET, "/phone-number?limt=1"), &["no query parameter limt"]);
        check(&request(Method::GET, "/phone-number?limit=x"), &["limit is null, not of type number"]);
        check(&request(Method::GET, "/phone-number?limit=1001"), &["limit is 1001, outside its limits"]);
    }

    #[test]
    fn bodies_have_to_follow_their_schema() {
        let post = || request(Method::POST, "/phone-number");
        let check_body = |body: Value, expected: &[&str]| check(&post().json(&body), expected);
        check_body(json!({"provider": "vapi", "server": {"url": "https://x", "headers": {"A": "b"}}}), &[]);
        check_body(json!({"provider": "twilio", "number": "+1"}), &["body.twilioAccountSid is missing"]);
        check_body(json!({"provider": "vapi", "area": "1"}), &["no field body.area"]);
        check_body(
            json!({"provider": "vapi", "numberDesiredAreaCode": "12"}),
            &["body.numberDesiredAreaCode has 2 characters"],
        );
        check_body(json!({"provider": "vapi", "name": 7}), &["body.name is 7, not of type string"]);
        check_body(json!({"provider": "acme"}), &["body is of no kind acme"]);
        check_body(json!({"provider": "vapi", "server": {"uri": "x"}}), &["no field body.server.uri"]);
        check_body(
            json!({"provider": "vapi", "fallbackDestination": {"type": "number"}}),
            &["body.fallbackDestination.number is missing"],
        );
        check(&post(), &["the body is missing"]);
        check(&post().form([("a", "b")]), &["no body of application/x-www-form-urlencoded"]);
    }

    #[test]
    fn forms_have_to_follow_their_schema() {
        let path = format!("/2010-04-01/Accounts/AC{0}/IncomingPhoneNumbers/PN{0}.json", "0".repeat(32));
        let check_form = |form: &[(&str, &str)], expected: &[&str]| {
            let request = request(Method::POST, &path).form(form.iter().copied());
            assert_eq!(Description::read("twilio").errors(&request), expected, "{form:?}");
        };
        check_form(&[("VoiceUrl", "https://x.example"), ("VoiceMethod", "POST"), ("TrunkSid", "")], &[]);
        check_form(&[("VoiceURL", "https://x.example")], &["no field VoiceURL"]);
        check_form(&[("VoiceUrl", "x")], &["VoiceUrl is x, not a URI"]);
        check_form(&[("TrunkSid", "TK1")], &["TrunkSid has 3 characters"]);
        check_form(&[("SmsUrl", ""), ("SmsUrl", "")], &["SmsUrl stands there twice"]);
        check_form(&[("VoiceMethod", "PUT")], &["VoiceMethod is \"PUT\", not one of [\"GET\",\"POST\"]"]);
    }

    #[test]
    fn templates_may_be_parts_of_segments() {
        let values = |pairs: &[(&str, &str)]| -> Option<Vec<(String, String)>> {
            Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(fill("/A/{Sid}.json", "/A/AC1.json"), values(&[("Sid", "AC1")]));
        assert_eq!(fill("/A/{Sid}.json", "/A/AC1"), None);
        assert_eq!(fill("/A/{Sid}/B.json", "/A/AC1/B.json"), values(&[("Sid", "AC1")]));
        assert_eq!(fill("/A", "/A"), values(&[]));
        assert_eq!(fill("/A", "/B"), None);
    }
}
