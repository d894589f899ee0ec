//! Two tenants, one of whom has something of everything, and everybody who might ask for it.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::access::issuer::Issuer;
use crate::access::signer::Signer;
use crate::harness::{Admin, Answer, OPERATOR};
use crate::reconcile;

/// A word that stands in all that the one tenant has, and in nothing else.
const MARK: &str = "okapi";

/// Ids by their names in paths.
pub type Ids = BTreeMap<&'static str, String>;

pub struct World {
    pub admin: Admin,
    /// What is there, and isn't the other's business.
    pub theirs: Ids,
    /// What isn't there at all.
    pub nowhere: Ids,
    /// The other tenant.
    pub mine: String,
    /// The first one's keys and tokens, by role.
    pub owners: Vec<(&'static str, String)>,
    pub issuer: Issuer,
    pub signer: Signer,
}

impl World {
    pub async fn create() -> Option<Self> {
        let signer = Signer::p256("p");
        let issuer = Issuer::start(&[&signer]).await;
        let rates = [("ADMIN_RATE_LIMIT", "0"), ("ADMIN_FAILURE_LIMIT", "0"), ("OIDC_OPERATORS", "true")];
        let admin = Admin::start_with(&issuer.settings_and(&rates)).await?;
        let mine = admin.create("/tenants", json!({"name": "Mine"})).await;
        let theirs = populate(&admin).await;
        let nowhere = theirs.keys().map(|name| (*name, Uuid::now_v7().to_string())).collect();
        let tenant = &theirs["{tenant_id}"];
        let mut owners = Vec::new();
        for role in ["viewer", "editor", "admin"] {
            owners.push((role, admin.tenant_key_of(tenant, role).await));
            owners.push((role, signer.token(&issuer.claims(tenant, role))));
        }
        owners.push(("operator", signer.token(&issuer.claims("", "operator"))));
        issuer.known_to(&admin, &owners[1].1).await;
        Some(Self { admin, theirs, nowhere, mine, owners, issuer, signer })
    }

    /// Whoever is nobody here.
    pub async fn nobodies(&self) -> Vec<(&'static str, Option<String>)> {
        let tenant = &self.theirs["{tenant_id}"];
        let path = format!("/tenants/{tenant}/api-keys");
        let body = json!({"name": "over", "role": "admin", "expires_at": "2100-01-01T00:00:00Z"});
        let expired = self.admin.expect(StatusCode::CREATED, Method::POST, &path, body).await;
        let mut connection = self.operator().await;
        let sql = "UPDATE api_keys SET expires_at = now() WHERE name = 'over'";
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        let path = format!("/tenants/{tenant}/agents/{}/token", self.theirs["{agent_id}"]);
        let agent = self.admin.expect(StatusCode::CREATED, Method::POST, &path, Value::Null).await;
        let mut claims = self.issuer.claims(tenant, "admin");
        claims["exp"] = json!(1);
        vec![
            ("nobody", None),
            ("garbage", Some("dp_garbage".into())),
            ("an expired key", Some(expired["key"].as_str().unwrap().into())),
            ("an agent", Some(agent["token"].as_str().unwrap().into())),
            ("an expired token", Some(self.signer.token(&claims))),
            ("a forged token", Some(Signer::p256("p").token(&self.issuer.claims(tenant, "admin")))),
        ]
    }

    /// Whoever is somebody, elsewhere.
    pub async fn strangers(&self) -> Vec<(&'static str, String)> {
        let mut strangers = Vec::new();
        for role in ["viewer", "editor", "admin"] {
            strangers.push((role, self.admin.tenant_key_of(&self.mine, role).await));
        }
        strangers.push(("a token", self.signer.token(&self.issuer.claims(&self.mine, "admin"))));
        strangers
    }

    /// Status and body of an answer, without what is the request's own.
    pub async fn answer(
        &self,
        key: Option<&str>,
        method: &Method,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let answer = self.admin.ask(key, method.clone(), path, body).await;
        let status = answer.status();
        if *method == Method::HEAD {
            // It has no body; these are the codes that its statuses stand for.
            let code = match status {
                StatusCode::UNAUTHORIZED => "unauthorized",
                StatusCode::FORBIDDEN => "operator_only",
                StatusCode::NOT_FOUND => "not_found",
                _ => "",
            };
            return (status, json!({"code": code}));
        }
        let mut body: Value = answer.json().await.unwrap_or_default();
        if let Some(body) = body.as_object_mut() {
            body.remove("request_id");
        }
        (status, body)
    }

    /// Checks that nothing of the first tenant's is in an answer.
    pub fn says_nothing(&self, what: &str, answer: &Value) {
        let text = answer.to_string();
        assert!(!text.contains(MARK), "{what} {text}");
        for id in self.theirs.values() {
            assert!(!text.contains(id.as_str()), "{what} {text}");
        }
    }

    async fn operator(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.admin.database_url).await.unwrap();
        sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
        connection
    }

    /// A hash of every table's rows. When a key was last used may change, and what publisher and sealer
    /// note of their own work.
    pub async fn hashes(&self) -> BTreeMap<String, Option<String>> {
        let mut connection = self.operator().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
             WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT IN ('feed_publisher', 'feed_epochs')",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert!(tables.len() > 12, "{tables:?}");
        let mut hashes = BTreeMap::new();
        for table in tables {
            let sql = AssertSqlSafe(format!(
                "SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
                    SELECT (to_jsonb(r) - '{{last_used_at, seq, hash}}'::text[])::text AS line FROM {table} AS r
                 ) AS lines"
            ));
            hashes.insert(table, sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap());
        }
        hashes
    }
}

/// A call of a tenant's that has just begun, and was corrected.
async fn called(admin: &Admin, tenant: &str, number: &str) -> String {
    let call = Uuid::now_v7().to_string();
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let sql = format!(
        "SET ROLE dialplane_operator;
         INSERT INTO calls (id, started_at, tenant_id, phone_number_id, direction, provider, account_id, provider_call_id,
            legs, outcome)
         VALUES ('{call}', now(), '{tenant}', '{number}', 'inbound', 'twilio', gen_random_uuid(), '{MARK}', '[]', 'missed')"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    let path = format!("/tenants/{tenant}/calls/{call}/corrections");
    let correction = json!({"duration_ms": 1, "reason": MARK});
    admin.expect(StatusCode::CREATED, Method::POST, &path, correction).await;
    call
}

/// Makes a tenant that has something of everything, and gives the ids.
async fn populate(admin: &Admin) -> Ids {
    let name = |what: &str| format!("{MARK} {what}");
    let tenant = admin.create("/tenants", json!({"name": name("tenant")})).await;
    let below = |path: &str| format!("/tenants/{tenant}/{path}");
    let credentials = json!({"account_sid": "AC1", "auth_token": "t"});
    let account = json!({"provider": "twilio", "label": name("account"), "credentials": credentials});
    let account = admin.create(&below("accounts"), account).await;
    let target = json!({"type": "stream", "url": format!("wss://{MARK}.example/agent")});
    let agent =
        json!({"name": name("agent"), "provider": "custom", "target": target, "greeting": name("greeting")});
    let agent = admin.create(&below("agents"), agent).await;
    let number = json!({"source": "manual", "phone_number": "+12125550001", "account_id": account, "agent_id": agent,
        "display_name": name("number")});
    let number = admin.create(&below("phone-numbers"), number).await;
    let intent = admin.create(&below("intents"), json!({"name": MARK})).await;
    let key = admin.create(&below("api-keys"), json!({"name": name("key"), "role": "viewer"})).await;
    let import = format!("/imports?kind=numbers&format=csv&tenant_id={tenant}");
    let import = admin.request(OPERATOR, Method::POST, &import).header("upload-complete", "?0");
    let import = Answer::to(import).await.body["id"].as_str().unwrap().to_owned();
    let put = async |path: String, body: Value| admin.expect(StatusCode::OK, Method::PUT, &path, body).await;
    put(below("tool-server"), json!({"url": format!("https://{MARK}.example/")})).await;
    let hours = json!({"weekly": {"mon": [["09:00", "17:00"]]}});
    put(below("defaults/hours"), hours.clone()).await;
    put(below(&format!("phone-numbers/{number}/settings/hours")), hours).await;
    let rules = json!({"rules": [{"then": {"action": "message", "say": name("closed")}}]});
    put(below("defaults/routing"), rules.clone()).await;
    put(below(&format!("phone-numbers/{number}/routing")), rules).await;
    let service = admin.create(&below("services"), json!({"name": name("service")})).await;
    let person = admin.create(&below("staff"), json!({"name": name("somebody")})).await;
    let run = json!({"dry_run": true});
    let run = admin.expect(StatusCode::ACCEPTED, Method::POST, "/reconciliations", run).await;
    let run = reconcile::ended(admin, run["id"].as_str().unwrap()).await["id"].as_str().unwrap().to_owned();
    put(below("defaults/sms"), json!({"reply_open": name("reply")})).await;
    // It waits for a person, so that nothing changes by itself.
    let job = json!({"source": "provision", "strategies": ["manual"], "display_name": name("wish")});
    let job = admin.expect(StatusCode::ACCEPTED, Method::POST, &below("phone-numbers"), job).await;
    let job = job["id"].as_str().unwrap().to_owned();
    assert_eq!(admin.job_at_rest(&job).await["state"], "manual");
    let refused = Uuid::now_v7();
    let sql = format!(
        "SET ROLE dialplane_operator;
         INSERT INTO refused_calls (id, tenant_id, account_id, called_number, reason, count, first_at, last_at)
         VALUES ('{refused}', '{tenant}', '{account}', '{MARK}', 'unknown_number', 1, now(), now())"
    );
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    admin.expect(StatusCode::CREATED, Method::POST, "/plans", json!({"name": MARK})).await;
    let rate = json!({"tenant_id": tenant, "kind": "per_call", "amount": "0.01", "currency": "USD"});
    let rate = admin.create("/rates", rate).await;
    let call = called(admin, &tenant, &number).await;
    BTreeMap::from([
        ("{plan_name}", MARK.to_owned()),
        ("{rate_id}", rate),
        ("{call_id}", call),
        ("{job_id}", job),
        ("{tenant_id}", tenant),
        ("{account_id}", account),
        ("{agent_id}", agent),
        ("{phone_number_id}", number),
        ("{intent_id}", intent),
        ("{api_key_id}", key),
        ("{import_id}", import),
        ("{person_id}", person),
        ("{service_id}", service),
        ("{reconciliation_id}", run),
        ("{refused_call_id}", refused.to_string()),
    ])
}
