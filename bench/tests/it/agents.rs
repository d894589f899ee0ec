//! The providers that host agents, as they ask what an agent is told.

use dialplane_bench::http::{self, Response};
use dialplane_bench::operator::Salon;
use dialplane_bench::signing::retell;
use dialplane_bench::system::Router;
use serde_json::{Value, json};

use crate::installation::Installation;

/// Sends a JSON body to a router.
pub fn send(router: &Router, target: &str, headers: &[(&str, &str)], body: &Value) -> Response {
    let headers = [&[("Content-Type", "application/json")], headers].concat();
    http::request(router.address, "POST", target, &headers, body.to_string().as_bytes()).expect("an answer")
}

/// The same; the JSON of an answer that has to be one.
pub fn ask(router: &Router, target: &str, headers: &[(&str, &str)], body: &Value) -> Value {
    json_of(&send(router, target, headers, body))
}

fn json_of(answer: &Response) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("JSON: {answer:?}"))
}

/// Sends a body to a path of Retell's, signed now with the key.
pub fn retell_answer(router: &Router, api_key: &str, target: &str, body: &Value) -> Response {
    let now = jiff::Timestamp::now().as_millisecond().to_string();
    let signature = retell::signature(api_key, &now, body.to_string().as_bytes());
    send(router, target, &[("X-Retell-Signature", &signature)], body)
}

/// The same; the JSON of an answer that has to be one.
pub fn retell(router: &Router, api_key: &str, target: &str, body: &Value) -> Value {
    json_of(&retell_answer(router, api_key, target, body))
}

/// Retell asks which agent takes a call.
pub fn retell_inbound(to: &str, call_id: &str, api_key: &str, router: &Router, account: &str) -> Value {
    let call = json!({"from_number": "+15105550198", "to_number": to, "call_id": call_id});
    let body =
        json!({"event": "call_inbound", "event_timestamp": 1_795_200_000_000_u64, "call_inbound": call});
    retell(router, api_key, &format!("/webhooks/retell/inbound/{account}"), &body)
}

/// A business with a number at Vapi, whose messages are proven by [`VAPI_SECRET`].
pub struct VapiNumber {
    /// The account's id.
    pub account: String,
    /// Vapi's own name of the number.
    pub number_id: &'static str,
}

/// What Vapi sends for the account of a [`VapiNumber`].
pub const VAPI_SECRET: &str = "vs_of_a_whole_system";

impl VapiNumber {
    /// Binds the salon's number to a new account at Vapi, besides the accounts that it is bound to.
    pub fn create(system: &Installation, salon: &Salon) -> Self {
        let number_id = "5a5a04dc-dcbe-45b1-8f64-fd32a253d135";
        let account = system.operator.create(
            &format!("/tenants/{}/accounts", salon.tenant),
            &json!({"provider": "vapi", "label": "vapi", "credentials": {"secret": VAPI_SECRET}}),
        );
        let bindings =
            json!([{"account_id": salon.account}, {"account_id": account, "number_id": number_id}]);
        system.apply("PATCH", &salon.phone_path(), &json!({ "bindings": bindings }));
        Self { account, number_id }
    }

    /// Sends a message of this call; it names the number by `phoneNumberId` alone.
    pub fn send(&self, router: &Router, mut message: Value) -> Value {
        message["call"] = json!({"id": "019c2f6e-7b1a-7ccd-93e9-2655308be9ae", "type": "inboundPhoneCall",
            "phoneNumberId": self.number_id, "customer": {"number": "+15105550198"}});
        let target = format!("/webhooks/vapi/server/{}", self.account);
        ask(router, &target, &[("X-Vapi-Secret", VAPI_SECRET)], &json!({ "message": message }))
    }

    /// The results of tool calls, each with its id, name and arguments.
    pub fn tools(&self, router: &Router, calls: &[(&str, &str, Value)]) -> Vec<Value> {
        let call = |(id, name, arguments): &(&str, &str, Value)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        let calls: Vec<_> = calls.iter().map(call).collect();
        let answer = self.send(router, json!({"type": "tool-calls", "toolCallList": calls}));
        answer["results"].as_array().unwrap_or_else(|| panic!("results: {answer}")).clone()
    }
}
