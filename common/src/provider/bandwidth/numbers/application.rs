//! The voice application that the account's location has, and with it all numbers there.

use http::Method;
use roxmltree::Node;
use serde_json::{Map, Value};

use super::number::{LINK, application, location};
use crate::provider::bandwidth::api::{all, element, first, read, request};
use crate::rest::application::{Application, Applications, Settings};
use crate::rest::numbers::Webhooks;
use crate::rest::request::segment;
use crate::rest::{Account, Effect, Exchange, Fault, Step};

/// Voice applications. The account's `application_id` names another.
#[derive(Clone, Copy)]
pub struct VoiceApplications;

/// In seconds: Bandwidth asks the fallback then. It is 15 where nothing is said.
const CALLBACK_TIMEOUT: &str = "5";

impl Applications for VoiceApplications {
    const LINK: &'static str = LINK;

    fn named<'a>(self, account: &Account<'a>) -> Option<&'a str> {
        account.credentials.get("application_id").and_then(Value::as_str)
    }

    fn wanted(self, account: &Account<'_>, webhooks: &Webhooks) -> Settings {
        let fallback = webhooks.fallback_url("bandwidth", "voice", account);
        vec![
            ("CallInitiatedCallbackUrl", webhooks.url("bandwidth", "voice", account)),
            ("CallInitiatedMethod", "POST".to_owned()),
            ("CallInitiatedFallbackUrl", fallback.unwrap_or_default()),
            ("CallStatusCallbackUrl", webhooks.url("bandwidth", "status", account)),
            ("CallStatusMethod", "POST".to_owned()),
        ]
    }

    fn find(self, account: &Account<'_>, name: &str) -> Result<Exchange<Option<Application>>, Fault> {
        let request = request(account, "bandwidth.applications.find", Method::GET, "/applications")?;
        let name = name.to_owned();
        Ok(Exchange::last(request, move |reply| {
            read(&reply, |root| {
                let list = all(root, "ApplicationList").next()?;
                let is_ours = |shown: &Node<'_, '_>| first(*shown, "AppName") == Some(&name);
                match all(list, "Application").find(is_ours) {
                    Some(ours) => shown(ours).map(Some),
                    None => Some(None),
                }
            })
        }))
    }

    fn create(self, account: &Account<'_>, name: &str, wanted: &Settings) -> Result<Exchange<String>, Fault> {
        let request = request(account, "bandwidth.applications.create", Method::POST, "/applications")?;
        let request = request.xml(document(account, name, wanted)?);
        Ok(Exchange::last(request, |reply| {
            read(&reply, |root| first(root, "ApplicationId").map(str::to_owned))
        }))
    }

    fn update(
        self,
        account: &Account<'_>,
        name: &str,
        id: &str,
        wanted: &Settings,
    ) -> Result<Exchange<()>, Fault> {
        let below = format!("/applications/{}", segment(id));
        let request = request(account, "bandwidth.applications.update", Method::PUT, &below)?;
        let request = request.xml(document(account, name, wanted)?);
        Ok(Exchange::last(request, |reply| read(&reply, |root| first(root, "ApplicationId").map(drop))))
    }
}

fn shown(application: Node<'_, '_>) -> Option<Application> {
    let id = first(application, "ApplicationId")?.to_owned();
    let elements = application.children().filter(Node::is_element);
    let setting =
        |node: Node<'_, '_>| Some((node.tag_name().name().to_owned(), Value::from(node.text()?.trim())));
    Some(Application { id, settings: elements.filter_map(setting).collect::<Map<_, _>>() })
}

/// An application's document: one that is sent takes the place of the former as a whole. What it shows to us is never
/// told again, so that it goes along each time.
fn document(account: &Account<'_>, name: &str, wanted: &Settings) -> Result<String, Fault> {
    let settings = wanted.iter().filter(|(_, value)| !value.is_empty());
    let settings: String = settings.map(|(name, value)| element(name, value)).collect();
    let creds = element("UserId", account.wanted("callback_user_id")?)
        + &element("Password", account.wanted("callback_password")?);
    let fallback_creds = match settings.contains("<CallInitiatedFallbackUrl>") {
        true => format!("<FallbackCreds>{creds}</FallbackCreds>"),
        false => String::new(),
    };
    let name = element("AppName", name);
    let timeout = element("CallbackTimeout", CALLBACK_TIMEOUT);
    Ok(format!(
        "<Application><ServiceType>Voice-V2</ServiceType>{name}{settings}<CallbackCreds>{creds}</CallbackCreds>\
         {fallback_creds}{timeout}</Application>"
    ))
}

/// Gives the account's location this application, where it has another or none.
pub fn assign(account: &Account<'_>, id: &str) -> Result<Exchange<()>, Fault> {
    let (kept, id) = (account.keep(), id.to_owned());
    Ok(application(account)?.then(move |is| {
        // Settings that aren't there are made, and then set.
        let method = match is {
            Some(is) if is == id => return Ok(Step::Done(())),
            Some(_) => Method::PUT,
            None => Method::POST,
        };
        let account = kept.account();
        let request = request(&account, "bandwidth.locations.set", method, &location(&account)?)?;
        let body = format!(
            "<SipPeerOriginationSettings><VoiceProtocol>HTTP</VoiceProtocol><HttpSettings>{}</HttpSettings>\
             </SipPeerOriginationSettings>",
            element(LINK, &id)
        );
        let request = request.effect(Effect::Repeatable).xml(body);
        let is_set = move |reply| match read(&reply, |root| first(root, LINK).map(str::to_owned))? {
            set if set == id => Ok(()),
            other => Err(Fault::unclear(format!("the location has the application {other} now"))),
        };
        Ok(Step::Next(Exchange::last(request, is_set)))
    }))
}
