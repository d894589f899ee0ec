//! Twilio's REST API.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Providers, send, start};

pub const SID: &str = "AC00000000000000000000000000000001";
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A request below the account.
pub async fn ask(providers: &Providers, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
    ask_as(providers, (SID, TOKEN), method, &format!("/Accounts/{SID}{path}"), form).await
}

async fn ask_as(
    providers: &Providers,
    (user, password): (&str, &str),
    method: Method,
    path: &str,
    form: &[(&str, &str)],
) -> Answer {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let request =
        providers.request(method, &format!("/twilio/2010-04-01{path}")).basic_auth(user, Some(password));
    send(request.header("content-type", "application/x-www-form-urlencoded").body(body.finish())).await
}

#[tokio::test]
async fn numbers_are_found_bought_read_changed_listed_and_released() {
    let providers = start(&[]).await;
    let search = "/AvailablePhoneNumbers/US/Local.json?AreaCode=415&PageSize=2&VoiceEnabled=true";
    let found = ask(&providers, Method::GET, search, &[]).await.is(200);
    let number = found.at("/available_phone_numbers/0/phone_number");
    assert_eq!(number, "+14155500100");
    let form =
        [("PhoneNumber", &*number), ("FriendlyName", "dp:1"), ("VoiceUrl", "https://x.example/voice#rc=2")];
    let bought = ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &form).await.is(201);
    let place = format!("/IncomingPhoneNumbers/{}.json", bought.at("/sid"));
    assert_eq!(bought.at("/voice_url"), "https://x.example/voice#rc=2");
    ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &form).await.is(400);
    let again = ask(&providers, Method::GET, search, &[]).await;
    assert_ne!(
        again.at("/available_phone_numbers/0/phone_number"),
        number,
        "it is gone from what is to be had"
    );

    let changed =
        ask(&providers, Method::POST, &place, &[("VoiceUrl", ""), ("SmsUrl", "https://x.example/sms")]).await;
    assert_eq!(
        (changed.at("/voice_url"), changed.at("/sms_url")),
        (String::new(), "https://x.example/sms".into())
    );
    let read = ask(&providers, Method::GET, &place, &[]).await.is(200);
    assert_eq!(read.at("/friendly_name"), "dp:1");
    let listed = ask(&providers, Method::GET, "/IncomingPhoneNumbers.json?FriendlyName=dp%3A1", &[]).await;
    assert_eq!(listed.at("/incoming_phone_numbers/0/phone_number"), number);
    ask(&providers, Method::DELETE, &place, &[]).await.is(204);
    assert_eq!(ask(&providers, Method::DELETE, &place, &[]).await.is(404).at("/code"), "20404");
    assert_eq!(
        providers.ledger().await,
        [format!("buy number {number}"), format!("release number {number}")]
    );
}

#[tokio::test]
async fn refusals_have_twilios_codes() {
    let providers = start(&["--stock", "212=0"]).await;
    let check = async |form: &[(&str, &str)], status: u16, code: &str| {
        let answer = ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", form).await.is(status);
        assert_eq!(answer.at("/code"), code, "{form:?}");
    };
    check(&[("PhoneNumber", "+15005550000")], 400, "21422").await;
    check(&[("PhoneNumber", "+15005550001")], 400, "21421").await;
    check(&[("PhoneNumber", "none")], 400, "21421").await;
    check(&[("AreaCode", "212")], 400, "21452").await;
    check(&[("AreaCode", "533")], 400, "21452").await;
    check(&[("AreaCode", "9")], 400, "21451").await;
    check(&[("PhoneNumber", "+442070000100")], 400, "21631").await;
    check(&[("PhoneNumber", "+493070000100")], 400, "21649").await;
    check(&[], 400, "20001").await;
    let below =
        ask(&providers, Method::POST, "/IncomingPhoneNumbers/Local.json", &[("AreaCode", "415")]).await;
    assert_eq!(below.is(400).at("/code"), "21457");
    let wrong = ask_as(&providers, (SID, "wrong"), Method::GET, &format!("/Accounts/{SID}.json"), &[]).await;
    assert_eq!(wrong.is(401).at("/code"), "20003");
    assert_eq!(ask(&providers, Method::GET, "/Nothing.json", &[]).await.is(404).at("/code"), "20404");
    assert!(providers.ledger().await.is_empty());
}

#[tokio::test]
async fn lists_go_on_where_their_pages_end() {
    let providers = start(&[]).await;
    for _ in 0..5 {
        ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await.is(201);
    }
    let mut path = "/IncomingPhoneNumbers.json?PageSize=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = ask(&providers, Method::GET, &path, &[]).await.is(200);
        let numbers = page.json()["incoming_phone_numbers"].as_array().unwrap().clone();
        seen.extend(numbers.iter().map(|number| number["phone_number"].as_str().unwrap().to_owned()));
        let next = page.at("/next_page_uri");
        let Some(rest) = next.strip_prefix(&format!("/2010-04-01/Accounts/{SID}")) else { break };
        path = rest.to_owned();
    }
    let expected: Vec<_> = (0..5).rev().map(|index| format!("+1415550010{index}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn subaccounts_have_numbers_of_their_own_until_they_are_closed() {
    let providers = start(&[]).await;
    let own = (SID, TOKEN);
    let made =
        ask_as(&providers, own, Method::POST, "/Accounts.json", &[("FriendlyName", "t1")]).await.is(201);
    let (sub, token) = (made.at("/sid"), made.at("/auth_token"));
    let numbers = format!("/Accounts/{sub}/IncomingPhoneNumbers.json");
    ask_as(&providers, own, Method::POST, &numbers, &[("AreaCode", "415")]).await.is(201);
    ask_as(&providers, (&sub, &token), Method::GET, &numbers, &[]).await.is(200);
    ask_as(&providers, (&sub, "wrong"), Method::GET, &numbers, &[]).await.is(401);
    let strange = ("AC00000000000000000000000000000002", TOKEN);
    ask_as(&providers, strange, Method::GET, &numbers, &[]).await.is(404);
    let place = format!("/Accounts/{sub}.json");
    ask_as(&providers, own, Method::POST, &place, &[("Status", "suspended")]).await.is(200);
    ask_as(&providers, (&sub, &token), Method::GET, &numbers, &[]).await.is(401);
    let closed = ask_as(&providers, own, Method::POST, &place, &[("Status", "closed")]).await.is(200);
    assert_eq!(closed.at("/status"), "closed");
    let ledger = providers.ledger().await;
    assert_eq!(ledger.last().map(String::as_str), Some(&*format!("delete subaccount {sub}")));
    assert!(ledger.iter().any(|line| line.starts_with("release number")), "{ledger:?}");
}

#[tokio::test]
async fn limits_and_an_empty_balance_refuse_purchases() {
    let providers = start(&["--strict"]).await;
    let buy =
        async || ask(&providers, Method::POST, "/IncomingPhoneNumbers.json", &[("AreaCode", "415")]).await;
    assert_eq!(buy().await.is(401).at("/code"), "20003", "nobody declared it");
    let declare = async |more: serde_json::Value| {
        let mut account = json!({"provider": "twilio", "id": SID, "secret": TOKEN});
        account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        providers.tell(Method::PUT, "/control/accounts", &account).await.is(200);
    };
    declare(json!({"balance": "2.00"})).await;
    buy().await.is(201);
    assert_eq!(buy().await.is(403).at("/code"), "20005");
    declare(json!({"numbers_max": 1})).await;
    assert_eq!(buy().await.is(400).at("/code"), "21404");
    let price = providers.request(Method::GET, "/twilio-pricing/v1/PhoneNumbers/Countries/US");
    let price = send(price.basic_auth(SID, Some(TOKEN))).await.is(200);
    assert_eq!(price.at("/phone_number_prices/0/current_price"), "1.15");
}
