use serde_json::{Value, json};

use super::*;
use crate::rest::numbers::{HeldState, NumberType, Price};
use crate::rest::samples::{self, ACCOUNT, TAG};
use crate::rest::script::{Talk, check_meaningless, check_replies, talk};

const NAME: &str = "dialplane-000000000000000000000000000000ac";

const FIND: &str = "GET /texml_applications?filter%5Bfriendly_name%5D=dialplane-000000000000000000000000000000ac&page%5Bsize%5D=250";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"KEY1"}"#)
}

fn connected() -> Account<'static> {
    samples::account(r#"{"api_key":"KEY1","connection_id":"1568109700606592442"}"#)
}

fn settings() -> Value {
    json!({"friendly_name": NAME,
        "voice_url": format!("https://a.example/webhooks/telnyx/texml/{ACCOUNT}"), "voice_method": "post",
        "voice_fallback_url": format!("https://b.example/webhooks/telnyx/texml/{ACCOUNT}"),
        "status_callback": format!("https://a.example/webhooks/telnyx/status/{ACCOUNT}"),
        "status_callback_method": "post"})
}

/// Our application, as Telnyx shows it.
fn application() -> Value {
    let mut shown = settings();
    shown["id"] = json!("1700");
    shown["active"] = json!(true);
    shown["voice_method"] = json!("POST");
    shown
}

fn found(application: Value) -> Value {
    let mut similar = application.clone();
    similar["friendly_name"] = json!(format!("{NAME}-old"));
    similar["id"] = json!("1699");
    json!({"data": [similar, application], "meta": {"total_pages": 1, "page_number": 1}})
}

fn number(status: &str) -> Value {
    json!({"record_type": "phone_number", "id": "1293384261075731499", "phone_number": "+12125550001",
        "status": status, "customer_reference": TAG, "connection_id": "1700", "tags": []})
}

fn order(status: &str) -> Value {
    json!({"record_type": "number_order", "id": "12ade33a", "status": status, "requirements_met": true,
        "phone_numbers": [{"id": "dc8e", "phone_number": "+12125550001", "status": status}],
        "connection_id": "1700", "customer_reference": TAG})
}

fn page(numbers: &[Value], page: u32, pages: u32) -> Value {
    json!({"data": numbers, "meta": {"total_pages": pages, "page_number": page, "page_size": 250}})
}

/// Up to what follows once our application is found as it is to be.
#[track_caller]
fn finds<T: std::fmt::Debug + 'static>(talk: Talk<T>) -> Talk<T> {
    talk.sends(FIND).with_header("authorization", "Bearer KEY1").gets_json(200, found(application()))
}

#[test]
fn searches_for_exact_numbers() {
    let search = || TelnyxNumbers.search(&account(), &samples::wanted());
    let offers = talk(search())
        .sends("GET /available_phone_numbers?filter%5Bcountry_code%5D=US&filter%5Bnational_destination_code%5D=212&filter%5Bphone_number_type%5D=local&filter%5Bfeatures%5D%5B%5D=voice&filter%5Bfeatures%5D%5B%5D=sms&filter%5Bexclude_held_numbers%5D=true&filter%5Blimit%5D=50")
        .with_header("authorization", "Bearer KEY1")
        .gets_json(200, json!({"data": [
            {"phone_number": "+12125550001", "features": [{"name": "voice"}, {"name": "sms"}],
                "cost_information": {"currency": "usd", "monthly_cost": "1.00000", "upfront_cost": "0.50000"}},
            {"phone_number": "+13125550001", "features": []}, {"phone_number": "+12125550002"}]}))
        .done();
    let price = Price { upfront: "0.50000".into(), monthly: "1.00000".into(), currency: "USD".into() };
    let offer = |number: &str, price, sms| Offer { number: number.parse().ok(), price, sms, requires: None };
    assert_eq!(offers, [offer("+12125550001", Some(price), true), offer("+12125550002", None, false)]);
    let wanted = Wanted {
        area_code: None,
        contains: Some("777".into()),
        number_type: NumberType::TollFree,
        sms: false,
        ..samples::wanted()
    };
    talk(TelnyxNumbers.search(&account(), &wanted)).sends("GET /available_phone_numbers?filter%5Bcountry_code%5D=US&filter%5Bphone_number_type%5D=toll_free&filter%5Bphone_number%5D%5Bcontains%5D=777&filter%5Bfeatures%5D%5B%5D=voice&filter%5Bexclude_held_numbers%5D=true&filter%5Blimit%5D=50");
    check_meaningless(search);
    check_replies(
        search,
        &[(200, r#"{"data":[]}"#, "done"), (200, "{}", "unclear"), (401, "", "stop"), (429, "", "retry")],
    );
}

#[test]
fn buys_for_an_application_that_is_made_first() {
    let buy = || TelnyxNumbers.buy(&account(), &samples::order());
    let body = json!({"phone_numbers": [{"phone_number": "+12125550001"}], "connection_id": "1700",
        "customer_reference": TAG});
    let made = talk(buy())
        .sends(FIND)
        .gets_json(200, json!({"data": []}))
        .sends_once("POST /texml_applications")
        .with_json(settings())
        .gets_json(201, json!({"data": application()}))
        .sends_once("POST /number_orders")
        .with_json(body.clone())
        .gets_json(200, json!({"data": order("pending")}))
        .done();
    assert_eq!(
        (&*made.id, made.number, made.state),
        ("order:12ade33a", "+12125550001".parse().ok(), HeldState::Pending)
    );
    assert_eq!(made.name, TAG);
    let ordering = || finds(talk(buy())).sends_once("POST /number_orders").with_json(body.clone());
    for (status, answer, label) in [
        (200, json!({"data": order("success")}), "done"),
        (200, json!({"data": order("failure")}), "elsewhere"),
        (200, json!({"data": {"id": "1", "status": "pending", "phone_numbers": []}}), "unclear"),
        (
            200,
            json!({"data": {"id": "", "status": "pending", "phone_numbers": [{"phone_number": "+12125550001"}]}}),
            "unclear",
        ),
        (
            200,
            json!({"data": {"id": "1", "status": "pending", "phone_numbers": [{"phone_number": "+12125550002"}]}}),
            "unclear",
        ),
        (400, json!({"errors": [{"code": "85001", "title": "Not available"}]}), "elsewhere"),
        (422, json!({"errors": [{"code": "10027", "title": "Cannot be processed"}]}), "stop"),
        (500, json!({}), "unclear"),
        (200, json!({}), "unclear"),
    ] {
        assert_eq!(ordering().gets_json(status, answer.clone()).label(), label, "{status} {answer}");
    }
}

#[test]
fn an_application_with_other_urls_is_set_anew_and_a_named_one_left_alone() {
    let mut other = application();
    other["voice_url"] = json!("https://old.example");
    other["status_callback"] = Value::Null;
    talk(TelnyxNumbers.buy(&account(), &samples::order()))
        .sends(FIND)
        .gets_json(200, found(other))
        .sends("PATCH /texml_applications/1700")
        .with_json(settings())
        .gets_json(200, json!({"data": application()}))
        .sends_once("POST /number_orders");
    let named = talk(TelnyxNumbers.buy(&connected(), &samples::order()));
    assert!(
        format!("{:?}", named.sends_once("POST /number_orders").request()).contains("telnyx.numbers.buy")
    );
    check_meaningless(|| TelnyxNumbers.buy(&account(), &samples::order()));
}

#[test]
fn messages_come_by_the_profile_that_the_account_names() {
    let account =
        samples::account(r#"{"api_key":"KEY1","connection_id":"7","messaging_profile_id":"aaaa-bbbb"}"#);
    talk(TelnyxNumbers.buy(&account, &samples::order()))
        .sends_once("POST /number_orders")
        .with_json(json!({"phone_numbers": [{"phone_number": "+12125550001"}], "connection_id": "7",
        "customer_reference": TAG, "messaging_profile_id": "aaaa-bbbb"}));
}

#[test]
fn finds_what_was_bought_whether_telnyx_is_done_or_not() {
    let bought = || {
        talk(TelnyxNumbers.bought(&account(), &samples::order()))
            .sends("GET /number_orders?filter%5Bcustomer_reference%5D=dp%3A0123456789abcdef0123456789abcdef&page%5Bsize%5D=250")
    };
    let mut other = order("success");
    other["customer_reference"] = json!("dp:1");
    let orders = json!({"data": [other, order("failure"), order("success")]});
    let looking = || {
        bought()
            .gets_json(200, orders.clone())
            .sends("GET /phone_numbers?filter%5Bphone_number%5D=12125550001&page%5Bsize%5D=250")
    };
    let held = finds(looking().gets_json(200, page(&[number("active")], 1, 1))).done();
    assert_eq!((held.len(), &*held[0].id, held[0].state), (1, "1293384261075731499", HeldState::Active));
    assert_eq!(held[0].setup["application"]["voice_url"], settings()["voice_url"]);
    let held = finds(looking().gets_json(200, page(&[], 1, 1))).done();
    assert_eq!((held.len(), &*held[0].id, held[0].state), (1, "order:12ade33a", HeldState::Pending));
    assert_eq!(bought().gets_json(200, json!({"data": []})).done(), []);
    check_meaningless(|| TelnyxNumbers.bought(&account(), &samples::order()));
}

#[test]
fn an_order_s_id_leads_to_the_number() {
    let get = || talk(TelnyxNumbers.get(&account(), "order:12ade33a")).sends("GET /number_orders/12ade33a");
    let looking = |status: &str| {
        get()
            .gets_json(200, json!({"data": order(status)}))
            .sends("GET /phone_numbers?filter%5Bphone_number%5D=12125550001&page%5Bsize%5D=250")
    };
    let mut longer = number("active");
    longer["phone_number"] = json!("+121255500012");
    let pending = finds(looking("pending").gets_json(200, page(&[longer], 1, 1))).done();
    assert_eq!((&*pending.id, pending.state), ("order:12ade33a", HeldState::Pending));
    let held = finds(looking("success").gets_json(200, page(&[number("active")], 1, 1))).done();
    assert_eq!((&*held.id, held.state), ("1293384261075731499", HeldState::Active));
    for (status, body, label) in [
        (200, json!({"data": order("failure")}), "gone"),
        (404, json!({"errors": [{"code": "10005"}]}), "gone"),
        (200, json!({"data": {"id": "13", "status": "pending"}}), "unclear"),
        (200, json!({"data": {"id": "12ade33a", "status": "pending"}}), "unclear"),
    ] {
        assert_eq!(get().gets_json(status, body.clone()).label(), label, "{body}");
    }
}

#[test]
fn a_number_s_status_says_how_far_it_is() {
    let state = |status: &str| {
        let talk = talk(TelnyxNumbers.get(&connected(), "1293384261075731499"))
            .sends("GET /phone_numbers/1293384261075731499")
            .gets_json(200, json!({"data": number(status)}));
        if talk.label() == "done" { Ok(talk.done().state) } else { Err(talk.label()) }
    };
    assert_eq!(["active", "port-out-pending", ""].map(state), [Ok(HeldState::Active); 3]);
    assert_eq!(["purchase-pending", "port-pending"].map(state), [Ok(HeldState::Pending); 2]);
    assert_eq!(state("emergency-only"), Ok(HeldState::Blocked));
    assert_eq!(["deleted", "ported-out", "purchase-failed", "port-failed"].map(state), [Err("gone"); 4]);
    check_meaningless(|| TelnyxNumbers.get(&account(), "1"));
    check_replies(
        || TelnyxNumbers.get(&account(), "1"),
        &[
            (200, r#"{"data":{"id":1,"phone_number":"+12125550001"}}"#, "unclear"),
            (200, r#"{"data":{"id":"2","phone_number":"+12125550001"}}"#, "unclear"),
        ],
    );
}

#[test]
fn lists_page_by_page() {
    let list = |cursor| TelnyxNumbers.list(&account(), cursor);
    let first = talk(list(None)).sends("GET /phone_numbers?page%5Bnumber%5D=1&page%5Bsize%5D=250");
    let first = finds(first.gets_json(200, page(&[number("active"), number("deleted")], 1, 2))).done();
    assert_eq!((first.numbers.len(), first.next.as_deref()), (1, Some("2")));
    assert!(TelnyxNumbers.drift(&account(), &first.numbers[0], &samples::webhooks()).is_empty());
    let last = talk(list(Some("2"))).sends("GET /phone_numbers?page%5Bnumber%5D=2&page%5Bsize%5D=250");
    assert_eq!(last.gets_json(200, page(&[], 2, 2)).done(), Page::default());
    check_meaningless(|| list(None));
}

#[test]
fn points_a_number_at_the_application() {
    let held = finds(
        talk(TelnyxNumbers.get(&account(), "1293384261075731499"))
            .gets_json(200, json!({"data": number("active")})),
    )
    .done();
    let configure =
        |number: &Held| TelnyxNumbers.configure(&account(), number, "Broadway", &samples::webhooks());
    let set = finds(talk(configure(&held)))
        .sends("PATCH /phone_numbers/1293384261075731499")
        .with_json(json!({"connection_id": "1700", "customer_reference": "Broadway"}))
        .gets_json(200, json!({"data": number("active")}));
    assert!(TelnyxNumbers.drift(&account(), &finds(set).done(), &samples::webhooks()).is_empty());
    let pending = Held { id: "order:12ade33a".into(), ..held };
    let asking = || {
        talk(configure(&pending))
            .sends("GET /number_orders/12ade33a")
            .gets_json(200, json!({"data": order("success")}))
    };
    assert_eq!(asking().gets_json(200, page(&[], 1, 1)).label(), "retry");
    finds(asking().gets_json(200, page(&[number("active")], 1, 1)))
        .sends("PATCH /phone_numbers/1293384261075731499");
    check_meaningless(|| configure(&pending));
}

#[test]
fn tells_drift_of_the_number_and_of_its_application() {
    let drift = |application: Value, connection: &str| {
        let mut number = number("active");
        number["connection_id"] = json!(connection);
        let read = talk(TelnyxNumbers.get(&account(), "1293384261075731499"))
            .gets_json(200, json!({"data": number}));
        let held = read.sends(FIND).gets_json(200, found(application)).done();
        TelnyxNumbers.drift(&account(), &held, &samples::webhooks())
    };
    assert!(drift(application(), "1700").is_empty());
    assert_eq!(drift(application(), "1701"), ["connection_id"]);
    let mut other = application();
    other["voice_method"] = json!("get");
    other["voice_fallback_url"] = Value::Null;
    assert_eq!(drift(other, "1700"), ["application.voice_method", "application.voice_fallback_url"]);
    let connection = |id: &str| {
        let mut number = number("active");
        number["connection_id"] = json!(id);
        let read = talk(TelnyxNumbers.get(&connected(), "1293384261075731499"))
            .gets_json(200, json!({"data": number}));
        TelnyxNumbers.drift(&connected(), &read.done(), &samples::webhooks())
    };
    assert!(connection("1568109700606592442").is_empty());
    assert_eq!(connection("1700"), ["connection_id"]);
}

#[test]
fn puts_back_what_stood_there() {
    let mut before = number("active");
    before["connection_id"] = Value::Null;
    before["customer_reference"] = json!("main line");
    let held = talk(TelnyxNumbers.get(&connected(), "1293384261075731499"))
        .gets_json(200, json!({"data": before}))
        .done();
    let restore = || TelnyxNumbers.restore(&account(), &held.id, &held.setup);
    talk(restore())
        .sends("PATCH /phone_numbers/1293384261075731499")
        .with_json(json!({"connection_id": null, "customer_reference": "main line"}))
        .gets_json(200, json!({"data": number("active")}))
        .done();
    check_meaningless(restore);
    check_replies(restore, &[(404, "", "gone")]);
}

#[test]
fn gives_a_number_back_once() {
    let held = talk(TelnyxNumbers.get(&connected(), "1293384261075731499"))
        .gets_json(200, json!({"data": number("active")}))
        .done();
    let release = || TelnyxNumbers.release(&account(), &held);
    talk(release())
        .sends("DELETE /phone_numbers/1293384261075731499")
        .gets_json(200, json!({"data": number("deleted")}))
        .done();
    check_replies(release, &[(404, "", "done"), (401, "", "stop"), (502, "<html>", "unclear")]);
    let pending = Held { id: "order:12ade33a".into(), ..held.clone() };
    let releasing = || talk(TelnyxNumbers.release(&account(), &pending)).sends("GET /number_orders/12ade33a");
    releasing().gets_json(200, json!({"data": order("failure")})).done();
    let ordered = releasing().gets_json(200, json!({"data": order("success")}));
    ordered
        .gets_json(200, page(&[number("active")], 1, 1))
        .sends("DELETE /phone_numbers/1293384261075731499");
}
