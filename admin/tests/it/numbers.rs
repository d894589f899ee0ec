//! Phone numbers: ranges, whose an address is, what ties a number to accounts, and what is said of the place.

use dialplane_common::e164::{E164, Prefix};
use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::{NumberRecord, Record};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::{Admin, OPERATOR};
use crate::records;

/// Creates a number or a range and gives the status and the answer.
async fn create(admin: &Admin, key: &str, tenant: &str, address: (&str, &str)) -> (StatusCode, Value) {
    let body = json!({"source": "manual", address.0: address.1});
    admin.send(key, Method::POST, &format!("/api/v2/tenants/{tenant}/phone-numbers"), &body).await
}

async fn account(admin: &Admin, owner: &str, sid: &str) -> String {
    let credentials = json!({"account_sid": sid, "auth_token": "t"});
    let body = json!({"provider": "twilio", "label": "main", "credentials": credentials});
    admin.create(&format!("{owner}/accounts"), body).await
}

/// The one record of a number.
async fn number_record(admin: &Admin) -> NumberRecord {
    match records::of_kind(admin, Kind::Number).await.pop() {
        Some(Record::Number(_, record)) => record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_range_is_a_number_whose_address_is_a_prefix() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let (status, range) = create(&admin, OPERATOR, &tenant, ("prefix", "+4930123")).await;
    assert_eq!(status, StatusCode::CREATED, "{range}");
    assert_eq!(
        (&range["prefix"], &range["phone_number"], &range["display_name"]),
        (&json!("+4930123"), &Value::Null, &json!("+4930123"))
    );
    // A number of its own, and one of the very digits of the range, whose numbers are longer.
    for number in ["+4930123456", "+4930123"] {
        let (status, answer) = create(&admin, OPERATOR, &tenant, ("phone_number", number)).await;
        assert_eq!((status, &answer["phone_number"]), (StatusCode::CREATED, &json!(number)), "{answer}");
    }
    let ranges = records::of_kind(&admin, Kind::Range).await;
    let [Record::Range(prefix, record)] = ranges.as_slice() else { panic!("{ranges:?}") };
    assert_eq!(*prefix, "+4930123".parse::<Prefix>().unwrap());
    assert_eq!(record.id.to_string(), range["id"].as_str().unwrap());
    assert_eq!(records::of_kind(&admin, Kind::Number).await.len(), 2);

    let path = format!("/api/v2/tenants/{tenant}/phone-numbers");
    let list = format!("{path}?phone_number=%2B4930123");
    let (_, list) = admin.send(OPERATOR, Method::GET, &list, &Value::Null).await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["items"][0]["prefix"], Value::Null);
    let one = format!("{path}/{}", range["id"].as_str().unwrap());
    let rules = json!({"rules": [{"then": {"action": "reject"}}]});
    let (status, answer) = admin.send(OPERATOR, Method::PUT, &format!("{one}/routing"), &rules).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (status, _) = admin.send(OPERATOR, Method::DELETE, &one, &Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(records::of_kind(&admin, Kind::Range).await.is_empty());
    let numbers = records::of_kind(&admin, Kind::Number).await;
    assert!(
        matches!(&numbers[0], Record::Number(number, _) if *number == "+4930123".parse::<E164>().unwrap())
    );
}

#[tokio::test]
async fn two_owners_for_one_address_are_refused() {
    let Some(admin) = Admin::start().await else { return };
    let mine = admin.create("/tenants", json!({"name": "Mine"})).await;
    let theirs = admin.create("/tenants", json!({"name": "Theirs"})).await;
    let (mine_key, their_key) = (admin.tenant_key(&mine).await, admin.tenant_key(&theirs).await);
    let mine = (mine.as_str(), mine_key.as_str());
    let theirs = (theirs.as_str(), their_key.as_str());
    let check = async |who: (&str, &str), address: (&str, &str), code: &str| {
        let (status, answer) = create(&admin, who.1, who.0, address).await;
        let expected = if code.is_empty() { StatusCode::CREATED } else { StatusCode::CONFLICT };
        assert_eq!(status, expected, "{address:?} {answer}");
        if !code.is_empty() {
            assert_eq!((&answer["code"], &answer["field"]), (&json!(code), &json!(address.0)), "{answer}");
            let told = answer.to_string();
            assert!(!told.contains(mine.0) && !told.contains(theirs.0), "tells whose it is: {told}");
        }
    };
    check(mine, ("prefix", "+49301234"), "").await;
    check(mine, ("prefix", "+49301234"), "phone_number_taken").await;
    check(theirs, ("prefix", "+49301234"), "phone_number_taken").await;
    check(theirs, ("phone_number", "+493012345"), "phone_number_overlaps").await;
    check(theirs, ("prefix", "+493012345"), "phone_number_overlaps").await;
    check(theirs, ("prefix", "+4930123"), "phone_number_overlaps").await;
    // One's own lie in each other as one likes.
    check(mine, ("prefix", "+493012345"), "").await;
    check(mine, ("prefix", "+4930123"), "").await;
    check(mine, ("phone_number", "+4930123456"), "").await;
    check(mine, ("phone_number", "+4930123456"), "phone_number_taken").await;
    // Beside it there is room, and the number of a range's very digits isn't one of the range's.
    check(theirs, ("phone_number", "+4930124456"), "").await;
    check(theirs, ("prefix", "+4930125"), "").await;
    check(theirs, ("phone_number", "+4930123"), "").await;
    // A range around somebody else's number.
    check(mine, ("prefix", "+4930124"), "phone_number_overlaps").await;
    check(mine, ("prefix", "+49301244567"), "").await;
}

#[tokio::test]
async fn ranges_are_checked() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let key = admin.tenant_key(&tenant).await;
    let path = format!("/api/v2/tenants/{tenant}/phone-numbers");
    let check = async |body: Value, status: StatusCode, field: &str| {
        let answer = admin.send(&key, Method::POST, &path, &body).await;
        assert_eq!((answer.0, &answer.1["field"]), (status, &json!(field)), "{body} {}", answer.1);
    };
    let wrong = StatusCode::UNPROCESSABLE_ENTITY;
    check(json!({"source": "manual"}), wrong, "phone_number").await;
    let both = json!({"source": "manual", "phone_number": "+12125550001", "prefix": "+1212555"});
    check(both, wrong, "prefix").await;
    for prefix in ["+121", "1212555", "+1 212", "+12125550001", "+9991234", "+1212555000a"] {
        check(json!({"source": "manual", "prefix": prefix}), wrong, "prefix").await;
    }
    let city = json!({"source": "manual", "prefix": "+121255"});
    check(city.clone(), StatusCode::FORBIDDEN, "prefix").await;
    let (status, _) = admin.send(OPERATOR, Method::POST, &path, &city).await;
    assert_eq!(status, StatusCode::CREATED);
}

/// Whoever comes second waits for the first and then sees what it wrote.
#[tokio::test]
async fn two_transactions_at_once_never_miss_each_other() {
    let Some(admin) = Admin::start().await else { return };
    let mine = admin.create("/tenants", json!({"name": "Mine"})).await;
    let theirs = admin.create("/tenants", json!({"name": "Theirs"})).await;
    let connect = async || {
        let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
        sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
        connection
    };
    let insert = |tenant: &str, address: &str, is_range: bool| {
        AssertSqlSafe(format!(
            "INSERT INTO phone_numbers (id, tenant_id, phone_number, is_range, display_name, source)
             VALUES (gen_random_uuid(), '{tenant}', '{address}', {is_range}, 'x', 'manual')"
        ))
    };
    let (mut first, mut second, mut third) = (connect().await, connect().await, connect().await);
    let pairs = [
        (("+4930123", true), ("+4930123456", false)),
        (("+4930133456", false), ("+4930133", true)),
        (("+4930143", true), ("+49301434", true)),
        (("+49301534", true), ("+4930153", true)),
    ];
    for (one, other) in pairs {
        let mut tx = first.begin().await.unwrap();
        sqlx::raw_sql(insert(&mine, one.0, one.1)).execute(&mut *tx).await.unwrap();
        let waiting = tokio::spawn({
            let statement = insert(&theirs, other.0, other.1);
            async move {
                let outcome = sqlx::raw_sql(statement).execute(&mut second).await;
                (second, outcome)
            }
        });
        let mut is_waiting = false;
        while !is_waiting && !waiting.is_finished() {
            is_waiting = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            )
            .fetch_one(&mut third)
            .await
            .unwrap();
        }
        assert!(is_waiting, "{other:?} didn't wait for {one:?}");
        tx.commit().await.unwrap();
        let outcome;
        (second, outcome) = waiting.await.unwrap();
        let error = outcome.unwrap_err();
        let constraint = error.as_database_error().and_then(|error| error.constraint());
        assert_eq!(constraint, Some("phone_numbers_overlap_excl"), "{other:?} beside {one:?}: {error}");
    }
    // Numbers don't wait for each other.
    let mut tx = first.begin().await.unwrap();
    sqlx::raw_sql(insert(&mine, "+4930163456", false)).execute(&mut *tx).await.unwrap();
    sqlx::raw_sql(insert(&theirs, "+4930163457", false)).execute(&mut second).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn one_of_two_requests_at_once_gets_the_address() {
    let Some(admin) = Admin::start().await else { return };
    let mine = admin.create("/tenants", json!({"name": "Mine"})).await;
    let theirs = admin.create("/tenants", json!({"name": "Theirs"})).await;
    for round in 10..20 {
        let (prefix, number) = (format!("+49301{round}"), format!("+49301{round}456"));
        let (range, number) = tokio::join!(
            create(&admin, OPERATOR, &mine, ("prefix", &prefix)),
            create(&admin, OPERATOR, &theirs, ("phone_number", &number)),
        );
        let mut statuses = [range.0, number.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT], "{} {}", range.1, number.1);
    }
}

#[tokio::test]
async fn a_number_is_bound_to_several_accounts() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let other = admin.create("/tenants", json!({"name": "Other"})).await;
    let owner = format!("/tenants/{tenant}");
    let (carrier, agent) = (account(&admin, &owner, "AC1").await, account(&admin, &owner, "AC2").await);
    let platform = account(&admin, "", "AC3").await;
    let grant = format!("/api/v2/accounts/{platform}/grants/{tenant}");
    assert_eq!(admin.send(OPERATOR, Method::PUT, &grant, &Value::Null).await.0, StatusCode::NO_CONTENT);
    let foreign = account(&admin, &format!("/tenants/{other}"), "AC1").await;
    let binding = |account: &str, role: &str, number_id: Option<&str>| json!({"account_id": account, "role": role, "number_id": number_id});
    let both = json!([binding(&carrier, "carrier", Some("PN1")), binding(&agent, "agent", Some("vapi-1"))]);
    let body = json!({"source": "manual", "phone_number": "+12125550001", "bindings": both});
    let number = admin.create(&format!("{owner}/phone-numbers"), body).await;
    let path = format!("/api/v2{owner}/phone-numbers/{number}");
    let (_, shown) = admin.send(OPERATOR, Method::GET, &path, &Value::Null).await;
    // In the order of the accounts, whose ids are in the order of their making.
    assert_eq!((&shown["bindings"], &shown["account_id"]), (&both, &json!(carrier)), "{shown}");
    let names: Vec<_> =
        number_record(&admin).await.bindings.into_iter().map(|binding| binding.number_id.unwrap()).collect();
    assert_eq!(names, ["PN1", "vapi-1"]);

    let key = admin.tenant_key(&tenant).await;
    let check = async |key: &str, body: Value, expected: Result<Value, (StatusCode, &str, &str)>| {
        let (status, answer) = admin.send(key, Method::PATCH, &path, &body).await;
        match expected {
            Ok(bindings) => {
                assert_eq!((status, &answer["bindings"]), (StatusCode::OK, &bindings), "{body} {answer}")
            }
            Err((refused, code, field)) => {
                let said = (status, answer["code"].as_str().unwrap(), answer["field"].as_str().unwrap());
                assert_eq!(said, (refused, code, field), "{body} {answer}");
            }
        }
    };
    let wrong = |field| Err((StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", field));
    // The short form is the carrier's, and leaves the agents' alone.
    check(&key, json!({"account_id": null}), Ok(json!([both[1]]))).await;
    let bare = binding(&carrier, "carrier", None);
    check(&key, json!({"account_id": carrier}), Ok(json!([bare, both[1]]))).await;
    check(&key, json!({"bindings": both}), Ok(both.clone())).await;
    check(&key, json!({"account_id": carrier}), Ok(both.clone())).await;
    check(&key, json!({"account_id": carrier, "bindings": both}), wrong("bindings")).await;
    check(&key, json!({"bindings": [both[0], both[0]]}), wrong("bindings[1].account_id")).await;
    check(&key, json!({"bindings": [{"account_id": carrier, "role": "owner"}]}), wrong("bindings[0].role"))
        .await;
    check(&key, json!({"bindings": [both[0], {"account_id": foreign}]}), wrong("bindings[1].account_id"))
        .await;
    check(
        &key,
        json!({"bindings": [{"account_id": carrier, "number_id": "a b"}]}),
        wrong("bindings[0].number_id"),
    )
    .await;
    // To the platform's accounts only operators bind; what they bound stays.
    let shared = json!([{"account_id": platform}, both[1]]);
    let only = Err((StatusCode::FORBIDDEN, "operator_only", "bindings[0].account_id"));
    check(&key, json!({"bindings": shared}), only).await;
    let kept = json!([both[1], binding(&platform, "carrier", None)]);
    check(OPERATOR, json!({"bindings": shared}), Ok(kept.clone())).await;
    check(&key, json!({"bindings": kept}), Ok(kept)).await;
    check(&key, json!({"bindings": both}), Ok(both.clone())).await;

    // The provider's name of a number is one number's.
    let taken = json!({"source": "manual", "phone_number": "+12125550002", "bindings": [both[1]]});
    let (status, answer) =
        admin.send(&key, Method::POST, &format!("/api/v2{owner}/phone-numbers"), &taken).await;
    let said = (status, &answer["code"], &answer["field"]);
    assert_eq!(said, (StatusCode::CONFLICT, &json!("number_id_taken"), &json!("bindings")), "{answer}");
    let second = json!({"source": "manual", "phone_number": "+12125550002",
        "bindings": [binding(&agent, "agent", Some("vapi-2")), binding(&carrier, "carrier", Some("vapi-1"))]});
    admin.create(&format!("{owner}/phone-numbers"), second).await;
    check(&key, json!({"bindings": []}), Ok(json!([]))).await;
}

#[tokio::test]
async fn places_and_limits_reach_the_routers() {
    let Some(admin) = Admin::start().await else { return };
    let (status, answer) = admin
        .send(OPERATOR, Method::POST, "/api/v2/tenants", &json!({"name": "Salon", "calls_max": 20}))
        .await;
    assert_eq!((status, &answer["calls_max"]), (StatusCode::CREATED, &json!(20)), "{answer}");
    let tenant = answer["id"].as_str().unwrap();
    let key = admin.tenant_key(tenant).await;
    let address = "12 Broadway, New York";
    let number =
        json!({"source": "manual", "phone_number": "+12125550001", "address": address, "calls_max": 3});
    let number = admin.create(&format!("/tenants/{tenant}/phone-numbers"), number).await;
    let record = number_record(&admin).await;
    assert_eq!((record.place.address.as_deref(), record.calls_max), (Some(address), Some(3)));
    let limit = async || match records::of_kind(&admin, Kind::Tenant).await.pop() {
        Some(Record::Tenant(_, record)) => record.calls_max,
        other => panic!("{other:?}"),
    };
    assert_eq!(limit().await, Some(20));

    let of_tenant = format!("/api/v2/tenants/{tenant}");
    let of_number = format!("{of_tenant}/phone-numbers/{number}");
    let check = async |key: &str, path: &str, body: Value, status: StatusCode, field: &str| {
        let (got, answer) = admin.send(key, Method::PATCH, path, &body).await;
        assert_eq!(got, status, "{body} {answer}");
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            assert_eq!(answer["field"], field, "{body} {answer}");
        }
    };
    let wrong = StatusCode::UNPROCESSABLE_ENTITY;
    for path in [&of_number, &of_tenant] {
        for calls in [json!(0), json!(1001), json!(-1), json!("3")] {
            check(OPERATOR, path, json!({"calls_max": calls}), wrong, "calls_max").await;
        }
    }
    for text in ["", " ", "12 Broadway\nNew York", &"x".repeat(301)] {
        check(&key, &of_number, json!({"address": text}), wrong, "address").await;
    }
    check(&key, &of_tenant, json!({"calls_max": 1000}), StatusCode::FORBIDDEN, "").await;
    check(OPERATOR, &of_tenant, json!({"calls_max": 1000}), StatusCode::OK, "").await;
    assert_eq!(limit().await, Some(1000));
    check(&key, &of_tenant, json!({"name": "Salon Two"}), StatusCode::OK, "").await;
    check(OPERATOR, &of_tenant, json!({"calls_max": null}), StatusCode::OK, "").await;
    assert_eq!(limit().await, None);
    check(&key, &of_number, json!({"display_name": "Broadway"}), StatusCode::OK, "").await;
    assert_eq!(number_record(&admin).await.calls_max, Some(3));
    check(&key, &of_number, json!({"address": null, "calls_max": null}), StatusCode::OK, "").await;
    let record = number_record(&admin).await;
    assert_eq!((record.place.address, record.calls_max), (None, None));
}
