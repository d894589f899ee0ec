//! Numbers that are given back, pointed at us anew, and bought for the pool: which jobs are made, and once each.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::Admin;
use crate::reconcile::{execute, hold, mute_account, value};

const OK: StatusCode = StatusCode::OK;
const GONE: StatusCode = StatusCode::NO_CONTENT;
const CONFLICT: StatusCode = StatusCode::CONFLICT;

/// Waits until there are so many jobs of a kind that a person has to see to, as an account that can't be asked leads to.
async fn at_people(admin: &Admin, kind: &str, wanted: i64) {
    let sql = format!("SELECT count(*) FROM provisioning_jobs WHERE kind = '{kind}' AND state = 'manual'");
    loop {
        let jobs: i64 = value(admin, &sql).await;
        assert!(jobs <= wanted, "{jobs} jobs of kind {kind}");
        if jobs == wanted {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn jobs(admin: &Admin, kind: &str) -> i64 {
    value(admin, &format!("SELECT count(*) FROM provisioning_jobs WHERE kind = '{kind}'")).await
}

/// A tenant's number that an account of the tenant's holds.
async fn held_number(admin: &Admin, tenant: &str, account: &str, number: &str) -> String {
    let body = json!({"source": "manual", "phone_number": number, "account_id": account});
    let id = admin.create(&format!("{tenant}/phone-numbers"), body).await;
    hold(admin, account, &id).await;
    id
}

async fn tenant(admin: &Admin) -> String {
    format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await)
}

async fn pooled(admin: &Admin, id: &str) -> Value {
    admin.expect(OK, Method::GET, &format!("/pool/{id}"), Value::Null).await
}

/// Its provider is done with it: the job that gives it back finds nothing left to do.
async fn give_back(admin: &Admin, id: &str) {
    at_people(admin, "release", 1).await;
    execute(admin, format!("DELETE FROM number_holdings WHERE phone_number_id = '{id}'")).await;
    let path = "/provisioning?state=manual";
    let manual = admin.expect(OK, Method::GET, path, Value::Null).await;
    let job = manual["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(manual["items"][0]["kind"], "release");
    admin.expect(OK, Method::POST, &format!("/provisioning/{job}/retry"), Value::Null).await;
    while pooled(admin, id).await["lifecycle"] != "released" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_number_that_a_carrier_holds_is_given_back_by_one_job() {
    let Some(admin) = Admin::start().await else { return };
    let beside = admin.beside();
    let tenant = tenant(&admin).await;
    let account = mute_account(&admin, &tenant).await;
    let id = held_number(&admin, &tenant, &account, "+12125550001").await;
    // By the tenant itself, which sees no holding.
    let key = admin.tenant_key(tenant.trim_start_matches("/tenants/")).await;
    let path = format!("/api/v2{tenant}/phone-numbers/{id}?release=now");
    assert_eq!(beside.send(&key, Method::DELETE, &path, &Value::Null).await.0, GONE);
    let resting = pooled(&admin, &id).await;
    assert_eq!((&resting["lifecycle"], &resting["quarantined_until"]), (&json!("quarantined"), &Value::Null));
    // It is nobody's to have any more, not even its last tenant's.
    let again = json!({"source": "manual", "phone_number": "+12125550001"});
    let refused =
        admin.expect(CONFLICT, Method::POST, &format!("{tenant}/phone-numbers"), again.clone()).await;
    assert_eq!(refused["code"], "phone_number_taken");
    let assign = format!("{tenant}/phone-numbers/{id}/assign");
    admin.expect(StatusCode::NOT_FOUND, Method::POST, &assign, Value::Null).await;
    admin.expect(GONE, Method::DELETE, &format!("/pool/{id}"), Value::Null).await;
    at_people(&admin, "release", 1).await;
    assert_eq!(jobs(&admin, "release").await, 1);
    give_back(&admin, &id).await;
    let steps = pooled(&admin, &id).await;
    let steps: Vec<_> = steps["history"].as_array().unwrap().iter().map(|step| &step["lifecycle"]).collect();
    assert_eq!(steps, ["active", "quarantined", "released"]);
    assert_ne!(admin.create(&format!("{tenant}/phone-numbers"), again).await, id);
    assert_eq!(jobs(&admin, "release").await, 1);
}

#[tokio::test]
async fn a_number_that_has_rested_is_given_back() {
    let Some(admin) = Admin::start_with(&[("ADMIN_NUMBER_QUARANTINE_DAYS", "0")]).await else { return };
    let tenant = tenant(&admin).await;
    let account = mute_account(&admin, &tenant).await;
    let held = held_number(&admin, &tenant, &account, "+12125550001").await;
    let bare = json!({"source": "manual", "phone_number": "+12125550002"});
    let bare = admin.create(&format!("{tenant}/phone-numbers"), bare).await;
    for id in [&held, &bare] {
        admin.expect(GONE, Method::DELETE, &format!("{tenant}/phone-numbers/{id}"), Value::Null).await;
    }
    give_back(&admin, &held).await;
    assert_eq!(pooled(&admin, &bare).await["lifecycle"], "released", "nobody holds it: it needs no job");
    assert_eq!(jobs(&admin, "release").await, 1);
}

#[tokio::test]
async fn a_number_of_the_pool_is_given_back() {
    let Some(admin) = Admin::start().await else { return };
    let account = mute_account(&admin, "").await;
    let id = admin.create("/pool", json!({"phone_number": "+12125550001", "account_id": account})).await;
    hold(&admin, &account, &id).await;
    execute(&admin, format!("UPDATE phone_numbers SET lifecycle = 'reserved' WHERE id = '{id}'")).await;
    let refused = admin.expect(CONFLICT, Method::DELETE, &format!("/pool/{id}"), Value::Null).await;
    assert_eq!(refused["code"], "phone_number_reserved");
    execute(&admin, format!("UPDATE phone_numbers SET lifecycle = 'available' WHERE id = '{id}'")).await;
    admin.expect(GONE, Method::DELETE, &format!("/pool/{id}"), Value::Null).await;
    give_back(&admin, &id).await;
    admin.expect(StatusCode::NOT_FOUND, Method::DELETE, &format!("/pool/{id}"), Value::Null).await;
}

#[tokio::test]
async fn a_tenant_stays_until_its_accounts_hold_nothing() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin).await;
    let account = mute_account(&admin, &tenant).await;
    let id = held_number(&admin, &tenant, &account, "+12125550001").await;
    for numbers in ["pool", "release"] {
        let path = format!("{tenant}?numbers={numbers}");
        let refused = admin.expect(CONFLICT, Method::DELETE, &path, Value::Null).await;
        assert_eq!(refused["code"], "numbers_being_released");
        assert!(refused["detail"].as_str().unwrap().contains("(+12125550001)"), "{refused}");
        let preview = admin.expect(OK, Method::DELETE, &format!("{path}&dry_run=true"), Value::Null).await;
        assert_eq!(preview["deletes"], false);
        assert_eq!(preview["held_in_own_accounts"], json!(["+12125550001"]));
    }
    let number = format!("{tenant}/phone-numbers/{id}");
    admin.expect(OK, Method::GET, &number, Value::Null).await;
    // While it rests as well.
    admin.expect(GONE, Method::DELETE, &number, Value::Null).await;
    let refused = admin.expect(CONFLICT, Method::DELETE, &tenant, Value::Null).await;
    assert_eq!(refused["code"], "numbers_being_released");
    admin.expect(GONE, Method::DELETE, &format!("/pool/{id}"), Value::Null).await;
    give_back(&admin, &id).await;
    admin.expect(GONE, Method::DELETE, &tenant, Value::Null).await;
    assert_eq!(jobs(&admin, "release").await, 1, "the job is the platform's: it stays");
}

#[tokio::test]
async fn numbers_that_point_elsewhere_are_pointed_here() {
    let urls = "https://calls.example.com,https://second.example.com";
    let Some(admin) = Admin::start_with(&[("PUBLIC_URLS", urls)]).await else { return };
    let (ours, other) = (mute_account(&admin, "").await, tenant(&admin).await);
    let theirs = mute_account(&admin, &other).await;
    let mut ids = Vec::new();
    for (index, account) in [&ours, &ours, &theirs].into_iter().enumerate() {
        let number = json!({"phone_number": format!("+1212555000{index}")});
        let id = admin.create("/pool", number).await;
        hold(&admin, account, &id).await;
        ids.push(id);
    }
    let first = format!(
        "UPDATE number_holdings SET public_url = 'https://calls.example.com' WHERE phone_number_id = '{}'",
        ids[0]
    );
    execute(&admin, first).await;
    // Not to be had: it goes back.
    let gone = admin.create("/pool", json!({"phone_number": "+12125550009"})).await;
    hold(&admin, &ours, &gone).await;
    admin.expect(GONE, Method::DELETE, &format!("/pool/{gone}"), Value::Null).await;
    let mut made = 0;
    for (body, expected) in [
        (json!({"account_id": ours}), 1),
        (json!({"account_id": theirs, "all": true}), 1),
        (json!({}), 2),
        (json!({"all": true}), 3),
    ] {
        let batch =
            admin.expect(StatusCode::ACCEPTED, Method::POST, "/provisioning/configure", body.clone()).await;
        assert_eq!(batch["jobs"], expected, "{body}");
        made += expected;
        // The account can't be asked: each ends with a person.
        at_people(&admin, "configure", made).await;
        let path = format!("/provisioning?batch_id={}", batch["batch_id"].as_str().unwrap());
        let listed = admin.expect(OK, Method::GET, &path, Value::Null).await;
        let listed = listed["items"].as_array().unwrap();
        assert_eq!(listed.len(), usize::try_from(expected).unwrap());
        assert!(
            listed.iter().all(|job| job["kind"] == "configure" && job["reason"].is_string()),
            "{listed:?}"
        );
    }
    admin.refused(Method::POST, "/provisioning/configure", json!({"account_id": ids[0]}), "account_id").await;
}

#[tokio::test]
async fn without_a_public_url_nothing_is_pointed_anywhere() {
    let Some(admin) = Admin::start().await else { return };
    let refused = admin.expect(CONFLICT, Method::POST, "/provisioning/configure", json!({})).await;
    assert_eq!(refused["code"], "public_urls_unset");
}

#[tokio::test]
async fn the_pool_is_filled_up_and_no_further() {
    let Some(admin) = Admin::start_with(&[("PROVISIONING_POOL_LOW_WATER", "3")]).await else { return };
    let _beside = admin.beside();
    // There is no account to buy with: each job ends with a person, and counts as under way until then.
    at_people(&admin, "refill", 3).await;
    let all = admin.expect(OK, Method::GET, "/provisioning?state=manual", Value::Null).await;
    let all = all["items"].as_array().unwrap().clone();
    assert!(all.iter().all(|job| job["request"]["strategies"] == json!(["platform_account"])), "{all:?}");
    assert!(all.iter().all(|job| job["tenant_id"].is_null() && job["reason_code"] == "no_number"), "{all:?}");
    // One that is called off makes room for another, once; a number that comes makes none.
    let job = all[0]["id"].as_str().unwrap();
    admin.create("/pool", json!({"phone_number": "+12125550001"})).await;
    let other = all[1]["id"].as_str().unwrap();
    for job in [job, other] {
        admin.expect(OK, Method::POST, &format!("/provisioning/{job}/cancel"), Value::Null).await;
    }
    let open = "SELECT count(*) FROM provisioning_jobs WHERE kind = 'refill' AND state <> 'canceled'";
    loop {
        let (made, open): (i64, i64) = (jobs(&admin, "refill").await, value(&admin, open).await);
        assert!(made <= 4 && open <= 3, "{made} {open}");
        if made == 4 {
            break;
        }
        tokio::task::yield_now().await;
    }
}
