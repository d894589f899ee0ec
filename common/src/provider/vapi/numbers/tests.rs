use serde_json::{Value, json};

use super::*;
use crate::rest::numbers::HeldState;
use crate::rest::samples::{self, TAG, webhooks, webhooks_without_fallback};
use crate::rest::script::{check_meaningless, check_replies, talk};

const VAPI: VapiNumbers = VapiNumbers;
const ID: &str = "5a5a04dc-dcbe-45b1-8f64-fd32a253d135";
const SERVER_URL: &str = "https://a.example/webhooks/vapi/server/00000000-0000-0000-0000-0000000000ac";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"k","secret":"s"}"#)
}

fn wanted() -> Wanted {
    Wanted { sms: false, ..samples::wanted() }
}

fn order() -> Order {
    Order { number: None, wanted: wanted(), ..samples::order() }
}

fn server() -> Value {
    json!({"url": SERVER_URL, "headers": {"X-Vapi-Secret": "s"}})
}

/// One of Vapi's own, as `changes` have it.
fn record(changes: Value) -> Value {
    let mut record = json!({
        "id": ID, "orgId": "o", "provider": "vapi", "name": TAG, "number": "+12125550001", "status": "active",
        "assistantId": null, "server": server(), "createdAt": "2026-11-01T11:59:58.604Z",
        "fallbackDestination": {"type": "number", "number": "+12125550199", "message": "Connecting."},
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
    let offers = talk(VAPI.search(&account(), &wanted()))
        .sends("GET /phone-number?limit=1")
        .with_header("authorization", "Bearer k")
        .gets(200, "[]")
        .done();
    assert_eq!((offers.len(), offers[0].number, offers[0].sms), (1, None, false));
    check_replies(
        || VAPI.search(&account(), &wanted()),
        &[(401, "{}", "stop"), (403, "", "stop"), (429, "{}", "retry"), (200, "{}", "unclear")],
    );
    check_meaningless(|| VAPI.search(&account(), &wanted()));
}

#[test]
fn what_vapi_never_has_is_not_asked_for() {
    let check = |wanted: Wanted| {
        assert_eq!(talk(VAPI.search(&account(), &wanted)).fault().label(), "elsewhere", "{wanted:?}");
        let order = Order { wanted, ..order() };
        assert_eq!(talk(VAPI.buy(&account(), &order)).fault().label(), "elsewhere");
    };
    check(Wanted { country: "DE".into(), ..wanted() });
    check(Wanted { number_type: NumberType::TollFree, ..wanted() });
    check(Wanted { sms: true, ..wanted() });
    check(Wanted { contains: Some("55".into()), ..wanted() });
    check(Wanted { area_code: Some("2125".into()), ..wanted() });
    let exact = Order { number: samples::order().number, ..order() };
    assert_eq!(talk(VAPI.buy(&account(), &exact)).fault().label(), "elsewhere");
}

#[test]
fn a_purchase_carries_its_tag_and_where_calls_go() {
    let bought = talk(VAPI.buy(&account(), &order()))
        .sends_once("POST /phone-number")
        .with_header("authorization", "Bearer k")
        .with_json(json!({
            "provider": "vapi", "name": TAG, "numberDesiredAreaCode": "212", "server": server(),
            "fallbackDestination": {"type": "number", "number": "+12125550199"},
        }))
        .gets_json(201, record(json!({"number": null, "status": "activating"})))
        .done();
    assert_eq!((bought.id.as_str(), bought.number, bought.state), (ID, None, HeldState::Pending));
    assert!(bought.is_free && bought.agent_id.is_none() && bought.sip_uri.is_none());

    let anywhere = Wanted { area_code: None, ..wanted() };
    let order = Order { wanted: anywhere, webhooks: webhooks_without_fallback(), ..order() };
    talk(VAPI.buy(&account(), &order))
        .sends_once("POST /phone-number")
        .with_json(json!({"provider": "vapi", "name": TAG, "server": server()}))
        .gets_json(201, record(json!({})))
        .done();
}

#[test]
fn why_no_number_is_given_says_what_can_be_done() {
    let other_tag = record(json!({"name": "dp:ffffffffffffffffffffffffffffffff"})).to_string();
    check_replies(
        || VAPI.buy(&account(), &order()),
        &[
            (
                400,
                r#"{"message":"This area code is currently not available. Hint: Try one of 562, 662, 716.","error":"Bad Request","statusCode":400}"#,
                "elsewhere",
            ),
            (400, r#"{"message":["numberDesiredAreaCode must be longer"]}"#, "elsewhere"),
            (400, r#"{"message":"You have reached the maximum of 5 free phone numbers."}"#, "elsewhere"),
            (403, r#"{"message":"Free phone number limit reached"}"#, "elsewhere"),
            (400, r#"{"message":"A payment method is required for more phone numbers, up to 5."}"#, "stop"),
            (400, r#"{"message":["property servr should not exist"],"error":"Bad Request"}"#, "stop"),
            (402, "{}", "stop"),
            (401, r#"{"message":"Invalid Key."}"#, "stop"),
            (429, "", "retry"),
            (201, "{}", "unclear"),
            (201, r#"{"id":""}"#, "unclear"),
            (201, &format!(r#"{{"id":"{ID}"}}"#), "unclear"),
            (201, &other_tag, "unclear"),
            (201, &format!("[{}]", record(json!({}))), "unclear"),
        ],
    );
    check_meaningless(|| VAPI.buy(&account(), &order()));
}

#[test]
fn accounts_that_lack_something_are_told_what() {
    let fault =
        |credentials: &str| talk(VAPI.buy(&samples::account(credentials), &order())).fault().to_string();
    assert!(fault(r#"{"secret":"s"}"#).contains("api_key"));
    let oauth2 = r#"{"api_key":"k","auth":{"type":"oauth2","clientId":"i","clientSecret":"s"}}"#;
    assert!(fault(oauth2).contains("credential_id"));
}

#[test]
fn a_doubtful_purchase_is_found_by_its_tag_on_any_page() {
    let page = |numbers: std::ops::Range<u32>| -> Vec<Value> {
        let name = |n| if n == 150 { TAG } else { "Main line" };
        let made = |n| format!("2026-11-01T00:00:00.{:03}Z", 999 - n);
        numbers.map(|n| record(json!({"id": n.to_string(), "name": name(n), "createdAt": made(n)}))).collect()
    };
    let found = talk(VAPI.bought(&account(), &order()))
        .sends("GET /phone-number?limit=100")
        .gets_json(200, page(0..100).into())
        .sends("GET /phone-number?limit=100&createdAtLe=2026-11-01T00%3A00%3A00.900Z")
        .gets_json(200, page(99..199).into())
        .sends("GET /phone-number?limit=100&createdAtLe=2026-11-01T00%3A00%3A00.801Z")
        .gets_json(200, page(150..170).into())
        .done();
    let ids: Vec<&str> = found.iter().map(|held| held.id.as_str()).collect();
    assert_eq!(ids, ["150"], "once, although two pages have it");
    check_meaningless(|| VAPI.bought(&account(), &order()));
    // Oldest first, and without times: such a list can't be gone on with.
    let backwards: Value = page(0..100).into_iter().rev().collect();
    let untimed: Value = page(0..100).into_iter().map(|_| record(json!({"createdAt": null}))).collect();
    for list in [backwards, untimed] {
        let talk = talk(VAPI.bought(&account(), &order())).sends("GET /phone-number?limit=100");
        assert_eq!(talk.gets_json(200, list).fault().label(), "unclear");
    }
    let same: Value = page(5..6).into_iter().cycle().take(100).collect();
    let talk = talk(VAPI.bought(&account(), &order())).sends("GET /phone-number?limit=100");
    let talk = talk.gets_json(200, same.clone());
    assert_eq!(talk.gets_json(200, same).fault().label(), "unclear", "it stands still");
}

#[test]
fn numbers_of_all_kinds_are_listed() {
    let list = json!([
        record(json!({})),
        record(json!({"id": "2", "provider": "twilio", "number": "+14155550132", "status": null,
            "twilioAuthToken": "hidden", "assistantId": "a1", "name": null})),
        record(json!({"id": "3", "number": null, "sipUri": "sip:t1042@sip.vapi.ai"})),
        record(json!({"id": "4", "provider": "byo-phone-number", "number": "1042", "status": "blocked"})),
        record(json!({"id": null})),
    ]);
    let page = talk(VAPI.list(&account(), Some("2026-11-01T00:00:00.900Z")))
        .sends("GET /phone-number?limit=100&createdAtLe=2026-11-01T00%3A00%3A00.900Z")
        .gets_json(200, list)
        .done();
    assert_eq!((page.numbers.len(), page.next), (4, None));
    let free: Vec<bool> = page.numbers.iter().map(|number| number.is_free).collect();
    assert_eq!(free, [true, false, false, false]);
    let [_, twilio, sip, own] = &page.numbers[..] else { panic!("four numbers") };
    assert_eq!((twilio.agent_id.as_deref(), twilio.name.as_str()), (Some("a1"), ""));
    assert_eq!(twilio.state, HeldState::Active);
    assert!(!format!("{page_debug:?}", page_debug = page.numbers).contains("hidden"));
    assert_eq!((sip.number, sip.sip_uri.as_deref()), (None, Some("sip:t1042@sip.vapi.ai")));
    assert_eq!((own.number, own.state), (None, HeldState::Blocked));
    check_meaningless(|| VAPI.list(&account(), None));
}

#[test]
fn one_number_is_got() {
    let got = talk(VAPI.get(&account(), ID)).sends(&format!("GET /phone-number/{ID}"));
    assert_eq!(got.gets_json(200, record(json!({}))).done(), held(json!({})));
    talk(VAPI.get(&account(), "../assistant")).sends("GET /phone-number/..%2Fassistant");
    let another = record(json!({"id": "other"})).to_string();
    check_replies(
        || VAPI.get(&account(), ID),
        &[(404, "{}", "gone"), (200, &another, "unclear"), (200, "{}", "unclear")],
    );
    check_meaningless(|| VAPI.get(&account(), ID));
}

#[test]
fn a_number_is_pointed_at_us_and_then_nothing_drifts() {
    let before = held(json!({"assistantId": "a1", "server": null}));
    let configured = talk(VAPI.configure(&account(), &before, &"n".repeat(50), &webhooks()))
        .sends(&format!("PATCH /phone-number/{ID}"))
        .with_json(json!({
            "name": "n".repeat(40), "assistantId": null, "squadId": null, "workflowId": null, "server": server(),
            "fallbackDestination": {"type": "number", "number": "+12125550199"},
        }))
        .gets_json(200, record(json!({})))
        .done();
    assert!(VAPI.drift(&account(), &configured, &webhooks()).is_empty());
    check_meaningless(|| VAPI.configure(&account(), &before, "n", &webhooks()));

    let drift = |changes: Value| VAPI.drift(&account(), &held(changes), &webhooks());
    assert_eq!(
        drift(json!({"assistantId": "a", "squadId": "b", "workflowId": "c"})),
        ["assistantId", "squadId", "workflowId"]
    );
    assert_eq!(drift(json!({"server": null})), ["server.url", "server.headers"]);
    assert_eq!(drift(json!({"fallbackDestination": null})), ["fallbackDestination"]);
    assert!(drift(json!({"hooks": [1]})).is_empty(), "what isn't set isn't compared");
    let without = VAPI.drift(&account(), &held(json!({})), &webhooks_without_fallback());
    assert_eq!(without, ["fallbackDestination"]);
}

#[test]
fn what_stood_on_a_number_is_put_back() {
    let changes = json!({
        "name": "Main line", "assistantId": "a1", "hooks": [1],
        "server": {"url": "https://x.example", "timeoutSeconds": 9, "secret": "old"},
        "fallbackDestination": {"type": "sip", "sipUri": "sip:a@x.example"},
    });
    let mut setup = held(changes).setup;
    setup.insert("unknown".to_owned(), json!(1));
    talk(VAPI.restore(&account(), ID, &setup))
        .sends(&format!("PATCH /phone-number/{ID}"))
        .with_json(json!({
            "name": "Main line", "assistantId": "a1", "squadId": null, "workflowId": null,
            "server": {"url": "https://x.example", "timeoutSeconds": 9, "headers": {"X-Vapi-Secret": "old"}},
            "fallbackDestination": {"type": "sip", "sipUri": "sip:a@x.example"},
        }))
        .gets_json(200, record(json!({})))
        .done();
    check_replies(|| VAPI.restore(&account(), ID, &setup), &[(404, "", "gone"), (400, "{}", "stop")]);
}

#[test]
fn a_number_is_given_back_once() {
    let release = || VAPI.release(&account(), &held(json!({})));
    talk(release()).sends(&format!("DELETE /phone-number/{ID}")).gets(200, "{}").done();
    check_replies(release, &[(404, "", "done"), (401, "", "stop"), (502, "", "unclear"), (409, "", "stop")]);
}
