//! Calls to numbers at Vonage.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{NAME, applications, ncco, signature};
use crate::calls::documents::{Action, Speaker, Step, walk};
use crate::calls::{Answer, Call, Outgoing, Patience};
use crate::clock;

struct Ncco {
    application: String,
    webhooks: Value,
    is_signed: bool,
}

/// Asks the application's answer URL, goes on from there, and tells the event URL how it ended.
pub async fn run(call: &mut Call<'_>) -> Value {
    if let Some(kind @ ("sip" | "tel")) = call.number.text("voiceCallbackType") {
        return json!({kind: call.number.text("voiceCallbackValue")});
    }
    let application = call.number.text("app_id").and_then(|id| {
        let world = call.simulator.world();
        world.thing(NAME, applications::KIND, &call.account.id, id).cloned()
    });
    let Some(application) = application else { return json!({"failed": "no application"}) };
    let voice = application.body.get("capabilities").map(|all| all["voice"].clone()).unwrap_or_default();
    let is_signed = voice["signed_callbacks"] != false;
    let speaker = Ncco { application: application.id, webhooks: voice["webhooks"].clone(), is_signed };
    let address = |name: &str| speaker.webhooks[name]["address"].as_str().map(str::to_owned);
    let Some(url) = address("answer_url") else { return json!({"failed": "no answer_url"}) };
    let answered_by = walk(call, &speaker, &url, address("fallback_answer_url")).await;
    if let Some(url) = address("event_url") {
        let status = if answered_by.get("failed").is_some() { "failed" } else { "completed" };
        let request = speaker.event(call, &url, status);
        // It only tells: what is answered changes nothing.
        let _told = call.ask(&request, &Patience::new(10_000, 1)).await;
    }
    answered_by
}

impl Ncco {
    /// What is sent, by the method that the application says.
    fn send(&self, call: &Call<'_>, webhook: &str, url: &str, fields: Map<String, Value>) -> Outgoing {
        let method = self.webhooks[webhook]["http_method"].as_str();
        let is_get = method.map_or(webhook == "answer_url", |method| method.eq_ignore_ascii_case("get"));
        let payload = Value::from(fields.clone()).to_string();
        let mut request = Outgoing::json(url, &Value::from(fields.clone()));
        if is_get {
            let pairs = fields.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let mark = if url.contains('?') { '&' } else { '?' };
            request = Outgoing {
                method: "GET",
                url: format!("{url}{mark}{query}"),
                headers: vec![],
                body: String::new(),
            };
        }
        if !self.is_signed {
            return request;
        }
        let id = call.simulator.world().draw.uuid().to_string();
        let now = Timestamp::now().as_second();
        let bearer = signature::bearer(&call.account, &self.application, now, &id, &payload);
        request.with("authorization", bearer)
    }

    fn event(&self, call: &Call<'_>, url: &str, status: &str) -> Outgoing {
        let mut fields = fields(call);
        let more = [
            ("status", status),
            ("direction", "inbound"),
            ("duration", "37"),
            ("rate", "0.00450000"),
            ("price", "0.00277500"),
        ];
        fields.extend(more.map(|(name, value)| (name.to_owned(), value.into())));
        fields.insert("start_time".to_owned(), clock::millis(call.began).into());
        fields.insert("timestamp".to_owned(), clock::millis(Timestamp::now()).into());
        self.send(call, "event_url", url, fields)
    }
}

impl Speaker for Ncco {
    fn request(&self, call: &Call<'_>, url: &str, step: &Step) -> Outgoing {
        match step {
            Step::Ring | Step::Redirect => {
                let mut fields = fields(call);
                fields.insert("region_url".to_owned(), "https://api-us-3.nexmo.com".into());
                self.send(call, "answer_url", url, fields)
            }
            Step::Fallback { url: original, error } => {
                let mut fields = fields(call);
                fields.insert("reason".to_owned(), error.as_str().into());
                fields.insert("original_request".to_owned(), json!({"url": original, "method": "POST"}));
                self.send(call, "fallback_answer_url", url, fields)
            }
            Step::After { outcome, .. } => {
                let status = if outcome == "no-answer" { "unanswered" } else { outcome };
                self.event(call, url, status)
            }
        }
    }

    fn read(&self, answer: &Answer) -> Result<Vec<Action>, String> {
        ncco::read(answer)
    }

    fn patience(&self) -> Patience {
        Patience { retry_on: vec!["ct".into(), "rt".into()], ..Patience::new(5_000, 1) }
    }

    fn records_again(&self) -> bool {
        false
    }
}

fn fields(call: &Call<'_>) -> Map<String, Value> {
    let conversation = format!("CON-{}", crate::draw::uuid_of(&call.id));
    let pairs = [
        ("from", call.from.trim_start_matches('+')),
        ("to", call.to.trim_start_matches('+')),
        ("uuid", &call.id),
        ("conversation_uuid", &conversation),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}
