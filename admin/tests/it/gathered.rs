//! Changes of tenants that come at the same time are stored together, and each is as if it had come alone.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::harness::{Admin, Answer, OPERATOR};

/// A change as `tenant_changes` takes it.
struct Change<'a> {
    /// Absent: an operator's.
    own: Option<&'a str>,
    actor: &'a str,
    request_id: Option<&'a str>,
    address: Option<&'a str>,
    tenant: &'a str,
    integrations: Value,
}

/// Makes changes in one statement. The places that came back, with the integrations as they are then; null: somebody holds
/// the tenant.
async fn change(connection: &mut PgConnection, changes: &[Change<'_>]) -> Vec<(i32, Value)> {
    let uuid = |text: &str| text.parse::<Uuid>().unwrap();
    let role = |change: &Change<'_>| {
        if change.own.is_some() { "dialplane_tenant" } else { "dialplane_operator" }
    };
    sqlx::query(
        "SELECT place, coalesce((tenant).integrations, 'null') AS integrations
         FROM tenant_changes(false, $1, $2, $3, $4, $5, $6, array_fill(NULL::jsonb, ARRAY[cardinality($6)]), $7,
            array_fill(NULL::jsonb, ARRAY[cardinality($6)]))",
    )
    .bind(changes.iter().map(role).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.own.map(uuid)).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.actor).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.request_id).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.address).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| uuid(change.tenant)).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| change.integrations.clone()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
    .unwrap()
    .iter()
    .map(|row| (row.get("place"), row.get("integrations")))
    .collect()
}

async fn connect(admin: &Admin) -> PgConnection {
    PgConnection::connect(&admin.database_url).await.unwrap()
}

async fn execute(connection: &mut PgConnection, sql: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(connection).await.unwrap();
}

/// Who changed a tenant to what, in which transaction, first to last: `actor request address integrations`, and when the
/// transaction began.
async fn updates(admin: &Admin, tenant: &str) -> Vec<(String, String)> {
    let mut connection = connect(admin).await;
    execute(&mut connection, "SET ROLE dialplane_operator").await;
    sqlx::query_as(
        "SELECT concat_ws(' ', coalesce(actor, '-'), coalesce(request_id, '-'), coalesce(address, '-'),
            after ->> 'integrations'), at::text
         FROM audit_log WHERE resource = 'tenant' AND action = 'update' AND resource_id = $1 ORDER BY id",
    )
    .bind(tenant)
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

async fn tenants(admin: &Admin, count: usize) -> Vec<String> {
    let mut tenants = Vec::new();
    for index in 0..count {
        tenants.push(admin.create("/tenants", json!({"name": format!("Salon {index}")})).await);
    }
    tenants
}

/// Asks for each of these changes of integrations, all at the same time.
fn send(
    admin: &Admin,
    key: &str,
    changes: impl IntoIterator<Item = (String, Value)>,
) -> Vec<JoinHandle<Answer>> {
    let send = |(tenant, integrations): (String, Value)| {
        let request = admin.request(key, Method::PATCH, &format!("/tenants/{tenant}"));
        tokio::spawn(Answer::to(request.json(&json!({"integrations": integrations}))))
    };
    changes.into_iter().map(send).collect()
}

async fn answers(sent: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    join_all(sent).await.into_iter().map(Result::unwrap).collect()
}

/// Nobody's change is stored while this lives: each waits for its entry of the audit log.
struct Gate(PgConnection);

impl Gate {
    async fn close(admin: &Admin) -> Self {
        let mut connection = connect(admin).await;
        execute(&mut connection, "BEGIN; LOCK TABLE audit_log IN SHARE MODE").await;
        Self(connection)
    }

    /// Waits until somebody stands at it: the processes that do.
    async fn somebody_waits(&mut self) -> Vec<i32> {
        loop {
            // What it shows is otherwise that of the transaction's first look.
            execute(&mut self.0, "SELECT pg_stat_clear_snapshot()").await;
            let waiting: Vec<i32> = sqlx::query_scalar(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                    AND query LIKE '%tenant_changes%'",
            )
            .fetch_all(&mut self.0)
            .await
            .unwrap();
            if !waiting.is_empty() {
                return waiting;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn open(mut self) {
        execute(&mut self.0, "COMMIT").await;
    }
}

#[tokio::test]
async fn each_change_of_a_batch_has_its_own_tenant_and_origin() {
    let Some(admin) = Admin::start().await else { return };
    let [a, b, c] = <[String; 3]>::try_from(tenants(&admin, 3).await).unwrap();
    let mut connection = connect(&admin).await;
    let by = |own, actor, request_id, address, tenant, name: &str| Change {
        own,
        actor,
        request_id,
        address,
        tenant,
        integrations: json!({"crm": {"id": name}}),
    };
    let stored = change(
        &mut connection,
        &[
            by(None, "operator:1", Some("r-1"), Some("10.0.0.1"), &c, "by the operator"),
            by(Some(&a), "key:a", None, None, &a, "by a"),
            by(Some(&a), "key:a", Some("r-3"), Some("10.0.0.3"), &b, "of b by a"),
            by(Some(&b), "key:b", Some("r-4"), None, &b, "by b"),
            by(Some(&b), "key:b", Some("r-5"), None, &b, "by b once more"),
            by(None, "operator:1", None, Some("10.0.0.6"), &a, "of a by the operator"),
        ],
    )
    .await;
    let value = |name: &str| json!({"crm": {"id": name}});
    let expected = [
        (1, value("by the operator")),
        (2, value("by a")),
        (4, value("by b")),
        (5, value("by b once more")),
        (6, value("of a by the operator")),
    ];
    assert_eq!(stored, expected);
    let logged = async |tenant: &str| {
        updates(&admin, tenant).await.into_iter().map(|(update, _)| update).collect::<Vec<_>>()
    };
    let text = |name: &str| format!("{{\"crm\": {{\"id\": \"{name}\"}}}}");
    assert_eq!(logged(&c).await, [format!("operator:1 r-1 10.0.0.1 {}", text("by the operator"))]);
    let of_a = [
        format!("key:a - - {}", text("by a")),
        format!("operator:1 - 10.0.0.6 {}", text("of a by the operator")),
    ];
    assert_eq!(logged(&a).await, of_a);
    let of_b = [format!("key:b r-4 - {}", text("by b")), format!("key:b r-5 - {}", text("by b once more"))];
    assert_eq!(logged(&b).await, of_b);
    let left: String = sqlx::query_scalar(
        "SELECT concat(current_setting('role'), current_setting('dialplane.tenant_id', true),
            current_setting('dialplane.actor', true), current_setting('dialplane.request_id', true),
            current_setting('dialplane.address', true))",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(left, "none");
}

#[tokio::test]
async fn who_waits_for_a_tenants_row_waits_alone() {
    let Some(admin) = Admin::start().await else { return };
    let tenants = tenants(&admin, 8).await;
    let [held, others @ ..] = tenants.as_slice() else { panic!("{tenants:?}") };
    let mut holder = connect(&admin).await;
    let hold = format!(
        "BEGIN; SET LOCAL ROLE dialplane_operator; UPDATE tenants SET name = 'Held' WHERE id = '{held}'"
    );
    execute(&mut holder, hold).await;

    // In the database: what is held is told from what isn't there, and what isn't to be seen.
    let gone = Uuid::nil().to_string();
    let of = |tenant, own| Change {
        own,
        actor: "test",
        request_id: None,
        address: None,
        tenant,
        integrations: json!({"first": {}}),
    };
    let changes = [of(held, None), of(&others[0], None), of(&gone, None), of(held, Some(others[0].as_str()))];
    let stored = change(&mut connect(&admin).await, &changes).await;
    assert_eq!(stored, [(1, Value::Null), (2, json!({"first": {}}))]);

    // Over REST: the others go past.
    let document = json!({"crm": {"id": "1"}});
    let waiting =
        send(&admin, OPERATOR, [(held.clone(), document.clone()), (held.clone(), document.clone())]);
    for round in 0..5 {
        let document = json!({"crm": {"id": round}});
        let all = others.iter().map(|tenant| (tenant.clone(), document.clone()));
        for answer in answers(send(&admin, OPERATOR, all)).await {
            assert_eq!((answer.status, &answer.body["integrations"]), (StatusCode::OK, &document));
        }
    }
    assert!(waiting.iter().all(|request| !request.is_finished()));
    execute(&mut holder, "COMMIT").await;
    for answer in answers(waiting).await {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!((&answer.body["name"], &answer.body["integrations"]), (&json!("Held"), &document));
    }
}

#[tokio::test]
async fn what_comes_meanwhile_shares_a_transaction() {
    let Some(admin) = Admin::start().await else { return };
    let tenants = tenants(&admin, 12).await;
    let key = admin.tenant_key(&tenants[0]).await;
    // Who has come by the time that the gate is opened isn't to be seen from here.
    for round in 0..100 {
        let mut gate = Gate::close(&admin).await;
        let document = json!({"crm": {"round": round}});
        let mut sent = send(&admin, &key, [(tenants[0].clone(), document.clone())]);
        let others = tenants[1..].iter().map(|tenant| (tenant.clone(), document.clone()));
        sent.extend(send(&admin, OPERATOR, others));
        gate.somebody_waits().await;
        gate.open().await;
        let mut transactions = BTreeSet::new();
        for (answer, tenant) in answers(sent).await.iter().zip(&tenants) {
            assert_eq!((answer.status, &answer.body["integrations"]), (StatusCode::OK, &document));
            assert_eq!((&answer.body["id"], answer.body["limits"].is_object()), (&json!(tenant), true));
            let updates = updates(&admin, tenant).await;
            assert_eq!(updates.len(), round + 1, "{updates:?}");
            let (update, transaction) = updates.last().unwrap();
            let actor = if *tenant == tenants[0] { "key:" } else { "operator:" };
            assert!(update.starts_with(actor) && !update.contains(" - "), "{update}");
            transactions.insert(transaction.clone());
        }
        if transactions.len() < tenants.len() {
            return;
        }
    }
    panic!("no two changes were ever stored together");
}

#[tokio::test]
async fn a_change_that_fails_fails_alone() {
    let Some(admin) = Admin::start().await else { return };
    let mut connection = connect(&admin).await;
    execute(
        &mut connection,
        "CREATE FUNCTION fault_raise() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             RAISE EXCEPTION 'refused by the test' USING ERRCODE = NEW.integrations #>> '{fault,code}';
         END
         $$;
         CREATE TRIGGER fault BEFORE UPDATE ON tenants FOR EACH ROW WHEN (NEW.integrations ? 'fault')
             EXECUTE FUNCTION fault_raise()",
    )
    .await;
    let tenants = tenants(&admin, 10).await;
    let faults = [
        // What is at fault itself; a mistake of this program; a full disk.
        ("23514", StatusCode::INTERNAL_SERVER_ERROR),
        ("42804", StatusCode::INTERNAL_SERVER_ERROR),
        ("53100", StatusCode::SERVICE_UNAVAILABLE),
    ];
    for (round, (code, expected)) in faults.into_iter().enumerate() {
        let mut gate = Gate::close(&admin).await;
        let good = json!({"crm": {"round": round}});
        let of = |index: usize| {
            if index % 5 == 4 { json!({"fault": {"code": code}}) } else { good.clone() }
        };
        let sent =
            send(&admin, OPERATOR, tenants.iter().enumerate().map(|(index, id)| (id.clone(), of(index))));
        gate.somebody_waits().await;
        gate.open().await;
        for (index, answer) in answers(sent).await.iter().enumerate() {
            let is_good = index % 5 != 4;
            assert_eq!(
                answer.status,
                if is_good { StatusCode::OK } else { expected },
                "{code} {}",
                answer.body
            );
            let updates = updates(&admin, &tenants[index]).await;
            assert_eq!(updates.len(), if is_good { round + 1 } else { 0 }, "{updates:?}");
        }
    }
}

#[tokio::test]
async fn what_may_have_been_stored_is_not_stored_once_more() {
    let Some(admin) = Admin::start().await else { return };
    let tenants = tenants(&admin, 10).await;
    let mut gate = Gate::close(&admin).await;
    let document = json!({"crm": {"id": "1"}});
    let sent = send(&admin, OPERATOR, tenants.iter().map(|tenant| (tenant.clone(), document.clone())));
    for process in gate.somebody_waits().await {
        execute(&mut gate.0, format!("SELECT pg_terminate_backend({process})")).await;
    }
    gate.open().await;
    let mut lost = 0;
    for (answer, tenant) in answers(sent).await.iter().zip(&tenants) {
        let is_lost = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        assert!(is_lost || answer.status == StatusCode::OK, "{} {}", answer.status, answer.body);
        assert_eq!(updates(&admin, tenant).await.len(), usize::from(!is_lost));
        lost += usize::from(is_lost);
    }
    assert!(lost > 0);
}

#[tokio::test]
async fn who_goes_away_changes_nothing_for_others() {
    let Some(admin) = Admin::start().await else { return };
    let tenants = tenants(&admin, 12).await;
    for round in 0..3 {
        let mut gate = Gate::close(&admin).await;
        let document = json!({"crm": {"round": round}});
        let sent = send(&admin, OPERATOR, tenants.iter().map(|tenant| (tenant.clone(), document.clone())));
        gate.somebody_waits().await;
        let mut stayed = Vec::new();
        for (index, request) in sent.into_iter().enumerate() {
            if index % 3 == 0 {
                request.abort();
            } else {
                stayed.push((index, request));
            }
        }
        gate.open().await;
        for (index, request) in stayed {
            assert_eq!(request.await.unwrap().status, StatusCode::OK);
            assert_eq!(updates(&admin, &tenants[index]).await.len(), round + 1);
        }
        // Whatever became of those that went, nothing is done twice.
        for tenant in tenants.iter().step_by(3) {
            assert!(updates(&admin, tenant).await.len() <= round + 1);
        }
    }
}

#[tokio::test]
async fn a_stop_waits_for_what_is_queued() {
    let Some(mut admin) = Admin::start().await else { return };
    let tenants = tenants(&admin, 10).await;
    let mut gate = Gate::close(&admin).await;
    let document = json!({"crm": {"id": "1"}});
    let sent = send(&admin, OPERATOR, tenants.iter().map(|tenant| (tenant.clone(), document.clone())));
    gate.somebody_waits().await;
    // Whoever is asked to stop turns away what hasn't been read by then: by the end of these, all has been.
    for tenant in &tenants {
        admin.expect(StatusCode::OK, Method::GET, &format!("/tenants/{tenant}"), Value::Null).await;
    }
    admin.ask_to_stop();
    gate.open().await;
    for (answer, tenant) in answers(sent).await.iter().zip(&tenants) {
        assert_eq!((answer.status, &answer.body["integrations"]), (StatusCode::OK, &document));
        assert_eq!(updates(&admin, tenant).await.len(), 1);
    }
    admin.stop();
}
