//! Usage: what came together of calls, and what it cost. The calls' records are written as the consumer of events writes them.

use std::collections::{BTreeMap, BTreeSet};

use dialplane_common::country::Country;
use dialplane_common::e164::E164;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::harness::{Admin, OPERATOR};

const OK: StatusCode = StatusCode::OK;
const CREATED: StatusCode = StatusCode::CREATED;

/// A call's record, as far as usage looks at it.
#[derive(Clone, Debug)]
struct Call {
    id: Uuid,
    at: Timestamp,
    number: Option<Uuid>,
    agent: Option<Uuid>,
    provider: &'static str,
    /// How long it was under way; absent: its end wasn't told.
    under_way_s: Option<i64>,
    is_answered: bool,
    lasted_ms: Option<i64>,
    /// Columns with their values, as SQL.
    other: &'static [(&'static str, &'static str)],
}

impl Call {
    /// An answered one, of a minute.
    fn at(at: &str) -> Self {
        Self {
            id: Uuid::now_v7(),
            at: at.parse().unwrap(),
            number: None,
            agent: None,
            provider: "twilio",
            under_way_s: Some(60),
            is_answered: true,
            lasted_ms: Some(60_000),
            other: &[],
        }
    }

    fn with(self, other: &'static [(&'static str, &'static str)]) -> Self {
        Self { other, ..self }
    }

    fn lasting(self, ms: i64) -> Self {
        Self { lasted_ms: Some(ms), ..self }
    }

    fn missed(self) -> Self {
        Self { is_answered: false, lasted_ms: None, ..self }
    }

    fn insert(&self, tenant: &str) -> String {
        let text = |text: Option<String>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
        let id = |id: Option<Uuid>| text(id.map(|id| id.to_string()));
        let mut columns = BTreeMap::from([
            ("id", format!("'{}'", self.id)),
            ("started_at", format!("'{}'", self.at)),
            ("tenant_id", format!("'{tenant}'")),
            ("phone_number_id", id(self.number)),
            ("agent_id", id(self.agent)),
            ("provider", format!("'{}'", self.provider)),
            ("direction", "'inbound'".to_owned()),
            ("to_number", "'+12125550001'".to_owned()),
            ("account_id", format!("'{}'", Uuid::nil())),
            ("provider_call_id", format!("'{}'", self.id)),
            ("legs", "'[]'".to_owned()),
            ("outcome", "'answered'".to_owned()),
            ("answered_at", text(self.is_answered.then(|| self.at.to_string()))),
            (
                "ended_at",
                text(self.under_way_s.map(|s| (self.at + SignedDuration::from_secs(s)).to_string())),
            ),
            ("duration_ms", self.lasted_ms.map_or("NULL".to_owned(), |ms| ms.to_string())),
        ]);
        columns.extend(self.other.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let names: Vec<_> = columns.keys().copied().collect();
        let values: Vec<_> = columns.values().map(String::as_str).collect();
        format!("INSERT INTO calls ({}) VALUES ({});", names.join(", "), values.join(", "))
    }
}

async fn run(admin: &Admin, role: &str, sql: String) {
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("SET ROLE {role}; {sql}"))).execute(&mut connection).await.unwrap();
}

async fn as_operator(admin: &Admin, sql: impl Into<String>) {
    run(admin, "dialplane_operator", sql.into()).await;
}

async fn insert(admin: &Admin, tenant: &str, calls: &[Call]) {
    as_operator(admin, calls.iter().map(|call| call.insert(tenant)).collect::<String>()).await;
}

/// Works out whatever is marked, as the background task does.
async fn roll_up(admin: &Admin) {
    loop {
        as_operator(admin, "SELECT usage_roll_up(now(), 1000)").await;
        if admin.query::<i64>("SELECT count(*) FROM usage_dirty WHERE hour < now()").await == 0 {
            return;
        }
    }
}

async fn tenant(admin: &Admin, timezone: &str) -> String {
    admin.create("/tenants", json!({"name": "Salon", "timezone": timezone})).await
}

async fn usage(admin: &Admin, tenant: &str, query: &str) -> Value {
    admin.expect(OK, Method::GET, &format!("/tenants/{tenant}/usage?{query}"), Value::Null).await
}

/// The named fields of an item.
fn fields<const N: usize>(item: &Value, names: [&str; N]) -> [Value; N] {
    names.map(|name| item[name].clone())
}

#[tokio::test]
async fn calls_count_as_what_they_were_on_the_day_that_they_began() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "America/New_York").await;
    let calls = [
        // The last minute of a New York day, and the first of the next.
        Call { under_way_s: Some(7_200), ..Call::at("2026-10-02T03:59:00Z").lasting(7_140_000) },
        Call::at("2026-10-02T04:00:00Z").missed(),
        Call::at("2026-10-02T04:01:00Z").missed().with(&[("voicemail_at", "now()"), ("is_closed", "true")]),
        Call::at("2026-10-02T04:02:00Z").missed().with(&[("refused", "'no_route'")]),
        Call::at("2026-10-02T04:03:00Z").with(&[("direction", "'message'")]),
        // Nobody said that it was answered, but an agent had it.
        Call { agent: Some(Uuid::nil()), is_answered: false, ..Call::at("2026-10-02T04:04:00Z").lasting(1) },
        // Under way, for all that is known.
        Call { under_way_s: None, ..Call::at("2026-10-03T04:00:00Z").missed() },
    ];
    insert(&admin, &tenant, &calls).await;
    let names = [
        "day",
        "calls",
        "answered",
        "missed",
        "closed",
        "refused",
        "voicemail",
        "duration_ms",
        "peak_concurrency",
    ];
    let expected = [
        json!(["2026-10-01", 1, 1, 0, 0, 0, 0, 7_140_000, 1]),
        json!(["2026-10-02", 4, 1, 2, 1, 1, 1, 1, 2]),
        json!(["2026-10-03", 1, 0, 0, 0, 0, 0, 0, 1]),
    ];
    let query = "from=2026-10-01&to=2026-10-05";
    for step in ["from the records", "from what was worked out"] {
        let answer = usage(&admin, &tenant, query).await;
        let items: Vec<_> =
            answer["items"].as_array().unwrap().iter().map(|item| json!(fields(item, names))).collect();
        assert_eq!(items, expected, "{step} {answer}");
        let totals =
            fields(&answer["totals"], ["calls", "missed", "minutes", "billed_minutes", "peak_concurrency"]);
        assert_eq!(json!(totals), json!([6, 2, "119.0000", "0.0000", 2]), "{step}");
        assert_eq!(answer["timezone"], "America/New_York");
        roll_up(&admin).await;
    }
    let utc = usage(&admin, &tenant, &format!("{query}&timezone=UTC")).await;
    assert_eq!(json!(fields(&utc["items"][0], ["day", "calls"])), json!(["2026-10-02", 5]));
    let by_hour = usage(&admin, &tenant, "from=2026-10-02&to=2026-10-03&group_by=hour,agent").await;
    let hours = by_hour["items"].as_array().unwrap();
    assert_eq!(
        json!(fields(&hours[0], ["hour", "agent_id", "calls"])),
        json!(["2026-10-02T04:00:00Z", Uuid::nil(), 1])
    );
    assert_eq!(
        json!(fields(&hours[1], ["hour", "agent_id", "calls"])),
        json!(["2026-10-02T04:00:00Z", null, 3])
    );
    // The long call of the day before goes on.
    assert_eq!(
        json!(fields(&hours[2], ["hour", "calls", "peak_concurrency"])),
        json!(["2026-10-02T05:00:00Z", 0, 1])
    );
}

#[tokio::test]
async fn usage_follows_the_records_and_outlives_them() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "UTC").await;
    let call = Call::at("2026-10-01T10:00:00Z");
    insert(&admin, &tenant, &[call.clone(), Call::at("2026-10-01T11:59:30Z")]).await;
    roll_up(&admin).await;
    let query = "from=2026-10-01&to=2026-10-02&group_by=none";
    let duration = async || usage(&admin, &tenant, query).await["totals"]["duration_ms"].clone();
    assert_eq!(duration().await, 120_000);
    // A later report knows better; once more after it was worked out.
    for ms in [90_000, 30_000] {
        as_operator(&admin, format!("UPDATE calls SET duration_ms = {ms} WHERE id = '{}'", call.id)).await;
        assert_eq!(duration().await, ms + 60_000);
        roll_up(&admin).await;
        assert_eq!(duration().await, ms + 60_000);
    }
    // The event that is heard of last was the first: the call began in another hour.
    let earlier = format!("UPDATE calls SET started_at = '2026-10-01T09:59:59Z' WHERE id = '{}'", call.id);
    as_operator(&admin, earlier).await;
    let hours = async || {
        let answer = usage(&admin, &tenant, "from=2026-10-01&to=2026-10-02&group_by=hour").await;
        let items = answer["items"].as_array().unwrap().iter();
        items.map(|item| json!(fields(item, ["hour", "calls", "peak_concurrency"]))).collect::<Vec<_>>()
    };
    let expected = [
        json!(["2026-10-01T09:00:00Z", 1, 1]),
        json!(["2026-10-01T10:00:00Z", 0, 1]),
        json!(["2026-10-01T11:00:00Z", 1, 1]),
        json!(["2026-10-01T12:00:00Z", 0, 1]),
    ];
    assert_eq!(hours().await, expected);
    roll_up(&admin).await;
    assert_eq!(hours().await, expected);
    let before = usage(&admin, &tenant, query).await;
    as_operator(&admin, "UPDATE usage_state SET frozen_before = '2026-11-01Z'").await;
    admin.execute("TRUNCATE calls").await;
    assert_eq!(usage(&admin, &tenant, query).await, before);
    // Neither what comes too late nor another rate makes it less.
    insert(&admin, &tenant, &[Call::at("2026-10-01T10:00:00Z")]).await;
    roll_up(&admin).await;
    assert_eq!(usage(&admin, &tenant, query).await, before);
}

/// Who writes calls, who works hours out and who asks get in nobody's way, and nothing is lost between them.
#[tokio::test]
async fn usage_is_right_while_calls_change_and_hours_are_worked_out() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "UTC").await;
    let calls: Vec<_> = (0..20).map(|minute| Call::at(&format!("2026-10-01T10:{minute:02}:00Z"))).collect();
    insert(&admin, &tenant, &calls).await;
    let writer = async |calls: &[Call]| {
        for call in calls.iter().cycle().take(100) {
            let longer = "UPDATE calls SET duration_ms = duration_ms + 1";
            as_operator(&admin, format!("{longer} WHERE id = '{}'", call.id)).await;
        }
    };
    let worker = async || {
        for _ in 0..100 {
            as_operator(&admin, "SELECT usage_roll_up(now(), 1)").await;
        }
    };
    let reader = async || {
        let mut before = 0;
        for _ in 0..50 {
            let answer = usage(&admin, &tenant, "from=2026-10-01&to=2026-10-02&group_by=none").await;
            let duration = answer["totals"]["duration_ms"].as_i64().unwrap();
            assert!((before..=1_200_200).contains(&duration), "{duration} behind {before}");
            before = duration;
        }
    };
    // Two writers, who don't wait for each other's rows.
    tokio::join!(writer(&calls[..10]), writer(&calls[10..]), worker(), worker(), reader());
    for _ in 0..2 {
        let answer = usage(&admin, &tenant, "from=2026-10-01&to=2026-10-02&group_by=none").await;
        assert_eq!(answer["totals"]["duration_ms"], 1_200_200);
        roll_up(&admin).await;
    }
}

/// Numbers that repeat: the high bits of a linear congruence.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

type Key = (String, String, String, String);

/// The same sums in the plainest way.
fn worked_out(calls: &[Call], zone: &TimeZone, groups: &[&str]) -> BTreeMap<Key, (i64, i64)> {
    let key = |call: &Call, at: Timestamp| -> Key {
        let by = |name, value: String| if groups.contains(&name) { value } else { String::new() };
        let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        (
            by("day", at.to_zoned(zone.clone()).date().to_string()),
            by("phone_number", id(call.number)),
            by("agent", id(call.agent)),
            by("provider", call.provider.to_owned()),
        )
    };
    let mut sums: BTreeMap<Key, (i64, i64)> = BTreeMap::new();
    for call in calls {
        sums.entry(key(call, call.at)).or_default().0 += 1;
    }
    let end = |call: &Call| {
        let s = call.under_way_s.unwrap_or(14_400).min(14_400);
        call.at + SignedDuration::from_millis((s * 1_000).max(1))
    };
    let first_of_day = |at: Timestamp| at.to_zoned(zone.clone()).start_of_day().unwrap().timestamp();
    // The most is there when a call begins, or when the day does.
    let moments: BTreeSet<_> = calls.iter().flat_map(|call| [call.at, first_of_day(end(call))]).collect();
    for at in moments {
        let mut now: BTreeMap<Key, i64> = BTreeMap::new();
        for call in calls.iter().filter(|call| call.at <= at && end(call) > at) {
            *now.entry(key(call, at)).or_default() += 1;
        }
        for (key, calls_now) in now {
            let sum = sums.entry(key).or_default();
            sum.1 = sum.1.max(calls_now);
        }
    }
    sums
}

#[tokio::test]
async fn sums_and_peaks_of_any_groups_are_those_of_the_calls() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "Asia/Kolkata").await;
    let mut draw = Draw(7);
    let pick = |draw: &mut Draw, of: u64| {
        Some(draw.below(of)).filter(|id| *id > 0).map(|id| Uuid::from_u128(id.into()))
    };
    let start: Timestamp = "2026-10-01T18:30:00Z".parse().unwrap();
    let calls: Vec<_> = (0..250)
        .map(|_| Call {
            at: start + SignedDuration::from_secs(i64::try_from(draw.below(2 * 86_400)).unwrap()),
            number: pick(&mut draw, 4),
            agent: pick(&mut draw, 3),
            provider: ["twilio", "vapi"][usize::try_from(draw.below(2)).unwrap()],
            under_way_s: Some(i64::try_from(draw.below(20_000)).unwrap()).filter(|s| *s < 19_000),
            ..Call::at("2026-10-01T00:00:00Z")
        })
        .collect();
    insert(&admin, &tenant, &calls).await;
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    let names = ["day", "phone_number", "agent", "provider"];
    for rolled_up in [false, true] {
        for set in 0..16 {
            let groups: Vec<_> = (0..4).filter(|bit| set >> bit & 1 == 1).map(|bit| names[bit]).collect();
            let group_by = if groups.is_empty() { "none".to_owned() } else { groups.join(",") };
            let answer =
                usage(&admin, &tenant, &format!("from=2026-10-01&to=2026-10-06&group_by={group_by}")).await;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let items = answer["items"].as_array().unwrap().iter().map(|item| {
                let [day, number, agent, provider] =
                    ["day", "phone_number_id", "agent_id", "provider"].map(|name| text(&item[name]));
                let sums = (item["calls"].as_i64().unwrap(), item["peak_concurrency"].as_i64().unwrap());
                ((day, number, agent, provider), sums)
            });
            let items: BTreeMap<_, _> = items.collect();
            assert_eq!(items, worked_out(&calls, &zone, &groups), "{group_by}, rolled up: {rolled_up}");
            assert_eq!(answer["totals"]["calls"], 250);
            let all = worked_out(&calls, &zone, &[]).into_values().next().unwrap();
            assert_eq!(answer["totals"]["peak_concurrency"], all.1, "{group_by}, rolled up: {rolled_up}");
        }
        roll_up(&admin).await;
    }
}

#[tokio::test]
async fn the_most_specific_rate_holds_and_what_is_reported_or_corrected_counts() {
    let Some(admin) = Admin::start().await else { return };
    let (tenant, other) = (tenant(&admin, "UTC").await, tenant(&admin, "UTC").await);
    let since = "2026-01-01T00:00:00Z";
    let rate = async |kind: &str, amount: &str, more: Value| {
        let mut body = json!({"kind": kind, "amount": amount, "currency": "USD", "valid_from": since});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.create("/rates", body).await
    };
    let long = Call::at("2026-10-01T10:00:00Z").lasting(61_000);
    let canada = Call::at("2026-10-01T11:00:00Z").with(&[("to_number", "'+14165550001'")]);
    let told = Call::at("2026-10-01T12:00:00Z").with(&[
        ("reported_cost", "0.123"),
        ("reported_currency", "'USD'"),
        ("cost_stages", r#"'{"stt": "0.02", "llm": "0.05", "odd": "x"}'"#),
    ]);
    insert(&admin, &tenant, &[long.clone(), canada, told]).await;
    insert(&admin, &other, &[Call::at("2026-10-01T10:00:00Z")]).await;
    roll_up(&admin).await;
    let query = "from=2026-10-01&to=2026-10-02&group_by=none";
    let check = async |tenant: &str, expected: [&str; 3], billed: &str| {
        for _ in 0..2 {
            let answer = usage(&admin, tenant, query).await;
            let amounts = ["cost", "rated", "reported"].map(|list| {
                let amounts = answer["totals"][list].as_array().unwrap().iter();
                amounts.map(|of| {
                    format!("{} {}", of["amount"].as_str().unwrap(), of["currency"].as_str().unwrap())
                })
            });
            let amounts = amounts.map(|amounts| amounts.collect::<Vec<_>>().join(", "));
            assert_eq!(amounts, expected, "{answer}");
            assert_eq!(answer["totals"]["billed_minutes"], billed);
            roll_up(&admin).await;
        }
    };
    check(&tenant, ["0.123 USD", "", "0.123 USD"], "0.0000").await;
    // Two minutes begun, one and one.
    let by_minute = rate("per_minute", "0.01", json!({})).await;
    check(&tenant, ["0.153 USD", "0.04 USD", "0.123 USD"], "4.0000").await;
    check(&other, ["0.01 USD", "0.01 USD", ""], "1.0000").await;
    rate("per_call", "0.0005", json!({})).await;
    check(&tenant, ["0.154 USD", "0.0415 USD", "0.123 USD"], "4.0000").await;
    // By the second; of the one country, of the one tenant; then neither more.
    rate("per_minute", "0.06", json!({"country": "CA", "increment_s": 1})).await;
    check(&tenant, ["0.204 USD", "0.0915 USD", "0.123 USD"], "4.0000").await;
    let own =
        rate("per_minute", "0.02", json!({"tenant_id": tenant, "increment_s": 1, "minimum_s": 90})).await;
    check(&tenant, ["0.184 USD", "0.0915 USD", "0.123 USD"], "4.5000").await;
    check(&other, ["0.0105 USD", "0.0105 USD", ""], "1.0000").await;
    // It held until eleven.
    let path = format!("/rates/{own}");
    admin.expect(OK, Method::PATCH, &path, json!({"valid_to": "2026-10-01T11:00:00Z"})).await;
    check(&tenant, ["0.214 USD", "0.1015 USD", "0.123 USD"], "3.5000").await;
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    check(&tenant, ["0.204 USD", "0.0915 USD", "0.123 USD"], "4.0000").await;
    // Another currency from some time on.
    let euros =
        json!({"currency": "EUR", "valid_from": "2026-10-01T10:00:00Z", "valid_to": "2026-10-01T10:30:00Z"});
    let euros = rate("per_minute", "0.03", euros).await;
    check(&tenant, ["0.06 EUR, 0.184 USD", "0.06 EUR, 0.0715 USD", "0.123 USD"], "4.0000").await;
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &format!("/rates/{euros}"), Value::Null).await;
    // Stages: as told, and where nothing is told, by their rates.
    rate("stage:tts", "0.004", json!({})).await;
    let path = format!("/tenants/{tenant}/usage/stages?from=2026-10-01&to=2026-11-01");
    let stages = admin.expect(OK, Method::GET, &path, Value::Null).await;
    let lines: Vec<_> =
        stages["items"][0]["stages"].as_array().unwrap().iter().map(Value::to_string).collect();
    let line = |stage, amount| json!({"stage": stage, "amount": amount, "currency": "USD"}).to_string();
    assert_eq!(
        lines,
        [line("llm", "0.05"), line("other", "0.122"), line("stt", "0.02"), line("tts", "0.012")]
    );
    assert_eq!(
        (&stages["items"][0]["period"], &stages["totals"]),
        (&json!("2026-10"), &stages["items"][0]["stages"])
    );
    // A person's word counts before all, and the last one of several.
    let path = format!("/tenants/{tenant}/calls/{}/corrections", long.id);
    let first = json!({"duration_ms": 121_000, "reason": "The carrier's list says so."});
    admin.expect(CREATED, Method::POST, &path, first).await;
    check(&tenant, ["0.214 USD", "0.1015 USD", "0.123 USD"], "5.0000").await;
    let second = json!({"cost": "0", "currency": "USD", "reason": "Goodwill."});
    admin.expect(CREATED, Method::POST, &path, second).await;
    check(&tenant, ["0.1835 USD", "0.1015 USD", "0.123 USD"], "5.0000").await;
    let listed = admin.expect(OK, Method::GET, &path, Value::Null).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(json!(fields(&listed["items"][0], ["duration_ms", "cost"])), json!([121_000, null]));
    // Without a rate by the minute, the stages' are the price.
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &format!("/rates/{by_minute}"), Value::Null).await;
    check(&other, ["0.0045 USD", "0.0045 USD", ""], "1.0000").await;
}

#[tokio::test]
async fn numbers_cost_whole_months() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "UTC").await;
    for number in ["+12125550001", "+12125550002", "+442071838750"] {
        let body = json!({"source": "manual", "phone_number": number});
        admin.create(&format!("/tenants/{tenant}/phone-numbers"), body).await;
    }
    let numbers = format!("/tenants/{tenant}/phone-numbers");
    let body = json!({"source": "manual", "phone_number": "+12125550003"});
    let gone = admin.create(&numbers, body).await;
    admin.expect(OK, Method::POST, &format!("{numbers}/{gone}/unassign"), Value::Null).await;
    for (amount, country) in [("1", None), ("2.50", Some("GB"))] {
        let rate = json!({"kind": "per_number_month", "amount": amount, "currency": "USD", "country": country,
            "valid_from": "2026-01-01T00:00:00Z"});
        admin.create("/rates", rate).await;
    }
    let answer = usage(&admin, &tenant, "group_by=none").await;
    let cost = json!([{"amount": "5.50", "currency": "USD"}]);
    assert_eq!(json!(fields(&answer["numbers"][0], ["numbers", "cost"])), json!([4, cost]), "{answer}");
    // So does its own key see it, and nobody had a number years ago.
    let key = admin.tenant_key_of(&tenant, "viewer").await;
    let (_, own) = admin
        .send(&key, Method::GET, &format!("/api/v2/tenants/{tenant}/usage?group_by=none"), &Value::Null)
        .await;
    assert_eq!(own["numbers"], answer["numbers"]);
    let past = usage(&admin, &tenant, "from=2020-01-01&to=2020-02-01").await;
    assert_eq!(past["numbers"], json!([]));
}

/// Postgres tells countries apart as the rest of the program does.
#[tokio::test]
async fn numbers_belong_to_the_countries_that_the_table_of_prefixes_says() {
    let Some(admin) = Admin::start().await else { return };
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
    // Each beginning of up to five digits, with zeros behind: whatever the one knows and the other doesn't shows.
    let beginnings = (1..=9).chain((100..=9_999).filter(|digits| digits % 7 == 0)).chain(12_000..20_000);
    let mut numbers: Vec<_> = beginnings.map(|digits: u32| format!("+{digits:0<11}")).collect();
    numbers.push(String::new());
    let told: Vec<Option<String>> = sqlx::query_scalar(
        "SELECT number_country(number) FROM unnest($1::text[]) WITH ORDINALITY AS n (number, at) ORDER BY at",
    )
    .bind(&numbers)
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let expected = numbers.iter().map(|number| {
        let number: Option<E164> = number.parse().ok();
        number.and_then(Country::of).map(|country| country.as_str().to_owned())
    });
    let expected: Vec<_> = expected.collect();
    assert_eq!(told, expected);
    assert!(told.iter().flatten().collect::<BTreeSet<_>>().len() > 50);
}

#[tokio::test]
async fn tables_are_for_spreadsheets() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "UTC").await;
    let number = Uuid::from_u128(1);
    insert(&admin, &tenant, &[Call { number: Some(number), ..Call::at("2026-10-01T10:00:00Z") }]).await;
    let rate = json!({"kind": "per_minute", "amount": "0.5", "currency": "EUR", "valid_from": "2026-01-01T00:00:00Z"});
    admin.create("/rates", rate).await;
    let path = format!("/tenants/{tenant}/usage?from=2026-10-01&to=2026-10-02&group_by=phone_number,day");
    let expected = format!(
        "phone_number_id,day,calls,answered,missed,closed,refused,voicemail,duration_ms,minutes,billed_minutes,\
         peak_concurrency,cost_eur,rated_eur\n{number},2026-10-01,1,1,0,0,0,0,60000,1.0000,1.0000,1,0.50,0.50\n"
    );
    for (path, accept) in [(format!("{path}&format=csv"), "*/*"), (path.clone(), "text/csv, */*;q=0.1")] {
        let answer =
            admin.request(OPERATOR, Method::GET, &path).header("accept", accept).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
        assert_eq!(answer.text().await.unwrap(), expected);
    }
    let path = "/usage/calls?from=2026-10-01&to=2026-10-02&group_by=tenant&format=csv";
    let answer = admin.request(OPERATOR, Method::GET, path).send().await.unwrap().text().await.unwrap();
    assert!(answer.starts_with("tenant_id,calls,") && answer.contains(&format!("{tenant},1,1,")), "{answer}");
    let path = format!("/tenants/{tenant}/usage/stages?from=2026-10-01&to=2026-10-02&format=csv");
    let answer = admin.request(OPERATOR, Method::GET, &path).send().await.unwrap().text().await.unwrap();
    assert_eq!(answer, "period,stage,currency,amount\n2026-10,other,EUR,0.50\n");
}

#[tokio::test]
async fn operators_see_all_tenants_together() {
    let Some(admin) = Admin::start().await else { return };
    let tenants = [tenant(&admin, "UTC").await, tenant(&admin, "UTC").await];
    for tenant in &tenants {
        insert(&admin, tenant, &[Call::at("2026-10-01T10:00:00Z"), Call::at("2026-10-01T10:00:30Z")]).await;
    }
    let path = "/usage/calls?from=2026-10-01&to=2026-10-02&group_by=tenant,day";
    for _ in 0..2 {
        let answer = admin.expect(OK, Method::GET, path, Value::Null).await;
        let items = answer["items"].as_array().unwrap();
        let items: Vec<_> = items
            .iter()
            .map(|item| json!(fields(item, ["tenant_id", "calls", "peak_concurrency"])))
            .collect();
        assert_eq!(items, [json!([tenants[0], 2, 2]), json!([tenants[1], 2, 2])]);
        assert_eq!(json!(fields(&answer["totals"], ["calls", "peak_concurrency"])), json!([4, null]));
        roll_up(&admin).await;
    }
    let key = admin.tenant_key_of(&tenants[0], "admin").await;
    let (status, _) = admin.send(&key, Method::GET, &format!("/api/v2{path}"), &Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let own = format!("/api/v2/tenants/{}/usage?from=2026-10-01&to=2026-10-02&group_by=none", tenants[0]);
    let (status, answer) = admin.send(&key, Method::GET, &own, &Value::Null).await;
    assert_eq!((status, &answer["totals"]["calls"]), (OK, &json!(2)));
}

#[tokio::test]
async fn times_and_groups_that_make_no_sense_are_refused() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "UTC").await;
    for query in [
        "from=yesterday",
        "from=2026-10-02&to=2026-10-01",
        "from=2025-01-01&to=2026-10-01",
        "from=2026-01-01&to=2026-03-01&group_by=hour",
        "from=2026-10-01T00:01:00Z",
        "timezone=Mars",
        "group_by=tenant",
        "group_by=day,hour",
        "group_by=colour",
        "format=xml",
        "until=2026-10-01",
    ] {
        let path = format!("/tenants/{tenant}/usage?{query}");
        let answer = admin.expect(StatusCode::BAD_REQUEST, Method::GET, &path, Value::Null).await;
        assert_eq!(answer["code"], "invalid_query", "{query} {answer}");
    }
}

#[tokio::test]
async fn rates_that_make_no_sense_are_refused() {
    let Some(admin) = Admin::start().await else { return };
    let rate = json!({"kind": "per_minute", "amount": "0.01", "currency": "USD", "valid_from": "2026-01-01T00:00:00Z"});
    for (field, value) in [
        ("kind", json!("per_second")),
        ("amount", json!("-1")),
        ("amount", json!("0.1234567")),
        ("amount", json!(0.5)),
        ("currency", json!("usd")),
        ("provider", json!("nobody")),
        ("country", json!("XX")),
        ("direction", json!("up")),
        ("increment_s", json!(0)),
        ("minimum_s", json!(-1)),
        ("valid_from", json!("today")),
        ("valid_to", json!("2026-01-01T00:00:00Z")),
        ("tenant_id", json!(Uuid::nil())),
        ("colour", json!("red")),
    ] {
        let mut body = rate.clone();
        body[field] = value;
        admin.refused(Method::POST, "/rates", body, field).await;
    }
    let id = admin.create("/rates", rate.clone()).await;
    let again = admin.expect(StatusCode::CONFLICT, Method::POST, "/rates", rate.clone()).await;
    assert_eq!((&again["code"], &again["field"]), (&json!("rate_ambiguous"), &json!("valid_from")));
    let mut later = rate;
    later["valid_from"] = json!("2026-02-01T00:00:00Z");
    let later = admin.create("/rates", later).await;
    let path = format!("/rates/{later}");
    let same = json!({"valid_from": "2026-01-01T00:00:00Z"});
    let refused = admin.expect(StatusCode::CONFLICT, Method::PATCH, &path, same).await;
    assert_eq!(refused["code"], "rate_ambiguous");
    let listed = admin.expect(OK, Method::GET, "/rates?kind=per_minute", Value::Null).await;
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|rate| rate["id"].clone()).collect();
    assert_eq!(ids, [json!(id), json!(later)]);
    assert_eq!(listed["items"][0]["amount"], "0.01");
    let tenant = tenant(&admin, "UTC").await;
    let call = Call::at("2026-10-01T10:00:00Z");
    insert(&admin, &tenant, std::slice::from_ref(&call)).await;
    let path = format!("/tenants/{tenant}/calls/{}/corrections", call.id);
    for (body, field) in [
        (json!({"reason": "x"}), "duration_ms"),
        (json!({"reason": "x", "duration_ms": -1}), "duration_ms"),
        (json!({"reason": "x", "cost": "1"}), "currency"),
        (json!({"reason": "x", "currency": "USD"}), "cost"),
        (json!({"reason": "", "duration_ms": 1}), "reason"),
        (json!({"duration_ms": 1}), "reason"),
    ] {
        admin.refused(Method::POST, &path, body, field).await;
    }
    let nowhere = format!("/tenants/{tenant}/calls/{}/corrections", Uuid::nil());
    let body = json!({"reason": "x", "duration_ms": 1});
    admin.expect(StatusCode::NOT_FOUND, Method::POST, &nowhere, body).await;
}
