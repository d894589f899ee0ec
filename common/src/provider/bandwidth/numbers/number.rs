//! One number, named by its ten digits. It has no settings: its location has.

use http::Method;
use roxmltree::Document;
use serde_json::{Map, Value};

use crate::e164::E164;
use crate::provider::bandwidth::api::{all, fault, first, number, read, request};
use crate::rest::numbers::{Held, HeldState, Page};
use crate::rest::request::segment;
use crate::rest::{Account, Exchange, Fault, Reply, Step};

/// What a location calls its voice application.
pub const LINK: &str = "HttpVoiceV2AppId";

/// A number of which no more is known.
pub fn bare(number: Option<E164>, state: HeldState) -> Held {
    Held {
        id: String::new(),
        number,
        sip_uri: None,
        name: String::new(),
        state,
        setup: Map::new(),
        agent_id: None,
        is_free: false,
    }
}

/// The number of these ten digits, when it is in service.
pub fn get(account: &Account<'_>, id: &str) -> Result<Exchange<Held>, Fault> {
    let below = format!("/inserviceNumbers/{}", segment(id));
    let request = request(account, "bandwidth.numbers.get", Method::GET, &below)?;
    let id = id.to_owned();
    Ok(Exchange::last(request, move |reply| match in_service(&reply, &id)? {
        true => Ok(Held { number: number(&id), id, ..bare(None, HeldState::Active) }),
        false => Err(Fault::unclear(format!("asked about {id}, and was told of something else"))),
    }))
}

/// The status alone is promised: a body is empty or names the number.
fn in_service(reply: &Reply, id: &str) -> Result<bool, Fault> {
    if !reply.is_success() {
        return Err(fault(reply));
    }
    let text = str::from_utf8(&reply.body).unwrap_or("?");
    let names = |document: Document<'_>| {
        document.descendants().any(|node| node.text().is_some_and(|text| text.trim() == id))
    };
    Ok(text.is_empty() || Document::parse(text).is_ok_and(names))
}

/// The numbers from `cursor` on: what the link to the next page calls it.
pub fn page(account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
    let request = request(account, "bandwidth.numbers.list", Method::GET, "/inserviceNumbers")?;
    let request = request.query([("page", cursor.unwrap_or("1")), ("size", "500")]);
    Ok(Exchange::last(request, |reply| {
        read(&reply, |root| {
            all(root, "TelephoneNumbers").next()?;
            let digits = all(root, "TelephoneNumber").filter_map(|node| node.text()).map(str::trim);
            let held =
                |digits: &str| Held { id: digits.to_owned(), ..bare(number(digits), HeldState::Active) };
            let numbers: Vec<_> = digits.map(held).collect();
            let next = first(root, "next").and_then(next_page).filter(|_| !numbers.is_empty());
            Some(Page { numbers, next })
        })
    }))
}

/// `Link=<https://…?page=9195551234&size=500>;rel="next";` leads to `9195551234`.
fn next_page(link: &str) -> Option<String> {
    let query = link.split_once('?')?.1;
    let query = query.split('>').next()?;
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find(|(name, _)| name == "page").map(|(_, page)| page.into_owned())
}

/// Numbers that were read, with the application of the account's location, where all of them are put.
pub fn located<T: Send + 'static>(
    account: &Account<'_>,
    numbers: Exchange<T>,
    each: fn(&mut T) -> &mut [Held],
) -> Exchange<T> {
    let kept = account.keep();
    numbers.then(move |mut read| {
        if each(&mut read).is_empty() {
            return Ok(Step::Done(read));
        }
        let location = application(&kept.account())?;
        Ok(Step::Next(location.map(move |application| {
            for held in each(&mut read) {
                held.setup.insert(LINK.to_owned(), application.clone().map_or(Value::Null, Value::from));
            }
            read
        })))
    })
}

/// The path of the voice settings of the account's location.
pub fn location(account: &Account<'_>) -> Result<String, Fault> {
    let (site, location) = (account.wanted("site_id")?, account.wanted("location_id")?);
    Ok(format!("/sites/{}/sippeers/{}/products/origination/settings", segment(site), segment(location)))
}

/// The voice application of the account's location, if it has one.
pub fn application(account: &Account<'_>) -> Result<Exchange<Option<String>>, Fault> {
    let request = request(account, "bandwidth.locations.get", Method::GET, &location(account)?)?;
    let read = |reply: Reply| {
        read(&reply, |root| {
            let is_one = root.tag_name().name().starts_with("SipPeerOriginationSettings");
            is_one.then(|| first(root, LINK).map(str::to_owned))
        })
    };
    Ok(Exchange::last(request, read).or_gone(None))
}
