//! What the API answered 2xx to is in the stream, in order, and adds up.

use std::collections::HashMap;
use std::time::Duration;

use dialplane_common::feed::frame::Frames;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::keys::Keys;
use dialplane_common::feed::message::{Chunk, Delta, Manifest};
use dialplane_common::feed::{Digest, Epoch, RecordHash, Revision};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, FEED_KEY, OPERATOR};

/// The entry of a stream: id and fields.
type Entry = (String, HashMap<String, Vec<u8>>);

/// Reads the checkpoint and the stream as a router does, and gives epoch, revision and digest.
async fn follow(admin: &Admin) -> Option<(Epoch, Revision, Digest)> {
    let keyring = Keyring::feed(FEED_KEY).unwrap();
    let keys = Keys::new(&admin.namespace);
    let client = redis::Client::open(admin.redis_url.as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let pointer: Option<String> = redis::cmd("GET").arg(keys.epoch()).query_async(&mut redis).await.unwrap();
    let epoch: Epoch = pointer?.parse().unwrap();
    let manifest: Vec<u8> =
        redis::cmd("GET").arg(keys.checkpoint(epoch)).query_async(&mut redis).await.unwrap();
    let manifest = Manifest::verify(&manifest, &keyring).unwrap();
    let mut records: HashMap<(u8, Vec<u8>), RecordHash> = HashMap::new();
    for index in 0.. {
        let key = keys.chunk(epoch, manifest.revision, index);
        let bytes: Vec<u8> = redis::cmd("GET").arg(key).query_async(&mut redis).await.unwrap();
        let chunk = Chunk::verify(&bytes, &keyring).unwrap();
        for stored in dialplane_common::feed::frame::StoredFrames::new(chunk.frames) {
            let (hash, frame) = stored.unwrap();
            records.insert((frame.key.kind, frame.key.key.to_vec()), hash);
        }
        if chunk.last {
            break;
        }
    }
    let sum = |records: &HashMap<_, RecordHash>| {
        records.values().fold(Digest::default(), |sum, hash| sum.with(*hash))
    };
    assert_eq!((sum(&records), records.len() as u64), (manifest.digest, manifest.records));
    let entries: Vec<Entry> =
        redis::cmd("XRANGE").arg(keys.feed(epoch)).arg("-").arg("+").query_async(&mut redis).await.unwrap();
    let mut revision = manifest.revision;
    for (id, fields) in entries {
        let at = Revision(id.strip_suffix("-0").unwrap().parse().unwrap());
        if at <= manifest.revision {
            continue;
        }
        let delta = Delta::verify(&fields["delta"], &keyring).unwrap();
        assert_eq!((delta.epoch, delta.revision, at), (epoch, revision.next(), revision.next()));
        for frame in Frames::new(delta.frames).map(Result::unwrap) {
            frame.record().unwrap();
            let key = (frame.key.kind, frame.key.key.to_vec());
            match frame.hash() {
                Some(hash) => drop(records.insert(key, hash)),
                None => drop(records.remove(&key)),
            }
        }
        assert_eq!(sum(&records), delta.digest, "at {at}");
        revision = at;
    }
    Some((epoch, revision, sum(&records)))
}

/// Waits until the stream is where `GET /feed` says that Postgres is, and gives the epoch.
async fn settled(admin: &Admin) -> Epoch {
    for _ in 0..200 {
        let (status, feed) = admin.send(OPERATOR, Method::GET, "/api/v2/feed", &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{feed}");
        if let Some((epoch, revision, digest)) = follow(admin).await
            && feed["revision"] == revision.0
        {
            assert_eq!(feed["digest"], digest.to_string());
            return epoch;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the stream never came to where Postgres is");
}

#[tokio::test]
async fn every_change_is_in_the_stream_and_adds_up() {
    let Some(mut admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let number = json!({"source": "manual", "phone_number": "+12125550001"});
    let number = admin.create(&format!("/tenants/{tenant}/phone-numbers"), number).await;
    let epoch = settled(&admin).await;
    let path = format!("/api/v2/tenants/{tenant}/phone-numbers/{number}");
    for step in 0..20 {
        let (status, answer) = match step % 2 {
            0 => {
                admin.send(OPERATOR, Method::PATCH, &path, &json!({"display_name": format!("n{step}")})).await
            }
            _ => admin.send(OPERATOR, Method::PUT, &format!("{path}/routing"), &json!({"rules": []})).await,
        };
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    // Killed right behind the last answer: what isn't in Redis yet gets there from Postgres.
    admin.restart();
    let (status, _) = admin.send(OPERATOR, Method::DELETE, &path, &Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(settled(&admin).await, epoch, "nothing was lost, so the feed's life goes on");
}

#[tokio::test]
async fn writers_of_one_number_lose_nothing_of_each_other() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let number = json!({"source": "manual", "phone_number": "+12125550001"});
    let number = admin.create(&format!("/tenants/{tenant}/phone-numbers"), number).await;
    let path = format!("/api/v2/tenants/{tenant}/phone-numbers/{number}");
    for round in 0..10 {
        let name = json!({"display_name": format!("n{round}")});
        let rules = json!({"rules": [{"then": {"action": "message", "say": format!("r{round}")}}]});
        let routing = format!("{path}/routing");
        let (name, rules) = tokio::join!(
            admin.send(OPERATOR, Method::PATCH, &path, &name),
            admin.send(OPERATOR, Method::PUT, &routing, &rules),
        );
        assert_eq!((name.0, rules.0), (StatusCode::OK, StatusCode::OK));
    }
    settled(&admin).await;
    let mut connection =
        <sqlx::PgConnection as sqlx::Connection>::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
    let payload: Vec<u8> = sqlx::query_scalar("SELECT payload FROM feed_records WHERE kind = 4")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&payload);
    assert!(text.contains("n9") && text.contains("r9"), "{text:?}");
}

#[tokio::test]
async fn an_emptied_redis_begins_a_new_epoch() {
    let Some(admin) = Admin::start().await else { return };
    admin.create("/tenants", json!({"name": "Salon"})).await;
    let before = settled(&admin).await;
    let client = redis::Client::open(admin.redis_url.as_str()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("{}:*", admin.namespace);
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap();
    redis::cmd("DEL").arg(keys).query_async::<()>(&mut redis).await.unwrap();
    assert_ne!(settled(&admin).await, before);
}

#[tokio::test]
async fn tables_loaded_from_a_backup_begin_a_new_epoch_though_they_say_the_same() {
    let Some(admin) = Admin::start().await else { return };
    admin.create("/tenants", json!({"name": "Salon"})).await;
    let before = settled(&admin).await;
    let mut owner = <sqlx::PgConnection as sqlx::Connection>::connect(&admin.database_url).await.unwrap();
    let load = "BEGIN;
        ALTER TABLE feed_state RENAME TO gone;
        CREATE TABLE feed_state (LIKE gone INCLUDING ALL);
        INSERT INTO feed_state SELECT * FROM gone;
        GRANT SELECT ON feed_state TO dialplane_operator;
        COMMIT";
    sqlx::raw_sql(load).execute(&mut owner).await.unwrap();
    let mut after = settled(&admin).await;
    for _ in 0..100 {
        if after != before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = settled(&admin).await;
    }
    assert_ne!(after, before);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(settled(&admin).await, after, "once");
}
