//! A whole Dialplane: Postgres, Redis, the admin plane, a router, and an operator at work.

use dialplane_bench::operator::{Operator, Salon};
use dialplane_bench::system::{Admin, Database, Redis, Router, wait_for};
use serde_json::Value;

use crate::ops;

/// A whole Dialplane. Fields end in the order in which they stand here: whoever depends on another goes first.
pub struct Installation {
    pub router: Router,
    pub admin: Admin,
    pub redis: Redis,
    pub database: Database,
    pub operator: Operator,
}

impl Installation {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// One whose router has these settings, besides the common ones.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let (redis, database) = (Redis::start(), Database::create());
        let admin = Admin::start(&database, &redis);
        let operator = Operator::new(admin.address);
        let router = router(&operator, &redis, settings);
        Self { router, admin, redis, database, operator }
    }

    /// One more router.
    pub fn router(&self, settings: &[(&str, &str)]) -> Router {
        router(&self.operator, &self.redis, settings)
    }

    /// A salon whose number and names end with `suffix`, served by the routers.
    pub fn salon(&self, suffix: u32) -> Salon {
        Salon::create(&self.operator, suffix)
    }

    /// A write that the routers serve when this returns.
    pub fn apply(&self, method: &str, path: &str, body: &Value) -> Value {
        apply(&self.operator, method, path, body)
    }

    /// A new key below `owner`, a tenant's path or nothing for an operator's, which the router knows when this returns.
    pub fn key(&self, owner: &str, body: &Value) -> String {
        let answer = self.operator.send("POST", &format!("{owner}/api-keys"), body);
        let revision = answer.header("dialplane-revision").and_then(|text| text.parse::<u64>().ok());
        let revision = revision.unwrap_or_else(|| panic!("a write that routers see: {answer:?}"));
        wait_for("the router to know a key", || ops::revision(self.router.ops) >= revision);
        let made: Value = serde_json::from_str(&answer.body).expect("JSON");
        made["key"].as_str().expect("the key is shown once").to_owned()
    }

    /// Sets the rules of a salon's number.
    pub fn route(&self, salon: &Salon, rules: &Value) {
        self.apply("PUT", &format!("{}/routing", salon.phone_path()), &serde_json::json!({ "rules": rules }));
    }

    /// Starts the admin plane again, on another port.
    pub fn restart_admin(&mut self) {
        self.admin.process.kill();
        self.admin = Admin::start(&self.database, &self.redis);
        self.operator = Operator::new(self.admin.address);
        await_router(&self.operator, &self.router, None);
    }
}

/// Starts a router, and waits until the admin plane sees it: from then on writes wait for it.
pub fn router(operator: &Operator, redis: &Redis, settings: &[(&str, &str)]) -> Router {
    let url = redis.url();
    let common = [("REDIS_URL", &*url), ("ROUTER_WORKERS", "2")];
    let all: Vec<_> = common.into_iter().chain(settings.iter().copied()).collect();
    let router = Router::start(&all);
    wait_for("the router to be ready", || ops::readiness(router.ops).0 == 200);
    let name = settings.iter().find(|(name, _)| *name == "ROUTER_ID").map(|(_, id)| *id);
    await_router(operator, &router, name);
    router
}

/// Waits until the admin plane sees that a router serves the feed's present life. Without a name of its own, a
/// router's name ends with its port.
pub fn await_router(operator: &Operator, router: &Router, name: Option<&str>) {
    let name = name.map_or_else(|| format!(":{}", router.address.port()), str::to_owned);
    wait_for("the admin plane to see the router", || {
        let routers = operator.ok("GET", "/routers", &Value::Null);
        let routers = routers["items"].as_array().cloned().unwrap_or_default();
        routers.iter().any(|router| {
            let is_it = router["id"].as_str().is_some_and(|id| id.ends_with(&name));
            is_it && router["live"] == true && router["current"] == true
        })
    });
}

/// A write that the routers serve when this returns.
pub fn apply(operator: &Operator, method: &str, path: &str, body: &Value) -> Value {
    let response = operator.send(method, &format!("{path}?wait=applied&timeout_ms=30000"), body);
    assert!(matches!(response.status, 200..=299), "{method} {path}: {} {}", response.status, response.body);
    assert_eq!(response.header("dialplane-applied"), Some("true"), "{method} {path}: {response:?}");
    serde_json::from_str(&response.body).unwrap_or_default()
}
