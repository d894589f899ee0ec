//! What routers tell of calls, as signed batches in the stream: each counts once, whatever comes in between.

mod refused;

use std::time::Duration;

use dialplane_admin::calls::upkeep;
use dialplane_admin::config::SealKeys;
use dialplane_admin::store::Store;
use dialplane_common::calls::batch::{Batch, WriterId};
use dialplane_common::calls::event::{Action, CallEvent, Decided, Refused, What};
use dialplane_common::calls::report::{Cost, End, Progress, Report};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::ids::{AccountId, PhoneNumberId, TenantId};
use redis::aio::MultiplexedConnection;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::harness::{Admin, ENCRYPTION_KEY, FEED_KEY, OPERATOR};

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A router's part: it writes batches.
struct Writer {
    id: WriterId,
    sequence: u64,
    signing: Keyring,
    keys: Keys,
    redis: MultiplexedConnection,
}

impl Writer {
    async fn start(admin: &Admin) -> Self {
        let client = redis::Client::open(admin.redis_url.as_str()).unwrap();
        Self {
            id: WriterId(Uuid::now_v7()),
            sequence: 0,
            signing: Keyring::feed(FEED_KEY).unwrap(),
            keys: Keys::new(&admin.namespace),
            redis: client.get_multiplexed_async_connection().await.unwrap(),
        }
    }

    async fn send(&mut self, events: &[CallEvent<'_>]) {
        self.sequence += 1;
        self.send_as(self.sequence, events).await;
    }

    async fn send_as(&mut self, sequence: u64, events: &[CallEvent<'_>]) {
        let mut frames = Vec::new();
        assert!(events.iter().all(|event| event.write(&mut frames)));
        let batch = Batch { writer: self.id, sequence, events: &frames };
        let batch = batch.sign(&self.signing);
        self.add("batch", &batch).await;
    }

    async fn add(&mut self, field: &str, value: &[u8]) {
        let mut command = redis::cmd("XADD");
        command.arg(self.keys.events()).arg("*").arg(field).arg(value);
        command.query_async::<()>(&mut self.redis).await.unwrap();
    }

    /// Up to where it is told that its batches are stored.
    async fn stored(&mut self) -> u64 {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.events_stored()).arg(self.id.0.to_string());
        command.query_async::<Option<u64>>(&mut self.redis).await.unwrap().unwrap_or_default()
    }

    /// Waits until all that it sent is stored.
    async fn settled(&mut self) {
        eventually("all is stored", async || self.stored().await >= self.sequence).await;
    }
}

/// A tenant whose calls are told of.
struct Salon {
    tenant: Uuid,
    number: Uuid,
    carrier: Uuid,
    agents: Uuid,
}

impl Salon {
    /// One that nobody needs to know.
    fn anybody() -> Self {
        Self {
            tenant: Uuid::now_v7(),
            number: Uuid::now_v7(),
            carrier: Uuid::now_v7(),
            agents: Uuid::now_v7(),
        }
    }

    /// One that is there.
    async fn create(admin: &Admin) -> Self {
        let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
        let credentials = json!({"account_sid": "AC1", "auth_token": "t"});
        let account = json!({"provider": "twilio", "label": "main", "credentials": credentials});
        let account = admin.create(&format!("/tenants/{tenant}/accounts"), account).await;
        let number = json!({"source": "manual", "phone_number": "+12125550001", "account_id": account});
        let number = admin.create(&format!("/tenants/{tenant}/phone-numbers"), number).await;
        let id = |text: &str| text.parse().unwrap();
        Self { tenant: id(&tenant), number: id(&number), carrier: id(&account), agents: Uuid::now_v7() }
    }

    /// The carrier's leg, so many seconds after a moment of today.
    fn event(&self, seconds: i64, call_id: &str, what: What<'static>) -> CallEvent<'static> {
        CallEvent {
            at_ms: noon() + seconds * 1_000,
            provider: "twilio".into(),
            account: AccountId(self.carrier),
            tenant: Some(TenantId(self.tenant)),
            number: Some(PhoneNumberId(self.number)),
            call_id: call_id.to_owned().into(),
            carrier_call_id: None,
            to: "+12125550001".into(),
            from: "+15105550198".into(),
            what,
        }
    }

    /// The leg of an agent's provider.
    fn of_agent(
        &self,
        seconds: i64,
        call_id: &str,
        carrier: Option<&str>,
        what: What<'static>,
    ) -> CallEvent<'static> {
        CallEvent {
            provider: "vapi".into(),
            account: AccountId(self.agents),
            carrier_call_id: carrier.map(|id| id.to_owned().into()),
            ..self.event(seconds, call_id, what)
        }
    }

    /// What happens to a few calls, some of it odd.
    fn day(&self) -> Vec<CallEvent<'static>> {
        let unknown = CallEvent {
            tenant: None,
            number: None,
            to: "+12125559999".into(),
            ..self.event(7, "CA3", What::Refused(Refused::UnknownNumber))
        };
        vec![
            self.event(0, "CA1", offered()),
            self.event(1, "CA1", progress(Progress::Answered)),
            self.of_agent(2, "v1", None, progress(Progress::Answered)),
            self.of_agent(58, "v1", Some("CA1"), cost()),
            self.event(60, "CA1", ended(End::Completed, 59_000)),
            self.event(61, "CA1", progress(Progress::Ringing)),
            unknown,
            self.event(8, "CA4", offered()),
            self.event(20, "CA4", ended(End::Completed, -5)),
            self.event(21, "CA4", ended(End::Busy, 11_000)),
            self.event(9, "SM1", What::Message),
        ]
    }
}

/// Some minutes ago, so that all is of today's partition and nothing is of the future.
fn noon() -> i64 {
    static NOON: std::sync::LazyLock<i64> =
        std::sync::LazyLock::new(|| jiff::Timestamp::now().as_millisecond() - 600_000);
    *NOON
}

fn offered() -> What<'static> {
    What::Offered(Decided { action: Action::Agent, agent: None, is_closed: false, is_over_limit: false })
}

fn progress(progress: Progress) -> What<'static> {
    What::Reported(Report::of(progress))
}

fn ended(end: End, duration_ms: i64) -> What<'static> {
    What::Reported(Report { duration_ms: Some(duration_ms), ..Report::of(Progress::Ended(end)) })
}

fn cost() -> What<'static> {
    let stages = vec![("llm".into(), "0.08".into()), ("tts".into(), "0.04".into())];
    let cost = Some(Cost { amount: "0.12".into(), currency: "USD".into(), stages });
    What::Reported(Report { cost, reason: Some("customer-ended-call".into()), ..Report::default() })
}

async fn get(admin: &Admin, path: &str) -> Value {
    admin.expect(StatusCode::OK, Method::GET, path, Value::Null).await
}

/// An operator's question with one answer.
async fn ask<T>(admin: &Admin, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
}

/// What lists show of the calls of a salon's accounts, without whose they are.
async fn records(admin: &Admin, salon: &Salon) -> String {
    ask(
        admin,
        &format!(
            "SELECT string_agg((to_jsonb(calls) - '{{id, tenant_id, phone_number_id, account_id, legs, updated_at}}'::text[])::text,
                E'\\n' ORDER BY provider_call_id) FROM calls WHERE account_id IN ('{}', '{}')",
            salon.carrier, salon.agents
        ),
    )
    .await
}

#[tokio::test]
async fn what_happened_on_a_call_is_listed_and_shown() {
    let Some(admin) = Admin::start().await else { return };
    let salon = Salon::create(&admin).await;
    let mut writer = Writer::start(&admin).await;
    writer.send(&salon.day()).await;
    writer.settled().await;
    let tenant = format!("/tenants/{}", salon.tenant);
    let list = get(&admin, &format!("{tenant}/calls")).await;
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{list}");
    // The newest first.
    assert_eq!(
        (&items[0]["provider_call_id"], &items[1]["provider_call_id"]),
        (&json!("CA4"), &json!("CA1"))
    );
    let call = get(&admin, &format!("{tenant}/calls/{}", items[1]["id"].as_str().unwrap())).await;
    assert_eq!((&call["outcome"], &call["duration_ms"]), (&json!("answered"), &json!(59_000)));
    assert_eq!((&call["reported_cost"], &call["cost_stages"]["llm"]), (&json!("0.12"), &json!("0.08")));
    assert_eq!((&call["flags"], &call["from"]), (&json!(["late_status"]), &json!("+15105550198")));
    assert_eq!(call["legs"].as_array().unwrap().len(), 2, "{call}");
    for (query, expected) in [
        ("outcome=answered", 2),
        ("outcome=under_way", 0),
        ("outcome=message", 1),
        ("flag=conflicting_repeat", 1),
        ("from=%2B15105550198&to=+12125550001", 2),
        ("provider=vapi", 0),
        ("since=2100-01-01T00:00:00Z", 0),
        ("until=2100-01-01T00:00:00Z", 2),
        (&format!("phone_number_id={}", salon.number), 2),
        (&format!("agent_id={}", salon.number), 0),
    ] {
        let found = get(&admin, &format!("{tenant}/calls?{query}")).await;
        assert_eq!(found["items"].as_array().unwrap().len(), expected, "{query} {found}");
    }
    let first = get(&admin, &format!("{tenant}/calls?limit=1")).await;
    let second =
        get(&admin, &format!("{tenant}/calls?limit=1&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!((&second["items"][0]["id"], &second["next"]), (&items[1]["id"], &Value::Null));
    // Operators see what is nobody's, too.
    let all = get(&admin, "/calls").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 3, "{all}");
    assert_eq!(get(&admin, "/calls?outcome=refused").await["items"][0]["tenant_id"], Value::Null);
    let metrics = admin.metrics().await;
    assert!(metrics.contains("call_events_total{kind=\"offered\"} 2"), "{metrics}");
    for (path, code) in [("/calls?limit=0", "invalid_query"), ("/calls?cursor=x", "invalid_cursor")] {
        let refused = admin.expect(StatusCode::BAD_REQUEST, Method::GET, path, Value::Null).await;
        assert_eq!(refused["code"], code);
    }
}

#[tokio::test]
async fn orders_repeats_and_batches_make_no_difference() {
    let Some(admin) = Admin::start().await else { return };
    let _second = admin.beside();
    let (mut one, mut other) = (Writer::start(&admin).await, Writer::start(&admin).await);
    let plain = Salon::anybody();
    one.send(&plain.day()).await;
    one.settled().await;
    let expected = records(&admin, &plain).await;
    for round in 0..12_usize {
        let salon = Salon::anybody();
        let mut events = salon.day();
        events.extend(salon.day().into_iter().skip(round % 5).step_by(2));
        let length = events.len();
        events.rotate_left(round * 7 % length);
        if round % 2 == 1 {
            events.reverse();
        }
        for (at, batch) in events.chunks(1 + round % 4).enumerate() {
            let writer = if at % 2 == 0 { &mut one } else { &mut other };
            writer.send(batch).await;
            if at % 3 == 0 {
                // The batch again, as it was.
                let sequence = writer.sequence;
                writer.send_as(sequence, batch).await;
            }
        }
        one.settled().await;
        other.settled().await;
        assert_eq!(records(&admin, &salon).await, expected, "round {round}");
    }
    // Each refused call once, however often its webhook came.
    let most: i64 = ask(&admin, "SELECT max(count) FROM refused_calls").await;
    assert_eq!(most, 1);
    let left: i64 = ask(&admin, "SELECT count(*) FROM event_batches").await;
    assert_eq!(left, 0, "all are stored without a hole");
}

#[tokio::test]
async fn several_processes_share_the_work_and_what_a_dead_one_had_is_stored() {
    let Some(mut admin) = Admin::start().await else { return };
    let mut second = admin.beside();
    let salon = Salon::anybody();
    let mut writers = [Writer::start(&admin).await, Writer::start(&admin).await];
    // The group is there once the first has read.
    writers[0].send(&[]).await;
    writers[0].settled().await;
    second.stop();
    for call in 0..300 {
        let id = format!("CA{call}");
        let events = [
            salon.event(call, &id, offered()),
            salon.event(call + 1, &id, progress(Progress::Answered)),
            salon.event(call + 9, &id, ended(End::Completed, 8_000)),
        ];
        // Of one call, by several routers, at one time.
        for (at, event) in events.into_iter().enumerate() {
            writers[at % 2].send(&[event]).await;
        }
        if call == 50 {
            // It takes some with it.
            admin.restart();
        }
        if call == 100 {
            second = admin.beside();
        }
    }
    // Somebody read these and died.
    let writer = &mut writers[0];
    let mut command = redis::cmd("XREADGROUP");
    command
        .arg("GROUP")
        .arg("admin")
        .arg("dead")
        .arg("COUNT")
        .arg(5)
        .arg("STREAMS")
        .arg(writer.keys.events())
        .arg(">");
    let taken: redis::Value = command.query_async(&mut writer.redis).await.unwrap();
    drop(taken);
    let mut pending = redis::cmd("XPENDING");
    pending.arg(writer.keys.events()).arg("admin").arg("-").arg("+").arg(10_000);
    let pending: Vec<(String, String, u64, u64)> = pending.query_async(&mut writer.redis).await.unwrap();
    for (id, consumer, ..) in pending {
        let mut command = redis::cmd("XCLAIM");
        command.arg(writer.keys.events()).arg("admin").arg(consumer).arg(0).arg(id).arg("IDLE").arg(60_000);
        let _: redis::Value = command.query_async(&mut writer.redis).await.unwrap();
    }
    for writer in &mut writers {
        writer.settled().await;
    }
    let sql = "SELECT count(*) FROM calls WHERE outcome = 'answered' AND duration_ms = 8000 AND flags = '{}'";
    assert_eq!(ask::<i64>(&admin, sql).await, 300);
    assert_eq!(ask::<i64>(&admin, "SELECT count(*) FROM calls").await, 300);
    drop(second);
}

#[tokio::test]
async fn an_emptied_redis_loses_nothing_that_writers_still_have() {
    let Some(admin) = Admin::start().await else { return };
    let salon = Salon::anybody();
    let mut writer = Writer::start(&admin).await;
    writer.send(&[salon.event(0, "CA1", offered())]).await;
    writer.settled().await;
    let mut command = redis::cmd("DEL");
    command.arg(writer.keys.events()).arg(writer.keys.events_stored());
    command.query_async::<()>(&mut writer.redis).await.unwrap();
    // Told again without being asked.
    writer.settled().await;
    // A batch goes missing, and comes behind the next one.
    let end = [salon.event(9, "CA1", ended(End::Completed, 8_000))];
    writer.send_as(3, &end).await;
    writer.send_as(3, &end).await;
    writer.send_as(2, &[salon.event(1, "CA1", progress(Progress::Answered))]).await;
    writer.sequence = 3;
    writer.settled().await;
    assert_eq!(ask::<String>(&admin, "SELECT outcome FROM calls").await, "answered");
}

#[tokio::test]
async fn names_of_records_that_moved_or_went_hold_nothing_up() {
    let Some(admin) = Admin::start().await else { return };
    let (salon, other) = (Salon::anybody(), Salon::anybody());
    let mut writer = Writer::start(&admin).await;
    // Of one call two tenants are told: the record keeps the first, and moves when an earlier event of it comes.
    let of_other = CallEvent {
        tenant: Some(TenantId(other.tenant)),
        ..salon.event(2, "CA1", progress(Progress::Answered))
    };
    writer.send(&[salon.event(1, "CA1", offered()), of_other]).await;
    writer.send(&[salon.event(0, "CA1", offered())]).await;
    writer.send(&[other.of_agent(3, "v1", Some("CA1"), progress(Progress::Answered))]).await;
    // A record whose partition was dropped.
    writer.send(&[salon.event(5, "CA2", offered())]).await;
    writer.settled().await;
    let gone = "WITH gone AS (DELETE FROM calls WHERE provider_call_id = 'CA2' RETURNING 1) SELECT count(*) FROM gone";
    assert_eq!(ask::<i64>(&admin, gone).await, 1);
    writer.send(&[salon.event(6, "CA2", progress(Progress::Answered))]).await;
    writer.settled().await;
    let calls = "SELECT string_agg(provider_call_id || ' ' || jsonb_array_length(legs), ',' ORDER BY provider_call_id)
        FROM calls";
    assert_eq!(ask::<String>(&admin, calls).await, "CA1 2,CA2 1");
}

#[tokio::test]
async fn what_nobody_can_read_is_put_aside_and_holds_nothing_up() {
    let Some(admin) = Admin::start().await else { return };
    let salon = Salon::anybody();
    let mut writer = Writer::start(&admin).await;
    let signing = std::mem::replace(&mut writer.signing, Keyring::feed("a-key-of-somebody-else").unwrap());
    writer.send_as(1, &[salon.event(0, "CA0", offered())]).await;
    writer.signing = signing;
    writer.add("batch", b"nothing").await;
    writer.add("other", b"field").await;
    // An event that can't be read, between two that can; texts that no database takes.
    let mut frames = Vec::new();
    let hostile = CallEvent { from: "a\0b".into(), at_ms: i64::MIN, ..salon.event(0, "C\0A2", offered()) };
    let _ = salon.event(0, "CA1", offered()).write(&mut frames);
    frames.extend_from_slice(&[3, 0, 0, 0, 255, 255, 255]);
    let _ = hostile.write(&mut frames);
    let batch = Batch { writer: writer.id, sequence: 1, events: &frames }.sign(&writer.signing);
    writer.add("batch", &batch).await;
    writer.sequence = 1;
    writer.settled().await;
    assert_eq!(ask::<i64>(&admin, "SELECT count(*) FROM calls").await, 2);
    assert_eq!(
        ask::<String>(&admin, "SELECT tableoid::regclass::text FROM calls WHERE from_number = 'ab'").await,
        "calls_default"
    );
    let mut command = redis::cmd("XLEN");
    command.arg(writer.keys.events_dead());
    assert_eq!(command.query_async::<u64>(&mut writer.redis).await.unwrap(), 3);
    let metrics = admin.metrics().await;
    for line in ["call_event_batches_total{outcome=\"dead\"} 3", "call_events_total{kind=\"unreadable\"} 1"] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test]
async fn calls_that_werent_routed_stand_where_somebody_finds_them() {
    let Some(admin) = Admin::start().await else { return };
    let salon = Salon::create(&admin).await;
    let mut writer = Writer::start(&admin).await;
    let refused = |call: &str, to: &'static str| CallEvent {
        tenant: None,
        number: None,
        to: to.into(),
        ..salon.event(0, call, What::Refused(Refused::UnknownNumber))
    };
    writer
        .send(&[
            refused("CA1", "+12125559999"),
            refused("CA1", "+12125559999"),
            refused("CA2", "+12125559999"),
        ])
        .await;
    writer.settled().await;
    let own = get(&admin, &format!("/tenants/{}/refused-calls", salon.tenant)).await;
    let row = &own["items"][0];
    assert_eq!((&row["count"], &row["reason"]), (&json!(2), &json!("unknown_number")), "{own}");
    assert!(row["advice"].as_str().unwrap().contains("No tenant has +12125559999"), "{row}");
    assert_eq!(get(&admin, "/refused-calls").await, own);
    let path = format!("/refused-calls/{}", row["id"].as_str().unwrap());
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    admin.expect(StatusCode::NOT_FOUND, Method::DELETE, &path, Value::Null).await;
    assert_eq!(get(&admin, "/refused-calls").await["items"], json!([]));
    // Called again, it is there again.
    writer.send(&[refused("CA3", "+12125559999")]).await;
    writer.settled().await;
    assert_eq!(get(&admin, "/refused-calls").await["items"][0]["count"], 3);
    // Bounded by account.
    ask::<i64>(&admin, &format!("WITH many AS (
        INSERT INTO refused_calls (id, account_id, called_number, reason, count, first_at, last_at)
        SELECT gen_random_uuid(), '{}', 'x' || n, 'unknown_number', 1, now(), now() FROM generate_series(1, 9999) AS n RETURNING 1
    ) SELECT count(*) FROM many", salon.carrier)).await;
    writer
        .send(&[
            refused("CA4", "+12125559998"),
            refused("CA5", "+12125559997"),
            refused("CA6", "+12125559999"),
        ])
        .await;
    writer.settled().await;
    let count = |sql: &'static str| ask::<i64>(&admin, sql);
    assert_eq!(
        count("SELECT count FROM refused_calls WHERE reason = 'other' AND called_number = ''").await,
        2
    );
    assert_eq!(count("SELECT count FROM refused_calls WHERE called_number = '+12125559999'").await, 4);
    assert_eq!(count("SELECT count(*) FROM refused_calls").await, 10_001);
}

#[tokio::test]
async fn a_ported_number_is_active_from_its_first_call_on() {
    let Some(admin) = Admin::start().await else { return };
    let salon = Salon::create(&admin).await;
    ask::<i64>(&admin, "WITH ported AS (UPDATE phone_numbers SET lifecycle = 'porting' RETURNING 1) SELECT count(*) FROM ported").await;
    let revision = get(&admin, "/feed").await["revision"].as_u64().unwrap();
    let mut writer = Writer::start(&admin).await;
    // A message shows nothing of calls.
    writer.send(&[salon.event(0, "SM1", What::Message)]).await;
    writer.send(&[salon.event(0, "CA1", offered())]).await;
    writer.settled().await;
    let path = format!("/tenants/{}/phone-numbers/{}", salon.tenant, salon.number);
    eventually("the number is active", async || get(&admin, &path).await["lifecycle"] == "active").await;
    assert!(get(&admin, "/feed").await["revision"].as_u64().unwrap() > revision);
    admin.sealed().await;
    let audit =
        get(&admin, &format!("/tenants/{}/audit?resource=phone_number&actor=system:calls", salon.tenant))
            .await;
    assert_eq!(audit["items"][0]["after"]["lifecycle"], "active", "{audit}");
}

/// The data of events of a stream.
struct Follower {
    response: reqwest::Response,
    read: String,
}

impl Follower {
    async fn open(admin: &Admin, key: &str, path: &str) -> Self {
        let request = admin.request(key, Method::GET, path).header("accept", "text/event-stream");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Self { response, read: String::new() }
    }

    /// The next one; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n") {
                let data = block.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.read = rest.to_owned();
                if let Some(data) = data {
                    return Some(serde_json::from_str(&data).unwrap());
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.unwrap().unwrap()?;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test]
async fn calls_are_seen_while_they_are_under_way() {
    let Some(admin) = Admin::start().await else { return };
    let second = admin.beside();
    let salon = Salon::create(&admin).await;
    let mut writer = Writer::start(&admin).await;
    writer.send(&[salon.event(0, "CA1", offered())]).await;
    writer.settled().await;
    let path = format!("/tenants/{}/calls/live", salon.tenant);
    let list = get(&admin, &path).await;
    assert_eq!(list["items"][0]["provider_call_id"], "CA1", "{list}");
    let key = admin.tenant_key_of(&salon.tenant.to_string(), "viewer").await;
    let mut own = Follower::open(&second, &key, &path).await;
    let mut all = Follower::open(&admin, OPERATOR, "/calls/live").await;
    for follower in [&mut own, &mut all] {
        let call = follower.next().await.unwrap();
        assert_eq!(
            (&call["call"]["provider_call_id"], &call["call"]["ended_at"]),
            (&json!("CA1"), &Value::Null)
        );
    }
    // Another tenant's is seen by operators alone.
    writer.send(&[Salon::anybody().event(5, "CA2", offered())]).await;
    writer.settled().await;
    assert_eq!(all.next().await.unwrap()["call"]["provider_call_id"], "CA2");
    writer.send(&[salon.event(9, "CA1", ended(End::Completed, 8_000))]).await;
    for follower in [&mut own, &mut all] {
        let call = follower.next().await.unwrap();
        assert_eq!(
            (&call["call"]["provider_call_id"], &call["call"]["outcome"]),
            (&json!("CA1"), &json!("answered"))
        );
    }
    assert_eq!(get(&admin, &path).await["items"], json!([]));
    // It ends with its key.
    let keys = get(&admin, &format!("/tenants/{}/api-keys", salon.tenant)).await;
    let id = keys["items"][0]["id"].as_str().unwrap();
    let path = format!("/tenants/{}/api-keys/{id}", salon.tenant);
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    assert_eq!(own.next().await, None);
}

#[tokio::test]
async fn months_are_there_before_they_begin_and_go_when_they_are_old() {
    let Some(admin) = Admin::start().await else { return };
    let salon = Salon::anybody();
    let mut writer = Writer::start(&admin).await;
    let day = 24 * 60 * 60;
    let sql = "SELECT extract(epoch FROM date_trunc('month', now()) + interval '3 months 9 days')::bigint";
    let ahead = ask::<i64>(&admin, sql).await - noon() / 1_000;
    // Of a month that has no partition yet, by a router whose clock is off; and of one that is long gone.
    writer.send(&[salon.event(ahead, "CA1", offered()), salon.event(-800 * day, "CA2", offered())]).await;
    writer.send(&[salon.event(0, "CA3", offered())]).await;
    writer.settled().await;
    let keys = SealKeys {
        at_rest: Keyring::parse("admin", ENCRYPTION_KEY).unwrap(),
        feed: Keyring::feed(FEED_KEY).unwrap(),
    };
    let store = Store::new(&admin.database_url, std::sync::Arc::new(keys)).unwrap();
    for _ in 0..2 {
        upkeep::once(&store, 400).await.unwrap();
    }
    let sql = "SELECT string_agg(provider_call_id, ',' ORDER BY provider_call_id) FROM calls
        WHERE tableoid <> 'calls_default'::regclass";
    assert_eq!(ask::<String>(&admin, sql).await, "CA1,CA3");
    assert_eq!(ask::<i64>(&admin, "SELECT count(*) FROM calls").await, 2);
    assert_eq!(ask::<i64>(&admin, "SELECT count(*) FROM call_legs").await, 4);
    // A later event of one that moved finds it.
    writer.send(&[salon.event(ahead + 9, "CA1", ended(End::Completed, 8_000))]).await;
    writer.settled().await;
    assert_eq!(
        ask::<String>(&admin, "SELECT outcome FROM calls WHERE provider_call_id = 'CA1'").await,
        "answered"
    );
    // A month that is over goes whole.
    ask::<bool>(&admin, "SELECT calls_make_partition('2020-01-15Z')").await;
    writer.send(&[]).await;
    upkeep::once(&store, 400).await.unwrap();
    assert!(ask::<bool>(&admin, "SELECT to_regclass('calls_2020_01') IS NULL").await);
}
