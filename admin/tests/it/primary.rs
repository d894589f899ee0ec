//! The primary number: at most one a tenant, exactly one when any has its calls routed, whoever writes at once.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::harness::{Admin, OPERATOR};

async fn create(admin: &Admin, tenant: &str, number: &str, status: &str) -> String {
    let body = json!({"source": "manual", "phone_number": number, "status": status});
    admin.create(&format!("{tenant}/phone-numbers"), body).await
}

/// The ids of the primary numbers, and how many have their calls routed.
async fn primaries(admin: &Admin, tenant: &str) -> (Vec<String>, usize) {
    let list = format!("{tenant}/phone-numbers");
    let list = admin.expect(StatusCode::OK, Method::GET, &list, Value::Null).await;
    let items = list["items"].as_array().unwrap();
    let primary = items.iter().filter(|item| item["primary"] == true);
    let ids = primary.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    (ids, items.iter().filter(|item| item["status"] == "active").count())
}

#[tokio::test]
async fn it_passes_on_to_the_oldest_and_says_so() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let resting = create(&admin, &tenant, "+12125550001", "inactive").await;
    assert_eq!(primaries(&admin, &tenant).await, (vec![], 0));
    let first = create(&admin, &tenant, "+12125550002", "active").await;
    let second = create(&admin, &tenant, "+12125550003", "active").await;
    let third = create(&admin, &tenant, "+12125550004", "active").await;
    assert_eq!(primaries(&admin, &tenant).await.0, [first.as_str()]);
    let path = |id: &str| format!("{tenant}/phone-numbers/{id}");
    let send = async |method: Method, path: String, body: Value| {
        let answer = admin.respond(OPERATOR, method, &format!("/api/v2{path}"), &body).await;
        let passed = answer.headers().get("dialplane-primary").map(|id| id.to_str().unwrap().to_owned());
        (answer.status(), passed)
    };
    let patch = async |id: &str, body: Value| send(Method::PATCH, path(id), body).await;
    // The one that is it stays it, whatever comes before it in age.
    assert_eq!(patch(&resting, json!({"status": "active"})).await, (StatusCode::OK, None));
    assert_eq!(primaries(&admin, &tenant).await.0, [first.as_str()]);
    assert_eq!(patch(&third, json!({"primary": true})).await, (StatusCode::OK, None));
    assert_eq!(primaries(&admin, &tenant).await.0, [third.as_str()]);
    assert_eq!(patch(&third, json!({"status": "suspended"})).await, (StatusCode::OK, Some(resting.clone())));
    assert_eq!(
        send(Method::DELETE, path(&resting), Value::Null).await,
        (StatusCode::NO_CONTENT, Some(first.clone()))
    );
    assert_eq!(primaries(&admin, &tenant).await.0, [first.as_str()]);
    admin.refused(Method::PATCH, &path(&first), json!({"primary": false}), "primary").await;
    admin.refused(Method::PATCH, &path(&third), json!({"primary": true}), "primary").await;
    admin
        .refused(Method::PATCH, &path(&first), json!({"primary": true, "status": "inactive"}), "primary")
        .await;
    assert_eq!(patch(&second, json!({"primary": false})).await, (StatusCode::OK, None));
    // A whole number in place of the one that was.
    let whole = json!({"display_name": "Second", "primary": true, "address": {"city": "New York"}});
    assert_eq!(send(Method::PUT, path(&second), whole).await, (StatusCode::OK, None));
    let whole =
        admin.expect(StatusCode::OK, Method::PUT, &path(&second), json!({"display_name": "Bare"})).await;
    assert_eq!((&whole["primary"], &whole["address"]), (&json!(true), &Value::Null));
    for (id, next) in [(&second, first.clone()), (&first, "none".to_owned())] {
        assert_eq!(patch(id, json!({"status": "inactive"})).await, (StatusCode::OK, Some(next)));
    }
    assert_eq!(primaries(&admin, &tenant).await, (vec![], 0));
}

#[tokio::test]
async fn whoever_writes_at_once_leaves_exactly_one() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let creating = (0..6).map(|index| {
        let (admin, tenant) = (&admin, &tenant);
        async move { create(admin, tenant, &format!("+1212555000{index}"), "active").await }
    });
    let numbers = futures_util::future::join_all(creating).await;
    let (primary, active) = primaries(&admin, &tenant).await;
    assert_eq!((primary.len(), active), (1, 6));
    for round in 0..6_usize {
        let changes = numbers.iter().enumerate().map(|(index, id)| {
            let body = match (index + round) % 3 {
                0 => json!({"status": "inactive"}),
                1 => json!({"status": "active"}),
                _ => json!({"primary": true, "status": "active"}),
            };
            let path = format!("/api/v2{tenant}/phone-numbers/{id}");
            let admin = &admin;
            async move {
                let (status, answer) = admin.send(OPERATOR, Method::PATCH, &path, &body).await;
                assert_eq!(status, StatusCode::OK, "{answer}");
            }
        });
        futures_util::future::join_all(changes).await;
        let (primary, active) = primaries(&admin, &tenant).await;
        assert_eq!((primary.len(), active), (1, 4), "{round}");
    }
    // The last ones go at once.
    let going = numbers.iter().map(|id| {
        let path = format!("/api/v2{tenant}/phone-numbers/{id}");
        let admin = &admin;
        async move { admin.send(OPERATOR, Method::DELETE, &path, &Value::Null).await.0 }
    });
    assert!(
        futures_util::future::join_all(going).await.iter().all(|status| *status == StatusCode::NO_CONTENT)
    );
}

/// A transaction of an operator's, which gives up where it has to wait.
struct Writer(PgConnection);

impl Writer {
    async fn begin(admin: &Admin) -> Self {
        let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
        // One by one: what stands before a BEGIN in one batch would go with its ROLLBACK.
        for statement in ["SET ROLE dialplane_operator", "SET lock_timeout TO '200ms'", "BEGIN"] {
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        Self(connection)
    }

    /// Whether it goes on without waiting; if not, it is rolled back.
    async fn does(&mut self, sql: String) -> bool {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0).await;
        let Err(error) = done else { return true };
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("55P03"), "{error}");
        sqlx::raw_sql("ROLLBACK; BEGIN").execute(&mut self.0).await.unwrap();
        false
    }

    async fn commit(mut self) {
        sqlx::raw_sql("COMMIT").execute(&mut self.0).await.unwrap();
    }
}

#[tokio::test]
async fn new_numbers_wait_only_for_whoever_takes_the_primary_one_away() {
    let Some(admin) = Admin::start().await else { return };
    let id = admin.create("/tenants", json!({"name": "Salon"})).await;
    let tenant = format!("/tenants/{id}");
    let insert = |last: u8| {
        format!(
            "INSERT INTO phone_numbers (id, tenant_id, phone_number, display_name, source)
             VALUES (gen_random_uuid(), '{id}', '+1212555000{last}', 'A number', 'manual')"
        )
    };
    // Without a primary number, a new one may become it.
    let (mut one, mut other) = (Writer::begin(&admin).await, Writer::begin(&admin).await);
    assert!(one.does(insert(1)).await);
    assert!(!other.does(insert(2)).await);
    one.commit().await;
    let first = primaries(&admin, &tenant).await.0;
    // With one, writers don't wait for each other; whoever takes it away waits for them,
    let mut one = Writer::begin(&admin).await;
    assert!(one.does(insert(3)).await && other.does(insert(4)).await);
    let take_away = format!("UPDATE phone_numbers SET status = 'inactive' WHERE id = '{}'", first[0]);
    let mut taking = Writer::begin(&admin).await;
    assert!(!taking.does(take_away.clone()).await);
    one.commit().await;
    other.commit().await;
    assert!(taking.does(take_away).await);
    // and they for it.
    let mut late = Writer::begin(&admin).await;
    assert!(!late.does(insert(5)).await);
    taking.commit().await;
    assert!(late.does(insert(5)).await);
    late.commit().await;
    let (primary, active) = primaries(&admin, &tenant).await;
    assert_eq!((primary.len(), active), (1, 3));
    assert_ne!(primary, first);
    // Where there is a limit, they wait for each other.
    let limit = json!({"phone_numbers_max": 5});
    admin.expect(StatusCode::OK, Method::PATCH, &tenant, limit).await;
    let (mut one, mut other) = (Writer::begin(&admin).await, Writer::begin(&admin).await);
    assert!(one.does(insert(6)).await);
    assert!(!other.does(insert(7)).await);
}
