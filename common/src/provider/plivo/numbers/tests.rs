use serde_json::{Value, json};

use super::*;
use crate::rest::numbers::{HeldState, NumberType, Price};
use crate::rest::samples::{self, ACCOUNT};
use crate::rest::script::{Talk, check_meaningless, check_replies, talk};

const NAME: &str = "dialplane-000000000000000000000000000000ac";
const FIND: &str = "GET /v1/Account/MA1/Application/?limit=20&offset=0";
const CHANGED: &str = r#"{"api_id":"1","message":"changed"}"#;

fn account() -> Account<'static> {
    samples::account(r#"{"auth_id":"MA1","auth_token":"t"}"#)
}

fn settings() -> Value {
    json!({"app_name": NAME,
        "answer_url": format!("https://a.example/webhooks/plivo/voice/{ACCOUNT}#ct=1000&rt=3000&rc=2&rp=all"),
        "answer_method": "POST", "hangup_method": "POST", "message_method": "POST", "fallback_method": "POST",
        "hangup_url": format!("https://a.example/webhooks/plivo/status/{ACCOUNT}"),
        "message_url": format!("https://a.example/webhooks/plivo/sms/{ACCOUNT}"),
        "fallback_answer_url": format!("https://b.example/webhooks/plivo/voice/{ACCOUNT}")})
}

/// Our application, as Plivo shows it.
fn application() -> Value {
    let mut shown = settings();
    shown["app_id"] = json!("15784735442685051");
    shown["public_uri"] = json!(false);
    shown
}

fn found(applications: &[Value]) -> Value {
    json!({"api_id": "1", "meta": {"limit": 20, "offset": 0, "next": null}, "objects": applications})
}

fn number() -> Value {
    json!({"api_id": "1", "number": "12125550001", "alias": "Broadway", "sub_account": null, "voice_enabled": true,
        "application": "/v1/Account/MA1/Application/15784735442685051/", "monthly_rental_rate": "0.80000"})
}

#[track_caller]
fn finds<T: std::fmt::Debug + 'static>(talk: Talk<T>) -> Talk<T> {
    talk.sends(FIND).with_header("authorization", "Basic TUExOnQ=").gets_json(200, found(&[application()]))
}

fn held() -> Held {
    finds(talk(PlivoNumbers.get(&account(), "12125550001")).gets_json(200, number())).done()
}

#[test]
fn searches_on_as_many_pages_as_it_takes() {
    let offered = |number: &str| {
        json!({"number": number, "setup_rate": "0.00000", "monthly_rental_rate": "0.80000",
            "voice_enabled": true, "sms_enabled": true, "restriction": null, "restriction_text": null})
    };
    let page = |objects: &[Value], next: Option<&str>| json!({"meta": {"next": next}, "objects": objects});
    let line = |offset: u32| {
        format!(
            "GET /v1/Account/MA1/PhoneNumber/?country_iso=US&type=local&pattern=212&services=voice%2Csms&limit=20&offset={offset}"
        )
    };
    let wanted = Wanted { contains: Some("777".into()), ..samples::wanted() };
    let search = || PlivoNumbers.search(&account(), &wanted);
    let mut restricted = offered("12127770002");
    restricted["restriction_text"] = json!("A local address");
    let mut silent = offered("12127770003");
    silent["voice_enabled"] = json!(false);
    let offers = talk(search())
        .sends(&line(0))
        .with_header("authorization", "Basic TUExOnQ=")
        .gets_json(200, page(&[offered("12125550001"), offered("12127770001")], Some("/v1/x?offset=20")))
        .sends(&line(20))
        .gets_json(200, page(&[offered("13127770001"), restricted, silent, offered("x")], None))
        .done();
    let price = Price { upfront: "0.00000".into(), monthly: "0.80000".into(), currency: "USD".into() };
    let found: Vec<_> =
        offers.iter().map(|offer| (offer.number.unwrap().to_string(), offer.requires.as_deref())).collect();
    assert_eq!(
        found,
        [("+12127770001".to_owned(), None), ("+12127770002".to_owned(), Some("A local address"))]
    );
    assert_eq!((&offers[0].price, offers[0].sms), (&Some(price), true));
    // No end of pages without an end of looking.
    let mut looking = talk(search());
    for _ in 0..5 {
        looking = looking.gets_json(200, page(&[offered("12125550001")], Some("more")));
    }
    assert_eq!(looking.done(), []);
    let toll_free =
        Wanted { number_type: NumberType::TollFree, area_code: None, sms: false, ..samples::wanted() };
    talk(PlivoNumbers.search(&account(), &toll_free)).sends(
        "GET /v1/Account/MA1/PhoneNumber/?country_iso=US&type=tollfree&services=voice&limit=20&offset=0",
    );
    check_meaningless(search);
    check_replies(
        search,
        &[(401, "nope", "stop"), (429, "", "retry"), (200, "{}", "unclear"), (400, "", "stop")],
    );
}

#[test]
fn buys_for_an_application_that_is_made_first() {
    let buy = || PlivoNumbers.buy(&account(), &samples::order());
    let bought = |number: &str, status: &str, order: &str| json!({"api_id": "1", "message": "created", "numbers": [{"number": number, "status": status}], "status": order});
    let mut other = application();
    other["app_name"] = json!("mine");
    let made = talk(buy())
        .sends(FIND)
        .gets_json(200, json!({"meta": {"next": "more"}, "objects": [other]}))
        .sends("GET /v1/Account/MA1/Application/?limit=20&offset=20")
        .gets_json(200, found(&[]))
        .sends_once("POST /v1/Account/MA1/Application/")
        .with_json(settings())
        .gets_json(201, json!({"api_id": "1", "message": "created", "app_id": "15784735442685051"}))
        .sends_once("POST /v1/Account/MA1/PhoneNumber/12125550001/")
        .with_json(json!({"app_id": "15784735442685051"}))
        .gets_json(201, bought("12125550001", "Success", "fulfilled"))
        .done();
    assert_eq!(
        (&*made.id, made.number, made.state),
        ("12125550001", "+12125550001".parse().ok(), HeldState::Active)
    );
    let buying = || {
        finds(talk(buy()))
            .sends_once("POST /v1/Account/MA1/PhoneNumber/12125550001/")
            .with_json(json!({"app_id": "15784735442685051"}))
    };
    let pending = buying().gets_json(201, bought("12125550001", "pending", "pending")).done();
    assert_eq!(pending.state, HeldState::Pending);
    for (status, answer, label) in [
        (201, bought("12125550002", "Success", "fulfilled"), "unclear"),
        (201, bought("12125550001", "Failed", "fulfilled"), "unclear"),
        (201, bought("12125550001", "Success", "?"), "unclear"),
        (201, json!({"message": "created"}), "unclear"),
        (200, Value::Null, "unclear"),
        (400, json!({"error": "number not available"}), "elsewhere"),
        (404, json!({"error": "not found"}), "elsewhere"),
        (401, json!({}), "stop"),
        (402, json!({"error": "insufficient credit"}), "stop"),
        (429, json!({}), "retry"),
        (500, json!({}), "unclear"),
    ] {
        assert_eq!(buying().gets_json(status, answer.clone()).label(), label, "{status} {answer}");
    }
    check_meaningless(buy);
}

#[test]
fn an_application_with_other_urls_is_set_anew() {
    let mut other = application();
    other["answer_url"] = json!("https://old.example");
    let buying = || {
        talk(PlivoNumbers.buy(&account(), &samples::order()))
            .gets_json(200, found(&[other.clone()]))
            .sends("POST /v1/Account/MA1/Application/15784735442685051/")
            .with_json(settings())
    };
    buying().gets(202, CHANGED).sends_once("POST /v1/Account/MA1/PhoneNumber/12125550001/");
    assert_eq!(buying().gets(202, "").label(), "unclear");
}

#[test]
fn what_was_bought_is_found_by_its_number() {
    let bought = || PlivoNumbers.bought(&account(), &samples::order());
    let found = talk(bought()).sends("GET /v1/Account/MA1/Number/12125550001/").gets_json(200, number());
    assert_eq!(finds(found).done(), [held()]);
    check_meaningless(bought);
    check_replies(
        bought,
        &[
            (404, r#"{"error":"not found"}"#, "done"),
            (200, r#"{"number":"12125550002"}"#, "unclear"),
            (200, r#"{"number":"?"}"#, "unclear"),
        ],
    );
    assert_eq!(talk(bought()).gets(404, "").done(), []);
}

#[test]
fn reads_and_lists_numbers() {
    let held = held();
    assert_eq!(
        (&*held.id, held.number, &*held.name),
        ("12125550001", "+12125550001".parse().ok(), "Broadway")
    );
    assert_eq!((held.state, &held.setup["app_id"]), (HeldState::Active, &json!("15784735442685051")));
    let list = |cursor| PlivoNumbers.list(&account(), cursor);
    let first = talk(list(None))
        .sends("GET /v1/Account/MA1/Number/?limit=20&offset=0")
        .gets_json(200, json!({"meta": {"next": "more"}, "objects": [number()]}));
    let first = finds(first).done();
    assert_eq!((first.numbers, first.next.as_deref()), (vec![held], Some("20")));
    let last = talk(list(Some("20"))).sends("GET /v1/Account/MA1/Number/?limit=20&offset=20");
    assert_eq!(last.gets_json(200, json!({"meta": {"next": null}, "objects": []})).done(), Page::default());
    check_meaningless(|| list(None));
    let get = || PlivoNumbers.get(&account(), "12125550001");
    check_meaningless(get);
    check_replies(get, &[(404, "", "gone"), (200, r#"{"number":"12125550002"}"#, "unclear")]);
    let mut silent = number();
    silent["voice_enabled"] = json!(false);
    assert_eq!(finds(talk(get()).gets_json(200, silent)).done().state, HeldState::Blocked);
}

#[test]
fn points_a_number_at_the_application_and_tells_drift() {
    let configure = || PlivoNumbers.configure(&account(), &held(), "Broadway", &samples::webhooks());
    let setting = || {
        finds(talk(configure()))
            .sends("POST /v1/Account/MA1/Number/12125550001/")
            .with_json(json!({"app_id": "15784735442685051", "alias": "Broadway"}))
    };
    let read = setting()
        .gets(202, CHANGED)
        .sends("GET /v1/Account/MA1/Number/12125550001/")
        .gets_json(200, number());
    let set = finds(read).done();
    let drift = |held: &Held| PlivoNumbers.drift(&account(), held, &samples::webhooks());
    assert!(drift(&set).is_empty());
    assert_eq!(setting().gets(404, "").label(), "gone");
    assert_eq!(setting().gets(202, "{}").label(), "unclear");
    let mut elsewhere = number();
    elsewhere["application"] = Value::Null;
    assert_eq!(
        drift(&finds(talk(PlivoNumbers.get(&account(), "12125550001")).gets_json(200, elsewhere)).done()),
        ["app_id"]
    );
    let alone = PlivoNumbers.drift(&account(), &set, &samples::webhooks_without_fallback());
    assert_eq!(alone, ["application.fallback_answer_url"]);
}

#[test]
fn puts_back_what_stood_there_and_gives_numbers_back() {
    let mut before = number();
    before["application"] = json!("/v1/Account/MA1/Application/7/");
    before["alias"] = Value::Null;
    let before = finds(talk(PlivoNumbers.get(&account(), "12125550001")).gets_json(200, before)).done();
    let restore = || PlivoNumbers.restore(&account(), "12125550001", &before.setup);
    talk(restore())
        .sends("POST /v1/Account/MA1/Number/12125550001/")
        .with_json(json!({"app_id": "7", "alias": ""}))
        .gets(202, CHANGED)
        .done();
    check_meaningless(restore);
    let release = || PlivoNumbers.release(&account(), &before);
    talk(release()).sends("DELETE /v1/Account/MA1/Number/12125550001/").gets(204, "").done();
    check_replies(
        release,
        &[(404, "", "done"), (401, "", "stop"), (502, "<html>", "unclear"), (429, "", "retry")],
    );
}
