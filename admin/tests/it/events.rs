//! Changes as they happen: over SSE without a hole or a repeat, and in Redis.

use std::collections::VecDeque;
use std::time::Duration;

use dialplane_admin::outbound;
use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::{Admin, OPERATOR};

const PATIENCE: Duration = Duration::from_secs(30);

/// An open stream.
pub struct Stream {
    response: reqwest::Response,
    read: Vec<u8>,
    blocks: VecDeque<(u64, Value)>,
    /// The last id that was seen.
    last: u64,
}

/// Asks for a stream.
async fn ask(admin: &Admin, key: &str, path: &str, last: Option<u64>) -> reqwest::Response {
    let request = outbound::client().unwrap().get(format!("{}/api/v2{path}", admin.api())).bearer_auth(key);
    let request = match last {
        Some(last) => request.header("Last-Event-ID", last),
        None => request,
    };
    request.send().await.unwrap()
}

impl Stream {
    /// Opens one, and reads where it begins.
    pub async fn open(admin: &Admin, key: &str, path: &str, last: Option<u64>) -> Self {
        let response = ask(admin, key, path, last).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, read: Vec::new(), blocks: VecDeque::new(), last: 0 };
        let (start, data) = stream.block().await.unwrap();
        assert!(data.is_null() && last.is_none_or(|last| last == start), "{start} {data}");
        stream.last = start;
        stream
    }

    /// The next block: its id, and its data if it has any; `None` at the end of the stream.
    async fn block(&mut self) -> Option<(u64, Value)> {
        tokio::time::timeout(PATIENCE, self.wait()).await.unwrap()
    }

    async fn wait(&mut self) -> Option<(u64, Value)> {
        loop {
            if let Some(block) = self.blocks.pop_front() {
                return Some(block);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.read.extend_from_slice(&chunk);
            while let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let block = String::from_utf8(self.read.drain(..end + 2).collect()).unwrap();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                // Comments keep the connection alive.
                let Some(id) = field("id: ") else { continue };
                let data = field("data: ").map_or(Value::Null, |data| serde_json::from_str(data).unwrap());
                self.blocks.push_back((id.parse().unwrap(), data));
            }
        }
    }

    /// The next event.
    async fn next(&mut self) -> Value {
        let (id, data) = self.block().await.unwrap();
        assert!(id > self.last && data["id"] == id, "{id} behind {}: {data}", self.last);
        self.last = id;
        data
    }

    /// The next event of this type; those before it are passed over.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await;
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Waits for the stream's end.
    async fn end(&mut self) {
        while self.block().await.is_some() {}
    }
}

async fn execute(database_url: &str, sql: String) {
    let mut connection = PgConnection::connect(database_url).await.unwrap();
    let sql = format!("SET ROLE dialplane_operator; {sql}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
}

fn intents(tenant: &str, from: usize, to: usize) -> String {
    format!(
        "INSERT INTO intents (id, tenant_id, name, phrases, responses)
         SELECT gen_random_uuid(), '{tenant}', lpad(n::text, 6, '0'), '{{}}', '{{}}' FROM generate_series({from}, {to}) AS n"
    )
}

async fn number(admin: &Admin, tenant: &str, digits: &str) -> String {
    let number = json!({"source": "manual", "phone_number": digits});
    admin.create(&format!("/tenants/{tenant}/phone-numbers"), number).await
}

fn hours(end: &str) -> Value {
    json!({"weekly": {"mon": [["09:00", end]]}, "holidays": [], "override": null})
}

#[tokio::test]
async fn each_channel_tells_its_own() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let (first, second) =
        (number(&admin, &tenant, "+12125550001").await, number(&admin, &tenant, "+12125550002").await);
    let key = admin.tenant_key(&tenant).await;
    let path = format!("/tenants/{tenant}/events");
    admin.sealed().await;
    let mut business = Stream::open(&admin, &key, &path, None).await;
    let mut of_hours =
        Stream::open(&admin, OPERATOR, &format!("{path}?channel=phone:{first}:hours"), None).await;
    let two = format!("{path}?channel=phone:{first}:settings&channel=phone:{second}:voice");
    let mut of_two = Stream::open(&admin, &key, &two, None).await;
    let put = async |number: &str, what: &str, body: Value| {
        let path = format!("/tenants/{tenant}/phone-numbers/{number}/{what}");
        admin.expect(StatusCode::OK, Method::PUT, &path, body).await;
    };
    let rules = json!({"rules": [{"then": {"action": "message", "say": "We are closed."}}]});
    put(&first, "settings/hours", hours("17:00")).await;
    put(&first, "settings/hours", hours("18:00")).await;
    put(&first, "routing", rules).await;
    put(&second, "settings/hours", hours("12:00")).await;
    put(&second, "settings/voice", json!({"greeting": "Hello"})).await;

    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(business.next().await);
    }
    let kinds: Vec<_> = seen.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let kind = |what: &str| format!("phone_number.settings.{what}");
    let expected =
        ["hours.created", "hours.updated", "routing.created", "hours.created", "voice.created"].map(kind);
    assert_eq!(kinds, expected);
    let event = &seen[1];
    assert_eq!(event["changed"], json!(["weekly"]));
    assert_eq!(event["value"]["weekly"]["mon"][0][1], "18:00");
    assert_eq!((&event["phone_number_id"], &event["tenant_id"]), (&json!(first), &json!(tenant)));
    let on =
        [format!("business:{tenant}"), format!("phone:{first}:settings"), format!("phone:{first}:hours")];
    assert_eq!(event["channels"], json!(on));
    for event in &seen[..2] {
        assert_eq!(of_hours.next().await, *event);
    }
    for event in [&seen[0], &seen[1], &seen[2], &seen[4]] {
        assert_eq!(of_two.next().await, *event);
    }
}

#[tokio::test]
async fn a_stream_that_is_taken_up_again_has_no_hole_and_no_repeat() {
    let Some(mut admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let other = admin.create("/tenants", json!({"name": "Other"})).await;
    let path = format!("/tenants/{tenant}/events");
    admin.sealed().await;
    let mut stream = Stream::open(&admin, OPERATOR, &path, None).await;
    let changes = 600;
    // In order, one transaction each, with another tenant's in between.
    let (url, writing_tenant) = (admin.database_url.clone(), tenant.clone());
    let writing = tokio::spawn(async move {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
        for change in 0..changes {
            for tenant in [&writing_tenant, &other] {
                let sql = AssertSqlSafe(intents(tenant, change, change));
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
    });
    let mut last = stream.last;
    for change in 0..changes {
        // The client goes away now and then, and the process is killed now and then.
        if change % 100 == 70 {
            stream = Stream::open(&admin, OPERATOR, &path, Some(last)).await;
        }
        if change % 200 == 150 {
            admin.restart();
            stream = Stream::open(&admin, OPERATOR, &format!("{path}?after={last}"), Some(last)).await;
        }
        let event = stream.next().await;
        assert!(event["id"].as_u64().unwrap() > last);
        last = event["id"].as_u64().unwrap();
        assert_eq!((&event["type"], &event["tenant_id"]), (&json!("intent.created"), &json!(tenant)));
    }
    writing.await.unwrap();
    // Each once: the ids grow, there were as many as changes, and nothing is left but what comes now.
    number(&admin, &tenant, "+12125550001").await;
    assert_eq!(stream.next().await["type"], "phone_number.created");
}

#[tokio::test]
async fn a_slow_reader_gets_everything_in_the_end() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let path = format!("/tenants/{tenant}/events");
    admin.sealed().await;
    let mut slow = Stream::open(&admin, OPERATOR, &path, None).await;
    let mut quick = Stream::open(&admin, OPERATOR, &path, None).await;
    // Far more than the buffers of both ends take.
    let changes = 20_000;
    execute(&admin.database_url, intents(&tenant, 1, changes)).await;
    for _ in 0..changes {
        quick.next().await;
    }
    for _ in 0..changes {
        slow.next().await;
    }
    assert_eq!(slow.last, quick.last);
    number(&admin, &tenant, "+12125550001").await;
    assert_eq!(slow.next().await["type"], "phone_number.created");
}

#[tokio::test]
async fn streams_are_authorised_as_the_api_is() {
    let Some(admin) = Admin::start().await else { return };
    let (mine, theirs) = (
        admin.create("/tenants", json!({"name": "Mine"})).await,
        admin.create("/tenants", json!({"name": "Theirs"})).await,
    );
    let their_number = number(&admin, &theirs, "+12125550001").await;
    let key = admin.tenant_key(&mine).await;
    let refused = async |key: &str, path: &str, last: Option<u64>, expected: StatusCode, code: &str| {
        let response = ask(&admin, key, path, last).await;
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!((status, answer["code"].as_str()), (expected, Some(code)), "{path} {answer}");
    };
    let (none, bad) = (StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST);
    let path = format!("/tenants/{mine}/events");
    refused(&key, &format!("/tenants/{theirs}/events"), None, none, "not_found").await;
    refused(&key, &format!("{path}?channel=business:{theirs}"), None, none, "not_found").await;
    refused(&key, &format!("{path}?channel=phone:{their_number}:hours"), None, none, "not_found").await;
    refused(OPERATOR, &format!("{path}?channel=phone:{their_number}:hours"), None, none, "not_found").await;
    refused(OPERATOR, &format!("/tenants/{their_number}/events"), None, none, "not_found").await;
    refused("no-such-key", &path, None, StatusCode::UNAUTHORIZED, "unauthorized").await;
    refused(&key, &format!("{path}?channel=phone:x:hours"), None, bad, "invalid_query").await;
    refused(&key, &format!("{path}?after=x"), None, bad, "invalid_query").await;
    refused(&key, &format!("{path}?after=9223372036854775808"), None, bad, "invalid_query").await;
    refused(&key, &path, Some(1_000_000), StatusCode::GONE, "event_unknown").await;

    // Viewers aren't told of keys, as they can't list them.
    let body = json!({"name": "viewer", "role": "viewer"});
    let keys = format!("/tenants/{mine}/api-keys");
    let viewer = admin.expect(StatusCode::CREATED, Method::POST, &keys, body).await;
    admin.sealed().await;
    let mut of_admin = Stream::open(&admin, &key, &path, None).await;
    let mut of_viewer = Stream::open(&admin, viewer["key"].as_str().unwrap(), &path, None).await;
    admin.tenant_key(&mine).await;
    number(&admin, &theirs, "+12125550003").await;
    number(&admin, &mine, "+12125550002").await;
    assert_eq!(of_admin.next().await["type"], "api_key.created");
    assert_eq!(of_admin.next().await["type"], "phone_number.created");
    assert_eq!(of_viewer.next().await["type"], "phone_number.created");
}

#[tokio::test]
async fn a_stream_ends_with_its_key_and_with_the_process() {
    let Some(mut admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let path = format!("/tenants/{tenant}/events");
    let keys = format!("/tenants/{tenant}/api-keys");
    let make = async || {
        let body = json!({"name": "test", "role": "admin"});
        let made = admin.expect(StatusCode::CREATED, Method::POST, &keys, body).await;
        (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    };
    let ((revoked, revoked_id), (expired, expired_id), (good, _)) =
        (make().await, make().await, make().await);
    let mut of_revoked = Stream::open(&admin, &revoked, &path, None).await;
    let mut of_expired = Stream::open(&admin, &expired, &path, None).await;
    let mut of_good = Stream::open(&admin, &good, &path, None).await;
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &format!("{keys}/{revoked_id}"), Value::Null).await;
    of_revoked.end().await;
    let expire = format!("UPDATE api_keys SET expires_at = now() WHERE id = '{expired_id}'");
    execute(&admin.database_url, expire).await;
    of_expired.end().await;
    assert_eq!(of_good.until("api_key.deleted").await["resource_id"], revoked_id);
    of_good.until("api_key.updated").await;
    admin.stop();
    of_good.end().await;
}

#[tokio::test]
async fn one_key_has_so_many_streams_and_no_more() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let path = format!("/tenants/{tenant}/events");
    let key = admin.tenant_key(&tenant).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(Stream::open(&admin, &key, &path, None).await);
    }
    let refused = ask(&admin, &key, &path, None).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    Stream::open(&admin, OPERATOR, &path, None).await;
    // Room comes back with the end of a stream, which the server sees when it writes or reads.
    drop(open);
    let again = async {
        while ask(&admin, &key, &path, None).await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn redis_has_the_same_events_on_channels_of_the_same_names() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let number = number(&admin, &tenant, "+12125550001").await;
    let namespace = &admin.namespace;
    let client = redis::Client::open(admin.redis_url.as_str()).unwrap();
    let mut messages = client.get_async_pubsub().await.unwrap();
    let channels = [
        format!("{namespace}:business:{tenant}"),
        format!("{namespace}:phone:{number}:settings"),
        format!("{namespace}:phone:{number}:hours"),
        format!("{namespace}:phone:{number}:voice"),
    ];
    for channel in &channels {
        messages.subscribe(channel).await.unwrap();
    }
    let mut stream = Stream::open(&admin, OPERATOR, &format!("/tenants/{tenant}/events"), None).await;
    let path = format!("/tenants/{tenant}/phone-numbers/{number}/settings/hours");
    admin.expect(StatusCode::OK, Method::PUT, &path, hours("17:00")).await;
    let event = stream.until("phone_number.settings.hours.created").await;
    let mut messages = messages.on_message();
    let mut received = Vec::new();
    while received.len() < 3 {
        let message = tokio::time::timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
        let payload: Value = serde_json::from_slice(message.get_payload_bytes()).unwrap();
        // What was written before may still be on its way.
        if payload["id"] == event["id"] {
            assert_eq!(payload, event);
            received.push(message.get_channel_name().to_owned());
        }
    }
    assert_eq!(received, channels[..3]);
}
