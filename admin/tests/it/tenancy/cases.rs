//! Every operation of the OpenAPI document, as the tests try it. One that isn't here, or is here and isn't there, fails.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

/// One operation.
pub struct Case {
    /// What it does.
    pub method: Method,
    /// Its path, below the API's base, with names in braces.
    pub path: &'static str,
    /// The least role that it takes, as the document says.
    pub role: String,
}

/// Each path with its methods.
const PATHS: &[(&str, &str)] = &[
    ("/accounts", "get post"),
    ("/accounts/{account_id}", "get patch delete"),
    ("/accounts/{account_id}/grants/{tenant_id}", "put delete"),
    ("/accounts/{account_id}/subaccounts", "post"),
    ("/agents", "get post"),
    ("/agents/{agent_id}", "get patch delete"),
    ("/agents/{agent_id}/grants/{tenant_id}", "put delete"),
    ("/agents/{agent_id}/token", "post delete"),
    ("/api-keys", "get post"),
    ("/api-keys/{api_key_id}", "delete"),
    ("/audit", "get"),
    ("/calls", "get"),
    ("/calls/live", "get"),
    ("/calls/{call_id}", "get"),
    ("/defaults/hours", "get put delete"),
    ("/defaults/routing", "get put delete"),
    ("/defaults/rules", "get put delete"),
    ("/defaults/sms", "get put delete"),
    ("/defaults/voice", "get put delete"),
    ("/events", "get"),
    ("/explain", "get"),
    ("/exports", "get"),
    ("/feed", "get"),
    ("/imports", "get post"),
    ("/imports/{import_id}", "get delete"),
    ("/imports/{import_id}/apply", "post"),
    ("/imports/{import_id}/content", "head patch"),
    ("/imports/{import_id}/errors", "get"),
    ("/imports/{import_id}/events", "get"),
    ("/plans", "get post"),
    ("/plans/{plan_name}", "get patch delete"),
    ("/pool", "get post"),
    ("/pool/{phone_number_id}", "get delete"),
    ("/provisioning", "get post"),
    ("/provisioning/configure", "post"),
    ("/provisioning/spending", "get"),
    ("/provisioning/{job_id}", "get"),
    ("/provisioning/{job_id}/cancel", "post"),
    ("/provisioning/{job_id}/confirm", "post"),
    ("/provisioning/{job_id}/events", "get"),
    ("/provisioning/{job_id}/resolve", "post"),
    ("/provisioning/{job_id}/retry", "post"),
    ("/rates", "get post"),
    ("/rates/{rate_id}", "get patch delete"),
    ("/reconciliations", "get post"),
    ("/reconciliations/{reconciliation_id}", "get"),
    ("/refused-calls", "get"),
    ("/refused-calls/{refused_call_id}", "delete"),
    ("/routers", "get"),
    ("/tenants", "get post"),
    ("/tenants/{tenant_id}", "get patch delete"),
    ("/tenants/{tenant_id}/accounts", "get post"),
    ("/tenants/{tenant_id}/accounts/{account_id}", "get patch delete"),
    ("/tenants/{tenant_id}/agents", "get post"),
    ("/tenants/{tenant_id}/agents/{agent_id}", "get patch delete"),
    ("/tenants/{tenant_id}/agents/{agent_id}/phone-numbers", "get post"),
    ("/tenants/{tenant_id}/agents/{agent_id}/phone-numbers/{phone_number_id}", "delete"),
    ("/tenants/{tenant_id}/agents/{agent_id}/token", "post delete"),
    ("/tenants/{tenant_id}/api-keys", "get post"),
    ("/tenants/{tenant_id}/api-keys/{api_key_id}", "delete"),
    ("/tenants/{tenant_id}/audit", "get"),
    ("/tenants/{tenant_id}/calls", "get"),
    ("/tenants/{tenant_id}/calls/live", "get"),
    ("/tenants/{tenant_id}/calls/{call_id}", "get"),
    ("/tenants/{tenant_id}/calls/{call_id}/corrections", "get post"),
    ("/tenants/{tenant_id}/defaults/hours", "get put delete"),
    ("/tenants/{tenant_id}/defaults/routing", "get put delete"),
    ("/tenants/{tenant_id}/defaults/rules", "get put delete"),
    ("/tenants/{tenant_id}/defaults/services", "get put delete"),
    ("/tenants/{tenant_id}/defaults/sms", "get put delete"),
    ("/tenants/{tenant_id}/defaults/staff", "get put delete"),
    ("/tenants/{tenant_id}/defaults/voice", "get put delete"),
    ("/tenants/{tenant_id}/events", "get"),
    ("/tenants/{tenant_id}/explain", "get"),
    ("/tenants/{tenant_id}/intents", "get post"),
    ("/tenants/{tenant_id}/intents/{intent_id}", "get patch delete"),
    ("/tenants/{tenant_id}/limits", "get"),
    ("/tenants/{tenant_id}/phone-numbers", "get post"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}", "get put patch delete"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/assign", "post"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/history", "get"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/routing", "get put delete"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/services", "get put delete"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/hours", "get put delete"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/rules", "get put delete"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/sms", "get put delete"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/settings/voice", "get put delete"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/staff", "get put delete"),
    ("/tenants/{tenant_id}/phone-numbers/{phone_number_id}/unassign", "post"),
    ("/tenants/{tenant_id}/provisioning", "get"),
    ("/tenants/{tenant_id}/provisioning/{job_id}", "get"),
    ("/tenants/{tenant_id}/provisioning/{job_id}/cancel", "post"),
    ("/tenants/{tenant_id}/provisioning/{job_id}/confirm", "post"),
    ("/tenants/{tenant_id}/refused-calls", "get"),
    ("/tenants/{tenant_id}/resume", "post"),
    ("/tenants/{tenant_id}/services", "get post"),
    ("/tenants/{tenant_id}/services/{service_id}", "get patch delete"),
    ("/tenants/{tenant_id}/staff", "get post"),
    ("/tenants/{tenant_id}/staff/{person_id}", "get patch delete"),
    ("/tenants/{tenant_id}/suspend", "post"),
    ("/tenants/{tenant_id}/tool-server", "get put delete"),
    ("/tenants/{tenant_id}/usage", "get"),
    ("/tenants/{tenant_id}/usage/stages", "get"),
    ("/usage/calls", "get"),
    ("/usage/free-numbers", "get"),
];

impl Case {
    /// All of them, each with the role that the document names.
    pub fn all(document: &Value) -> Vec<Self> {
        let mut documented = BTreeMap::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let path = path.strip_prefix("/api/v2").unwrap();
            for (method, operation) in operations.as_object().unwrap() {
                let role = operation["x-required-role"].as_str().unwrap_or_default().to_owned();
                documented.insert((path.to_owned(), method.clone()), role);
            }
        }
        let listed =
            PATHS.iter().flat_map(|(path, methods)| methods.split(' ').map(move |method| (*path, method)));
        let names: BTreeSet<_> =
            listed.clone().map(|(path, method)| (path.to_owned(), method.to_owned())).collect();
        let without: Vec<_> = documented.keys().filter(|name| !names.contains(*name)).collect();
        assert!(without.is_empty(), "operations without a case in tenancy/cases.rs: {without:?}");
        let gone: Vec<_> = names.iter().filter(|name| !documented.contains_key(*name)).collect();
        assert!(gone.is_empty(), "cases of operations that are no more: {gone:?}");
        let case = |(path, method): (&'static str, &str)| {
            let role = documented[&(path.to_owned(), method.to_owned())].clone();
            Self { method: method.to_uppercase().parse().unwrap(), path, role }
        };
        listed.map(case).collect()
    }

    /// Whether it is a tenant's own business.
    pub fn is_of_tenant(&self) -> bool {
        self.path.starts_with("/tenants/{tenant_id}")
    }

    /// Its path with these ids.
    pub fn with(&self, ids: &BTreeMap<&str, String>) -> String {
        let path = ids.iter().fold(self.path.to_owned(), |path, (name, id)| path.replace(name, id));
        assert!(!path.contains('{'), "no id for a name in {path}");
        let query = match path.rsplit('/').next() {
            Some("explain") => "?to=%2B12125550001",
            // Of an event that isn't there yet: the answer ends.
            Some("events") => "?after=9000000000000000",
            _ => "",
        };
        format!("/api/v2{path}{query}")
    }

    /// The smallest body that it takes for what is there already, so that it isn't refused for that.
    pub fn body(&self) -> Value {
        if matches!(self.method, Method::GET | Method::HEAD | Method::DELETE) || self.path.ends_with("/token")
        {
            return Value::Null;
        }
        match self.path.rsplit('/').next() {
            Some("routing") => json!({"rules": []}),
            Some("phone-numbers") if self.path.contains("/agents/") => {
                json!({"phone_number_ids": [uuid::Uuid::nil()]})
            }
            Some("{phone_number_id}") if self.method == Method::PUT => json!({"display_name": "Broadway"}),
            Some(list @ ("staff" | "services")) if self.method == Method::PUT => json!({list: []}),
            _ => json!({}),
        }
    }
}
