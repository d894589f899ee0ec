use serde_json::{Value, json};

use super::*;
use crate::rest::samples::{self, TAG, webhooks, webhooks_without_fallback};
use crate::rest::script::{check_meaningless, check_replies, talk};

const RETELL: RetellNumbers = RetellNumbers;
const NUMBER: &str = "+12125550001";
const URL: &str = "https://a.example/webhooks/retell/inbound/00000000-0000-0000-0000-0000000000ac";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"k"}"#)
}

fn wanted() -> Wanted {
    Wanted { sms: false, ..samples::wanted() }
}

fn order() -> Order {
    Order { number: None, wanted: wanted(), ..samples::order() }
}

fn record(changes: Value) -> Value {
    let mut record = json!({
        "phone_number": NUMBER, "phone_number_type": "retell-twilio", "phone_number_pretty": "+1 (212) 555-0001",
        "nickname": TAG, "area_code": 212, "inbound_agents": [], "inbound_webhook_url": URL,
        "inbound_sms_webhook_url": URL, "fallback_number": "+12125550199",
    });
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

fn held(changes: Value) -> Held {
    phone_number::held(record(changes).as_object().unwrap()).unwrap()
}

#[test]
fn a_search_asks_for_nothing_but_a_good_key() {
    let offers = talk(RETELL.search(&account(), &wanted()))
        .sends("GET /v2/list-phone-numbers?limit=1")
        .with_header("authorization", "Bearer k")
        .gets(200, r#"{"items":[],"has_more":false}"#)
        .done();
    assert_eq!((offers.len(), offers[0].number), (1, None));
    check_replies(|| RETELL.search(&account(), &wanted()), &[(401, "{}", "stop"), (200, "{}", "unclear")]);
    check_meaningless(|| RETELL.search(&account(), &wanted()));
}

#[test]
fn what_retell_never_has_is_not_asked_for() {
    let check = |wanted: Wanted| {
        assert_eq!(talk(RETELL.search(&account(), &wanted)).fault().label(), "elsewhere", "{wanted:?}");
        let order = Order { wanted, ..order() };
        assert_eq!(talk(RETELL.buy(&account(), &order)).fault().label(), "elsewhere");
    };
    check(Wanted { country: "GB".into(), ..wanted() });
    check(Wanted { number_type: NumberType::Mobile, ..wanted() });
    check(Wanted { sms: true, ..wanted() });
    check(Wanted { contains: Some("55".into()), ..wanted() });
    for area_code in ["2125", "21", "099", "x"] {
        check(Wanted { area_code: Some(area_code.into()), ..wanted() });
    }
}

#[test]
fn a_purchase_carries_its_tag_and_where_calls_go() {
    let bought = talk(RETELL.buy(&account(), &order()))
        .sends_once("POST /create-phone-number")
        .with_json(json!({
            "area_code": 212, "country_code": "US", "nickname": TAG, "inbound_webhook_url": URL,
            "fallback_number": "+12125550199",
        }))
        .gets_json(201, record(json!({})))
        .done();
    assert_eq!((bought.id.as_str(), bought.number), (NUMBER, NUMBER.parse().ok()));

    let wanted =
        Wanted { area_code: None, country: "CA".into(), number_type: NumberType::TollFree, ..wanted() };
    let number = NUMBER.parse().ok();
    let exact = Order { wanted, number, webhooks: webhooks_without_fallback(), ..order() };
    let talk = talk(RETELL.buy(&account(), &exact)).sends_once("POST /create-phone-number").with_json(json!({
        "country_code": "CA", "toll_free": true, "nickname": TAG, "inbound_webhook_url": URL, "phone_number": NUMBER,
    }));
    assert_eq!(
        talk.gets_json(201, record(json!({"phone_number": "+12125550002"}))).fault().label(),
        "unclear"
    );
}

#[test]
fn why_no_number_is_sold_says_what_can_be_done() {
    let said = |message: &str| json!({"status": "error", "message": message}).to_string();
    let untagged = record(json!({"nickname": null})).to_string();
    check_replies(
        || RETELL.buy(&account(), &order()),
        &[
            (400, &said("No phone numbers of this area code"), "elsewhere"),
            (404, &said("Number is not available"), "elsewhere"),
            (422, &said("Phone number limit exceeded"), "elsewhere"),
            (400, &said("nickname must be shorter"), "stop"),
            (401, &said("Invalid"), "stop"),
            (402, &said("No payment method"), "stop"),
            (429, "", "retry"),
            (201, "{}", "unclear"),
            (201, &untagged, "unclear"),
        ],
    );
    check_meaningless(|| RETELL.buy(&account(), &order()));
}

#[test]
fn a_doubtful_purchase_is_found_by_its_tag_on_any_page() {
    let first =
        json!({"items": [record(json!({"nickname": "Main"}))], "has_more": true, "pagination_key": "p2"});
    let second = json!({"items": [record(json!({}))], "has_more": false});
    let found = talk(RETELL.bought(&account(), &order()))
        .sends("GET /v2/list-phone-numbers?limit=100")
        .gets_json(200, first.clone())
        .sends("GET /v2/list-phone-numbers?limit=100&pagination_key=p2")
        .gets_json(200, second)
        .done();
    assert_eq!(found, [held(json!({}))]);
    let stuck = talk(RETELL.bought(&account(), &order())).sends("GET /v2/list-phone-numbers?limit=100");
    assert_eq!(stuck.gets_json(200, first.clone()).gets_json(200, first).fault().label(), "unclear");
    check_meaningless(|| RETELL.bought(&account(), &order()));
}

#[test]
fn numbers_are_listed_and_read_with_agents_of_either_form() {
    let items = json!([
        record(json!({"inbound_agents": [{"agent_id": "a1", "weight": 0.5}, {"agent_id": "a2", "weight": 0.5}]})),
        record(json!({"inbound_agents": null, "inbound_agent_id": "a3", "inbound_agent_version": 2})),
        {"phone_number": ""},
    ]);
    let page = talk(RETELL.list(&account(), Some("p1")))
        .sends("GET /v2/list-phone-numbers?limit=100&pagination_key=p1")
        .gets_json(200, json!({"items": items, "has_more": true, "pagination_key": "p2"}))
        .done();
    assert_eq!((page.numbers.len(), page.next.as_deref()), (2, Some("p2")));
    assert_eq!(page.numbers[0].agent_id.as_deref(), Some("a1"));
    let old = json!([{"agent_id": "a3", "agent_version": 2, "weight": 1}]);
    assert_eq!(page.numbers[1].setup["inbound_agents"], old);
    check_meaningless(|| RETELL.list(&account(), None));

    let get = || RETELL.get(&account(), NUMBER);
    let got = talk(get()).sends("GET /get-phone-number/%2B12125550001").gets_json(200, record(json!({})));
    assert_eq!(got.done(), held(json!({})));
    let asset = r#"{"message":"Cannot find requested asset under given api key."}"#;
    let other = record(json!({"phone_number": "+12125550002"})).to_string();
    check_replies(get, &[(404, "", "gone"), (422, asset, "gone"), (200, &other, "unclear")]);
    check_meaningless(get);
}

#[test]
fn a_number_is_pointed_at_us_and_then_nothing_drifts() {
    let configured = talk(RETELL.configure(&account(), &held(json!({})), "Broadway", &webhooks()))
        .sends("PATCH /update-phone-number/%2B12125550001")
        .with_json(json!({
            "nickname": "Broadway", "inbound_webhook_url": URL, "inbound_sms_webhook_url": URL,
            "fallback_number": "+12125550199",
        }))
        .gets_json(200, record(json!({"nickname": "Broadway"})))
        .done();
    assert!(RETELL.drift(&account(), &configured, &webhooks()).is_empty());
    let moved = held(json!({"inbound_webhook_url": "https://x.example", "inbound_sms_webhook_url": null}));
    let drift = RETELL.drift(&account(), &moved, &webhooks_without_fallback());
    assert_eq!(drift, ["inbound_webhook_url", "inbound_sms_webhook_url", "fallback_number"]);
    check_meaningless(|| RETELL.configure(&account(), &moved, "n", &webhooks()));
}

#[test]
fn what_stood_on_a_number_is_put_back() {
    let agents = json!([{"agent_id": "a1", "weight": 1}]);
    let before = held(json!({"inbound_agents": agents, "inbound_webhook_url": null, "nickname": "Main"}));
    let restore = || RETELL.restore(&account(), NUMBER, &before.setup);
    talk(restore())
        .sends("PATCH /update-phone-number/%2B12125550001")
        .with_json(json!({
            "inbound_agents": agents, "inbound_webhook_url": null, "inbound_sms_webhook_url": URL,
            "fallback_number": "+12125550199", "nickname": "Main",
        }))
        .gets_json(200, record(json!({})))
        .done();
    check_replies(restore, &[(404, "", "gone"), (200, "{}", "unclear")]);
}

#[test]
fn a_number_is_given_back_once() {
    let release = || RETELL.release(&account(), &held(json!({})));
    talk(release()).sends("DELETE /delete-phone-number/%2B12125550001").gets(204, "").done();
    check_replies(
        release,
        &[(404, "", "done"), (401, "", "stop"), (500, "", "unclear"), (422, "{}", "stop")],
    );
}
