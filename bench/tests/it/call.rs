//! Calls as Twilio sends them, and the documents that answer them.

use std::net::SocketAddr;

use dialplane_bench::http::Response;
use dialplane_bench::operator::Salon;

/// The call that [`Salon::ring`] makes.
pub const CALL: &str = "CA8d2f4b6a0c1e3d5f7a9b8c7d6e5f4a3b";

pub const REJECT: &str = "<Reject/>";
pub const REJECT_BUSY: &str = "<Reject reason=\"busy\"/>";

/// A whole document.
pub fn twiml(inner: &str) -> String {
    format!(r#"<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>"#)
}

/// What a stream agent's document says of a call from nowhere special.
pub fn stream(salon: &Salon, url: &str) -> String {
    stream_of(salon, url, CALL, "+15105550198", &salon.number)
}

/// The same of any call.
pub fn stream_of(salon: &Salon, url: &str, call: &str, from: &str, to: &str) -> String {
    format!(
        "<Stream url=\"{url}\"><Parameter name=\"tenant_id\" value=\"{}\"/>\
         <Parameter name=\"phone_number_id\" value=\"{}\"/><Parameter name=\"call_id\" value=\"{call}\"/>\
         <Parameter name=\"from\" value=\"{from}\"/><Parameter name=\"to\" value=\"{to}\"/></Stream>",
        salon.tenant, salon.phone
    )
}

/// The salon's own agent answers.
pub fn agent(salon: &Salon) -> String {
    twiml(&format!("<Connect>{}</Connect>", stream(salon, "wss://voice.example/agent")))
}

/// Sends parameters signed by the salon's account to a path of the router.
pub fn post(salon: &Salon, router: SocketAddr, target: &str, parameters: &[(&str, &str)]) -> Response {
    salon.post(router, target, parameters).expect("the router answers")
}

/// The parameters of a call to the salon with some of them changed, added or put in another place.
pub fn with<'a>(salon: &'a Salon, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = salon.call(CALL);
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        parameters.push((name, value));
    }
    parameters
}

/// How a webhook ended: its status and what the router says of it.
pub fn ending(response: &Response) -> (u16, &str) {
    (response.status, response.header("dialplane-outcome").unwrap_or("answered"))
}
