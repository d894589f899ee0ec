//! Accounts: at every provider, one of an owner for each account there.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::Record;
use dialplane_common::provider::PROVIDERS;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, OPERATOR};
use crate::records;

#[tokio::test]
async fn every_provider_has_accounts() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    for provider in PROVIDERS {
        let name = provider.name();
        let credentials: Value = serde_json::from_str(provider.credentials_example()).unwrap();
        let body = json!({"provider": name, "label": "main", "credentials": credentials});
        let account = admin.create(&format!("/tenants/{tenant}/accounts"), body).await;
        let path = format!("/api/v2/tenants/{tenant}/accounts/{account}");
        let (status, shown) = admin.send(OPERATOR, Method::GET, &path, &Value::Null).await;
        assert_eq!((status, &shown["provider"]), (StatusCode::OK, &json!(name)), "{shown}");
        for secret in shown["secrets_set"].as_array().unwrap() {
            let field = secret.as_str().unwrap();
            if let Some(value) = credentials[field].as_str() {
                assert!(!shown.to_string().contains(value), "{name} shows {field}");
            }
        }
    }
    assert_eq!(records::of_kind(&admin, Kind::Account).await.len(), PROVIDERS.len());
}

#[tokio::test]
async fn an_owner_has_one_account_for_each_at_the_provider() {
    let Some(admin) = Admin::start().await else { return };
    let one = format!("/tenants/{}", admin.create("/tenants", json!({"name": "One"})).await);
    let two = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Two"})).await);
    let credentials = |sid: &str| json!({"account_sid": sid, "auth_token": "t"});
    let check = async |owner: &str, sid: &str, expected: StatusCode| {
        let body = json!({"provider": "twilio", "label": "x", "credentials": credentials(sid)});
        let path = format!("/api/v2{owner}/accounts");
        let (status, answer) = admin.send(OPERATOR, Method::POST, &path, &body).await;
        assert_eq!(status, expected, "{owner} {sid} {answer}");
        if status == StatusCode::CONFLICT {
            let said = (&answer["code"], &answer["field"]);
            assert_eq!(said, (&json!("account_exists"), &json!("credentials.account_sid")), "{answer}");
        }
        answer["id"].as_str().unwrap_or_default().to_owned()
    };
    check(&one, "AC1", StatusCode::CREATED).await;
    check(&one, "AC1", StatusCode::CONFLICT).await;
    let second = check(&one, "AC2", StatusCode::CREATED).await;
    // Others may claim the same: which of them it is, only the secrets prove.
    check(&two, "AC1", StatusCode::CREATED).await;
    check("", "AC1", StatusCode::CREATED).await;
    check("", "AC1", StatusCode::CONFLICT).await;

    let path = format!("/api/v2{one}/accounts/{second}");
    let change = async |sid: &str| {
        let body = json!({"credentials": {"account_sid": sid}});
        let (status, answer) = admin.send(OPERATOR, Method::PATCH, &path, &body).await;
        (status, answer["code"].clone())
    };
    assert_eq!(change("AC1").await, (StatusCode::CONFLICT, json!("account_exists")));
    assert_eq!(change("AC2").await.0, StatusCode::OK);
    assert_eq!(change("AC3").await.0, StatusCode::OK);
}

/// A subaccount's webhooks claim its parent's id, and yet it is an account of its own.
#[tokio::test]
async fn subaccounts_stand_beside_their_parent() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let check = async |credentials: Value, expected: Result<(), &str>| {
        let body = json!({"provider": "plivo", "label": "x", "credentials": credentials});
        let path = format!("/api/v2/tenants/{tenant}/accounts");
        let (status, answer) = admin.send(OPERATOR, Method::POST, &path, &body).await;
        match expected {
            Ok(()) => assert_eq!(status, StatusCode::CREATED, "{answer}"),
            Err(field) => {
                assert_eq!((status, &answer["field"]), (StatusCode::CONFLICT, &json!(field)), "{answer}")
            }
        }
    };
    let main = "MAEXAMPLEEXAMPLE0000";
    let sub = |id: &str| json!({"auth_id": id, "parent_auth_id": main, "auth_token": "t"});
    check(json!({"auth_id": main, "auth_token": "t"}), Ok(())).await;
    check(sub("SAEXAMPLEEXAMPLE0001"), Ok(())).await;
    check(sub("SAEXAMPLEEXAMPLE0002"), Ok(())).await;
    check(sub("SAEXAMPLEEXAMPLE0001"), Err("credentials.auth_id")).await;
    check(json!({"auth_id": main, "auth_token": "u"}), Err("credentials.auth_id")).await;
}

#[tokio::test]
async fn an_accounts_country_says_how_national_numbers_are_called() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let credentials = json!({"account_sid": "AC1", "auth_token": "t"});
    let body = json!({"provider": "twilio", "label": "x", "credentials": credentials, "country": "DE"});
    let account = admin.create(&format!("/tenants/{tenant}/accounts"), body).await;
    let path = format!("/api/v2/tenants/{tenant}/accounts/{account}");
    let calling_code = async || match records::of_kind(&admin, Kind::Account).await.pop() {
        Some(Record::Account(_, record)) => record.calling_code,
        other => panic!("{other:?}"),
    };
    assert_eq!(calling_code().await, Some(49));
    let check = async |body: Value, expected: Option<u16>| {
        let (status, answer) = admin.send(OPERATOR, Method::PATCH, &path, &body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(calling_code().await, expected, "{body}");
    };
    check(json!({"label": "y"}), Some(49)).await;
    check(json!({"country": "CA"}), Some(1)).await;
    check(json!({"country": null}), None).await;
    for wrong in ["de", "UK", "", "DEU"] {
        let (status, answer) = admin.send(OPERATOR, Method::PATCH, &path, &json!({"country": wrong})).await;
        let said = (status, &answer["field"]);
        assert_eq!(said, (StatusCode::UNPROCESSABLE_ENTITY, &json!("country")), "{answer}");
    }
}
