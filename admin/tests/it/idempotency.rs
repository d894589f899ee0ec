//! A POST that is repeated with its `Idempotency-Key` happens once, and gets the same answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dialplane_admin::config::SealKeys;
use dialplane_admin::store::Store;
use dialplane_admin::sweep::Sweep;
use dialplane_common::feed::FEED_VERSION;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::report::RouterReport;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, Answer, ENCRYPTION_KEY, FEED_KEY, OPERATOR};

async fn post(admin: &Admin, api_key: &str, path: &str, key: &str, body: &Value) -> Answer {
    Answer::to(admin.request(api_key, Method::POST, path).header("idempotency-key", key).json(body)).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    let Some(admin) = Admin::start().await else { return };
    let body = json!({"name": "Mine"});
    let first = post(&admin, OPERATOR, "/tenants", "key-1", &body).await;
    assert_eq!((first.status, is_replayed(&first)), (StatusCode::CREATED, false), "{first:?}");
    let location = format!("/api/v2/tenants/{}", first.body["id"].as_str().unwrap());
    assert_eq!(first.header("location"), Some(&*location));
    let again = post(&admin, OPERATOR, "/tenants", "key-1", &body).await;
    assert_eq!((again.status, is_replayed(&again), &again.body), (first.status, true, &first.body));
    for name in ["location", "etag", "dialplane-revision", "content-type"] {
        assert!(first.header(name).is_some(), "{name}");
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!(admin.query::<i64>("SELECT count(*) FROM tenants").await, 1);
    // Another request under the same key: another body, another query, another path.
    for (path, body) in [
        ("/tenants", json!({"name": "Other"})),
        ("/tenants?wait=applied", body.clone()),
        ("/api-keys", body.clone()),
    ] {
        let refused = post(&admin, OPERATOR, path, "key-1", &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        assert_eq!(refused.body["code"], "idempotency_key_reused");
    }
    let other = post(&admin, OPERATOR, "/tenants", "key-2", &body).await;
    assert_eq!((other.status, is_replayed(&other)), (StatusCode::CREATED, false));
    assert_ne!(other.body["id"], first.body["id"]);
}

#[tokio::test]
async fn what_was_refused_is_tried_anew() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let other = admin.create("/tenants", json!({"name": "Other"})).await;
    let body = json!({"source": "manual", "phone_number": "+12125550001"});
    let theirs = admin.create(&format!("/tenants/{other}/phone-numbers"), body.clone()).await;
    let path = format!("/tenants/{tenant}/phone-numbers");
    let refused = post(&admin, OPERATOR, &path, "k", &body).await;
    assert_eq!(refused.body["code"], "phone_number_taken");
    let theirs = format!("/tenants/{other}/phone-numbers/{theirs}?release=now");
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &theirs, Value::Null).await;
    let done = post(&admin, OPERATOR, &path, "k", &body).await;
    assert_eq!((done.status, is_replayed(&done)), (StatusCode::CREATED, false), "{done:?}");
}

#[tokio::test]
async fn of_many_at_once_one_happens() {
    let Some(admin) = Admin::start().await else { return };
    let body = json!({"name": "Mine"});
    for key in ["a", "b"] {
        let requests = (0..20).map(|_| post(&admin, OPERATOR, "/tenants", key, &body));
        let answers = futures_util::future::join_all(requests).await;
        assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (StatusCode::CREATED, &answers[0].body), "{answer:?}");
        }
    }
    assert_eq!(admin.query::<i64>("SELECT count(*) FROM tenants").await, 2);
}

#[tokio::test]
async fn keys_of_others_are_others() {
    let Some(admin) = Admin::start().await else { return };
    let mut ids = BTreeSet::new();
    for name in ["Mine", "Theirs"] {
        let tenant = admin.create("/tenants", json!({"name": name})).await;
        let (first, second) = (admin.tenant_key(&tenant).await, admin.tenant_key(&tenant).await);
        let path = format!("/tenants/{tenant}/intents");
        for (api_key, intent) in [(first, "book"), (second, "cancel")] {
            let made = post(&admin, &api_key, &path, "k", &json!({"name": intent})).await;
            assert_eq!((made.status, is_replayed(&made)), (StatusCode::CREATED, false), "{made:?}");
            ids.insert(made.body["id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn secrets_are_neither_kept_nor_repeated() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
    let agent = admin.create(&format!("/tenants/{tenant}/agents"), agent).await;
    for (path, field, body) in [
        (format!("/tenants/{tenant}/api-keys"), "key", json!({"name": "ci", "role": "viewer"})),
        ("/api-keys".to_owned(), "key", json!({"name": "ci"})),
        (format!("/tenants/{tenant}/agents/{agent}/token"), "token", Value::Null),
    ] {
        let first = post(&admin, OPERATOR, &path, &path, &body).await;
        let secret = first.body[field].as_str().unwrap().to_owned();
        assert_eq!(first.header("dialplane-secrets-withheld"), None);
        let again = post(&admin, OPERATOR, &path, &path, &body).await;
        assert_eq!((again.status, &again.body[field]), (StatusCode::CREATED, &Value::Null), "{again:?}");
        assert_eq!(again.header("dialplane-secrets-withheld"), Some("true"));
        let mut expected = first.body.clone();
        expected[field] = Value::Null;
        assert_eq!(again.body, expected);
        let kept: Vec<u8> =
            admin.query("SELECT string_agg(body, '') FROM idempotency_keys WHERE body IS NOT NULL").await;
        assert!(!kept.is_empty() && !String::from_utf8(kept).unwrap().contains(&secret));
    }
}

#[tokio::test]
async fn keys_that_are_none_are_refused_and_other_methods_need_none() {
    let Some(admin) = Admin::start().await else { return };
    let body = json!({"name": "Mine"});
    for key in ["a b", &"x".repeat(256), ""] {
        let refused = post(&admin, OPERATOR, "/tenants", key, &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.body["code"], "invalid_idempotency_key");
    }
    assert_eq!(admin.query::<i64>("SELECT count(*) FROM tenants").await, 0);
}

/// A router that is live for a minute and serves nothing, so that whoever waits for it waits.
async fn report_a_router(admin: &Admin, is_there: bool) {
    let client = redis::Client::open(admin.redis_url.as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let keys = Keys::new(&admin.namespace);
    let id = "stuck".to_owned();
    if !is_there {
        let mut gone = redis::pipe();
        gone.cmd("ZREM").arg(keys.routers_seen()).arg(&id).cmd("HDEL").arg(keys.routers()).arg(&id);
        return gone.exec_async(&mut redis).await.unwrap();
    }
    let report = RouterReport {
        id: id.clone(),
        version: "0".into(),
        feed_version: FEED_VERSION,
        serving: None,
        delay_us: None,
        unreadable_records: 0,
        wants_checkpoint: false,
        digest_alarm: false,
        events_dropped: None,
    };
    let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
    let mut told = redis::pipe();
    told.cmd("HSET").arg(keys.routers()).arg(&id).arg(serde_json::to_string(&report).unwrap());
    told.cmd("ZADD").arg(keys.routers_seen()).arg((seconds + 60) * 1_000).arg(&id);
    told.exec_async(&mut redis).await.unwrap();
}

/// The process is killed while the request waits for a router: after the commit, before the answer.
#[tokio::test]
async fn a_crash_between_commit_and_answer_loses_nothing() {
    let Some(mut admin) = Admin::start().await else { return };
    report_a_router(&admin, true).await;
    let seen = async || {
        let view = admin.expect(StatusCode::OK, Method::GET, "/routers", Value::Null).await;
        view["items"].as_array().is_some_and(|routers| !routers.is_empty())
    };
    while !seen().await {
        tokio::task::yield_now().await;
    }
    let (path, body) = ("/tenants?wait=applied&timeout_ms=30000", json!({"name": "Mine"}));
    let request = |admin: &Admin| admin.request(OPERATOR, Method::POST, path).json(&body);
    let unanswered = tokio::spawn(request(&admin).header("idempotency-key", "k").send());
    while admin.query::<i64>("SELECT count(*) FROM tenants").await == 0 {
        tokio::task::yield_now().await;
    }
    admin.restart();
    assert!(unanswered.await.unwrap().is_err(), "it was answered");
    report_a_router(&admin, false).await;
    let answer = Answer::to(request(&admin).header("idempotency-key", "k")).await;
    assert_eq!((answer.status, is_replayed(&answer)), (StatusCode::CREATED, true), "{answer:?}");
    let tenant = admin.query::<String>("SELECT min(id::text) FROM tenants HAVING count(*) = 1").await;
    assert_eq!(answer.body["id"], tenant.as_str());
}

#[tokio::test]
async fn keys_go_with_their_tenant() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let key = admin.tenant_key(&tenant).await;
    let made = post(&admin, &key, &format!("/tenants/{tenant}/intents"), "k", &json!({"name": "book"})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(admin.query::<i64>("SELECT count(*) FROM idempotency_keys").await, 1);
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &format!("/tenants/{tenant}"), Value::Null).await;
    assert_eq!(admin.query::<i64>("SELECT count(*) FROM idempotency_keys").await, 0);
}

#[tokio::test]
async fn answers_are_kept_for_their_time_alone() {
    let Some(admin) = Admin::start().await else { return };
    for key in ["old", "new"] {
        post(&admin, OPERATOR, "/tenants", key, &json!({"name": key})).await;
    }
    let aged: String = admin
        .query("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = 'old' RETURNING key")
        .await;
    assert_eq!(aged, "old");
    let keys = SealKeys {
        at_rest: Keyring::parse("admin", ENCRYPTION_KEY).unwrap(),
        feed: Keyring::feed(FEED_KEY).unwrap(),
    };
    let sweep = Sweep {
        keep_calls_days: 400,
        store: Store::new(&admin.database_url, Arc::new(keys)).unwrap(),
        is_publishing: Arc::default(),
        keep_answers: Duration::from_secs(24 * 3_600),
    };
    sweep.once().await.unwrap();
    assert_eq!(admin.query::<String>("SELECT string_agg(key, ' ') FROM idempotency_keys").await, "new");
}
