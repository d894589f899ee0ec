//! Many numbers from a file: until they are in the tables, until a router serves them, and out again, the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::operator::Operator;
use crate::report::say;
use crate::system::{Admin, Database, Redis, Router};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Numbers in the file.
    #[arg(long, default_value_t = 1_000_000)]
    count: usize,
    /// Tenants that they belong to, each with an agent; all have one account in common.
    #[arg(long, default_value_t = 100)]
    tenants: usize,
    /// Apply nothing unless all lines are good.
    #[arg(long)]
    all_or_nothing: bool,
}

const GIVE_UP: Duration = Duration::from_secs(1_200);
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Measures and prints.
///
/// # Errors
/// When the import doesn't come to its end, or what goes out isn't what came in.
pub fn run(options: &Options) -> Result<(), String> {
    let (redis, database) = (Redis::start(), Database::create());
    let admin = Admin::start(&database, &redis);
    let router = Router::start(&[("REDIS_URL", &redis.url())]);
    let operator = Operator::new(admin.address);
    let file = file(&operator, options);
    say(&format!("{} numbers of {} tenants, {} MB", options.count, options.tenants, file.len() / 1_000_000));
    let mode = if options.all_or_nothing { "all_or_nothing" } else { "best_effort" };
    let began = Instant::now();
    let since = || began.elapsed().as_secs_f64();
    let import =
        operator.upload(&format!("/imports?kind=numbers&format=csv&mode={mode}"), file.as_bytes())?;
    let uploaded = since();
    let path = format!("/imports/{}", import["id"].as_str().unwrap_or_default());
    let mut validated = None;
    let done = loop {
        let import = operator.ok("GET", &path, &Value::Null);
        match import["state"].as_str() {
            Some("validating") => {}
            Some("applying") => drop(validated.get_or_insert_with(since)),
            _ => break import,
        }
        give_up(began)?;
        std::thread::sleep(LOOK_INTERVAL);
    };
    let applied = since();
    let revision = operator.ok("GET", "/feed", &Value::Null)["revision"].clone();
    while !serves(&operator, &revision) {
        give_up(began)?;
        std::thread::sleep(LOOK_INTERVAL);
    }
    let served = since();
    if done["lines_created"] != json!(options.count) {
        return Err(format!("not all lines were applied: {done}"));
    }
    let exporting = Instant::now();
    let exported = operator.send("GET", "/exports?kind=numbers&format=csv", &Value::Null).body;
    let exported_s = exporting.elapsed().as_secs_f64();
    let same = if exported == file { "the same bytes" } else { "NOT THE SAME" };
    say(&format!(
        "| uploaded | checked | in the tables | in the router | exported |\n\
         | {uploaded:6.1} s | {:5.1} s | {applied:11.1} s | {served:11.1} s | {exported_s:6.1} s |\n\
         (each since the upload began, but the export, which takes that long; exported: {same}; \
         wanted: in the tables within 60 s for a million, in the router within 10 s more)",
        validated.unwrap_or(applied),
    ));
    drop(router);
    if exported == file { Ok(()) } else { Err("what goes out isn't what came in".into()) }
}

fn give_up(began: Instant) -> Result<(), String> {
    if began.elapsed() < GIVE_UP { Ok(()) } else { Err(format!("not done within {GIVE_UP:?}")) }
}

/// Whether a router reports that it serves this revision.
fn serves(operator: &Operator, revision: &Value) -> bool {
    let routers = operator.ok("GET", "/routers", &Value::Null);
    routers["items"][0]["serving"]["revision"].as_u64() >= revision.as_u64()
}

/// The numbers as export writes them, in its order.
fn file(operator: &Operator, options: &Options) -> String {
    let credentials = json!({"account_sid": "ACimport", "auth_token": "a-token"});
    let account = operator
        .create("/accounts", &json!({"provider": "twilio", "label": "carrier", "credentials": credentials}));
    let owner = |index: usize| {
        let tenant = operator.create("/tenants", &json!({"name": format!("Tenant {index}")}));
        let _ = operator.ok("PUT", &format!("/accounts/{account}/grants/{tenant}"), &Value::Null);
        let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
        let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
        let agent = operator.create(&format!("/tenants/{tenant}/agents"), &agent);
        (tenant, agent)
    };
    let owners: Vec<_> = (0..options.tenants).map(owner).collect();
    // Over many areas, as a platform's numbers are.
    let numbers: BTreeMap<String, usize> = (0..options.count)
        .map(|index| (format!("+1{:03}{:07}", 201 + index % 700, 2_000_000 + index / 700), index))
        .collect();
    let columns = "phone_number,prefix,tenant_id,display_name,address,address_parts,timezone,status,primary,calls_max,\
                   agent_id,account_id,bindings";
    let mut file = format!("{columns}\n");
    let mut has_primary = BTreeSet::new();
    for (number, index) in numbers {
        let (tenant, agent) = &owners[index % owners.len()];
        let is_primary = has_primary.insert(tenant);
        let _ = writeln!(
            file,
            "{number},,{tenant},Location {index},{index} Main Street,,America/New_York,active,{is_primary},,{agent},{account},"
        );
    }
    file
}
