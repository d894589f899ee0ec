use serde_json::{Value, json};

use super::*;
use crate::rest::numbers::{HeldState, NumberType, Price};
use crate::rest::samples::{self, ACCOUNT};
use crate::rest::script::{Talk, check_meaningless, check_replies, talk};

const NAME: &str = "dialplane-000000000000000000000000000000ac";
const FIND_APPLICATION: &str = "GET /v2/applications?page_size=100&page=1";
const FIND_NUMBER: &str =
    "GET /account/numbers?country=US&pattern=12125550001&search_pattern=0&size=100&index=1";
const DONE: &str = r#"{"error-code":"200","error-code-label":"success"}"#;
const REFUSED: &str = r#"{"error-code":"420","error-code-label":"method failed"}"#;
const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"a1","api_secret":"s"}"#)
}

fn named() -> Account<'static> {
    samples::account(r#"{"api_key":"a1","api_secret":"s","application_id":"bbbbbbbb"}"#)
}

fn document() -> Value {
    let webhook = |host: &str, kind: &str| json!({"address": format!("https://{host}.example/webhooks/vonage/{kind}/{ACCOUNT}"), "http_method": "POST"});
    let mut answer = webhook("a", "voice");
    answer["connection_timeout"] = json!(1000);
    answer["socket_timeout"] = json!(3000);
    json!({"name": NAME, "capabilities": {
        "voice": {"signed_callbacks": true, "webhooks": {"answer_url": answer,
            "fallback_answer_url": webhook("b", "voice"), "event_url": webhook("a", "status")}},
        "messages": {"webhooks": {"inbound_url": webhook("a", "sms"), "status_url": webhook("a", "status")}}}})
}

fn application() -> Value {
    let mut shown = document();
    shown["id"] = json!(APPLICATION);
    shown["keys"] = json!({"public_key": "-----BEGIN"});
    shown
}

fn applications(shown: &[Value], pages: u32) -> Value {
    json!({"page_size": 100, "page": 1, "total_pages": pages, "_embedded": {"applications": shown}})
}

fn number() -> Value {
    json!({"country": "US", "msisdn": "12125550001", "type": "mobile-lvn", "features": ["VOICE", "SMS"],
        "moHttpUrl": "https://old.example/sms", "app_id": APPLICATION})
}

fn numbers(numbers: &[Value]) -> Value {
    json!({"count": numbers.len(), "numbers": numbers})
}

#[track_caller]
fn finds<T: std::fmt::Debug + 'static>(talk: Talk<T>) -> Talk<T> {
    talk.sends(FIND_APPLICATION)
        .with_header("authorization", "Basic YTE6cw==")
        .gets_json(200, applications(&[application()], 1))
}

fn get() -> Talk<Held> {
    talk(VonageNumbers.get(&account(), "US:12125550001"))
}

fn held() -> Held {
    finds(get().gets_json(200, numbers(&[number()]))).done()
}

#[test]
fn searches_by_what_numbers_begin_with() {
    let search = |wanted: &Wanted| VonageNumbers.search(&account(), wanted);
    let us = samples::wanted();
    let offered = |msisdn: &str, kind: &str, features: &[&str]| json!({"country": "US", "msisdn": msisdn, "type": kind, "cost": "1.25", "features": features});
    let both = ["VOICE", "SMS"];
    let offers = talk(search(&us))
        .sends("GET /number/search?country=US&features=SMS%2CVOICE&pattern=1212&search_pattern=0&size=100&index=1")
        .with_header("authorization", "Basic YTE6cw==")
        .gets_json(200, numbers(&[
            offered("12125550001", "mobile-lvn", &both),
            offered("13125550001", "mobile-lvn", &both),
            offered("12125550002", "landline-toll-free", &both),
            offered("12125550003", "mobile-lvn", &["SMS"]),
            offered("12125550004", "landline", &["VOICE"]),
        ]))
        .done();
    let price = Some(Price { upfront: "0".into(), monthly: "1.25".into(), currency: "EUR".into() });
    assert_eq!(offers, [Offer { number: "+12125550001".parse().ok(), price, sms: true, requires: None }]);
    let gb = Wanted { country: "GB".into(), area_code: Some("20".into()), sms: false, ..us.clone() };
    talk(search(&gb)).sends("GET /number/search?country=GB&type=landline&features=VOICE&pattern=4420&search_pattern=0&size=100&index=1");
    let free = Wanted {
        area_code: None,
        contains: Some("777".into()),
        number_type: NumberType::TollFree,
        sms: false,
        ..us.clone()
    };
    talk(search(&free)).sends("GET /number/search?country=US&type=landline-toll-free&features=VOICE&pattern=777&search_pattern=1&size=100&index=1");
    check_meaningless(|| search(&us));
    check_replies(
        || search(&us),
        &[
            (200, "{}", "done"),
            (200, r#"{"error-code":"401","error-code-label":"authentication failed"}"#, "stop"),
            (429, "", "retry"),
        ],
    );
}

#[test]
fn buys_an_exact_number_once() {
    let buy = || VonageNumbers.buy(&account(), &samples::order());
    let buying = || {
        talk(buy()).sends_once("POST /number/buy").with_form(&[("country", "US"), ("msisdn", "12125550001")])
    };
    let bought = buying().with_header("authorization", "Basic YTE6cw==").gets(200, DONE).done();
    assert_eq!(
        (&*bought.id, bought.number, bought.state),
        ("US:12125550001", "+12125550001".parse().ok(), HeldState::Active)
    );
    let refused = || buying().gets(200, REFUSED).sends(FIND_NUMBER);
    assert_eq!(refused().gets_json(200, numbers(&[number()])).done().id, "US:12125550001");
    assert_eq!(refused().gets(200, "{}").fault().label(), "elsewhere");
    check_meaningless(buy);
    check_replies(
        buy,
        &[(200, "{}", "unclear"), (200, "", "unclear"), (401, "", "stop"), (429, "", "retry")],
    );
}

#[test]
fn what_was_bought_is_found_by_its_number() {
    let bought = || talk(VonageNumbers.bought(&account(), &samples::order())).sends(FIND_NUMBER);
    let mut longer = number();
    longer["msisdn"] = json!("121255500012");
    assert_eq!(finds(bought().gets_json(200, numbers(&[longer.clone(), number()]))).done(), [held()]);
    assert_eq!(bought().gets_json(200, numbers(&[longer])).done(), []);
    assert_eq!(bought().gets(200, "{}").done(), []);
    check_meaningless(|| VonageNumbers.bought(&account(), &samples::order()));
}

#[test]
fn reads_and_lists_numbers() {
    let held = held();
    assert_eq!((&*held.id, held.number, &*held.name), ("US:12125550001", "+12125550001".parse().ok(), ""));
    assert_eq!(get().sends(FIND_NUMBER).gets(200, "{}").fault().label(), "gone");
    assert_eq!(talk(VonageNumbers.get(&account(), "12125550001")).fault().label(), "gone");
    check_meaningless(|| VonageNumbers.get(&account(), "US:12125550001"));
    let list = |cursor| talk(VonageNumbers.list(&account(), cursor));
    let first = list(None).sends("GET /account/numbers?size=100&index=1");
    let first = finds(first.gets_json(200, json!({"count": 101, "numbers": [number()]}))).done();
    assert_eq!((first.numbers, first.next.as_deref()), (vec![held], Some("2")));
    let last = list(Some("2")).sends("GET /account/numbers?size=100&index=2");
    let last = finds(last.gets_json(200, json!({"count": 101, "numbers": [number()]}))).done();
    assert_eq!((last.numbers.len(), last.next), (1, None));
    check_meaningless(|| VonageNumbers.list(&account(), None));
}

#[test]
fn points_a_number_at_an_application_that_is_made_first() {
    let configure = || VonageNumbers.configure(&account(), &held(), "Broadway", &samples::webhooks());
    let form = [
        ("country", "US"),
        ("msisdn", "12125550001"),
        ("app_id", APPLICATION),
        ("moHttpUrl", "https://old.example/sms"),
    ];
    let made = talk(configure())
        .sends(FIND_APPLICATION)
        .gets_json(200, applications(&[json!({"id": "x", "name": "mine"})], 2))
        .sends("GET /v2/applications?page_size=100&page=2")
        .gets_json(200, applications(&[], 2))
        .sends_once("POST /v2/applications")
        .with_json(document())
        .gets_json(201, application())
        .sends("POST /number/update")
        .with_form(&form)
        .gets(200, DONE)
        .sends(FIND_NUMBER)
        .gets_json(200, numbers(&[number()]));
    let set = finds(made).done();
    assert!(VonageNumbers.drift(&account(), &set, &samples::webhooks()).is_empty());
    let mut other = application();
    other["capabilities"]["voice"]["signed_callbacks"] = json!(false);
    talk(configure())
        .gets_json(200, applications(&[other], 1))
        .sends(&format!("PUT /v2/applications/{APPLICATION}"))
        .with_json(document())
        .gets_json(200, application())
        .sends("POST /number/update");
    let to_named = talk(VonageNumbers.configure(&named(), &held(), "Broadway", &samples::webhooks()));
    to_named.sends("POST /number/update").with_form(&[form[0], form[1], ("app_id", "bbbbbbbb"), form[3]]);
    check_meaningless(configure);
    assert_eq!(finds(talk(configure())).with_form(&form).gets(200, REFUSED).fault().label(), "elsewhere");
}

#[test]
fn tells_drift_of_the_number_and_of_its_application() {
    let drift = |number: Value, application: Value| {
        let read = get().gets_json(200, numbers(&[number])).gets_json(200, applications(&[application], 1));
        VonageNumbers.drift(&account(), &read.done(), &samples::webhooks())
    };
    assert!(drift(number(), application()).is_empty());
    let mut forwarded = number();
    forwarded["voiceCallbackType"] = json!("tel");
    forwarded["voiceCallbackValue"] = json!("12125550009");
    assert_eq!(drift(forwarded, application()), ["app_id"]);
    let mut older = number();
    older["app_id"] = Value::Null;
    older["voiceCallbackType"] = json!("app");
    older["voiceCallbackValue"] = json!(APPLICATION);
    assert!(drift(older, application()).is_empty());
    let mut unsigned = application();
    unsigned["capabilities"]["voice"].as_object_mut().unwrap().remove("signed_callbacks");
    unsigned["capabilities"]["voice"]["webhooks"]["answer_url"]["http_method"] = json!("GET");
    assert_eq!(drift(number(), unsigned), ["application.answer_method", "application.signed_callbacks"]);
}

#[test]
fn puts_back_what_stood_there() {
    let restore = |setup: Value| {
        let Value::Object(setup) = setup else { unreachable!() };
        talk(VonageNumbers.restore(&account(), "US:12125550001", &setup)).sends("POST /number/update")
    };
    let name = [("country", "US"), ("msisdn", "12125550001")];
    let app = restore(
        json!({"app_id": "cccc", "moHttpUrl": "https://old.example/sms", "voiceCallbackType": "app"}),
    );
    app.with_form(&[name[0], name[1], ("app_id", "cccc"), ("moHttpUrl", "https://old.example/sms")])
        .gets(200, DONE)
        .done();
    let forwarded =
        restore(json!({"app_id": null, "voiceCallbackType": "tel", "voiceCallbackValue": "12125550009"}));
    let forwarded = forwarded.with_form(&[
        name[0],
        name[1],
        ("app_id", ""),
        ("voiceCallbackType", "tel"),
        ("voiceCallbackValue", "12125550009"),
    ]);
    assert_eq!(forwarded.gets(200, "{}").fault().label(), "unclear");
}

#[test]
fn gives_a_number_back_once() {
    let release = || VonageNumbers.release(&account(), &held());
    let releasing = || {
        talk(release())
            .sends("POST /number/cancel")
            .with_form(&[("country", "US"), ("msisdn", "12125550001")])
    };
    releasing().gets(200, DONE).done();
    releasing().gets(200, REFUSED).sends(FIND_NUMBER).gets(200, "{}").done();
    let refused = releasing().gets(200, REFUSED).gets_json(200, numbers(&[number()]));
    assert_eq!(refused.fault().label(), "stop");
    check_meaningless(release);
}
