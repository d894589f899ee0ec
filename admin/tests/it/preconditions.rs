//! ETags: every resource that GET shows is only changed from the representation that `If-Match` names.

use std::cmp::Reverse;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, Answer, OPERATOR};

const PERSON: &str = "019ad000-0000-7000-8000-000000000001";
const SERVICE: &str = "019ad000-0000-7000-8000-000000000002";

/// One of everything.
struct World {
    ids: [(&'static str, String); 10],
    /// The platform's account and agent, in paths that don't name a tenant, and a number of the pool.
    platform: [(&'static str, &'static str, String); 3],
}

impl World {
    async fn create(admin: &Admin) -> Self {
        let account = json!({"provider": "twilio", "label": "main", "credentials": {"account_sid": "AC1", "auth_token": "t"}});
        let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
        let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
        let number = json!({"source": "manual", "phone_number": "+12125550001"});
        let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
        let own = |path: &str| format!("/tenants/{tenant}/{path}");
        let server = json!({"url": "https://tools.example/dialplane"});
        admin.expect(StatusCode::OK, Method::PUT, &own("tool-server"), server).await;
        let platform = json!({"provider": "twilio", "label": "main", "credentials": {"account_sid": "AC2", "auth_token": "t"}});
        let import = Answer::to(
            admin
                .request(OPERATOR, Method::POST, "/imports?kind=numbers&format=csv")
                .header("upload-complete", "?0"),
        )
        .await;
        for list in ["staff", "services"] {
            let path = own(&format!("defaults/{list}"));
            let body = smallest(&Method::PUT, &path);
            admin.expect(StatusCode::OK, Method::PUT, &path, body).await;
        }
        admin.expect(StatusCode::CREATED, Method::POST, "/plans", json!({"name": "basic"})).await;
        let rate = json!({"kind": "per_call", "amount": "0.01", "currency": "USD"});
        let pooled = json!({"phone_number": "+12125550009"});
        Self {
            ids: [
                ("{import_id}", import.body["id"].as_str().unwrap().to_owned()),
                ("{account_id}", admin.create(&own("accounts"), account).await),
                ("{agent_id}", admin.create(&own("agents"), agent.clone()).await),
                ("{phone_number_id}", admin.create(&own("phone-numbers"), number).await),
                ("{person_id}", PERSON.to_owned()),
                ("{service_id}", SERVICE.to_owned()),
                ("{intent_id}", admin.create(&own("intents"), json!({"name": "book"})).await),
                ("{plan_name}", "basic".to_owned()),
                ("{rate_id}", admin.create("/rates", rate).await),
                ("{tenant_id}", tenant),
            ],
            platform: [
                ("/accounts/", "{account_id}", admin.create("/accounts", platform).await),
                ("/agents/", "{agent_id}", admin.create("/agents", agent).await),
                ("/pool/", "{phone_number_id}", admin.create("/pool", pooled).await),
            ],
        }
    }

    /// A path of the OpenAPI document, below the API's base, with ids.
    fn path(&self, template: &str) -> String {
        let path = template.strip_prefix("/api/v2").unwrap();
        let of_platform = self.platform.iter().find(|(begin, ..)| path.starts_with(begin));
        let path = of_platform.map_or_else(|| path.to_owned(), |(_, name, id)| path.replace(name, id));
        self.ids.iter().fold(path, |path, (name, id)| path.replace(name, id))
    }
}

/// The smallest body that this request takes.
fn smallest(method: &Method, path: &str) -> Value {
    match (method, path.rsplit('/').next()) {
        (&Method::DELETE, _) => Value::Null,
        (_, Some("routing")) => json!({"rules": []}),
        // The tenant's own keep who is in them.
        (_, Some(list @ ("staff" | "services"))) if path.contains("/defaults/") => {
            json!({list: [{"id": if list == "staff" { PERSON } else { SERVICE }, "name": "x"}]})
        }
        (_, Some(list @ ("staff" | "services"))) => json!({list: []}),
        (&Method::PUT, Some(last)) if path.contains("/phone-numbers/") && last.len() == 36 => {
            json!({"display_name": "Broadway"})
        }
        (_, Some("tool-server")) => json!({"url": "https://tools.example/other"}),
        _ => json!({}),
    }
}

async fn send(admin: &Admin, method: &Method, path: &str, if_match: &str) -> Answer {
    let request = admin.request(OPERATOR, method.clone(), path).header("if-match", if_match);
    let body = smallest(method, path);
    Answer::to(if body.is_null() { request } else { request.json(&body) }).await
}

/// The tag that GET shows.
async fn tag(admin: &Admin, path: &str) -> String {
    let shown = Answer::to(admin.request(OPERATOR, Method::GET, path)).await;
    assert_eq!(shown.status, StatusCode::OK, "{path} {shown:?}");
    let tag = shown.header("etag").unwrap_or_else(|| panic!("GET {path}: no ETag")).to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{tag}");
    let again = admin.request(OPERATOR, Method::GET, path).header("if-none-match", format!("\"x\", W/{tag}"));
    let again = Answer::to(again).await;
    assert_eq!((again.status, &again.body), (StatusCode::NOT_MODIFIED, &Value::Null), "{path}");
    assert_eq!(again.header("etag"), Some(&*tag));
    tag
}

#[tokio::test]
async fn every_resource_is_changed_from_what_was_seen_alone() {
    let Some(admin) = Admin::start().await else { return };
    let world = World::create(&admin).await;
    let document = Answer::to(admin.request(OPERATOR, Method::GET, "/openapi.json")).await.body;
    let mut changes = Vec::new();
    for (template, operations) in document["paths"].as_object().unwrap() {
        for method in [Method::PATCH, Method::PUT, Method::DELETE] {
            if operations.get(method.as_str().to_lowercase()).is_some() {
                changes.push((template.clone(), method, operations.get("get").is_some()));
            }
        }
    }
    // Deletions last, what lies deepest first, and lists as a whole behind what is in them.
    changes.sort_by_key(|(path, method, _)| {
        (*method == Method::DELETE, Reverse(path.matches('/').count()), path.contains("/defaults/"))
    });
    let (mut tried, mut without) = (0, 0);
    for (template, method, is_shown) in changes {
        if !is_shown {
            // What has no representation has none to compare: it is refused, not ignored.
            without += 1;
            continue;
        }
        let path = world.path(&template);
        let before = tag(&admin, &path).await;
        for stale in ["\"stale\"", &format!("W/{before}")] {
            let refused = send(&admin, &method, &path, stale).await;
            assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED, "{method} {template} {refused:?}");
            assert_eq!(refused.body["code"], "precondition_failed");
        }
        assert_eq!(tag(&admin, &path).await, before, "{method} {template}");
        let malformed = send(&admin, &method, &path, "stale").await;
        assert_eq!((malformed.status.as_u16(), &malformed.body["code"]), (400, &json!("invalid_if_match")));
        let done = send(&admin, &method, &path, &format!("\"stale\", {before}")).await;
        assert!(done.status.is_success(), "{method} {template} {done:?}");
        if method != Method::DELETE {
            let after = tag(&admin, &path).await;
            assert_eq!(done.header("etag"), Some(&*after), "{method} {template} {done:?}");
            let done = send(&admin, &method, &path, "*").await;
            assert!(done.status.is_success(), "{method} {template} {done:?}");
        }
        tried += 1;
    }
    assert!(tried >= 45 && without >= 4, "{tried} {without}");
}

/// Nor is a condition ignored where there is nothing to compare.
#[tokio::test]
async fn a_condition_that_nothing_can_meet_is_refused() {
    let Some(admin) = Admin::start().await else { return };
    let world = World::create(&admin).await;
    let refused = async |method: &Method, path: &str, code: &str| {
        let answer = send(&admin, method, path, "*").await;
        assert_eq!(answer.body["code"], code, "{method} {path} {answer:?}");
    };
    let tenant = world.path("/api/v2/tenants/{tenant_id}");
    let keys = Answer::to(admin.request(OPERATOR, Method::GET, "/api-keys")).await.body;
    let key = format!("/api-keys/{}", keys["items"][0]["id"].as_str().unwrap());
    refused(&Method::DELETE, &key, "precondition_not_supported").await;
    let grant = world.path("/api/v2/accounts/{account_id}/grants/{tenant_id}");
    refused(&Method::PUT, &grant, "precondition_not_supported").await;
    refused(
        &Method::DELETE,
        &world.path("/api/v2/tenants/{tenant_id}/agents/{agent_id}/token"),
        "precondition_not_supported",
    )
    .await;
    // Nothing was done: the operator's key is still good, and there is no grant to take back.
    admin.expect(StatusCode::NOT_FOUND, Method::DELETE, &grant, Value::Null).await;
    // Where nothing is set, nothing matches.
    let server = format!("{tenant}/tool-server");
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &server, Value::Null).await;
    refused(&Method::PUT, &server, "precondition_failed").await;
    admin.expect(StatusCode::NOT_FOUND, Method::GET, &server, Value::Null).await;
    refused(&Method::PATCH, &tenant.replace(&tenant[tenant.len() - 4..], "0000"), "not_found").await;
}

/// Two who saw the same change it at once: one does.
#[tokio::test]
async fn one_of_two_changes_at_once_is_made() {
    let Some(admin) = Admin::start().await else { return };
    let world = World::create(&admin).await;
    let path = world.path("/api/v2/tenants/{tenant_id}/phone-numbers/{phone_number_id}");
    for round in 0..5 {
        let seen = tag(&admin, &path).await;
        let change = |name: String| {
            let request = admin.request(OPERATOR, Method::PATCH, &path).header("if-match", &seen);
            Answer::to(request.json(&json!({"display_name": name})))
        };
        let changes = (0..4).map(|writer| change(format!("{round} {writer}")));
        let answers = futures_util::future::join_all(changes).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412]);
    }
}
