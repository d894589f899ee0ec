//! The application that an account's numbers have.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::provider::vonage::api::{API, request, success};
use crate::rest::application::{Application, Applications, Settings};
use crate::rest::numbers::Webhooks;
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Step};

/// So many applications are looked through for ours: 100 on a page.
const PAGES_MAX: u32 = 20;

/// Where a setting stands in an application's document.
const PLACES: [(&str, &str); 8] = [
    ("answer_url", "/capabilities/voice/webhooks/answer_url/address"),
    ("answer_method", "/capabilities/voice/webhooks/answer_url/http_method"),
    ("fallback_answer_url", "/capabilities/voice/webhooks/fallback_answer_url/address"),
    ("event_url", "/capabilities/voice/webhooks/event_url/address"),
    ("event_method", "/capabilities/voice/webhooks/event_url/http_method"),
    ("signed_callbacks", "/capabilities/voice/signed_callbacks"),
    ("inbound_url", "/capabilities/messages/webhooks/inbound_url/address"),
    ("inbound_method", "/capabilities/messages/webhooks/inbound_url/http_method"),
];

/// Applications. The account's `application_id` names another.
#[derive(Clone, Copy)]
pub struct VonageApplications;

#[derive(Deserialize)]
struct Made {
    id: String,
}

impl Applications for VonageApplications {
    const LINK: &'static str = "app_id";

    fn named<'a>(self, account: &Account<'a>) -> Option<&'a str> {
        account.credentials.get("application_id").and_then(Value::as_str)
    }

    fn wanted(self, account: &Account<'_>, webhooks: &Webhooks) -> Settings {
        let url = |kind| webhooks.url("vonage", kind, account);
        let fallback = webhooks.fallback_url("vonage", "voice", account);
        let post = || "POST".to_owned();
        vec![
            ("answer_url", url("voice")),
            ("answer_method", post()),
            ("fallback_answer_url", fallback.unwrap_or_default()),
            ("event_url", url("status")),
            ("event_method", post()),
            ("signed_callbacks", "true".to_owned()),
            ("inbound_url", url("sms")),
            ("inbound_method", post()),
        ]
    }

    fn find(self, account: &Account<'_>, name: &str) -> Result<Exchange<Option<Application>>, Fault> {
        look(account, name.to_owned(), 1)
    }

    /// Vonage makes a key pair with it, whose private half it shows this once: calls that come in need none.
    fn create(self, account: &Account<'_>, name: &str, wanted: &Settings) -> Result<Exchange<String>, Fault> {
        let request = request(account, API, "vonage.applications.create", Method::POST, "/v2/applications")?;
        let request = request.json(&document(name, wanted));
        Ok(Exchange::last(request, |reply| success(&reply)?.json::<Made>().map(|made| made.id)))
    }

    fn update(
        self,
        account: &Account<'_>,
        name: &str,
        id: &str,
        wanted: &Settings,
    ) -> Result<Exchange<()>, Fault> {
        let path = format!("/v2/applications/{}", segment(id));
        let request = request(account, API, "vonage.applications.update", Method::PUT, path)?;
        let request = request.json(&document(name, wanted));
        Ok(Exchange::last(request, |reply| success(&reply)?.json::<Made>().map(drop)))
    }
}

fn look(account: &Account<'_>, name: String, page: u32) -> Result<Exchange<Option<Application>>, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        total_pages: u32,
        #[serde(rename = "_embedded")]
        embedded: Embedded,
    }
    #[derive(Deserialize)]
    struct Embedded {
        applications: Vec<Value>,
    }
    let number = page.to_string();
    let request = request(account, API, "vonage.applications.find", Method::GET, "/v2/applications")?;
    let request = request.query([("page_size", "100"), ("page", &*number)]);
    let kept = account.keep();
    Ok(Exchange::new(request, move |reply| {
        let Answer { total_pages, embedded } = success(&reply)?.json()?;
        let is_ours = |shown: &&Value| shown["name"] == *name;
        match embedded.applications.iter().find(is_ours) {
            Some(ours) => shown(ours).map(Some).map(Step::Done),
            None if page >= total_pages => Ok(Step::Done(None)),
            // Not to be found isn't not to be there: another of the same name would be made each time.
            None if page >= PAGES_MAX => {
                let reason =
                    "the account has too many applications to find ours among: name one as application_id";
                Err(Fault::stop("applications", reason))
            }
            None => look(&kept.account(), name, page + 1).map(Step::Next),
        }
    }))
}

fn shown(document: &Value) -> Result<Application, Fault> {
    let id = document["id"].as_str().ok_or_else(|| Fault::unclear("an application has no id"))?.to_owned();
    let setting = |(name, place): (&str, &str)| Some((name.to_owned(), document.pointer(place)?.clone()));
    Ok(Application { id, settings: PLACES.into_iter().filter_map(setting).collect() })
}

/// An application's document: one that is sent takes the place of the former as a whole.
fn document(name: &str, wanted: &Settings) -> Value {
    let wanted = |name: &str| {
        wanted.iter().find(|(wanted, _)| *wanted == name).map_or("", |(_, value)| value.as_str())
    };
    let webhook = |url: &str| json!({"address": wanted(url), "http_method": "POST"});
    let mut answer = webhook("answer_url");
    // In milliseconds: a connection takes one second at most, an answer three.
    answer["connection_timeout"] = 1000.into();
    answer["socket_timeout"] = 3000.into();
    let mut voice = Map::new();
    voice.insert("answer_url".to_owned(), answer);
    if !wanted("fallback_answer_url").is_empty() {
        voice.insert("fallback_answer_url".to_owned(), webhook("fallback_answer_url"));
    }
    voice.insert("event_url".to_owned(), webhook("event_url"));
    json!({"name": name, "capabilities": {
        "voice": {"webhooks": voice, "signed_callbacks": true},
        "messages": {"webhooks": {"inbound_url": webhook("inbound_url"), "status_url": webhook("event_url")}},
    }})
}
