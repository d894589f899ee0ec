//! Nobody sees or touches what is another tenant's, whatever the path and whatever the door.

mod cases;
mod catalogue;
mod world;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use self::cases::Case;
use self::world::{Ids, World};
use crate::harness::Admin;

/// Whoever isn't somebody in the tenant: for every operation and every id, the answer is to the letter that to what isn't
/// there, and nothing changes.
#[tokio::test]
async fn another_tenants_paths_lead_nowhere() {
    let Some(world) = World::create().await else { return };
    let cases = Case::all(&document(&world.admin).await);
    let (nobodies, strangers) = (world.nobodies().await, world.strangers().await);
    let before = world.hashes().await;
    for case in &cases {
        let body = case.body();
        for (who, key) in &nobodies {
            let what = format!("{who}: {} {}", case.method, case.path);
            let (status, answer) =
                twice(&world, key.as_deref(), case, &world.theirs, &world.nowhere, &body).await;
            assert_eq!(
                (status, &answer["code"]),
                (StatusCode::UNAUTHORIZED, &json!("unauthorized")),
                "{what} {answer}"
            );
        }
        for (who, key) in &strangers {
            let what = format!("{who}: {} {}", case.method, case.path);
            let (status, answer) = twice(&world, Some(key), case, &world.theirs, &world.nowhere, &body).await;
            let expected = match (case.path, &case.method) {
                ("/tenants", &Method::GET) => {
                    let items = answer["items"].as_array().unwrap();
                    assert!(items.len() == 1 && items[0]["id"] == world.mine.as_str(), "{what} {answer}");
                    continue;
                }
                _ if case.is_of_tenant() => (StatusCode::NOT_FOUND, "not_found"),
                _ => (StatusCode::FORBIDDEN, "operator_only"),
            };
            assert_eq!((status, answer["code"].as_str().unwrap()), expected, "{what} {answer}");
            // The other tenant's ids below one's own tenant: the same, for whoever may do it there.
            if case.is_of_tenant() && case.path.matches('{').count() > 1 {
                let below = |ids: &Ids| [ids.clone(), Ids::from([("{tenant_id}", world.mine.clone())])];
                let [theirs, nowhere] = [&world.theirs, &world.nowhere]
                    .map(|ids| below(ids).into_iter().flatten().collect::<Ids>());
                let (status, answer) = twice(&world, Some(key), case, &theirs, &nowhere, &body).await;
                let may = status == StatusCode::NOT_FOUND && answer["code"] == "not_found";
                let may_not = status == StatusCode::FORBIDDEN && answer["code"] == "forbidden";
                let may_not = may_not && !matches!(*who, "admin" | "a token");
                let nobody_may = case.role == "operator" && answer["code"] == "operator_only";
                assert!(may || may_not || nobody_may, "{what} {status} {answer}");
            }
        }
    }
    assert!(cases.len() > 80, "{}", cases.len());
    assert_eq!(world.hashes().await, before);
}

async fn document(admin: &Admin) -> Value {
    admin.send("", Method::GET, "/api/v2/openapi.json", &Value::Null).await.1
}

/// Tries an operation with what is there and with what isn't: the one answer to both, which says nothing of what is there.
async fn twice(
    world: &World,
    key: Option<&str>,
    case: &Case,
    there: &Ids,
    nowhere: &Ids,
    body: &Value,
) -> (StatusCode, Value) {
    let answer = world.answer(key, &case.method, &case.with(there), body).await;
    let to_nothing = world.answer(key, &case.method, &case.with(nowhere), body).await;
    assert_eq!(answer, to_nothing, "{} {}", case.method, case.path);
    world.says_nothing(case.path, &answer.1);
    answer
}

/// Every operation with every role, by key and by token: what the document says is what holds.
#[tokio::test]
async fn each_role_does_what_the_document_says_and_no_more() {
    let Some(world) = World::create().await else { return };
    let rank = |role: &str| ["viewer", "editor", "admin", "operator"].iter().position(|known| *known == role);
    // In the tenant, but nothing that is there: an operation that is allowed finds nothing, or wants more of a body.
    let tenant = ("{tenant_id}", world.theirs["{tenant_id}"].clone());
    let own: Ids = world.nowhere.clone().into_iter().chain([tenant]).collect();
    let operators = ("operator", crate::harness::OPERATOR.to_owned());
    for case in Case::all(&document(&world.admin).await) {
        let required = rank(&case.role).unwrap_or_else(|| panic!("{} {}", case.method, case.path));
        for (role, key) in world.owners.iter().chain([&operators]) {
            // What operators may delete stays for the others.
            let ids = if *role == "operator" { &world.nowhere } else { &own };
            let (status, answer) = world.answer(Some(key), &case.method, &case.with(ids), &json!({})).await;
            let what = format!("{role}: {} {} {status} {answer}", case.method, case.path);
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{what}");
            assert_eq!(status == StatusCode::FORBIDDEN, rank(role) < Some(required), "{what}");
            assert!(!status.is_server_error(), "{what}");
            if status == StatusCode::FORBIDDEN {
                let code = answer["code"].as_str().unwrap();
                assert!(
                    code == "forbidden" || (code == "operator_only" && case.role == "operator"),
                    "{what}"
                );
            }
        }
    }
}

/// An id of another tenant's in a body or a query does what an id of nothing does.
#[tokio::test]
async fn another_tenants_ids_in_bodies_are_ids_of_nothing() {
    let Some(world) = World::create().await else { return };
    let below = |path: &str| format!("/tenants/{}/{path}", world.mine);
    let number = json!({"source": "manual", "phone_number": "+12125550002"});
    let number = world.admin.create(&below("phone-numbers"), number).await;
    let key = world.admin.tenant_key(&world.mine).await;
    let before = world.hashes().await;
    let bodies = |ids: &Ids| {
        let (account, agent) = (&ids["{account_id}"], &ids["{agent_id}"]);
        let number_with = |name: &str, value: Value| json!({"source": "manual", "phone_number": "+12125550003", name: value});
        let steps = |step: Value| json!({"rules": [{"then": step}]});
        let shares = json!([{"agent_id": agent, "weight": 50}, {"agent_id": agent, "weight": 50}]);
        let rules = [
            steps(json!({"action": "agent", "agent_id": agent})),
            steps(json!({"action": "agent", "split": shares})),
            steps(json!({"action": "agent", "else": {"action": "agent", "agent_id": agent}})),
        ];
        let numbers = below("phone-numbers");
        let own = format!("{numbers}/{number}");
        let mut bodies = Vec::new();
        for (name, value) in [
            ("account_id", json!(account)),
            ("agent_id", json!(agent)),
            ("bindings", json!([{"account_id": account}])),
        ] {
            bodies.push((Method::POST, numbers.clone(), number_with(name, value.clone())));
            bodies.push((Method::PATCH, own.clone(), json!({name: value})));
        }
        for rule in rules {
            bodies.push((Method::PUT, format!("{own}/routing"), rule.clone()));
            bodies.push((Method::PUT, below("defaults/routing"), rule));
        }
        bodies
    };
    for ((method, path, theirs), (_, _, nothing)) in
        bodies(&world.theirs).into_iter().zip(bodies(&world.nowhere))
    {
        let path = format!("/api/v2{path}");
        let what = format!("{method} {path} {theirs}");
        let answer = world.answer(Some(&key), &method, &path, &theirs).await;
        assert!(answer.0.is_client_error() && answer.0 != StatusCode::FORBIDDEN, "{what} {answer:?}");
        world.says_nothing(&what, &answer.1);
        assert_eq!(answer, world.answer(Some(&key), &method, &path, &nothing).await, "{what}");
    }
    // Another's number is one that isn't there, and another's id is no place in one's own lists.
    let explain = async |number: &str| {
        let path = format!("/api/v2{}?to=%2B{number}&at=2026-01-01T00:00:00Z", below("explain"));
        world.answer(Some(&key), &Method::GET, &path, &Value::Null).await
    };
    let (status, theirs) = explain("12125550001").await;
    world.says_nothing("explain", &theirs);
    let nothing = explain("12125550009").await;
    let same = theirs.to_string().replace("12125550001", "12125550009");
    assert_eq!((status, same), (nothing.0, nothing.1.to_string()));
    for list in ["accounts", "agents", "intents", "phone-numbers", "api-keys"] {
        for id in world.theirs.values() {
            let path = format!("/api/v2{}?cursor={id}", below(list));
            let (_, answer) = world.answer(Some(&key), &Method::GET, &path, &Value::Null).await;
            world.says_nothing(&path, &answer);
        }
    }
    assert_eq!(world.hashes().await, before);
}

/// Below the application: the database itself shows nothing to whoever hasn't said for whom.
#[tokio::test]
async fn the_database_shows_nothing_unasked() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    admin.create("/tenants", json!({"name": "Theirs"})).await;
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let mut count = async |set_up: String| -> i64 {
        let mut tx = connection.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(set_up)).execute(&mut *tx).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM tenants").fetch_one(&mut *tx).await.unwrap()
    };
    assert_eq!(count("SET LOCAL ROLE dialplane_tenant".into()).await, 0);
    let of_tenant = format!("SET LOCAL ROLE dialplane_tenant; SET LOCAL dialplane.tenant_id TO '{tenant}'");
    assert_eq!(count(of_tenant).await, 1);
    assert_eq!(count("SET LOCAL ROLE dialplane_operator".into()).await, 2);
}

/// Every table that a tenant's role may read, whichever there are.
#[tokio::test]
async fn each_table_shows_a_tenant_its_own_rows_alone() {
    let Some(admin) = Admin::start().await else { return };
    let mut tenants = Vec::new();
    for name in ["Mine", "Theirs"] {
        let tenant = admin.create("/tenants", json!({"name": name})).await;
        admin.create(&format!("/tenants/{tenant}/intents"), json!({"name": "book"})).await;
        let server = json!({"url": "https://tools.example/dialplane"});
        admin.expect(StatusCode::OK, Method::PUT, &format!("/tenants/{tenant}/tool-server"), server).await;
        tenants.push(tenant);
    }
    let [mine, theirs] = tenants.try_into().unwrap();
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id'
         WHERE relkind = 'r' AND has_table_privilege('dialplane_tenant', pg_class.oid, 'SELECT') ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mine_only = format!("SET LOCAL ROLE dialplane_tenant; SET LOCAL dialplane.tenant_id TO '{mine}'");
    let mut seen = Vec::new();
    for table in tables {
        let mut tx = connection.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(mine_only.clone())).execute(&mut *tx).await.unwrap();
        let owners = sqlx::AssertSqlSafe(format!("SELECT DISTINCT tenant_id::text FROM {table}"));
        let owners: Vec<String> = sqlx::query_scalar(owners).fetch_all(&mut *tx).await.unwrap();
        assert!(owners.iter().all(|owner| *owner == mine), "{table} {owners:?}");
        if !owners.is_empty() {
            // Nor can a row be given away.
            let give = sqlx::AssertSqlSafe(format!("UPDATE {table} SET tenant_id = '{theirs}'"));
            let refused = sqlx::query(give).execute(&mut *tx).await.unwrap_err();
            let code =
                refused.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(code.as_deref(), Some("42501"), "{table} {refused}");
            seen.push(table);
        }
    }
    assert_eq!(seen, ["audit_log", "intents", "tool_servers"]);
}
