//! What is the same for all operations, or follows from their method and path: told by rule, so that no handler has to
//! and none can forget it.

use serde_json::{Map, Value, json};

use super::super::required_role::required_role;
use super::{examples, refusals};
use crate::role::Role;

/// An operation, as rules see it.
pub(super) struct Operation<'a> {
    /// In small letters.
    pub method: &'a str,
    /// Below the API's base.
    pub path: &'a str,
    /// The document's part.
    described: &'a Value,
    /// It gives a page of a list that has further pages.
    pub is_list: bool,
    /// It takes a body, of JSON.
    pub has_body: bool,
    /// It takes a file, or a part of one.
    pub is_upload: bool,
    /// The path has a GET.
    is_shown: bool,
}

impl<'a> Operation<'a> {
    /// An operation of a path that has a GET or hasn't.
    pub fn new(method: &'a str, path: &'a str, described: &'a Value, is_shown: bool) -> Self {
        let parameters = described["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let is_list = parameters.iter().any(|parameter| parameter["name"] == "cursor");
        let body = &described["requestBody"]["content"];
        let has_body = body["application/json"].is_object();
        let is_upload = body.is_object() && !has_body;
        Self { method, path, described, is_list, has_body, is_upload, is_shown }
    }

    /// It changes something.
    pub fn is_write(&self) -> bool {
        !matches!(self.method, "get" | "head")
    }

    /// Routers may have to see what it changes by the time it is answered.
    fn is_awaited(&self) -> bool {
        self.is_write() && !self.is_tagged("Bulk")
    }

    /// It takes `If-Match`: what it changes has a representation.
    pub fn is_conditional(&self) -> bool {
        matches!(self.method, "patch" | "put" | "delete") && self.is_shown
    }

    /// The least role that it takes.
    pub fn required_role(&self) -> Role {
        required_role(self.method, self.path)
    }

    /// Its path names a tenant first.
    pub fn is_in_tenant(&self) -> bool {
        self.path.starts_with("/tenants/{tenant_id}")
    }

    /// It stands under this heading.
    pub fn is_tagged(&self, tag: &str) -> bool {
        self.described["tags"].as_array().is_some_and(|tags| tags.iter().any(|own| own == tag))
    }

    /// A name that no other operation has: `list_tenant_agents`, `put_tenant_phone_number_settings_hours`.
    fn id(&self) -> String {
        let is_page = self.described["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
            .as_str()
            .is_some_and(|name| name.contains("/Page_"));
        let verb = match self.method {
            "get" if is_page => "list",
            "get" => "get",
            "post" => "create",
            "patch" => "change",
            other => other,
        };
        let segments: Vec<_> = self.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let mut id = verb.to_owned();
        for (index, segment) in segments.iter().enumerate().filter(|(_, segment)| !segment.starts_with('{')) {
            let is_one = segments.get(index + 1).is_some_and(|next| next.starts_with('{'))
                || (self.method == "post" && index + 1 == segments.len());
            let name = if is_one { segment.strip_suffix('s').unwrap_or(segment) } else { segment };
            id = format!("{id}_{}", name.replace('-', "_"));
        }
        id
    }

    /// The headers that it takes, as names of components.
    fn parameters(&self) -> impl Iterator<Item = Value> {
        let names = [
            ("Idempotency-Key", self.method == "post"),
            ("If-Match", self.is_conditional()),
            ("If-None-Match", self.method == "get"),
            ("X-Request-Id", true),
        ];
        let taken = names.into_iter().filter(|(_, takes)| *takes);
        taken.map(|(name, _)| json!({"$ref": format!("#/components/parameters/{name}")}))
    }

    /// The operation with all that goes without saying. Responses that it shares with others are put into `shared`.
    pub fn completed(&self, shared: &mut Map<String, Value>) -> Value {
        let mut complete = self.described.clone();
        let id = self.id();
        complete["security"] = json!([{"key": []}, {"jwt": []}]);
        complete["x-required-role"] = self.required_role().name().into();
        let mut parameters = complete["parameters"].as_array().cloned().unwrap_or_default();
        parameters.extend(self.parameters());
        complete["parameters"] = parameters.into();
        if self.has_body {
            examples::add(&mut complete["requestBody"]["content"]["application/json"], &id);
        }
        let mut responses = complete["responses"].as_object().cloned().unwrap_or_default();
        for (status, response) in &mut responses {
            if response["description"].as_str().is_none_or(str::is_empty) {
                response["description"] = match status.as_str() {
                    "201" => "Created.".into(),
                    "204" => "Done.".into(),
                    _ => "As it is now.".into(),
                };
            }
            // Not by index, which would give an answer without a body a `content` of null.
            let content = response.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten();
            content.for_each(|(_, content)| examples::add(content, &id));
        }
        if self.method == "get" {
            responses.insert("304".into(), json!({"description": "As `If-None-Match` says."}));
        }
        for (status, response) in &mut responses {
            response["headers"] = headers(status.parse().unwrap_or_default(), Some(self));
        }
        for (status, codes) in refusals::of(self) {
            let name = refusals::name(status, &codes);
            responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
            shared.entry(name).or_insert_with(|| {
                let mut response = refusals::response(&codes);
                response["headers"] = headers(status, None);
                response
            });
        }
        complete["responses"] = responses.into();
        complete["operationId"] = id.into();
        complete
    }
}

/// The headers of an answer of this status, as names of components; without an operation: of a refusal.
fn headers(status: u16, operation: Option<&Operation<'_>>) -> Value {
    let is_awaited = operation.is_some_and(Operation::is_awaited);
    let is_upload = operation.is_some_and(|operation| operation.is_upload || operation.method == "head");
    let is_post = operation.is_some_and(|operation| operation.method == "post");
    let names = [
        ("X-Request-Id", true),
        ("ETag", operation.is_some() && status != 204),
        ("Location", matches!(status, 201 | 202)),
        ("Dialplane-Revision", is_awaited),
        ("Dialplane-Applied", is_awaited),
        ("Dialplane-Waiting-For", is_awaited),
        ("Upload-Offset", is_upload),
        ("Upload-Complete", is_upload),
        (
            "Dialplane-Primary",
            operation
                .is_some_and(|of| of.is_write() && of.path.ends_with("/phone-numbers/{phone_number_id}")),
        ),
        ("Idempotent-Replayed", is_post),
        ("Dialplane-Secrets-Withheld", is_post),
        ("WWW-Authenticate", status == 401),
        ("RateLimit-Policy", true),
        ("RateLimit", true),
        ("Retry-After", status == 429),
    ];
    let given = names.into_iter().filter(|(_, gives)| *gives);
    given
        .map(|(name, _)| (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")})))
        .collect()
}

/// The headers that requests take and answers have.
pub(super) fn components() -> (Value, Value) {
    let texts = [
        (
            "ETag",
            "Which representation this is: for `If-Match` and `If-None-Match`.",
            "\"5f2b6c1d9e8a47036b1c2d3e4f5a6b7c\"",
        ),
        (
            "Location",
            "The path of what was created. Absent where nothing can be found under one.",
            "/api/v2/tenants/0197c3a8-5b1e-7c42-8d10-3c5f7a9b1e20",
        ),
        (
            "Dialplane-Revision",
            "The feed's revision that holds the change; absent: routers aren't concerned.",
            "4711",
        ),
        ("Dialplane-Applied", "Only with `wait=applied`: `true`, `false` or `no-live-routers`.", "true"),
        (
            "Dialplane-Waiting-For",
            "Only when `Dialplane-Applied` is `false`: the routers that weren't there by the deadline.",
            "edge-1,edge-2",
        ),
        ("Upload-Offset", "How many bytes of the file are kept.", "65536"),
        ("Upload-Complete", "Whether all of the file came: `?1`, or `?0`.", "?1"),
        (
            "Dialplane-Primary",
            "Where the number was its tenant's primary one and is no more: the id of the one that is now, or `none`.",
            "0197c3a8-5e42-7b63-92d5-19a2e3f4d5c6",
        ),
        (
            "Idempotent-Replayed",
            "`true`: an earlier request of this `Idempotency-Key` was answered so.",
            "true",
        ),
        (
            "Dialplane-Secrets-Withheld",
            "`true`: the earlier answer showed a secret, which this one leaves out.",
            "true",
        ),
        (
            "X-Request-Id",
            "The request's id, as in problems and in the log.",
            "0197c3a8-6a2e-7d31-9c55-2f1f0f6f7a10",
        ),
        ("WWW-Authenticate", "How to say who asks.", "Bearer realm=\"dialplane\""),
        (
            "RateLimit-Policy",
            "How many requests (`q`) in so many seconds (`w`); absent: no limit, or who asks isn't known.",
            "\"requests\";q=2000;w=10",
        ),
        (
            "RateLimit",
            "How many requests are left (`r`), and when there are more (`t`, seconds).",
            "\"requests\";r=1999;t=1",
        ),
        ("Retry-After", "When to ask again, in seconds.", "1"),
    ];
    let headers = texts.into_iter().map(|(name, text, example)| {
        (name.to_owned(), json!({"description": text, "schema": {"type": "string"}, "example": example}))
    });
    let texts = [
        (
            "Idempotency-Key",
            "1 to 255 visible ASCII characters, new for each request. A repetition with the same path, query and \
            body gets the first one's answer, for a day, without one-time secrets; also when both come at once, or the \
            first one's answer was lost. What was refused isn't kept: it is tried anew.",
            "7f9c2ba4-e88f-4cf5-9b0a-1d6f5f2f3b61",
        ),
        (
            "If-Match",
            "The ETag of the representation that the change starts from, several with commas between, or `*`: whichever is \
            there. Something else there: 412. A weak tag never matches.",
            "\"5f2b6c1d9e8a47036b1c2d3e4f5a6b7c\"",
        ),
        (
            "If-None-Match",
            "ETags of representations that are known: 304 when it is one of them.",
            "\"5f2b6c1d9e8a47036b1c2d3e4f5a6b7c\"",
        ),
        (
            "X-Request-Id",
            "The request's id: 1 to 128 letters, digits, - _ . and :; absent, or anything else: one is made.",
            "order-4711",
        ),
    ];
    let parameters = texts.into_iter().map(|(name, text, example)| {
        let mut schema = json!({"type": "string"});
        if let Some(pattern) = pattern(name) {
            schema["pattern"] = pattern.into();
        }
        (name.to_owned(), json!({"name": name, "in": "header", "required": false, "description": text, "schema": schema, "example": example}))
    });
    (headers.collect(), parameters.collect())
}

/// What a header that requests take has to look like, where anything else is refused.
fn pattern(header: &str) -> Option<&'static str> {
    match header {
        "Idempotency-Key" => Some("^[!-~]{1,255}$"),
        "If-Match" => Some(r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$"#),
        _ => None,
    }
}
