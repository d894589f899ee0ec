//! How long a tenant with many calls waits for what came together of a month: `GET /tenants/{id}/usage`, over REST.
//!
//! The calls' records are written by SQL, as the consumer of events leaves them but for their legs, which usage doesn't
//! look at; the trigger of the table marks their hours, and the admin plane works these out by itself, as it does any. Only
//! then is it asked: a month that is over is read from what was worked out.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::operator::Operator;
use crate::report::say;
use crate::stats::{median, percentile};
use crate::system::{Admin, Database, Redis};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Calls of the tenant in the month.
    #[arg(long, default_value_t = 1_000_000)]
    calls: u64,
    /// How often each is asked; the median counts. Once more before, for connections and caches.
    #[arg(long, default_value_t = 9)]
    runs: usize,
}

/// Who takes part in the calls.
struct Business {
    tenant: String,
    numbers: Vec<String>,
    agents: Vec<String>,
    accounts: Vec<String>,
}

const NUMBERS: u64 = 20;
const AGENTS: u64 = 2;
const PROVIDERS: [&str; 2] = ["twilio", "plivo"];
/// What is asked, by the groups' names.
const GROUPS: [(&str, &str); 3] = [
    ("by day", "day"),
    ("by day and number", "day,phone_number"),
    ("by day, number, agent and provider", "day,phone_number,agent,provider"),
];
/// Records that one statement writes.
const CALLS_AT_ONCE: u64 = 100_000;
const GIVE_UP: Duration = Duration::from_secs(3_600);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

impl Options {
    /// For a test: so many calls, asked so often.
    #[must_use]
    pub const fn of(calls: u64, runs: usize) -> Self {
        Self { calls, runs }
    }
}

/// Measures and prints.
///
/// # Errors
/// When hours aren't worked out in an hour, or an answer doesn't have all calls.
pub fn run(options: &Options) -> Result<(), String> {
    let (redis, database) = (Redis::start(), Database::create());
    let admin = Admin::start_with(&database, &redis, &[("ADMIN_RATE_LIMIT", "0"), ("LOG_LEVEL", "warn")]);
    let operator = Operator::new(admin.address);
    let business = Business::create(&operator);
    let (since, upto) = month(&database)?;
    let began = Instant::now();
    business.record(&database, options.calls, &since);
    let recorded_s = began.elapsed().as_secs_f64();
    work_out(&database)?;
    let worked_out_s = began.elapsed().as_secs_f64() - recorded_s;
    let rows = |table: &str| database.query(&as_operator(&format!("SELECT count(*) FROM {table}")));
    say(&format!(
        "{} calls in {since} to {upto}, over {NUMBERS} numbers, {AGENTS} agents, {} providers: {} rows of counts and \
         peaks, {} of costs (records written in {recorded_s:.0} s, their hours worked out in {worked_out_s:.0} s)\n\n\
         | GET /tenants/{{id}}/usage | items | KB | median of {} | slowest |\n| --- | ---: | ---: | ---: | ---: |",
        options.calls,
        PROVIDERS.len(),
        rows("usage_quarters"),
        rows("usage_costs"),
        options.runs,
    ));
    for (name, groups) in GROUPS {
        let path = format!("/tenants/{}/usage?from={since}&to={upto}&group_by={groups}", business.tenant);
        let (answer, times_ms) = ask(&operator, &path, options.runs);
        let usage: Value = serde_json::from_str(&answer).unwrap_or_default();
        let items = usage["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let calls: u64 = items.iter().filter_map(|item| item["calls"].as_u64()).sum();
        if [calls, usage["totals"]["calls"].as_u64().unwrap_or_default()] != [options.calls; 2] {
            return Err(format!("{name}: {calls} calls in the items, {} in all", usage["totals"]["calls"]));
        }
        say(&format!(
            "| {name} | {} | {:.0} | {:.0} ms | {:.0} ms |",
            items.len(),
            answer.len() as f64 / 1e3,
            median(&times_ms),
            percentile(&times_ms, 1.0),
        ));
    }
    Ok(())
}

/// The last answer, and how long each took.
fn ask(operator: &Operator, path: &str, runs: usize) -> (String, Vec<f64>) {
    let mut answer = operator.send("GET", path, &Value::Null).body;
    let times_ms = (0..runs).map(|_| {
        let began = Instant::now();
        answer = operator.send("GET", path, &Value::Null).body;
        began.elapsed().as_secs_f64() * 1e3
    });
    let times_ms = times_ms.collect();
    (answer, times_ms)
}

impl Business {
    /// Made as anybody makes one. Each number has one agent; its calls come by both providers.
    fn create(operator: &Operator) -> Self {
        let tenant = operator.create("/tenants", &json!({"name": "Call centre", "timezone": "UTC"}));
        let account = |provider: &str| {
            let credentials = match provider {
                "plivo" => json!({"auth_id": "MA000000000000000001", "auth_token": "a-token"}),
                _ => json!({"account_sid": "AC1", "auth_token": "a-token"}),
            };
            let account = json!({"provider": provider, "label": "main", "credentials": credentials});
            operator.create(&format!("/tenants/{tenant}/accounts"), &account)
        };
        let accounts: Vec<_> = PROVIDERS.iter().map(|provider| account(provider)).collect();
        let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
        let agent = |index| {
            let agent = json!({"name": format!("Agent {index}"), "provider": "custom", "target": target});
            operator.create(&format!("/tenants/{tenant}/agents"), &agent)
        };
        let agents: Vec<_> = (0..AGENTS).map(agent).collect();
        let number = |index: u64| {
            let (account, agent) = (&accounts[0], &agents[(index % AGENTS) as usize]);
            let number = json!({"source": "manual", "phone_number": format!("+1212555{index:04}"),
                "account_id": account, "agent_id": agent});
            operator.create(&format!("/tenants/{tenant}/phone-numbers"), &number)
        };
        let numbers = (0..NUMBERS).map(number).collect();
        let rate = json!({"tenant_id": tenant, "kind": "per_minute", "amount": "0.01", "currency": "USD",
            "valid_from": "2020-01-01T00:00:00Z"});
        let _ = operator.create("/rates", &rate);
        Self { tenant, numbers, agents, accounts }
    }

    /// Writes so many records, spread evenly over the month that begins on that day.
    fn record(&self, database: &Database, calls: u64, month: &str) {
        let mut first = 0;
        while first < calls {
            let last = calls.min(first + CALLS_AT_ONCE) - 1;
            let _ = database.query(&as_operator(&self.insert(calls, month, first, last)));
            first = last + 1;
        }
    }

    /// Calls of half a minute to three and a half, of which most are answered; the provider reports what each costs.
    fn insert(&self, calls: u64, month: &str, first: u64, last: u64) -> String {
        let Self { tenant, numbers, agents, accounts } = self;
        let array = |ids: &[String]| format!("('{{{}}}'::uuid[])", ids.join(","));
        let (numbers, agents, accounts) = (array(numbers), array(agents), array(accounts));
        let providers = format!("('{{{}}}'::text[])", PROVIDERS.join(","));
        format!(
            "INSERT INTO calls (id, started_at, tenant_id, phone_number_id, agent_id, direction, from_number, to_number,
                provider, account_id, provider_call_id, legs, action, outcome, ringing_at, answered_at, ended_at, end_kind,
                duration_ms, reported_cost, reported_currency)
             SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
                    || '8' || substr(md5(n::text), 4, 15))::uuid,
                at, '{tenant}', {numbers}[1 + number], {agents}[1 + number % {AGENTS}], 'inbound', '+1510555' || lpad(
                (n % 9973)::text, 4, '0'), '+1212555' || lpad(number::text, 4, '0'), {providers}[1 + provider],
                {accounts}[1 + provider], 'CA' || md5(n::text), '[]', 'agent',
                CASE WHEN is_answered THEN 'answered' ELSE 'missed' END, at,
                CASE WHEN is_answered THEN at + interval '3 s' END, at + interval '3 s' + lasted, CASE WHEN is_answered THEN 'completed' ELSE 'no_answer' END,
                CASE WHEN is_answered THEN extract(epoch FROM lasted) * 1000 ELSE 0 END::bigint, 0.0085, 'USD'
             FROM (
                SELECT n, '{month} 00:00:00+00'::timestamptz + n::float8 / {calls}
                        * ('{month}'::timestamp + interval '1 month' - '{month}'::timestamp) AS at,
                    n * 7919 % {NUMBERS} AS number, n / {NUMBERS} % {providers_len} AS provider,
                    make_interval(secs => 30 + n * 37 % 181) AS lasted, n % 10 > 0 AS is_answered
                FROM generate_series({first}::bigint, {last}) AS n
             ) AS made",
            providers_len = PROVIDERS.len(),
        )
    }
}

fn as_operator(sql: &str) -> String {
    format!("SET ROLE dialplane_operator; {sql}")
}

/// The last whole month (UTC): its first day, and the next month's.
fn month(database: &Database) -> Result<(String, String), String> {
    let days = database.query(
        "SELECT to_char(first - interval '1 month', 'YYYY-MM-DD'), to_char(first, 'YYYY-MM-DD')
         FROM date_trunc('month', now() AT TIME ZONE 'UTC') AS first",
    );
    let (since, upto) = days.split_once('|').ok_or_else(|| format!("wanted two days, got: {days}"))?;
    Ok((since.to_owned(), upto.to_owned()))
}

/// Waits until the admin plane has worked all hours out. Then the tables are as they are a while later: vacuumed.
fn work_out(database: &Database) -> Result<(), String> {
    let began = Instant::now();
    let marks = as_operator("SELECT count(*) FROM usage_dirty WHERE hour < date_trunc('hour', now(), 'UTC')");
    while database.query(&marks) != "0" {
        if began.elapsed() > GIVE_UP {
            return Err(format!("hours aren't worked out after {GIVE_UP:?}"));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    let _ = database.query("VACUUM (ANALYZE) usage_quarters, usage_costs, usage_dirty, calls");
    Ok(())
}
