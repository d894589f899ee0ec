//! Calls to numbers at Bandwidth.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{NAME, applications, bxml, places};
use crate::calls::documents::{Action, Speaker, Step, walk};
use crate::calls::{Answer, Call, Outgoing, Patience};
use crate::clock;
use crate::secrets::base64;
use crate::thing::Thing;

struct Bxml {
    application: Thing,
}

/// Asks the location's application, goes on from there, and tells its status URL how the call ended.
pub async fn run(call: &mut Call<'_>) -> Value {
    call.id = format!("c-{}", call.id);
    let Some(application) = application(call) else { return json!({"failed": "no application"}) };
    let speaker = Bxml { application };
    let field = |name: &str| speaker.application.text(name).map(str::to_owned);
    let Some(url) = field("CallInitiatedCallbackUrl") else {
        return json!({"failed": "no CallInitiatedCallbackUrl"});
    };
    let answered_by = walk(call, &speaker, &url, field("CallInitiatedFallbackUrl")).await;
    if let Some(url) = field("CallStatusCallbackUrl") {
        let mut body = speaker.event(call, "disconnect");
        let cause = match () {
            () if answered_by.get("failed").is_some() => "callback-error",
            () if answered_by.get("rejected").is_some() => "rejected",
            () => "hangup",
        };
        body["cause"] = cause.into();
        if cause == "hangup" {
            body["answerTime"] = clock::millis(call.began).into();
        }
        body["endTime"] = clock::millis(Timestamp::now()).into();
        let request = speaker.sent(&url, &body);
        // It only tells: what is answered changes nothing.
        let _told = call.ask(&request, &Patience::new(15_000, 1)).await;
    }
    answered_by
}

/// The application of the number's location; else the account's only one.
fn application(call: &Call<'_>) -> Option<Thing> {
    let world = call.simulator.world();
    let account = &call.account.id;
    let location = call.number.text("peer").and_then(|id| world.thing(NAME, places::LOCATION, account, id));
    let named = location.and_then(|location| location.text("application"));
    let named = named.and_then(|id| world.thing(NAME, applications::KIND, account, id));
    named.or_else(|| applications::only(&world, account)).cloned()
}

impl Bxml {
    fn event(&self, call: &Call<'_>, kind: &str) -> Value {
        let url =
            format!("https://voice.bandwidth.com/api/v2/accounts/{}/calls/{}", call.account.id, call.id);
        json!({"eventType": kind, "eventTime": clock::millis(Timestamp::now()), "accountId": call.account.id,
            "applicationId": self.application.id, "from": call.from, "to": call.to, "direction": "inbound",
            "callId": call.id, "callUrl": url, "startTime": clock::millis(call.began)})
    }

    /// With the application's own user name and password, from the first request on.
    fn sent(&self, url: &str, body: &Value) -> Outgoing {
        let request = Outgoing::json(url, body).with("user-agent", "BandwidthAPI/v2");
        let field = |name: &str| self.application.text(name).unwrap_or_default();
        match field("UserId") {
            "" => request,
            user => {
                let pair = format!("{user}:{}", field("Password"));
                request.with("authorization", format!("Basic {}", base64(pair.as_bytes())))
            }
        }
    }
}

impl Speaker for Bxml {
    fn request(&self, call: &Call<'_>, url: &str, step: &Step) -> Outgoing {
        let kind = match step {
            Step::Ring | Step::Fallback { .. } => "initiate",
            Step::Redirect => "redirect",
            Step::After { what: "dial", .. } => "transferComplete",
            Step::After { .. } => "recordComplete",
        };
        let mut body = self.event(call, kind);
        if let Step::After { what: "dial", outcome } = step {
            let cause = match outcome.as_str() {
                "completed" => "hangup",
                "no-answer" => "timeout",
                other => other,
            };
            body["cause"] = cause.into();
        }
        self.sent(url, &body)
    }

    fn read(&self, answer: &Answer) -> Result<Vec<Action>, String> {
        bxml::read(answer)
    }

    fn patience(&self) -> Patience {
        let timeout = self.application.text("CallbackTimeout").and_then(|text| text.parse::<u64>().ok());
        Patience { retry_on: vec![], ..Patience::new(timeout.unwrap_or(15) * 1_000, 0) }
    }

    fn records_again(&self) -> bool {
        false
    }
}
