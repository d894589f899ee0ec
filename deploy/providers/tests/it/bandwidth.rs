//! Bandwidth: orders in XML, locations, BXML.

use reqwest::Method;
use serde_json::json;

use crate::calls::call;
use crate::harness::{Answer, Providers, send, start};
use crate::webhooks::Webhooks;

async fn ask(providers: &Providers, method: Method, path: &str, body: &str) -> Answer {
    let url = format!("/bandwidth/accounts/55555555{path}");
    send(providers.request(method, &url).basic_auth("user", Some("password")).body(body.to_owned())).await
}

/// The text of the first element of this name.
fn text(answer: &Answer, name: &str) -> String {
    let document = roxmltree::Document::parse(&answer.text).unwrap();
    let found = document.descendants().find(|node| node.has_tag_name(name));
    found.and_then(|node| node.text()).unwrap_or_default().to_owned()
}

fn order(number: &str) -> String {
    format!(
        "<Order><CustomerOrderId>dp-1</CustomerOrderId><ExistingTelephoneNumberOrderType><TelephoneNumberList>\
         <TelephoneNumber>{number}</TelephoneNumber></TelephoneNumberList></ExistingTelephoneNumberOrderType>\
         <SiteId>743</SiteId><PeerId>303716</PeerId></Order>"
    )
}

#[tokio::test]
async fn a_number_is_ordered_pointed_called_and_disconnected() {
    let providers = start(&[]).await;
    let transfer = r#"<Response><Transfer transferCompleteUrl="/after"><PhoneNumber>+12025550147</PhoneNumber></Transfer></Response>"#;
    let say = "<Response><SpeakSentence>Nobody is there.</SpeakSentence></Response>";
    let webhooks = Webhooks::start(&[
        ("/initiate", 200, "application/xml", transfer),
        ("/after", 200, "application/xml", say),
        ("/status", 204, "", ""),
    ])
    .await;
    let application = format!(
        "<Application><ServiceType>Voice-V2</ServiceType><AppName>dialplane</AppName><CallInitiatedCallbackUrl>{}\
         </CallInitiatedCallbackUrl><CallStatusCallbackUrl>{}</CallStatusCallbackUrl><CallbackCreds><UserId>u</UserId>\
         <Password>p</Password></CallbackCreds></Application>",
        webhooks.at("/initiate"),
        webhooks.at("/status")
    );
    let application = ask(&providers, Method::POST, "/applications", &application).await.is(201);
    assert!(!application.text.contains("Password"));
    let settings = format!(
        "<SipPeerOriginationSettings><VoiceProtocol>HTTP</VoiceProtocol><HttpSettings><HttpVoiceV2AppId>{}\
         </HttpVoiceV2AppId></HttpSettings></SipPeerOriginationSettings>",
        text(&application, "ApplicationId")
    );
    let place = "/sites/743/sippeers/303716/products/origination/settings";
    ask(&providers, Method::PUT, place, &settings).await.is(200);

    let found = ask(&providers, Method::GET, "/availableNumbers?areaCode=919&quantity=1", "").await.is(200);
    let number = text(&found, "TelephoneNumber");
    let taken = ask(&providers, Method::POST, "/orders", &order(&number)).await.is(201);
    assert_eq!(text(&taken, "OrderStatus"), "RECEIVED");
    let listed =
        ask(&providers, Method::GET, "/orders?customerOrderId=dp-1&page=1&size=10", "").await.is(200);
    let id = text(&listed, "orderId");
    let done = ask(&providers, Method::GET, &format!("/orders/{id}"), "").await.is(200);
    assert_eq!((text(&done, "OrderStatus"), text(&done, "FullNumber")), ("COMPLETE".into(), number.clone()));
    let again = ask(&providers, Method::POST, "/orders", &order(&number)).await.is(201);
    let again = ask(&providers, Method::GET, &format!("/orders/{}", text(&again, "id")), "").await;
    assert_eq!((text(&again, "OrderStatus"), text(&again, "Code")), ("FAILED".into(), "5005".into()));

    let report = call(&providers, &format!("+1{number}"), &["no-answer"]).await;
    assert_eq!(report.json()["answered_by"], json!({"message": "Nobody is there."}));
    let received = webhooks.received();
    assert_eq!(received[0].header("authorization"), "Basic dTpw");
    let told: Vec<_> =
        received.iter().map(|it| it.json()["eventType"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["initiate", "transferComplete", "disconnect"]);
    assert_eq!(received[1].json()["cause"], "timeout");

    let end = format!(
        "<DisconnectTelephoneNumberOrder><TelephoneNumber>{number}</TelephoneNumber></DisconnectTelephoneNumberOrder>"
    );
    ask(&providers, Method::POST, "/disconnects", &end).await.is(201);
    ask(&providers, Method::GET, &format!("/inserviceNumbers/{number}"), "").await.is(404);
    ask(&providers, Method::POST, "/disconnects", &end).await.is(400);
    let ledger = providers.ledger().await;
    assert_eq!(ledger[2..], [format!("buy number +1{number}"), format!("release number +1{number}")]);
}

#[tokio::test]
async fn lists_go_on_at_the_number_that_the_link_names() {
    let providers = start(&[]).await;
    let area = "<Order><AreaCodeSearchAndOrderType><AreaCode>919</AreaCode><Quantity>1</Quantity></AreaCodeSearchAndOrderType><SiteId>1</SiteId></Order>";
    for _ in 0..3 {
        ask(&providers, Method::POST, "/orders", area).await.is(201);
    }
    let first = ask(&providers, Method::GET, "/inserviceNumbers?page=1&size=2", "").await.is(200);
    let next = text(&first, "next");
    let page = next.split("page=").nth(1).unwrap().split('&').next().unwrap();
    let second = ask(&providers, Method::GET, &format!("/inserviceNumbers?page={page}&size=2"), "").await;
    assert_eq!((text(&second, "Count"), text(&second, "TelephoneNumber")), ("1".into(), page.to_owned()));
    let none = ask(&providers, Method::GET, "/availableNumbers?areaCode=533", "").await;
    assert!(none.text.contains("<SearchResult/>"), "{}", none.text);
    let nowhere =
        ask(&providers, Method::POST, "/orders", &order("9195560100").replace("743", "")).await.is(400);
    assert_eq!(text(&nowhere, "Code"), "5016");
}
