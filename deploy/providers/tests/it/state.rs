//! What is kept, and what is changed behind an owner's back.

use reqwest::Method;
use serde_json::json;

use crate::harness::start;
use crate::twilio::ask;

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let file = std::env::temp_dir().join(format!("dialplane-providers-{}.json", std::process::id()));
    let path = file.to_str().unwrap();
    let first = start(&["--state", path]).await;
    ask(&first, Method::POST, "/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await.is(201);
    let ledger = first.ledger().await;
    drop(first);
    let second = start(&["--state", path]).await;
    assert_eq!(second.ledger().await, ledger);
    let listed = ask(&second, Method::GET, "/IncomingPhoneNumbers.json", &[]).await.is(200);
    assert_eq!(listed.at("/incoming_phone_numbers/0/phone_number"), "+14155500100");
    let bought =
        ask(&second, Method::POST, "/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await.is(201);
    assert_ne!(bought.at("/sid"), listed.at("/incoming_phone_numbers/0/sid"), "names aren't given twice");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn numbers_are_changed_and_vanish_behind_their_owners_back() {
    let providers = start(&[]).await;
    let bought =
        ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await.is(201);
    let place = format!("/IncomingPhoneNumbers/{}.json", bought.at("/sid"));
    let control = "/control/numbers/twilio/%2B14155500100";
    let set = json!({"set": {"voice_url": "https://elsewhere.example"}, "name": "mine"});
    providers.tell(Method::PATCH, control, &set).await.is(200);
    let read = ask(&providers, Method::GET, &place, &[]).await.is(200);
    assert_eq!(
        (read.at("/voice_url"), read.at("/friendly_name")),
        ("https://elsewhere.example".into(), "mine".into())
    );
    let shown = providers.get("/control/numbers?provider=twilio&number=%2B14155500100").await;
    assert_eq!(shown.at("/numbers/0/name"), "mine");
    providers.tell(Method::PATCH, control, &json!({"delete": true})).await.is(204);
    ask(&providers, Method::GET, &place, &[]).await.is(404);
    providers.tell(Method::PATCH, control, &json!({"delete": true})).await.is(404);
    assert_eq!(providers.ledger().await.last().unwrap(), "vanish number +14155500100");
}

#[tokio::test]
async fn accounts_show_what_their_owners_enter() {
    let providers = start(&[]).await;
    ask(&providers, Method::GET, "/IncomingPhoneNumbers.json", &[]).await.is(200);
    let accounts = providers.get("/control/accounts").await;
    assert_eq!(accounts.at("/accounts/0/credentials/account_sid"), crate::twilio::SID);
    assert_eq!(accounts.at("/accounts/0/credentials/auth_token"), crate::twilio::TOKEN);
    assert_eq!(providers.get("/").await.is(200).at("/seed"), "7");
    providers.get("/nothing").await.is(404);
}
