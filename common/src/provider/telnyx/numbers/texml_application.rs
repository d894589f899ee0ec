//! The TeXML application that an account's numbers have.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::provider::telnyx::api::{data, request};
use crate::rest::application::{Application, Applications, Settings};
use crate::rest::numbers::Webhooks;
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Request};

/// TeXML applications. The account's `connection_id` names another, or one of Call Control.
#[derive(Clone, Copy)]
pub struct TexmlApplications;

impl Applications for TexmlApplications {
    const LINK: &'static str = "connection_id";

    fn named<'a>(self, account: &Account<'a>) -> Option<&'a str> {
        account.credentials.get(Self::LINK).and_then(Value::as_str)
    }

    /// The docs' examples have `get`; of a GET Telnyx doesn't say what it signs.
    fn wanted(self, account: &Account<'_>, webhooks: &Webhooks) -> Settings {
        vec![
            ("voice_url", webhooks.url("telnyx", "texml", account)),
            ("voice_method", "post".to_owned()),
            ("voice_fallback_url", webhooks.fallback_url("telnyx", "texml", account).unwrap_or_default()),
            ("status_callback", webhooks.url("telnyx", "status", account)),
            ("status_callback_method", "post".to_owned()),
        ]
    }

    /// The filter matches parts of names.
    fn find(self, account: &Account<'_>, name: &str) -> Result<Exchange<Option<Application>>, Fault> {
        let request = request(account, "telnyx.applications.find", Method::GET, "/texml_applications")?;
        let request = request.query([("filter[friendly_name]", name), ("page[size]", "250")]);
        let name = name.to_owned();
        Ok(Exchange::last(request, move |reply| {
            let found: Vec<Shown> = data(&reply)?;
            let ours = found.into_iter().find(|application| application.friendly_name == name);
            Ok(ours.map(|Shown { id, settings, .. }| Application { id, settings }))
        }))
    }

    fn create(self, account: &Account<'_>, name: &str, wanted: &Settings) -> Result<Exchange<String>, Fault> {
        let request = request(account, "telnyx.applications.create", Method::POST, "/texml_applications")?;
        Ok(Exchange::last(set(request, name, wanted), |reply| data::<Shown>(&reply).map(|made| made.id)))
    }

    fn update(
        self,
        account: &Account<'_>,
        name: &str,
        id: &str,
        wanted: &Settings,
    ) -> Result<Exchange<()>, Fault> {
        let path = format!("/texml_applications/{}", segment(id));
        let request = request(account, "telnyx.applications.update", Method::PATCH, path)?;
        Ok(Exchange::last(set(request, name, wanted), |reply| data::<Shown>(&reply).map(drop)))
    }
}

#[derive(Deserialize)]
struct Shown {
    id: String,
    friendly_name: String,
    #[serde(flatten)]
    settings: Map<String, Value>,
}

fn set(request: Request, name: &str, wanted: &Settings) -> Request {
    let value = |text: &String| if text.is_empty() { Value::Null } else { text.as_str().into() };
    let settings = wanted.iter().map(|(name, text)| ((*name).to_owned(), value(text)));
    let name = [("friendly_name".to_owned(), Value::from(name))];
    request.json(&Value::Object(name.into_iter().chain(settings).collect()))
}
