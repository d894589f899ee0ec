//! One admin process with a database and a namespace of its own, gone when it is dropped.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use dialplane_admin::outbound;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::told;

/// An operator's key.
pub const OPERATOR: &str = "operator-key-of-the-tests";
/// The key that seals what is stored.
pub const ENCRYPTION_KEY: &str = "encryption-key-of-the-tests";
/// The feed's key.
pub const FEED_KEY: &str = "feed-key-of-the-tests";

/// A running admin process.
pub struct Admin {
    process: Child,
    api: String,
    ops: String,
    /// Redis.
    pub redis_url: String,
    /// What its keys begin with; also its database's name.
    pub namespace: String,
    /// Its database.
    pub database_url: String,
    /// Its other settings.
    settings: Vec<(&'static str, String)>,
    /// Whether another one has the database.
    is_guest: bool,
    http: reqwest::Client,
}

/// Where the services are; `None`, said aloud, when nobody says. On CI somebody has to.
fn services() -> Option<(String, String)> {
    let found = std::env::var("DATABASE_URL").ok().zip(std::env::var("REDIS_URL").ok());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "wanted DATABASE_URL and REDIS_URL");
        eprintln!("skipped: wanted DATABASE_URL and REDIS_URL");
    }
    found
}

impl Admin {
    /// Starts one on a new database.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// The same, with these settings.
    pub async fn start_with(settings: &[(&'static str, &str)]) -> Option<Self> {
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let (database_url, redis_url) = services()?;
        let name = format!("dialplane_test_{}", uuid::Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&database_url).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        let (server, _) = database_url.rsplit_once('/').unwrap();
        let database_url = format!("{server}/{name}");
        let (process, [api, ops]) = spawn(&database_url, &redis_url, &name, ENCRYPTION_KEY, &settings);
        let http = outbound::client().unwrap();
        Some(Self {
            process,
            api,
            ops,
            redis_url,
            namespace: name,
            database_url,
            settings,
            is_guest: false,
            http,
        })
    }

    /// Another process with the same database.
    pub fn beside(&self) -> Self {
        let (process, [api, ops]) =
            spawn(&self.database_url, &self.redis_url, &self.namespace, ENCRYPTION_KEY, &self.settings);
        Self {
            process,
            api,
            ops,
            redis_url: self.redis_url.clone(),
            namespace: self.namespace.clone(),
            database_url: self.database_url.clone(),
            settings: self.settings.clone(),
            is_guest: true,
            http: self.http.clone(),
        }
    }

    /// Kills it without warning, and starts it again.
    pub fn restart(&mut self) {
        self.restart_with(ENCRYPTION_KEY);
    }

    /// The same, with another list of keys that seal what is stored.
    pub fn restart_with(&mut self, encryption_key: &str) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        (self.process, [self.api, self.ops]) =
            spawn(&self.database_url, &self.redis_url, &self.namespace, encryption_key, &self.settings);
    }

    /// Waits until the whole audit log is sealed, and gives how many entries it has.
    pub async fn sealed(&self) -> i64 {
        let mut connection = PgConnection::connect(&self.database_url).await.unwrap();
        sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
        for _ in 0..600 {
            let (all, unsealed): (i64, i64) =
                sqlx::query_as("SELECT count(*), count(*) FILTER (WHERE seq IS NULL) FROM audit_log")
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
            if unsealed == 0 {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the audit log isn't sealed");
    }

    /// A command of the program, with this database.
    pub fn command(&self, name: &str) -> Command {
        command(name, &self.database_url, ENCRYPTION_KEY)
    }

    /// Asks it to stop.
    pub fn ask_to_stop(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self) {
        self.ask_to_stop();
        assert!(self.process.wait().unwrap().success());
    }

    /// Where the API is.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// All metrics, as they are now.
    pub async fn metrics(&self) -> String {
        self.http.get(format!("{}/metrics", self.ops)).send().await.unwrap().text().await.unwrap()
    }

    /// Runs the command that writes every record anew, with this list of keys.
    pub fn republish(&self, encryption_key: &str) {
        let mut command = command("republish", &self.database_url, encryption_key);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a command of the program, as an operator who has its settings.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, ENCRYPTION_KEY)
    }

    /// The same, with this list of keys that seal what is stored.
    pub fn run_with(&self, arguments: &[&str], encryption_key: &str) -> Output {
        let (name, rest) = arguments.split_first().unwrap();
        command(name, &self.database_url, encryption_key)
            .args(rest)
            .env("ADMIN_URL", &self.api)
            .env("ADMIN_BOOTSTRAP_KEY", OPERATOR)
            .env("REDIS_URL", &self.redis_url)
            .env("REDIS_NAMESPACE", &self.namespace)
            .output()
            .unwrap()
    }

    /// Sends a request, with a key or without, and gives the whole answer.
    pub async fn ask(
        &self,
        key: Option<&str>,
        method: Method,
        path: &str,
        body: &Value,
    ) -> reqwest::Response {
        let mut request = self.http.request(method, format!("{}{path}", self.api));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let request = if body.is_null() { request } else { request.json(body) };
        request.send().await.unwrap()
    }

    /// Sends a request and gives status and body.
    pub async fn send(&self, key: &str, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.api)).bearer_auth(key);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = Answer::to(request).await;
        (answer.status, answer.body)
    }

    /// Sends a request and gives the answer.
    pub async fn respond(&self, key: &str, method: Method, path: &str, body: &Value) -> reqwest::Response {
        let request = self.http.request(method, format!("{}{path}", self.api)).bearer_auth(key);
        let request = if body.is_null() { request } else { request.json(body) };
        request.send().await.unwrap()
    }

    /// A request, below the API's base, for whoever adds headers to it.
    pub fn request(&self, key: &str, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v2{path}", self.api)).bearer_auth(key)
    }

    /// Runs a statement as the database's owner, who sees no row.
    pub async fn execute(&self, sql: &'static str) {
        let mut connection = PgConnection::connect(&self.database_url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }

    /// The one value that a query gives to an operator.
    pub async fn query<T>(&self, sql: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let mut connection = PgConnection::connect(&self.database_url).await.unwrap();
        sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    }

    /// Creates something as an operator and gives its id.
    pub async fn create(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.send(OPERATOR, Method::POST, &format!("/api/v2{path}"), &body).await;
        assert_eq!(status, StatusCode::CREATED, "{path} {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Sends a request as an operator, below the API's base, and gives the body of an answer of this status.
    pub async fn expect(&self, expected: StatusCode, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(OPERATOR, method.clone(), &format!("/api/v2{path}"), &body).await;
        assert_eq!(status, expected, "{method} {path} {answer}");
        answer
    }

    /// Follows a provisioning job until it rests, and gives it as it is then.
    pub async fn job_at_rest(&self, id: &str) -> Value {
        let path = format!("/api/v2/provisioning/{id}/events");
        let events = self.respond(OPERATOR, Method::GET, &path, &Value::Null).await.text().await.unwrap();
        let last = events.lines().rev().find_map(|line| line.strip_prefix("data: "));
        serde_json::from_str(last.unwrap_or_else(|| panic!("{events:?}"))).unwrap()
    }

    /// Checks that a request is refused at this place.
    pub async fn refused(&self, method: Method, path: &str, body: Value, field: &str) {
        let answer = self.expect(StatusCode::UNPROCESSABLE_ENTITY, method, path, body).await;
        assert_eq!(answer["field"], field, "{path} {answer}");
    }

    /// Makes a key of a tenant.
    pub async fn tenant_key(&self, tenant: &str) -> String {
        self.tenant_key_of(tenant, "admin").await
    }

    /// Makes a key of a tenant, of this role.
    pub async fn tenant_key_of(&self, tenant: &str, role: &str) -> String {
        let path = format!("/api/v2/tenants/{tenant}/api-keys");
        let body = json!({"name": role, "role": role});
        let (status, answer) = self.send(OPERATOR, Method::POST, &path, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["key"].as_str().unwrap().to_owned()
    }
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null when it has none.
    pub body: Value,
}

impl Answer {
    /// Sends a request.
    pub async fn to(request: RequestBuilder) -> Self {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Self { status, headers, body: response.json().await.unwrap_or_default() };
        told::check(&method, &path, &answer);
        answer
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if self.is_guest {
            return;
        }
        // A thread of its own, since the test's runtime can't be waited for here.
        let drop_database = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.namespace));
        let dropping = std::thread::spawn(move || {
            let server = std::env::var("DATABASE_URL").ok()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await.ok()?;
                sqlx::query(drop_database).execute(&mut connection).await.ok()
            })
        });
        let _ = dropping.join();
    }
}

fn command(name: &str, database_url: &str, encryption_key: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialplane-admin"));
    command
        .arg(name)
        .env("ADMIN_ENCRYPTION_KEY", encryption_key)
        .env("FEED_KEY", FEED_KEY)
        .env("DATABASE_URL", database_url)
        .env("LOG_LEVEL", "error");
    command
}

fn spawn(
    database_url: &str,
    redis_url: &str,
    namespace: &str,
    encryption_key: &str,
    settings: &[(&str, String)],
) -> (Child, [String; 2]) {
    let mut process = command("serve", database_url, encryption_key)
        .arg("--migrate")
        .env("ADMIN_LISTEN", "127.0.0.1:0")
        .env("ADMIN_OPS_LISTEN", "127.0.0.1:0")
        .env("ADMIN_BOOTSTRAP_KEY", OPERATOR)
        .env("REDIS_URL", redis_url)
        .env("REDIS_NAMESPACE", namespace)
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let word =
        |at: usize| line.trim().split(' ').nth(at).unwrap_or_else(|| panic!("said {line:?}")).to_owned();
    (process, [word(2), word(4)])
}
