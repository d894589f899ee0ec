//! What accounts hold against what is believed here: runs, and what they take in.

use dialplane_admin::config::SealKeys;
use dialplane_admin::provisioning::reconcile::take_in::{self, Brought, Taken};
use dialplane_admin::store::{Origin, Scope, Store, accounts, books};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::ids::AccountId;
use dialplane_common::rest::numbers::{Held, HeldState, Tag};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::harness::{Admin, ENCRYPTION_KEY, FEED_KEY, OPERATOR};

const OK: StatusCode = StatusCode::OK;
static ORIGIN: Origin = Origin::system("test");

/// Waits until a run is over, and gives it.
pub async fn ended(admin: &Admin, id: &str) -> Value {
    loop {
        let run = admin.expect(OK, Method::GET, &format!("/reconciliations/{id}"), Value::Null).await;
        if !run["ended_at"].is_null() {
            return run;
        }
        tokio::task::yield_now().await;
    }
}

/// An operator's connection.
pub async fn operator(admin: &Admin) -> PgConnection {
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
    connection
}

/// Runs statements as an operator.
pub async fn execute(admin: &Admin, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut operator(admin).await).await.unwrap();
}

/// The one value that a query gives.
pub async fn value<T>(admin: &Admin, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    query.fetch_one(&mut operator(admin).await).await.unwrap()
}

/// An account at a provider that has no numbers by REST, of a tenant or of the platform.
pub async fn mute_account(admin: &Admin, owner: &str) -> String {
    let account = json!({"provider": "bland", "label": "mute", "credentials": {"webhook_secret": "s"}});
    admin.create(&format!("{owner}/accounts"), account).await
}

/// Believes that an account holds a number.
pub async fn hold(admin: &Admin, account: &str, number: &str) {
    let sql = format!(
        "INSERT INTO number_holdings (phone_number_id, account_id, role, held_id, origin)
         VALUES ('{number}', '{account}', 'carrier', 'held-{number}', 'bought')"
    );
    execute(admin, sql).await;
}

async fn run(admin: &Admin, body: Value) -> Value {
    let asked = admin.expect(StatusCode::ACCEPTED, Method::POST, "/reconciliations", body).await;
    assert_eq!((&asked["state"], &asked["ended_at"]), (&json!("pending"), &Value::Null), "{asked}");
    ended(admin, asked["id"].as_str().unwrap()).await
}

#[tokio::test]
async fn accounts_that_cannot_be_asked_are_found() {
    let Some(admin) = Admin::start().await else { return };
    let (mute, other) = (mute_account(&admin, "").await, Uuid::now_v7());
    let done = run(&admin, json!({})).await;
    assert_eq!((&done["state"], &done["findings"]), (&json!("done"), &json!([])), "it holds nothing: {done}");
    let number = admin.create("/pool", json!({"phone_number": "+12125550001", "account_id": mute})).await;
    hold(&admin, &mute, &number).await;
    for body in [json!({}), json!({"dry_run": true}), json!({"account_id": mute})] {
        let done = run(&admin, body.clone()).await;
        let finding = &done["findings"][0];
        assert_eq!((&done["state"], &done["counts"]), (&json!("done"), &json!({"unreachable": 1})), "{done}");
        assert_eq!((&finding["account_id"], &finding["outcome"]), (&json!(mute), &json!("person")), "{done}");
        assert_eq!(finding["action"], "report");
        assert_eq!(done["dry_run"], body["dry_run"] == true);
    }
    admin.refused(Method::POST, "/reconciliations", json!({"account_id": other}), "account_id").await;
    admin.refused(Method::POST, "/reconciliations", json!({"accounts": []}), "accounts").await;
    admin.expect(StatusCode::NOT_FOUND, Method::GET, &format!("/reconciliations/{other}"), Value::Null).await;
    let listed = admin.expect(OK, Method::GET, "/reconciliations?limit=3", Value::Null).await;
    assert_eq!((listed["items"].as_array().unwrap().len(), listed["next"].is_string()), (3, true));

    let output = admin.run(&["reconcile", "--dry-run"]);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out} {error}");
    assert!(out.starts_with("KIND") && out.contains("unreachable") && out.contains(&mute), "{out}");
    assert!(error.contains("1 findings want a person"), "{error}");
    let output = admin.run(&["reconcile", "--json", "--account", &other.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    execute(&admin, "DELETE FROM number_holdings".to_owned()).await;
    assert_eq!(admin.run(&["reconcile"]).status.code(), Some(0));
}

#[tokio::test]
async fn a_run_that_its_process_died_over_is_begun_anew() {
    let Some(mut admin) = Admin::start().await else { return };
    let id = Uuid::now_v7();
    admin.stop();
    let sql = format!(
        "INSERT INTO reconciliations (id, dry_run, state, accounts, actor) VALUES ('{id}', false, 'running', 7, 'system:x');
         INSERT INTO reconciliation_findings
         VALUES ('{id}', 1, '{id}', 'drift', NULL, 'a', 'done before', 'repair', 'done'),
            ('{id}', 2, '{id}', 'ghost', NULL, 'b', 'found before', 'report', 'person')"
    );
    execute(&admin, sql).await;
    admin.restart();
    let run = ended(&admin, &id.to_string()).await;
    assert_eq!((&run["state"], &run["accounts"]), (&json!("done"), &json!(0)), "{run}");
    assert_eq!(run["findings"].as_array().unwrap().len(), 1, "what was done stays told: {run}");
    assert_eq!(run["findings"][0]["detail"], "done before");
}

#[tokio::test]
async fn two_processes_make_each_run_once() {
    let Some(admin) = Admin::start().await else { return };
    let beside = admin.beside();
    let number = admin.create("/pool", json!({"phone_number": "+12125550001"})).await;
    hold(&admin, &mute_account(&admin, "").await, &number).await;
    let mut runs = Vec::new();
    for index in 0..6 {
        let asked = if index % 2 == 0 { &admin } else { &beside };
        let asked = asked.expect(StatusCode::ACCEPTED, Method::POST, "/reconciliations", json!({})).await;
        runs.push(asked["id"].as_str().unwrap().to_owned());
    }
    for id in runs {
        let run = ended(&beside, &id).await;
        assert_eq!((&run["accounts"], run["findings"].as_array().unwrap().len()), (&json!(1), 1), "{run}");
    }
}

/// A purchase that was given up, with an account.
async fn given_up(admin: &Admin, account: &str, state: &str) -> Uuid {
    let id = Uuid::now_v7();
    let sql = format!(
        "INSERT INTO purchases (id, job_id, account_id, provider, country, upfront, monthly, currency, is_estimated,
            wanted, state)
         VALUES ('{id}', '{id}', '{account}', 'bland', 'US', 0, 1.15, 'USD', false, '{{}}', '{state}')"
    );
    execute(admin, sql).await;
    id
}

fn held(number: &str, purchase: Uuid) -> Held {
    Held {
        id: format!("PN{number}"),
        number: number.parse().ok(),
        sip_uri: None,
        name: Tag(purchase).to_string(),
        state: HeldState::Active,
        setup: Map::from_iter([("voice_url".to_owned(), json!("https://before.example/"))]),
        agent_id: None,
        is_free: false,
    }
}

fn store(admin: &Admin) -> Store {
    let keys = SealKeys {
        at_rest: Keyring::parse("admin", ENCRYPTION_KEY).unwrap(),
        feed: Keyring::parse("feed", FEED_KEY).unwrap(),
    };
    Store::new(&admin.database_url, keys.into()).unwrap()
}

/// Takes a number in, in a transaction of its own.
async fn take_in(store: &Store, account: &str, held: &Held, brought: Brought) -> Taken {
    let mut tx = store.write(Scope::Operator, &ORIGIN).await.unwrap();
    let account = accounts::any(tx.conn(), AccountId(account.parse().unwrap())).await.unwrap();
    let taken = take_in::take_in(&mut tx, &account, held, brought, &ORIGIN).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

#[tokio::test]
async fn a_late_purchase_is_pooled_once() {
    let Some(admin) = Admin::start().await else { return };
    let (store, account) = (store(&admin), mute_account(&admin, "").await);
    let purchase = given_up(&admin, &account, "lost").await;
    let late = held("+12125550001", purchase);
    let at_once = (0..4).map(|_| take_in(&store, &account, &late, Brought::Late(purchase)));
    let taken = futures_util::future::join_all(at_once).await;
    let of = |wanted: &dyn Fn(&Taken) -> bool| taken.iter().filter(|taken| wanted(taken)).count();
    assert_eq!(of(&|taken| matches!(taken, Taken::In(_))), 1, "{taken:?}");
    assert_eq!(of(&|taken| *taken == Taken::Passed), 3, "{taken:?}");
    let pooled = admin.expect(OK, Method::GET, "/pool", Value::Null).await;
    assert_eq!(pooled["items"].as_array().unwrap().len(), 1, "{pooled}");
    assert_eq!(
        (&pooled["items"][0]["phone_number"], &pooled["items"][0]["account_id"]),
        (&json!("+12125550001"), &json!(account))
    );
    let state = format!("SELECT state || ' ' || held_id FROM purchases WHERE id = '{purchase}'");
    assert_eq!(value::<String>(&admin, &state).await, "late PN+12125550001");
    let jobs = "SELECT count(*) FROM provisioning_jobs WHERE kind = 'configure'";
    assert_eq!(value::<i64>(&admin, jobs).await, 1, "it is pointed at us");

    // Another number of the same purchase is one of its own: it costs as much.
    let second = held("+12125550002", purchase);
    assert!(matches!(take_in(&store, &account, &second, Brought::Late(purchase)).await, Taken::In(_)));
    let spent = "SELECT count(*) FROM purchases WHERE state = 'late' AND monthly = 1.15";
    assert_eq!(value::<i64>(&admin, spent).await, 2);
    let of_their_own = "SELECT count(DISTINCT purchase_id) FROM number_holdings";
    assert_eq!(value::<i64>(&admin, of_their_own).await, 2);
    // What is somebody's here isn't taken.
    admin.create("/pool", json!({"phone_number": "+12125550003"})).await;
    let known = held("+12125550003", purchase);
    assert_eq!(take_in(&store, &account, &known, Brought::Late(purchase)).await, Taken::Known);
}

#[tokio::test]
async fn a_tenants_own_late_purchase_is_the_tenants_unused_number() {
    let Some(admin) = Admin::start().await else { return };
    let store = store(&admin);
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let account = mute_account(&admin, &tenant).await;
    let purchase = given_up(&admin, &account, "refused").await;
    let late = held("+12125550001", purchase);
    let Taken::In(id) = take_in(&store, &account, &late, Brought::Late(purchase)).await else { panic!() };
    let number = admin.expect(OK, Method::GET, &format!("{tenant}/phone-numbers/{id}"), Value::Null).await;
    assert_eq!((&number["status"], &number["lifecycle"]), (&json!("inactive"), &json!("active")), "{number}");
    assert_eq!((&number["account_id"], &number["primary"]), (&json!(account), &json!(false)), "{number}");
    let pooled = admin.expect(OK, Method::GET, "/pool", Value::Null).await;
    assert_eq!(pooled["items"], json!([]));
}

#[tokio::test]
async fn an_orphan_that_is_adopted_keeps_what_stood_on_it() {
    let Some(admin) = Admin::start().await else { return };
    let (store, account) = (store(&admin), mute_account(&admin, "").await);
    let orphan = Held { name: "Main line".to_owned(), ..held("+12125550001", Uuid::nil()) };
    assert!(matches!(take_in(&store, &account, &orphan, Brought::Unknown).await, Taken::In(_)));
    assert_eq!(take_in(&store, &account, &orphan, Brought::Unknown).await, Taken::Passed);
    let kept = "SELECT origin || ' ' || (former ->> 'voice_url') FROM number_holdings";
    assert_eq!(value::<String>(&admin, kept).await, "imported https://before.example/");
}

/// What a job is at work on isn't compared, and what it looks for isn't late.
#[tokio::test]
async fn what_jobs_are_at_work_on_is_told_apart() {
    let Some(admin) = Admin::start().await else { return };
    let (store, account) = (store(&admin), mute_account(&admin, "").await);
    let (purchase, job) = (given_up(&admin, &account, "sent").await, Uuid::now_v7());
    let number = admin.create("/pool", json!({"phone_number": "+12125550009"})).await;
    hold(&admin, &account, &number).await;
    // Not due for long: nobody takes it on.
    let sql = format!(
        "INSERT INTO provisioning_jobs (id, kind, state, request, progress, stage, phone_number_id, next_at, actor)
         VALUES ('{job}', 'number', 'running', '{{}}', '{{\"purchase\": \"{purchase}\"}}', 'look', '{number}',
            now() + interval '1 day', 'system:x');
         UPDATE purchases SET job_id = '{job}'"
    );
    execute(&admin, sql).await;
    let seen = async || {
        let mut tx = store.read(Scope::Operator).await.unwrap();
        let id = account.parse().unwrap();
        let kept = books::kept(tx.conn(), id, None).await.unwrap();
        let bought = books::bought(tx.conn(), id, &[purchase], &[]).await.unwrap();
        (kept[0].is_settled, bought[0].is_looked_for)
    };
    assert_eq!(seen().await, (false, true));
    let late = held("+12125550001", purchase);
    assert_eq!(take_in(&store, &account, &late, Brought::Late(purchase)).await, Taken::Passed);
    for (change, expected) in [
        ("state = 'manual'", (true, true)),
        ("stage = 'end'", (true, false)),
        ("stage = 'look', progress = '{\"purchase\": null}'", (true, false)),
        ("state = 'running', ended_at = now()", (true, false)),
    ] {
        execute(&admin, format!("UPDATE provisioning_jobs SET {change}")).await;
        assert_eq!(seen().await, expected, "{change}");
    }
    execute(&admin, format!("UPDATE phone_numbers SET lifecycle = 'reserved' WHERE id = '{number}'")).await;
    assert!(!seen().await.0, "reserved");
    assert!(matches!(take_in(&store, &account, &late, Brought::Late(purchase)).await, Taken::In(_)));
}

/// Only operators: whoever else asks learns nothing.
#[tokio::test]
async fn tenants_keys_do_not_reconcile() {
    let Some(admin) = Admin::start().await else { return };
    let key = admin.tenant_key(&admin.create("/tenants", json!({"name": "Salon"})).await).await;
    for (method, path) in [
        (Method::POST, "/reconciliations"),
        (Method::GET, "/reconciliations"),
        (Method::POST, "/provisioning/configure"),
    ] {
        let (status, answer) = admin.send(&key, method, &format!("/api/v2{path}"), &json!({})).await;
        assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("operator_only")), "{path}");
    }
    let (status, _) = admin.send(OPERATOR, Method::GET, "/api/v2/reconciliations", &Value::Null).await;
    assert_eq!(status, OK);
}
