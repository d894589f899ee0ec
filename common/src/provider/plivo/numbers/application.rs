//! The application that an account's numbers have.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::page::Meta;
use crate::provider::plivo::api::{request, success};
use crate::rest::application::{Application, Applications, Settings};
use crate::rest::numbers::Webhooks;
use crate::rest::request::segment;
use crate::rest::{Account, Effect, Exchange, Fault, Request, Step};

/// A connection in 1 s, an answer in 3 s, two repetitions. Never sent, never signed.
const FRAGMENT: &str = "#ct=1000&rt=3000&rc=2&rp=all";

/// So many applications are looked through for ours: 20 on a page.
const PAGES_MAX: usize = 50;

/// Applications.
#[derive(Clone, Copy)]
pub struct PlivoApplications;

#[derive(Deserialize)]
struct Shown {
    app_id: String,
    app_name: String,
    #[serde(flatten)]
    settings: Map<String, Value>,
}

impl Applications for PlivoApplications {
    const LINK: &'static str = "app_id";

    fn named<'a>(self, _: &Account<'a>) -> Option<&'a str> {
        None
    }

    fn wanted(self, account: &Account<'_>, webhooks: &Webhooks) -> Settings {
        let url = |kind| webhooks.url("plivo", kind, account);
        let post = || "POST".to_owned();
        let mut settings = vec![
            ("answer_url", url("voice") + FRAGMENT),
            ("answer_method", post()),
            ("hangup_url", url("status")),
            ("hangup_method", post()),
            ("message_url", url("sms")),
            ("message_method", post()),
        ];
        let fallback = webhooks.fallback_url("plivo", "voice", account);
        settings.extend(fallback.is_some().then(|| ("fallback_method", post())));
        settings.push(("fallback_answer_url", fallback.unwrap_or_default()));
        settings
    }

    fn find(self, account: &Account<'_>, name: &str) -> Result<Exchange<Option<Application>>, Fault> {
        look(account, name.to_owned(), 0)
    }

    fn create(self, account: &Account<'_>, name: &str, wanted: &Settings) -> Result<Exchange<String>, Fault> {
        #[derive(Deserialize)]
        struct Made {
            app_id: String,
        }
        let request = request(account, "plivo.applications.create", Method::POST, "Application/")?;
        let request = set(request, name, wanted.iter().filter(|(_, value)| !value.is_empty()));
        Ok(Exchange::last(request, |reply| success(&reply)?.json::<Made>().map(|made| made.app_id)))
    }

    fn update(
        self,
        account: &Account<'_>,
        name: &str,
        id: &str,
        wanted: &Settings,
    ) -> Result<Exchange<()>, Fault> {
        let below = format!("Application/{}/", segment(id));
        let request = request(account, "plivo.applications.update", Method::POST, &below)?;
        let request = set(request.effect(Effect::Repeatable), name, wanted.iter());
        Ok(Exchange::last(request, |reply| super::changed(&reply)))
    }
}

/// Applications are listed by pages alone.
fn look(account: &Account<'_>, name: String, page: usize) -> Result<Exchange<Option<Application>>, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        meta: Meta,
        objects: Vec<Shown>,
    }
    let offset = (page * 20).to_string();
    let request = request(account, "plivo.applications.find", Method::GET, "Application/")?;
    let request = request.query([("limit", "20"), ("offset", &*offset)]);
    let kept = account.keep();
    Ok(Exchange::new(request, move |reply| {
        let Answer { meta, objects } = success(&reply)?.json()?;
        match objects.into_iter().find(|shown| shown.app_name == name) {
            Some(Shown { app_id: id, settings, .. }) => Ok(Step::Done(Some(Application { id, settings }))),
            None if meta.next.is_none() => Ok(Step::Done(None)),
            // Not to be found isn't not to be there: another of the same name would be made each time.
            None if page + 1 >= PAGES_MAX => {
                Err(Fault::stop("applications", "the account has too many applications to find ours among"))
            }
            None => look(&kept.account(), name, page + 1).map(Step::Next),
        }
    }))
}

fn set<'s>(
    request: Request,
    name: &str,
    settings: impl Iterator<Item = &'s (&'static str, String)>,
) -> Request {
    let settings = settings.map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
    let name = [("app_name".to_owned(), Value::from(name))];
    request.json(&Value::Object(name.into_iter().chain(settings).collect()))
}
