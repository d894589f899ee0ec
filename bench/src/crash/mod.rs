//! Numbers are bought, linked and called off at simulated providers that answer badly, while the admin plane is killed at
//! random moments. Then everybody is left in peace, accounts are reconciled, and what was bought is held beside what is
//! believed: number for number.

mod orders;
mod verdict;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::orders::Orders;
use crate::operator::Operator;
use crate::report::say;
use crate::simulation::dice::Dice;
use crate::system::{Admin, Database, Providers, Redis};

/// How to try.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How often the admin plane is killed.
    #[arg(long, default_value_t = 1_000)]
    kills: u32,
    /// How many jobs are open at a time.
    #[arg(long, default_value_t = 12)]
    open: usize,
    /// What chance is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What goes wrong at the providers, and how often.
    #[arg(long, default_value = FAULTS)]
    faults: String,
}

/// Purchases that land late or twice, answers that are lost, and all that providers say when they are busy.
const FAULTS: &str = "429=0.03,500-before=0.03,500-after=0.03,timeout-after=0.01,slow=0.02,broken-json=0.03,\
    twilio.buy:late=0.05,twilio.buy:duplicate=0.05,vapi.buy:late=0.05,vapi.buy:duplicate=0.05";
/// A killed process's jobs are taken on after this.
const LEASE_S: &str = "10";
const SETTLE_S: &str = "3";
/// What lands late has landed by then: after the time that a purchase is given to settle.
const LATE_MS: &str = "5000";
/// From ready to killed, at most.
const LIFE_MS_MAX: u64 = 700;
const QUIET_TIMEOUT: Duration = Duration::from_secs(300);

impl Options {
    /// For a test: so many kills.
    #[must_use]
    pub fn kills(kills: u32, seed: u64) -> Self {
        Self { kills, seed, open: 12, faults: FAULTS.to_owned() }
    }
}

/// Tries and says what came of it.
///
/// # Errors
/// What doesn't agree.
pub fn run(options: &Options) -> Result<(), String> {
    let began = Instant::now();
    let (redis, database) = (Redis::start(), Database::create());
    let providers = Providers::start(&[
        ("PROVIDERS_FAULTS", &options.faults),
        ("PROVIDERS_SEED", &options.seed.to_string()),
        ("PROVIDERS_SETTLE_MS", "300"),
        ("PROVIDERS_SLOW_MS", "400"),
        ("PROVIDERS_LATE_MS", LATE_MS),
        ("PROVIDERS_STOCK", "default=9000"),
    ]);
    let bases = providers.bases();
    let mut settings: Vec<(&str, &str)> =
        bases.iter().map(|(setting, url)| (*setting, url.as_str())).collect();
    settings.extend([
        ("PUBLIC_URLS", "http://127.0.0.1:9"),
        ("PROVISIONING_LEASE_SECONDS", LEASE_S),
        ("PROVISIONING_SETTLE_SECONDS", SETTLE_S),
        ("PROVISIONING_SPEND_MAX", "1000000"),
        ("PROVISIONING_TENANT_SPEND_MAX", "1000000"),
        ("VAPI_FREE_NUMBERS_MAX", "100000"),
        ("PROVISIONING_RECONCILE_MINUTES", "0"),
        ("ADMIN_RATE_LIMIT", "0"),
        ("LOG_LEVEL", "warn"),
    ]);
    let mut dice = Dice::new(options.seed);
    let mut admin = Admin::start_with(&database, &redis, &settings);
    let mut orders = Orders::new(&Operator::new(admin.address));
    for kill in 0..options.kills {
        let operator = Operator::new(admin.address);
        orders.keep_open(&operator, &mut dice, options.open);
        std::thread::sleep(dice.ms(0..LIFE_MS_MAX));
        admin.process.kill();
        admin = Admin::start_with(&database, &redis, &settings);
        if kill % 100 == 99 {
            say(&format!(
                "{} kills, {} jobs, {:.0} s",
                kill + 1,
                orders.count(),
                began.elapsed().as_secs_f64()
            ));
        }
    }
    providers.control("PUT", "/control/faults", &json!({"plan": ""}));
    let operator = Operator::new(admin.address);
    settle(&operator)?;
    // What is under way to land has landed.
    std::thread::sleep(Duration::from_millis(LATE_MS.parse::<u64>().unwrap_or_default()));
    reconcile(&operator)?;
    // What it found askew is put right by jobs.
    settle(&operator)?;
    let verdict = verdict::of(&database, &providers, orders.count());
    say(&format!(
        "{verdict}\n({} kills, {:.0} s, seed {})",
        options.kills,
        began.elapsed().as_secs_f64(),
        options.seed
    ));
    verdict.problems()
}

/// Waits until no job goes on by itself.
fn settle(operator: &Operator) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let open: usize = ["pending", "running"]
            .iter()
            .map(|state| {
                let page =
                    operator.ok("GET", &format!("/provisioning?state={state}&limit=200"), &Value::Null);
                page["items"].as_array().map_or(0, Vec::len)
            })
            .sum();
        if open == 0 {
            return Ok(());
        }
        if began.elapsed() > QUIET_TIMEOUT {
            return Err(format!("{open} jobs still go on after {QUIET_TIMEOUT:?}"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Has what accounts hold compared with what is believed.
fn reconcile(operator: &Operator) -> Result<(), String> {
    let run = operator.ok("POST", "/reconciliations", &json!({}));
    let path = format!("/reconciliations/{}", run["id"].as_str().unwrap_or_default());
    let began = Instant::now();
    loop {
        let run = operator.ok("GET", &path, &Value::Null);
        match run["state"].as_str() {
            Some("done") => return Ok(()),
            Some("failed") => return Err(format!("the reconciliation failed: {run}")),
            _ if began.elapsed() > QUIET_TIMEOUT => return Err("the reconciliation takes too long".into()),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
