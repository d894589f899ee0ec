//! LiveKit: trunks, rules, and calls that nobody is asked about.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};

use crate::calls::call;
use crate::harness::{Answer, Providers, send, start};

fn token(secret: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": "APIkey", "exp": 4_000_000_000_u64, "sip": {"admin": true}});
    let signed = format!("{}.{}", part(json!({"alg": "HS256"})), part(claims));
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&signed);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

async fn ask(providers: &Providers, method: &str, body: Value) -> Answer {
    let request = providers.request(Method::POST, &format!("/livekit/twirp/livekit.SIP/{method}"));
    send(request.bearer_auth(token("secret")).json(&body)).await
}

#[tokio::test]
async fn a_trunk_and_a_rule_lead_a_call_to_an_agent() {
    let providers = start(&[]).await;
    let trunk = json!({"trunk": {"name": "dp:1", "numbers": ["+14155550176"]}});
    let made = ask(&providers, "CreateSIPInboundTrunk", trunk.clone()).await.is(200);
    let id = made.at("/sip_trunk_id");
    assert_eq!(ask(&providers, "CreateSIPInboundTrunk", trunk).await.is(400).at("/code"), "invalid_argument");
    assert_eq!(call(&providers, "+14155550176", &[]).await.at("/answered_by/rejected"), "no dispatch rule");
    let rule = json!({"dispatchRule": {"name": "dp:1", "rule": {"dispatchRuleIndividual": {"roomPrefix": "t-"}}, "trunkIds": [id],
        "attributes": {"Tenant": "t"}, "roomConfig": {"agents": [{"agentName": "inbound", "metadata": "{}"}]}}});
    let rule = ask(&providers, "CreateSIPDispatchRule", rule).await.is(200).at("/sip_dispatch_rule_id");
    let report = call(&providers, "+14155550176", &[]).await;
    assert_eq!(
        (report.at("/answered_by/agent"), report.at("/answered_by/attributes/Tenant")),
        ("inbound".into(), "t".into())
    );
    let update = json!({"sip_trunk_id": id, "update": {"numbers": {"add": ["+14155550177"], "remove": ["+14155550176"]}}});
    let updated = ask(&providers, "UpdateSIPInboundTrunk", update).await.is(200);
    assert_eq!(updated.json()["numbers"], json!(["+14155550177"]));
    assert_eq!(ask(&providers, "ListSIPInboundTrunk", json!({})).await.at("/items/0/sip_trunk_id"), id);
    ask(&providers, "DeleteSIPDispatchRule", json!({"sip_dispatch_rule_id": rule})).await.is(200);
    ask(&providers, "DeleteSIPTrunk", json!({"sip_trunk_id": id})).await.is(200);
    assert_eq!(
        ask(&providers, "DeleteSIPTrunk", json!({"sip_trunk_id": id})).await.is(404).at("/code"),
        "not_found"
    );
    assert_eq!(providers.ledger().await.len(), 4);
    let account = json!({"provider": "livekit", "id": "APIkey", "signing": {"api_secret": "another"}});
    providers.tell(Method::PUT, "/control/accounts", &account).await.is(200);
    ask(&providers, "ListSIPInboundTrunk", json!({})).await.is(401);
}
