//! Batches that Postgres refuses: put aside where they are at fault, tried again where they aren't.

use dialplane_common::calls::batch::Batch;
use dialplane_common::calls::event::{CallEvent, EVENT_BYTES_MAX, Refused, What};
use redis::FromRedisValue;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::{Salon, Writer, ask, eventually, offered};
use crate::harness::Admin;

/// Whose calls the database of a test refuses, with the code that stands in `fault`.
const CALLER: &str = "+15105550666";
/// As often as what is put aside in the end is tried before: together with others, then alone.
const TRIES: i64 = 5;
/// So often one try begins its transaction again where another was in its way.
const ATTEMPTS: i64 = 8;

/// A database that refuses calls of [`CALLER`] as it is told, and counts how often it did.
struct Fault(PgConnection);

impl Fault {
    async fn new(admin: &Admin) -> Self {
        let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
        let sql = format!(
            "CREATE SEQUENCE fault_tries;
             CREATE TABLE fault (code text);
             GRANT SELECT ON fault TO dialplane_operator;
             GRANT USAGE ON SEQUENCE fault_tries TO dialplane_operator;
             CREATE FUNCTION fault_raise() RETURNS trigger LANGUAGE plpgsql AS $$
             DECLARE
                 told text := (SELECT code FROM public.fault);
             BEGIN
                 IF NEW.from_number = '{CALLER}' AND told IS NOT NULL THEN
                     -- What a sequence counts isn't rolled back.
                     PERFORM nextval('public.fault_tries');
                     RAISE EXCEPTION 'refused by the test' USING ERRCODE = told;
                 END IF;
                 RETURN NEW;
             END
             $$;
             CREATE TRIGGER fault BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION fault_raise()"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    /// Refuses with this code from now on; `None`: no more.
    async fn set(&mut self, code: Option<&str>) {
        sqlx::raw_sql("DELETE FROM fault").execute(&mut self.0).await.unwrap();
        sqlx::query("INSERT INTO fault VALUES ($1)").bind(code).execute(&mut self.0).await.unwrap();
    }

    /// How often it has refused.
    async fn tries(&mut self) -> i64 {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM fault_tries";
        sqlx::query_scalar(sql).fetch_one(&mut self.0).await.unwrap()
    }

    /// Waits until it has refused so often.
    async fn tried(&mut self, tries: i64) {
        eventually(&format!("it is tried {tries} times"), async || self.tries().await >= tries).await;
    }
}

impl Writer {
    /// Sends a batch between two good ones, of the round's calls `before` and `behind`, all at one moment, so that they
    /// are read together.
    async fn send_among_good(&mut self, salon: &Salon, round: usize, event: &CallEvent<'_>) {
        let good = |seconds, place| salon.event(seconds, &format!("CA{round}{place}"), offered());
        let (before, behind) = (good(0, "before"), good(2, "behind"));
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for event in [&before, event, &behind] {
            self.sequence += 1;
            let frames = frames(event);
            let batch = Batch { writer: self.id, sequence: self.sequence, events: &frames };
            let batch = batch.sign(&self.signing);
            pipeline.cmd("XADD").arg(self.keys.events()).arg("*").arg("batch").arg(batch).ignore();
        }
        pipeline.query_async::<()>(&mut self.redis).await.unwrap();
    }

    /// What was put aside: which entries, with which events.
    async fn dead(&mut self) -> Vec<(String, Vec<u8>)> {
        let mut command = redis::cmd("XRANGE");
        command.arg(self.keys.events_dead()).arg("-").arg("+");
        let entries: Vec<(String, redis::Value)> = command.query_async(&mut self.redis).await.unwrap();
        let fields = |(_, fields)| {
            let mut fields = std::collections::HashMap::<String, Vec<u8>>::from_redis_value(fields).unwrap();
            (String::from_utf8(fields.remove("entry").unwrap()).unwrap(), fields.remove("batch").unwrap())
        };
        entries.into_iter().map(fields).collect()
    }

    /// Entries in the stream.
    async fn waiting(&mut self) -> u64 {
        let mut command = redis::cmd("XLEN");
        command.arg(self.keys.events());
        command.query_async(&mut self.redis).await.unwrap()
    }
}

fn frames(event: &CallEvent<'_>) -> Vec<u8> {
    let mut frames = Vec::new();
    assert!(event.write(&mut frames));
    frames
}

/// A call of whom the database refuses.
fn refused_call(salon: &Salon, call: &str) -> CallEvent<'static> {
    CallEvent { from: CALLER.into(), ..salon.event(1, call, offered()) }
}

/// A call for a number so long, and so unlike itself, that no index takes it: nothing but a router of another kind says
/// so.
fn endless_call(salon: &Salon, call: &str) -> CallEvent<'static> {
    let mut number = String::new();
    while number.len() < EVENT_BYTES_MAX - 256 {
        // The random half of an id, as characters of which hardly any three come twice.
        number.extend(Uuid::now_v7().as_bytes()[8..].iter().map(|byte| char::from(b'0' + (byte & 63))));
    }
    let what = What::Refused(Refused::UnknownNumber);
    CallEvent { to: number.into(), tenant: None, number: None, ..salon.event(1, call, what) }
}

#[tokio::test]
async fn a_batch_that_postgres_refuses_is_put_aside_alone_and_once() {
    let Some(admin) = Admin::start().await else { return };
    let salon = Salon::anybody();
    let mut fault = Fault::new(&admin).await;
    let mut writer = Writer::start(&admin).await;
    let mut expected = Vec::new();
    // A value out of range, a check, too long for an index.
    for (round, code) in [Some("22003"), Some("23514"), None].into_iter().enumerate() {
        fault.set(code).await;
        let bad = if code.is_some() { refused_call(&salon, "CA9") } else { endless_call(&salon, "CA9") };
        writer.send_among_good(&salon, round, &bad).await;
        writer.settled().await;
        expected.push((format!("{}/{}", writer.id.0, writer.sequence - 1), frames(&bad)));
        assert_eq!(writer.dead().await, expected, "{code:?}");
        // Its writer didn't hear of it, and sends it again: it isn't looked at a second time.
        let tries = fault.tries().await;
        let sequence = writer.sequence;
        writer.send_as(sequence - 1, &[bad]).await;
        writer.send(&[salon.event(3, &format!("CA{round}last"), offered())]).await;
        writer.settled().await;
        assert_eq!((fault.tries().await, writer.dead().await), (tries, expected.clone()), "{code:?}");
    }
    let stored = "SELECT string_agg(provider_call_id, ',' ORDER BY provider_call_id) FROM calls";
    assert_eq!(
        ask::<String>(&admin, stored).await,
        "CA0before,CA0behind,CA0last,CA1before,CA1behind,CA1last,CA2before,CA2behind,CA2last"
    );
    assert_eq!(ask::<i64>(&admin, "SELECT count(*) FROM event_batches").await, 0, "no hole is left");
    eventually("the stream is empty", async || writer.waiting().await == 0).await;
    let metrics = admin.metrics().await;
    for line in ["outcome=\"dead\"} 3", "outcome=\"repeated\"} 3", "kind=\"offered\"} 9"] {
        assert!(metrics.contains(line), "{line} {metrics}");
    }
}

#[tokio::test]
async fn what_postgres_cant_do_now_is_tried_again_until_it_can() {
    let Some(admin) = Admin::start().await else { return };
    let salon = Salon::anybody();
    let mut fault = Fault::new(&admin).await;
    let mut writer = Writer::start(&admin).await;
    // A standby that isn't promoted yet, a statement that was cancelled, two transactions in each other's way, a full
    // disk, a disk that fails, a role that lacks a grant.
    for (round, code) in ["25006", "57014", "40001", "53100", "58030", "42501"].into_iter().enumerate() {
        fault.set(Some(code)).await;
        let before = fault.tries().await;
        writer.send_among_good(&salon, round, &refused_call(&salon, &format!("CA{round}late"))).await;
        let tries = if code == "40001" { TRIES * ATTEMPTS } else { TRIES };
        fault.tried(before + tries).await;
        fault.set(None).await;
        writer.settled().await;
        assert_eq!(writer.dead().await, [], "{code}");
        let stored = ask::<i64>(&admin, "SELECT count(*) FROM calls").await;
        assert_eq!(stored, 3 * (i64::try_from(round).unwrap() + 1), "{code}");
    }
    assert!(admin.metrics().await.contains("outcome=\"dead\"} 0"));
}
