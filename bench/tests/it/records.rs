//! What is recorded of calls, beside what routers were told.

use dialplane_bench::operator::{Operator, Salon};
use dialplane_bench::records::{self, Options};
use dialplane_bench::system::{Admin, Database, Redis, Router, wait_for};
use serde_json::Value;

#[test]
fn whatever_is_lost_comes_again_or_is_killed_records_say_what_was_told() {
    records::run(&Options::of(3_000, 4, 11)).unwrap();
}

#[test]
fn calls_that_come_while_postgres_is_away_are_recorded_when_it_is_back() {
    let (redis, database) = (Redis::start(), Database::create());
    let admin = Admin::start(&database, &redis);
    let router = Router::start(&[("REDIS_URL", &redis.url())]);
    let operator = Operator::new(admin.address);
    let salon = Salon::create(&operator, 1);
    let tell = |call: &str, kind: &str, status: &str| {
        let mut parameters = salon.call(call);
        parameters.retain(|(name, _)| *name != "CallStatus");
        parameters.extend([("CallStatus", status), ("CallDuration", "60")]);
        salon.post(router.address, &salon.webhook_path(kind), &parameters).unwrap().status
    };
    let recorded = || {
        let path = format!("/tenants/{}/calls?limit=100", salon.tenant);
        // Right after it came back, connections that had ended are still noticed.
        let answer = operator.send("GET", &path, &Value::Null);
        let calls: Value = serde_json::from_str(&answer.body).unwrap();
        let calls = calls["items"].as_array().cloned().unwrap_or_default();
        calls.iter().filter(|call| call["duration_ms"] == 60_000).count()
    };
    let ring = |call: &str| {
        assert_eq!(tell(call, "voice", "ringing"), 200, "{call}");
        assert!(matches!(tell(call, "status", "completed"), 200 | 204), "{call}");
    };
    ring("CA0");
    wait_for("the first record", || recorded() == 1);
    database.leave();
    (1..=20).for_each(|call| ring(&format!("CA{call}")));
    database.come_back();
    wait_for("all records", || recorded() == 21);
}
