//! The audit log: each change of each table, in a chain that shows what was done to it.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::harness::{Admin, OPERATOR};

/// A connection of the database's owner.
async fn connect(admin: &Admin) -> PgConnection {
    PgConnection::connect(&admin.database_url).await.unwrap()
}

async fn execute(admin: &Admin, sql: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(&mut connect(admin).await).await.unwrap();
}

/// All entries that a path lists, oldest first.
async fn entries(admin: &Admin, key: &str, path: &str) -> Vec<Value> {
    admin.sealed().await;
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = format!("/api/v2{path}{separator}limit=7{cursor}");
        let (status, page) = admin.send(key, Method::GET, &page, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    all.reverse();
    all
}

/// The one entry of a resource and an action behind `after`, which moves behind it.
fn next<'a>(entries: &'a [Value], after: &mut u64, resource: &str, action: &str) -> &'a Value {
    let is_it = |entry: &&Value| {
        entry["seq"].as_u64().unwrap() > *after && entry["resource"] == resource && entry["action"] == action
    };
    let found =
        entries.iter().find(is_it).unwrap_or_else(|| panic!("no {action} of {resource} behind {after}"));
    *after = found["seq"].as_u64().unwrap();
    found
}

#[tokio::test]
async fn each_resources_changes_are_logged_with_before_and_after() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon", "timezone": "UTC"})).await;
    let base = format!("/tenants/{tenant}");
    let credentials = json!({"account_sid": "AC1", "auth_token": "the-first-token"});
    let account = json!({"provider": "twilio", "label": "main", "credentials": credentials});
    let account = admin.create(&format!("{base}/accounts"), account).await;
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
    let agent = admin.create(&format!("{base}/agents"), agent).await;
    let number = json!({"source": "manual", "phone_number": "+12125550001", "account_id": account});
    let number = admin.create(&format!("{base}/phone-numbers"), number).await;
    let number_path = format!("{base}/phone-numbers/{number}");
    let ok = async |method, path: &str, body| admin.expect(StatusCode::OK, method, path, body).await;
    let gone = async |path: &str| {
        admin.expect(StatusCode::NO_CONTENT, Method::DELETE, path, Value::Null).await;
    };
    ok(Method::PATCH, &base, json!({"name": "Saloon"})).await;
    ok(Method::PATCH, &base, json!({"name": "Saloon"})).await;
    let new_token = json!({"credentials": {"account_sid": "AC1", "auth_token": "the-second-token"}});
    ok(Method::PATCH, &format!("{base}/accounts/{account}"), new_token).await;
    admin
        .expect(StatusCode::CREATED, Method::POST, &format!("{base}/agents/{agent}/token"), Value::Null)
        .await;
    let hours = |end: &str| json!({"weekly": {"mon": [["09:00", end]]}, "holidays": [], "override": null});
    ok(Method::PUT, &format!("{number_path}/settings/hours"), hours("17:00")).await;
    ok(Method::PUT, &format!("{number_path}/settings/hours"), hours("18:00")).await;
    ok(Method::PUT, &format!("{base}/defaults/hours"), hours("12:00")).await;
    ok(Method::PUT, "/defaults/hours", hours("13:00")).await;
    let intent = admin.create(&format!("{base}/intents"), json!({"name": "book"})).await;
    ok(Method::PUT, &format!("{base}/tool-server"), json!({"url": "https://tools.example/"})).await;
    let key = admin.tenant_key(&tenant).await;
    gone(&number_path).await;
    gone(&format!("{base}/intents/{intent}")).await;

    let all = entries(&admin, &key, &format!("{base}/audit")).await;
    assert!(all.iter().all(|entry| entry["tenant_id"] == tenant.as_str()), "{all:?}");
    let says_who = |entry: &Value| {
        let actor = entry["actor"].as_str().unwrap_or_default();
        actor.starts_with("operator:") && entry["request_id"].is_string() && entry["address"] == "127.0.0.1"
    };
    assert!(all.iter().all(says_who), "{all:?}");
    let mut at = 0;
    let entry = next(&all, &mut at, "tenant", "insert");
    assert_eq!((&entry["before"], &entry["after"]["name"]), (&Value::Null, &json!("Salon")));
    assert_eq!(entry["resource_id"], tenant.as_str());
    let entry = next(&all, &mut at, "account", "insert");
    assert_eq!(entry["after"]["credentials_sealed"], "secret");
    assert_eq!(next(&all, &mut at, "account.grant", "insert")["resource_id"], account.as_str());
    assert_eq!(next(&all, &mut at, "agent", "insert")["after"]["token_hash"], Value::Null);
    assert_eq!(next(&all, &mut at, "phone_number", "insert")["after"]["phone_number"], "+12125550001");
    let entry = next(&all, &mut at, "phone_number.binding", "insert");
    assert_eq!(entry["resource_id"], format!("{number}/{account}"));
    let entry = next(&all, &mut at, "tenant", "update");
    assert_eq!((&entry["before"]["name"], &entry["after"]["name"]), (&json!("Salon"), &json!("Saloon")));
    // What changed nothing is no change.
    let entry = next(&all, &mut at, "account", "update");
    assert_eq!(all.iter().filter(|entry| entry["resource"] == "tenant").count(), 2);
    assert_eq!(entry["before"]["credentials_sealed"], "secret");
    assert_eq!(entry["after"]["credentials_sealed"], "new secret");
    let entry = next(&all, &mut at, "agent", "update");
    assert_eq!(
        (&entry["before"]["token_hash"], &entry["after"]["token_hash"]),
        (&Value::Null, &json!("new secret"))
    );
    let entry = next(&all, &mut at, "phone_number.settings", "insert");
    assert_eq!(entry["resource_id"], format!("{number}/hours"));
    let entry = next(&all, &mut at, "phone_number.settings", "update");
    assert_eq!(entry["before"]["value"]["weekly"]["mon"][0][1], "17:00");
    assert_eq!(entry["after"]["value"]["weekly"]["mon"][0][1], "18:00");
    assert_eq!(next(&all, &mut at, "tenant.defaults", "insert")["resource_id"], format!("{tenant}/hours"));
    assert_eq!(next(&all, &mut at, "intent", "insert")["after"]["name"], "book");
    assert_eq!(next(&all, &mut at, "tool_server", "insert")["after"]["secret_sealed"], "secret");
    assert_eq!(next(&all, &mut at, "api_key", "insert")["after"]["hash"], "secret");
    // What goes with the number goes into the log with it.
    for resource in ["phone_number", "phone_number.binding", "phone_number.settings"] {
        let entry = next(&all, &mut { at }, resource, "delete");
        assert!(entry["before"].is_object() && entry["after"].is_null(), "{entry}");
    }
    assert_eq!(next(&all, &mut { at }, "intent", "delete")["before"]["name"], "book");
    let text = format!("{all:?}");
    for secret in ["the-first-token", "the-second-token", "last_used_at", "updated_at", &key] {
        assert!(!text.contains(secret), "{secret}");
    }

    // The platform's own are the operators' to see.
    let of_platform = entries(&admin, OPERATOR, "/audit?resource=platform.defaults").await;
    assert_eq!(of_platform.len(), 1);
    assert_eq!(of_platform[0]["after"]["value"]["weekly"]["mon"][0][1], "13:00");
    assert!(all.iter().all(|entry| entry["resource"] != "platform.defaults"));
}

#[tokio::test]
async fn the_log_says_who_and_through_which_request() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    execute(
        &admin,
        format!(
            "SET ROLE dialplane_operator; BEGIN; SET LOCAL dialplane.actor TO 'key:1';
             SET LOCAL dialplane.request_id TO 'r-1'; SET LOCAL dialplane.address TO '192.0.2.1';
             UPDATE tenants SET name = 'Saloon' WHERE id = '{tenant}'; COMMIT;
             UPDATE tenants SET name = 'Barber' WHERE id = '{tenant}'"
        ),
    )
    .await;
    let all = entries(&admin, OPERATOR, &format!("/tenants/{tenant}/audit?action=update")).await;
    let who = |entry: &Value| json!([entry["actor"], entry["request_id"], entry["address"]]);
    assert_eq!(who(&all[0]), json!(["key:1", "r-1", "192.0.2.1"]));
    assert_eq!(who(&all[1]), json!([null, null, null]));
    let by_key = entries(&admin, OPERATOR, "/audit?actor=key:1").await;
    assert_eq!(by_key, all[..1]);
}

#[tokio::test]
async fn lists_are_filtered_and_strict() {
    let Some(admin) = Admin::start().await else { return };
    let (mine, theirs) = (
        admin.create("/tenants", json!({"name": "Mine"})).await,
        admin.create("/tenants", json!({"name": "Theirs"})).await,
    );
    let intent = admin.create(&format!("/tenants/{mine}/intents"), json!({"name": "book"})).await;
    let count = async |query: &str| entries(&admin, OPERATOR, &format!("/audit?{query}")).await.len();
    assert_eq!(count(&format!("tenant_id={theirs}")).await, 1);
    assert_eq!(count(&format!("resource_id={intent}")).await, 1);
    assert_eq!(count(&format!("tenant_id={mine}&resource=intent&action=insert")).await, 1);
    assert_eq!(count(&format!("tenant_id={mine}&action=delete")).await, 0);
    assert_eq!(count(&format!("tenant_id={mine}&until=2020-01-01T00:00:00Z")).await, 0);
    assert_eq!(count(&format!("tenant_id={mine}&since=2020-01-01T00:00:00%2B01:00")).await, 2);
    for query in ["limit=0", "limit=201", "cursor=x", "since=yesterday", "action=look", "actr=a"] {
        let path = format!("/audit?{query}");
        let answer = admin.expect(StatusCode::BAD_REQUEST, Method::GET, &path, Value::Null).await;
        assert_eq!(answer["code"], "invalid_query", "{query}");
    }
    let other = format!("/tenants/{mine}/audit?tenant_id={theirs}");
    admin.expect(StatusCode::BAD_REQUEST, Method::GET, &other, Value::Null).await;

    // Its administrators alone, whatever else a key may do; and what was done stays when the tenant goes.
    let body = json!({"name": "test", "role": "editor"});
    let path = format!("/tenants/{mine}/api-keys");
    let editor = admin.expect(StatusCode::CREATED, Method::POST, &path, body).await;
    let path = format!("/api/v2/tenants/{mine}/audit");
    let (status, _) = admin.send(editor["key"].as_str().unwrap(), Method::GET, &path, &Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &format!("/tenants/{mine}"), Value::Null).await;
    admin.expect(StatusCode::NOT_FOUND, Method::GET, &format!("/tenants/{mine}/audit"), Value::Null).await;
    assert_eq!(count(&format!("tenant_id={mine}&action=delete")).await, 3);
}

/// A new table with people's data is audited, or stands here with the reason why not.
#[tokio::test]
async fn every_table_with_a_tenant_is_audited() {
    let Some(admin) = Admin::start().await else { return };
    let exempt = [
        ("audit_log", "the log itself"),
        ("former_locations", "what a number had when it left its tenant: the log has it by itself"),
        ("phone_number_history", "where numbers have been: the log has it by itself"),
        ("idempotency_keys", "answers that are kept for a day; what they changed is logged"),
        ("calls", "what routers told: a record of its own, which nobody writes by hand"),
        ("refused_calls", "likewise"),
        ("tenants_to_record", "whose records are to be written anew; the plan's change is logged"),
        ("usage_quarters", "worked out from the records of calls"),
        ("usage_costs", "likewise"),
        ("usage_dirty", "what is to be worked out"),
        ("imports", "files on their way, for a month; what they change is logged"),
        ("import_pieces", "what came of a file; gone once it is applied"),
        ("import_errors", "lines of a file that changed nothing"),
        ("provisioning_jobs", "what was asked for, and how far it is; what a job changes is logged"),
        ("calls", "what happened, by itself: no person changes it"),
        ("refused_calls", "what happened, counted: nobody is concerned by what is taken off the list"),
        ("provisioning_steps", "a log of its own: rows that nobody changes"),
    ];
    let tables: Vec<(String, i64)> = sqlx::query_as(
        "SELECT relname::text, (
            SELECT count(*) FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
            WHERE tgrelid = pg_class.oid AND proname = 'audit_log_append' AND tgenabled = 'O'
         )
         FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id' AND NOT attisdropped
         WHERE relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname",
    )
    .fetch_all(&mut connect(&admin).await)
    .await
    .unwrap();
    assert!(tables.len() > 5, "{tables:?}");
    for (table, triggers) in tables {
        let reason = exempt.iter().find(|(name, _)| *name == table).map(|(_, reason)| reason);
        let expected = if reason.is_some() { 0 } else { 3 };
        assert_eq!(
            triggers, expected,
            "{table}: wanted SELECT audit_table(..) in its migration, or a reason here"
        );
    }
}

#[tokio::test]
async fn nobody_changes_the_log() {
    let Some(admin) = Admin::start().await else { return };
    admin.create("/tenants", json!({"name": "Salon"})).await;
    admin.sealed().await;
    let mut connection = connect(&admin).await;
    let mut refused = async |role: &str, sql: &str| {
        let mut tx = connection.begin().await.unwrap();
        let role = AssertSqlSafe(format!("SET LOCAL ROLE {role}"));
        sqlx::raw_sql(role).execute(&mut *tx).await.unwrap();
        let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.err();
        let code =
            error.as_ref().and_then(|error| error.as_database_error()?.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{sql} {error:?}");
    };
    for role in ["dialplane_tenant", "dialplane_operator", "dialplane_sealer"] {
        refused(role, "DELETE FROM audit_log").await;
        refused(role, "TRUNCATE audit_log").await;
        refused(role, "UPDATE audit_log SET actor = 'somebody else'").await;
    }
    for role in ["dialplane_tenant", "dialplane_operator"] {
        let insert =
            "INSERT INTO audit_log (at, action, resource, resource_id) VALUES (now(), 'insert', 'x', 'x')";
        refused(role, insert).await;
        refused(role, "UPDATE audit_log SET seq = seq + 100").await;
    }
    // The sealer seals what isn't, and changes no seal.
    refused("dialplane_sealer", "UPDATE audit_log SET seq = seq + 100").await;
    refused("dialplane_sealer", "UPDATE audit_log SET seq = NULL, hash = NULL").await;
}

#[tokio::test]
async fn every_column_but_the_seal_is_guarded() {
    let Some(admin) = Admin::start().await else { return };
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute JOIN pg_trigger ON tgrelid = attrelid
         WHERE tgname = 'audit_log_refuse_change' AND attnum > 0 AND NOT attisdropped AND attnum <> ALL (tgattr)
         ORDER BY attnum",
    )
    .fetch_all(&mut connect(&admin).await)
    .await
    .unwrap();
    assert_eq!(open, ["seq", "hash"]);
}

/// A change that is one statement says where it comes from as all others do: see [`crate::gathered`] for several.
#[tokio::test]
async fn a_change_at_once_is_logged_with_its_origin() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let other = admin.create("/tenants", json!({"name": "Spa"})).await;
    let key = admin.tenant_key(&tenant).await;
    let path = format!("/api/v2/tenants/{tenant}");
    let integrations = json!({"crm": {"account": "a-1"}});
    let patch = json!({"integrations": integrations});
    let (status, changed) = admin.send(&key, Method::PATCH, &path, &patch).await;
    assert_eq!((status, &changed["integrations"]), (StatusCode::OK, &integrations));
    let (_, read) = admin.send(&key, Method::GET, &path, &Value::Null).await;
    assert_eq!(changed, read);
    let (status, _) = admin.send(&key, Method::PATCH, &format!("/api/v2/tenants/{other}"), &patch).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let all = entries(&admin, &key, &format!("/tenants/{tenant}/audit?resource=tenant&action=update")).await;
    let [entry] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(
        (&entry["before"]["integrations"], &entry["after"]["integrations"]),
        (&json!({}), &integrations)
    );
    assert!(
        entry["actor"].as_str().unwrap().starts_with("key:") && entry["request_id"].is_string(),
        "{entry}"
    );
    assert_eq!(entry["address"], "127.0.0.1");

    let mut connection = connect(&admin).await;
    for role in ["dialplane_tenant", "dialplane_operator"] {
        let may: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT bool_or(has_function_privilege('{role}', oid, 'EXECUTE')) FROM pg_proc
             WHERE proname = 'tenant_changes'"
        )))
        .fetch_one(&mut connection)
        .await
        .unwrap();
        assert!(!may, "{role} may take another role's part");
    }
}

/// Writers at once, none of whom waits for another: all is there, each row's changes in their order.
#[tokio::test]
async fn many_writers_leave_a_whole_chain() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let (writers, changes) = (8, 40);
    let writing = (0..writers).map(|writer| {
        let (url, tenant) = (admin.database_url.clone(), tenant.clone());
        tokio::spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
            for change in 0..changes {
                let mut tx = connection.begin().await.unwrap();
                let intent = format!(
                    "INSERT INTO intents (id, tenant_id, name, phrases, responses)
                     VALUES (gen_random_uuid(), '{tenant}', '{writer}-{change}', '[]', '[]')"
                );
                sqlx::raw_sql(AssertSqlSafe(intent)).execute(&mut *tx).await.unwrap();
                // All writers meet in this row.
                sqlx::raw_sql("UPDATE tenants SET name = (length(name) % 7)::text || name || 'x'")
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            }
        })
    });
    for writer in futures_util::future::join_all(writing).await {
        writer.unwrap();
    }
    let all = entries(&admin, OPERATOR, &format!("/tenants/{tenant}/audit")).await;
    let updates: Vec<_> = all.iter().filter(|entry| entry["resource"] == "tenant").collect();
    assert_eq!(updates.len(), 1 + writers * changes);
    for pair in updates.windows(2) {
        assert_eq!(pair[0]["after"], pair[1]["before"], "in another order than they were committed");
    }
    assert!(verify(&admin, &[]).unwrap().contains("is whole"));
}

/// Ids aren't drawn in the order of commits: who draws one early and commits late is sealed late, and not forgotten.
#[tokio::test]
async fn a_late_commit_is_sealed_too() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let mut connection = connect(&admin).await;
    sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
    let mut late = connection.begin().await.unwrap();
    let intent = format!(
        "INSERT INTO intents (id, tenant_id, name, phrases, responses)
         VALUES (gen_random_uuid(), '{tenant}', 'late', '{{}}', '{{}}')"
    );
    sqlx::raw_sql(AssertSqlSafe(intent)).execute(&mut *late).await.unwrap();
    // Longer than the sealer takes to look where it need look no more.
    for round in 0..8 {
        admin.create(&format!("/tenants/{tenant}/intents"), json!({"name": round.to_string()})).await;
        admin.sealed().await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    late.commit().await.unwrap();
    let all = entries(&admin, OPERATOR, &format!("/tenants/{tenant}/audit?resource=intent")).await;
    let names: Vec<_> = all.iter().map(|entry| entry["after"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["0", "1", "2", "3", "4", "5", "6", "7", "late"]);
    assert!(verify(&admin, &[]).is_ok());
}

/// Runs the command: what it printed, or what it failed with.
fn verify(admin: &Admin, arguments: &[&str]) -> Result<String, String> {
    let output = admin.command("audit").arg("verify").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// What the owner of the database does, who can switch off whatever guards the log.
async fn tamper(admin: &Admin, sql: &str) {
    execute(
        admin,
        format!(
            "ALTER TABLE audit_log DISABLE TRIGGER USER; ALTER TABLE audit_log NO FORCE ROW LEVEL SECURITY;
             {sql};
             ALTER TABLE audit_log ENABLE TRIGGER USER; ALTER TABLE audit_log FORCE ROW LEVEL SECURITY"
        ),
    )
    .await;
}

#[tokio::test]
async fn verify_names_the_first_entry_that_was_tampered_with() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        admin.create(&format!("/tenants/{tenant}/intents"), json!({"name": name})).await;
    }
    let count = admin.sealed().await;
    let whole = verify(&admin, &[]).unwrap();
    let words: Vec<_> = whole.split_whitespace().collect();
    let hash =
        words[words.iter().position(|word| *word == "hash").unwrap() + 1].trim_end_matches(',').to_owned();
    assert!(whole.contains(&format!("{count} entries, seq {count} ")), "{whole}");
    let last = count.to_string();
    let expected = ["--expect-seq", &last, "--expect-hash", &hash];
    assert_eq!(verify(&admin, &expected).unwrap(), whole);

    let broken = async |sql: &str, undo: &str, says: &str| {
        tamper(&admin, sql).await;
        let found = verify(&admin, &[]).unwrap_err();
        assert!(found.contains(says), "{sql}: {found}");
        tamper(&admin, undo).await;
        assert_eq!(verify(&admin, &[]).unwrap(), whole);
    };
    let swap = "UPDATE audit_log SET seq = -seq WHERE seq IN (3, 5);
        UPDATE audit_log SET seq = 8 + seq WHERE seq IN (-3, -5)";
    broken(
        "UPDATE audit_log SET resource_id = resource_id || 'x' WHERE seq = 4",
        "UPDATE audit_log SET resource_id = left(resource_id, -1) WHERE seq = 4",
        "entry 4 was altered",
    )
    .await;
    broken(
        "UPDATE audit_log SET after = after || '{\"n\": 1}' WHERE seq = 5",
        "UPDATE audit_log SET after = after - 'n' WHERE seq = 5",
        "entry 5 was altered",
    )
    .await;
    broken(
        "UPDATE audit_log SET at = at + interval '1 microsecond' WHERE seq = 2",
        "UPDATE audit_log SET at = at - interval '1 microsecond' WHERE seq = 2",
        "entry 2 was altered",
    )
    .await;
    broken(swap, swap, "entry 3 was altered").await;
    broken(
        "UPDATE audit_log SET seq = seq + 100 WHERE seq = 4",
        "UPDATE audit_log SET seq = seq - 100 WHERE seq = 104",
        "entry 4 is missing: the next is 5",
    )
    .await;

    // At the end only a head that was kept elsewhere shows it.
    tamper(&admin, &format!("DELETE FROM audit_log WHERE seq > {}", count - 2)).await;
    assert!(verify(&admin, &[]).is_ok());
    let found = verify(&admin, &expected).unwrap_err();
    assert!(found.contains(&format!("entries behind {} are missing", count - 2)), "{found}");
    let found = verify(&admin, &["--expect-seq", "1", "--expect-hash", &hash]).unwrap_err();
    assert!(found.contains("entry 1 has another hash"), "{found}");
    assert!(
        verify(&admin, &["--expect-seq", "1", "--expect-hash", "xyz"]).unwrap_err().contains("--expect-hash")
    );
}

#[tokio::test]
async fn a_sealer_that_is_killed_leaves_a_chain_to_go_on_with() {
    let Some(mut admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let intents = |from: i64| {
        format!(
            "SET ROLE dialplane_operator; INSERT INTO intents (id, tenant_id, name, phrases, responses)
             SELECT gen_random_uuid(), '{tenant}', n::text, '[]', '[]' FROM generate_series({from}, {from} + 9999) AS n"
        )
    };
    let mut connection = connect(&admin).await;
    sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
    let mut killed_midway = 0;
    for round in 0..3 {
        execute(&admin, intents(1 + round * 10_000)).await;
        // Until it is at work.
        let sealed_of_tenant =
            "SELECT count(*) FILTER (WHERE seq IS NOT NULL), count(*) FILTER (WHERE seq IS NULL)
            FROM audit_log";
        loop {
            let row = sqlx::query(sealed_of_tenant).fetch_one(&mut connection).await.unwrap();
            let (sealed, unsealed): (i64, i64) = (row.get(0), row.get(1));
            if sealed > round * 10_000 + 500 {
                killed_midway += i64::from(unsealed > 0);
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        admin.restart();
    }
    assert!(killed_midway > 0, "it was never killed with work left");
    let count = admin.sealed().await;
    assert!(count > 30_000);
    let whole = verify(&admin, &[]).unwrap();
    assert!(whole.contains(&format!("{count} entries, seq {count} ")), "{whole}");
}
