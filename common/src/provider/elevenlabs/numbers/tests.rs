use serde_json::{Value, json};

use super::*;
use crate::rest::samples::{self, order, wanted, webhooks};
use crate::rest::script::{check_meaningless, check_replies, talk};

const ELEVENLABS: ElevenLabsNumbers = ElevenLabsNumbers;
const URL: &str = "https://a.example/webhooks/elevenlabs/initiation/00000000-0000-0000-0000-0000000000ac";
const SETTINGS: &str = "/v1/convai/settings";

fn account() -> Account<'static> {
    samples::account(r#"{"api_key":"k","initiation_secret":"s"}"#)
}

fn record(id: &str) -> Value {
    json!({
        "phone_number": "+14155550120", "label": "Main line", "phone_number_id": id, "provider": "twilio",
        "assigned_agent": {"agent_id": "agent_1", "agent_name": "Front desk"},
    })
}

fn ours() -> Value {
    json!({"url": URL, "request_headers": {"x-dialplane-secret": "s"}})
}

fn settings(webhook: &Value) -> Value {
    json!({workspace::FIELD: webhook, "webhooks": {"post_call_webhook_id": null}})
}

fn held(webhook: Value) -> Held {
    let mut held = phone_number::held(record("phnum_1").as_object().unwrap()).unwrap();
    held.setup.insert(workspace::FIELD.to_owned(), webhook);
    held
}

#[test]
fn nothing_is_sold() {
    assert_eq!(talk(ELEVENLABS.search(&account(), &wanted())).fault().label(), "elsewhere");
    assert_eq!(talk(ELEVENLABS.buy(&account(), &order())).fault().label(), "elsewhere");
    assert_eq!(talk(ELEVENLABS.bought(&account(), &order())).fault().label(), "elsewhere");
    let abilities = ELEVENLABS.abilities();
    assert!(!abilities.sells && !abilities.free);
}

#[test]
fn a_number_is_read_with_the_workspace_s_webhook() {
    let number = talk(ELEVENLABS.get(&account(), "phnum_1"))
        .sends("GET /v1/convai/phone-numbers/phnum_1")
        .with_header("xi-api-key", "k")
        .gets_json(200, record("phnum_1"))
        .sends(&format!("GET {SETTINGS}"))
        .gets_json(200, settings(&ours()))
        .done();
    assert_eq!(number, held(ours()));
    assert_eq!((number.agent_id.as_deref(), number.name.as_str()), (Some("agent_1"), "Main line"));
    assert!(ELEVENLABS.drift(&account(), &number, &webhooks()).is_empty());
    let other = record("phnum_2").to_string();
    let get = || ELEVENLABS.get(&account(), "phnum_1");
    check_replies(get, &[(404, "{}", "gone"), (200, &other, "unclear"), (200, "{}", "unclear")]);
    check_meaningless(get);
}

#[test]
fn the_list_goes_on_by_its_cursor() {
    let unlinked = json!({"phone_number": "1042", "phone_number_id": "phnum_2", "assigned_agent": null});
    let list = json!({"phone_numbers": [record("phnum_1"), unlinked], "next_cursor": "c2", "has_more": true});
    let page = talk(ELEVENLABS.list(&account(), Some("c1")))
        .sends("GET /v1/convai/v2/phone-numbers?page_size=100&cursor=c1")
        .gets_json(200, list)
        .sends(&format!("GET {SETTINGS}"))
        .gets_json(200, json!({}))
        .done();
    assert_eq!(page.next.as_deref(), Some("c2"));
    assert_eq!(page.numbers[0], held(Value::Null));
    let second = &page.numbers[1];
    assert_eq!((second.number, second.agent_id.as_deref()), (None, None));
    let list = || ELEVENLABS.list(&account(), Some("c1"));
    check_meaningless(list);
    check_replies(
        list,
        &[
            (200, "{}", "unclear"),
            (200, r#"{"phone_numbers":[1]}"#, "unclear"),
            (200, r#"{"phone_numbers":[],"has_more":true}"#, "unclear"),
            (200, r#"{"phone_numbers":[],"has_more":true,"next_cursor":"c1"}"#, "unclear"),
            (200, r#"{"phone_numbers":[]}"#, "sends"),
        ],
    );
}

#[test]
fn the_workspace_is_told_to_ask_us_where_it_asks_nobody() {
    let old = json!({"url": URL.replace("a.example", "old.example"), "request_headers": {}});
    for found in [Value::Null, json!({"url": ""}), old] {
        let number = talk(ELEVENLABS.configure(&account(), &held(found.clone()), "Broadway", &webhooks()))
            .sends(&format!("GET {SETTINGS}"))
            .gets_json(200, settings(&found))
            .sends(&format!("PATCH {SETTINGS}"))
            .with_json(json!({workspace::FIELD: ours()}))
            .gets_json(200, settings(&ours()))
            .sends("PATCH /v1/convai/phone-numbers/phnum_1")
            .with_json(json!({"label": "Broadway"}))
            .gets_json(200, record("phnum_1"))
            .done();
        assert!(ELEVENLABS.drift(&account(), &number, &webhooks()).is_empty());
    }
    let set = talk(ELEVENLABS.configure(&account(), &held(ours()), "Broadway", &webhooks()));
    let set = set.sends(&format!("GET {SETTINGS}")).gets_json(200, settings(&ours()));
    set.sends("PATCH /v1/convai/phone-numbers/phnum_1");
    check_meaningless(|| ELEVENLABS.configure(&account(), &held(ours()), "Broadway", &webhooks()));
}

#[test]
fn a_webhook_that_leads_elsewhere_is_a_person_s_to_change() {
    let theirs = json!({"url": "https://crm.example/hook?token=hidden"});
    let configure = || ELEVENLABS.configure(&account(), &held(Value::Null), "n", &webhooks());
    let fault = talk(configure()).sends(&format!("GET {SETTINGS}")).gets_json(200, settings(&theirs)).fault();
    let text = fault.to_string();
    assert!(text.contains("crm.example:") && !text.contains("hidden") && fault.label() == "stop", "{text}");
    let bare = samples::account(r#"{"api_key":"k","webhook_secret":"w"}"#);
    let fault = talk(ELEVENLABS.configure(&bare, &held(Value::Null), "n", &webhooks())).fault();
    assert!(fault.to_string().contains("initiation_secret"));
}

#[test]
fn what_the_workspace_says_otherwise_is_drift() {
    let check = |webhook: Value, expected: &[&str]| {
        assert_eq!(ELEVENLABS.drift(&account(), &held(webhook.clone()), &webhooks()), expected, "{webhook}");
    };
    let url = "conversation_initiation_client_data_webhook.url";
    let headers = "conversation_initiation_client_data_webhook.request_headers";
    check(Value::Null, &[url, headers]);
    check(json!({"url": URL, "request_headers": {"X-Dialplane-Secret": "s", "X-Other": "o"}}), &[]);
    check(json!({"url": URL, "request_headers": {"X-Dialplane-Secret": {"secret_id": "i"}}}), &[]);
    check(json!({"url": URL, "request_headers": {"X-Dialplane-Secret": "t"}}), &[headers]);
    check(json!({"url": "https://x.example", "request_headers": {"x-dialplane-secret": "s"}}), &[url]);
}

#[test]
fn a_number_s_own_is_put_back_and_nothing_of_the_workspace_s() {
    let restore = || ELEVENLABS.restore(&account(), "phnum_1", &held(ours()).setup);
    talk(restore())
        .sends("PATCH /v1/convai/phone-numbers/phnum_1")
        .with_json(json!({"label": "Main line", "agent_id": "agent_1"}))
        .gets_json(200, record("phnum_1"))
        .done();
    check_replies(restore, &[(404, "", "gone"), (200, "{}", "unclear")]);
}

#[test]
fn a_release_forgets_the_import() {
    let release = || ELEVENLABS.release(&account(), &held(ours()));
    talk(release()).sends("DELETE /v1/convai/phone-numbers/phnum_1").gets(204, "").done();
    check_replies(release, &[(404, "", "done"), (401, "", "stop"), (500, "", "unclear")]);
}
