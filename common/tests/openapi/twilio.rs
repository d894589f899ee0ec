//! Twilio's.

use dialplane_common::ids::AccountId;
use dialplane_common::provider::provider;
use dialplane_common::rest::numbers::{Held, NumberType, Numbers, Order, Tag, Wanted, Webhooks};
use dialplane_common::rest::subaccounts::SubaccountState;
use dialplane_common::rest::{Account, Reply, Step};
use dialplane_common::time::UnixSeconds;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::description::Description;
use super::hold;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const SUBACCOUNT: &str = "AC1123456789abcdef0123456789abcdef";
const ID: &str = "PN0123456789abcdef0123456789abcdef";
const NUMBER: &str = "+14155550132";
const TAG: Tag = Tag(Uuid::from_u128(7));

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("wanted an object") };
    object
}

/// With all that goes with a purchase.
fn credentials() -> Map<String, Value> {
    object(json!({"account_sid": ACCOUNT, "auth_token": "t",
        "address_sid": "AD0123456789abcdef0123456789abcdef", "bundle_sid": "BU0123456789abcdef0123456789abcdef"}))
}

fn record() -> String {
    json!({
        "sid": ID, "phone_number": NUMBER, "friendly_name": TAG.to_string(), "voice_url": "https://old.example/v",
        "voice_method": "GET", "voice_fallback_url": "", "voice_fallback_method": null, "voice_application_sid": "",
        "trunk_sid": "TK0123456789abcdef0123456789abcdef", "status_callback": "https://old.example/s",
        "status_callback_method": "POST", "sms_url": null, "sms_application_sid": "AP0123456789abcdef0123456789abcdef",
    })
    .to_string()
}

fn wanted(country: &str, number_type: NumberType) -> Wanted {
    let (area_code, contains) = (Some("415".to_owned()), Some("777".to_owned()));
    Wanted { country: country.to_owned(), area_code, contains, number_type, sms: true, offers_max: 1 }
}

fn held(numbers: &dyn Numbers, account: &Account<'_>) -> Held {
    match numbers.get(account, ID).unwrap().read(Reply::new(200, record())).unwrap() {
        Step::Done(held) => held,
        step => panic!("wanted the end, got {step:?}"),
    }
}

#[test]
fn requests_about_numbers_are_as_described() {
    let description = Description::read("twilio");
    let numbers = provider("twilio").unwrap().numbers().unwrap();
    let credentials = credentials();
    let id = AccountId(Uuid::from_u128(9));
    let account = Account { id, credentials: &credentials, now: UnixSeconds(1_795_453_200) };
    for number_type in [NumberType::Local, NumberType::TollFree, NumberType::Mobile] {
        for country in ["US", "GB"] {
            let search = numbers.search(&account, &wanted(country, number_type));
            hold(&description, search, &[(200, r#"{"available_phone_numbers":[]}"#)]);
        }
    }
    let urls = ["https://a.example", "https://b.example"].map(str::to_owned);
    for public_urls in [urls[..1].to_vec(), urls.to_vec()] {
        let webhooks = Webhooks { public_urls, fallback: NUMBER.parse().ok() };
        let wanted = wanted("US", NumberType::Local);
        let order = Order { tag: TAG, number: NUMBER.parse().ok(), wanted, webhooks: webhooks.clone() };
        hold(&description, numbers.buy(&account, &order), &[(201, &record())]);
        let list = format!(r#"{{"incoming_phone_numbers":[{}],"next_page_uri":null}}"#, record());
        hold(&description, numbers.bought(&account, &order), &[(200, &list)]);
        let held = held(numbers, &account);
        hold(&description, numbers.configure(&account, &held, "Broadway", &webhooks), &[(200, &record())]);
        hold(&description, numbers.restore(&account, ID, &held.setup), &[(200, &record())]);
        hold(&description, numbers.release(&account, &held), &[(204, "")]);
        hold(&description, numbers.get(&account, ID), &[(200, &record())]);
        for cursor in [None, Some("PageSize=1000&Page=1&PageToken=PA1")] {
            hold(&description, numbers.list(&account, cursor), &[(200, &list)]);
        }
    }
}

#[test]
fn requests_about_subaccounts_are_as_described() {
    let description = Description::read("twilio");
    let subaccounts = provider("twilio").unwrap().subaccounts().unwrap();
    let credentials = credentials();
    let id = AccountId(Uuid::from_u128(9));
    let account = Account { id, credentials: &credentials, now: UnixSeconds(1_795_453_200) };
    let record = |status: &str| {
        format!(r#"{{"sid":"{SUBACCOUNT}","friendly_name":"acme","auth_token":"t","status":"{status}"}}"#)
    };
    hold(&description, subaccounts.create(&account, "acme"), &[(201, &record("active"))]);
    let list = format!(r#"{{"accounts":[{}]}}"#, record("active"));
    hold(&description, subaccounts.named(&account, "acme"), &[(200, &list)]);
    for (state, status) in [
        (SubaccountState::Active, "active"),
        (SubaccountState::Suspended, "suspended"),
        (SubaccountState::Closed, "closed"),
    ] {
        hold(&description, subaccounts.set(&account, SUBACCOUNT, state), &[(200, &record(status))]);
    }
}
