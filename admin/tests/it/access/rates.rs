//! How often somebody may ask, and how often somebody may guess.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::issuer::Issuer;
use super::signer::Signer;
use crate::harness::{Admin, OPERATOR};

async fn get(admin: &Admin, key: &str) -> Response {
    admin.ask(Some(key), Method::GET, "/api/v2/tenants", &Value::Null).await
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Asks until it is too often: how often it wasn't, and the answer.
async fn until_limited(admin: &Admin, key: &str) -> (usize, Response) {
    for count in 0..200 {
        let answer = get(admin, key).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            return (count, answer);
        }
        assert_eq!(answer.status(), StatusCode::OK);
    }
    panic!("never limited");
}

#[tokio::test]
async fn each_key_and_each_subject_has_a_rate_of_its_own() {
    let signer = Signer::p256("p");
    let issuer = Issuer::start(&[&signer]).await;
    let rates = [("ADMIN_RATE_LIMIT", "1"), ("ADMIN_RATE_BURST", "8")];
    let Some(admin) = Admin::start_with(&issuer.settings_and(&rates)).await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let (first, second) = (admin.tenant_key_of(&tenant, "admin").await, admin.tenant_key(&tenant).await);

    let answer = get(&admin, &first).await;
    assert_eq!(header(&answer, "ratelimit-policy"), "\"default\";q=8;w=8");
    assert_eq!(header(&answer, "ratelimit"), "\"default\";r=7;t=1");
    let (_, limited) = until_limited(&admin, &first).await;
    assert_eq!(header(&limited, "retry-after"), "1");
    assert!(header(&limited, "ratelimit").starts_with("\"default\";r=0;t="), "{limited:?}");
    assert_eq!(header(&limited, "ratelimit-policy"), "\"default\";q=8;w=8");
    assert_eq!(limited.json::<Value>().await.unwrap()["code"], "rate_limited");
    // Nothing is done for whoever asks too often, and others don't feel it.
    let path = format!("/api/v2/tenants/{tenant}");
    let names = async || {
        let answer =
            admin.expect(StatusCode::OK, Method::GET, &format!("/tenants/{tenant}"), Value::Null).await;
        answer["name"].clone()
    };
    let mut refusals = 0;
    for _ in 0..20 {
        let (status, _) = admin.send(&first, Method::PATCH, &path, &json!({"name": "Changed"})).await;
        refusals += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
        if status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        // One had come back meanwhile: put the name right, and try again.
        let body = json!({"name": "Mine"});
        admin.expect(StatusCode::OK, Method::PATCH, &format!("/tenants/{tenant}"), body).await;
    }
    assert_eq!((refusals, names().await), (1, json!("Mine")));
    let (taken, _) = until_limited(&admin, &second).await;
    assert!(taken >= 8, "{taken}");
    // Ten times as many for an operator.
    let answer = get(&admin, OPERATOR).await;
    assert_eq!(header(&answer, "ratelimit-policy"), "\"default\";q=80;w=8");
    // A subject's, whichever token it has.
    let subject = |name: &str, id: u8| {
        let mut claims = issuer.claims(&tenant, "viewer");
        (claims["sub"], claims["jti"]) = (json!(name), json!(id));
        signer.token(&claims)
    };
    issuer.known_to(&admin, &subject("bo", 0)).await;
    until_limited(&admin, &subject("ada", 0)).await;
    let mut others = Vec::new();
    for id in 1..4 {
        others.push(get(&admin, &subject("ada", id)).await.status());
    }
    assert!(others.contains(&StatusCode::TOO_MANY_REQUESTS), "{others:?}");
    assert_eq!(get(&admin, &subject("cy", 0)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_limit_of_nothing_is_none() {
    let off = [("ADMIN_RATE_LIMIT", "0"), ("ADMIN_RATE_BURST", "1")];
    let Some(admin) = Admin::start_with(&off).await else { return };
    for _ in 0..20 {
        let answer = get(&admin, OPERATOR).await;
        assert_eq!((answer.status(), header(&answer, "ratelimit")), (StatusCode::OK, ""));
    }
}

#[tokio::test]
async fn guessing_keys_is_slow_and_costs_postgres_nothing() {
    let rates = [("ADMIN_FAILURE_LIMIT", "1"), ("ADMIN_FAILURE_BURST", "5")];
    let Some(admin) = Admin::start_with(&rates).await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let (used, unused) = (admin.tenant_key(&tenant).await, admin.tenant_key(&tenant).await);
    assert_eq!(get(&admin, &used).await.status(), StatusCode::OK);
    let guess = async |n: usize| get(&admin, &format!("dp_guess_{n}")).await;
    let mut guesses = 0;
    let limited = loop {
        let answer = guess(guesses).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        guesses += 1;
        assert!(guesses < 100, "never limited");
    };
    assert!(guesses >= 5, "{guesses}");
    assert_eq!(header(&limited, "retry-after"), "1");
    assert_eq!(limited.json::<Value>().await.unwrap()["code"], "rate_limited");
    // Whoever was good lately is let in all the same. Nobody needs a key to be told that there is none.
    assert_eq!(get(&admin, &used).await.status(), StatusCode::OK);
    let none = admin.ask(None, Method::GET, "/api/v2/tenants", &Value::Null).await;
    assert_eq!(none.status(), StatusCode::UNAUTHORIZED);
    // Without the table each question fails: those that are limited aren't asked.
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let mut rename = async |from: &str, to: &str| {
        let sql = AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    };
    rename("api_keys", "away").await;
    let mut seen = Vec::new();
    for n in 0..200 {
        seen.push(guess(1_000 + n).await.status());
    }
    rename("away", "api_keys").await;
    let limited = seen.iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count();
    // One a second may be tried, so a few fail instead.
    assert!(limited >= 100, "{limited}");
    // A new key of somebody at that address has to wait with it, and is then let in.
    for _ in 0..100 {
        let answer = get(&admin, &unused).await;
        if answer.status() == StatusCode::OK {
            return;
        }
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("a good key was never let in");
}
