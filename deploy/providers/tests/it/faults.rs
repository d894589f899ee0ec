//! Each fault does what it says: with an effect or without.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Providers, send, start};
use crate::twilio::{SID, TOKEN, ask};

/// Sends a purchase that may have no answer: its status, and whether its body can be read.
async fn buy(providers: &Providers) -> Option<(u16, bool)> {
    let path = format!("/twilio/2010-04-01/Accounts/{SID}/IncomingPhoneNumbers.json");
    let request = providers.request(Method::POST, &path).basic_auth(SID, Some(TOKEN)).body("AreaCode=415");
    let reply = request.timeout(Duration::from_millis(400)).send().await.ok()?;
    let status = reply.status().as_u16();
    Some((status, serde_json::from_str::<serde_json::Value>(&reply.text().await.ok()?).is_ok()))
}

#[tokio::test]
async fn each_fault_answers_and_acts_as_it_says() {
    let providers = start(&["--slow-ms", "10"]).await;
    let check = async |fault: &str, answer: Option<(u16, bool)>, bought: usize| {
        let before = providers.ledger().await.len();
        providers.force("twilio.buy", fault).await;
        assert_eq!(buy(&providers).await, answer, "{fault}");
        assert_eq!(providers.ledger().await.len() - before, bought, "{fault}");
    };
    check("429", Some((429, true)), 0).await;
    check("limit", Some((400, true)), 0).await;
    check("500-before", Some((500, true)), 0).await;
    check("500-after", Some((502, false)), 1).await;
    check("timeout-before", None, 0).await;
    check("timeout-after", None, 1).await;
    check("slow", Some((201, true)), 1).await;
    check("broken-json", Some((201, false)), 1).await;
    check("duplicate", Some((201, true)), 2).await;
    assert_eq!(buy(&providers).await, Some((201, true)), "and the one after is well");
    let faults = providers.get("/ledger").await.json();
    let faults: Vec<_> =
        faults["entries"].as_array().unwrap().iter().map(|entry| entry["fault"].as_str()).collect();
    let expected = [Some("500-after"), Some("timeout-after"), Some("slow"), Some("broken-json")];
    assert_eq!(faults[..4], expected);
    assert_eq!(faults[4..], [Some("duplicate"), Some("duplicate"), None]);
}

#[tokio::test]
async fn what_lands_late_is_refused_first_and_done_later() {
    let providers = start(&["--late-ms", "150"]).await;
    providers.force("twilio.buy", "late").await;
    assert_eq!(buy(&providers).await, None);
    assert!(providers.ledger().await.is_empty(), "not yet");
    while providers.ledger().await.is_empty() {
        tokio::task::yield_now().await;
    }
    let listed = ask(&providers, Method::GET, "/IncomingPhoneNumbers.json", &[]).await;
    assert_eq!(listed.at("/incoming_phone_numbers/0/phone_number"), "+14155500100");
}

#[tokio::test]
async fn plans_are_set_while_it_runs() {
    let providers = start(&["--faults", "twilio.search:429=1"]).await;
    let search = async || ask(&providers, Method::GET, "/AvailablePhoneNumbers/US/Local.json", &[]).await;
    assert_eq!(search().await.is(429).at("/code"), "20429");
    let plan = json!({"plan": "twilio.buy:500-before=1"});
    let set = providers.tell(Method::PUT, "/control/faults", &plan).await.is(200);
    assert_eq!(set.at("/plan"), "twilio.buy:500-before=1");
    search().await.is(200);
    providers.tell(Method::PUT, "/control/faults", &json!({"plan": "x=1"})).await.is(400);
    let unknown = json!({"operation": "twilio.dance", "fault": "429"});
    providers.tell(Method::POST, "/control/next", &unknown).await.is(400);
    let price = providers.request(Method::GET, "/twilio-pricing/v1/PhoneNumbers/Countries/XX");
    send(price.basic_auth(SID, Some(TOKEN))).await.is(404);
}
