//! Sites and their locations (SIP peers); a location's voice settings name its application.

use serde_json::{Map, Value};

use super::xml::{self, answer, element, error, parent};
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

const SITE: &str = "site";

/// Locations, among things.
pub const LOCATION: &str = "location";

/// Makes a site.
pub fn create_site(turn: &mut Turn<'_>) -> Outcome {
    let name = xml::body(turn, |root| xml::text(root, "Name"))?.unwrap_or_default();
    let id = turn.world.draw.digits(5);
    let body = Map::from_iter([("name".to_owned(), name.as_str().into())]);
    let made = turn.make(SITE, SITE, &id, &name, body);
    let place = format!("{}/{id}", turn.request.path);
    Ok(answer(201, &parent("SiteResponse", &[site(&made)])).with("location", place))
}

/// Lists sites.
pub fn list_sites(turn: &mut Turn<'_>) -> Outcome {
    let found: Vec<_> = turn.things(SITE).map(site).collect();
    Ok(answer(200, &parent("SitesResponse", &[parent("Sites", &found)])))
}

/// Makes a location in a site.
pub fn create_location(turn: &mut Turn<'_>) -> Outcome {
    let name = xml::body(turn, |root| xml::text(root, "PeerName"))?.unwrap_or_default();
    let id = turn.world.draw.digits(6);
    let mut body = Map::new();
    body.insert("name".to_owned(), name.as_str().into());
    body.insert("site".to_owned(), turn.param("site").into());
    let made = turn.make(LOCATION, LOCATION, &id, &name, body);
    let place = format!("{}/{id}", turn.request.path);
    Ok(answer(201, &parent("SipPeerResponse", &[location(&made)])).with("location", place))
}

/// Lists a site's locations.
pub fn list_locations(turn: &mut Turn<'_>) -> Outcome {
    let site = turn.param("site");
    let found: Vec<_> =
        turn.things(LOCATION).filter(|it| it.text("site") == Some(&site)).map(location).collect();
    Ok(answer(200, &parent("TNSipPeersResponse", &[parent("SipPeers", &found)])))
}

/// Tells a location's voice settings.
pub fn settings(turn: &mut Turn<'_>) -> Outcome {
    let found = turn.thing(LOCATION, &turn.param("id"));
    let application = found.and_then(|found| found.text("application")).ok_or_else(missing)?;
    Ok(answer(200, &told(application)))
}

/// Sets them. A location that was made before this began, by hand, comes into being.
pub fn set(turn: &mut Turn<'_>) -> Outcome {
    let application = xml::body(turn, |root| xml::text(root, "HttpVoiceV2AppId"))?;
    let application = application.ok_or_else(|| error(400, "4010", "HttpVoiceV2AppId is missing"))?;
    if turn.thing(super::applications::KIND, &application).is_none() {
        return Err(error(400, "12029", "The application doesn't exist"));
    }
    let id = turn.param("id");
    if turn.thing(LOCATION, &id).is_none() {
        let body = Map::from_iter([("site".to_owned(), Value::from(turn.param("site")))]);
        turn.make(LOCATION, LOCATION, &id, "", body);
    }
    let found = turn.thing_mut(LOCATION, &id).ok_or_else(missing)?;
    found.body.insert("application".to_owned(), application.as_str().into());
    Ok(answer(200, &told(&application)))
}

fn missing() -> Reply {
    error(404, "13651", "The location has no such settings")
}

fn told(application: &str) -> String {
    let http = parent("HttpSettings", &[element("HttpVoiceV2AppId", application)]);
    let settings = parent("SipPeerOriginationSettings", &[element("VoiceProtocol", "HTTP"), http]);
    parent("SipPeerOriginationSettingsResponse", &[settings])
}

fn site(thing: &Thing) -> String {
    parent("Site", &[element("Id", &thing.id), element("Name", thing.text("name").unwrap_or_default())])
}

fn location(thing: &Thing) -> String {
    parent(
        "SipPeer",
        &[element("PeerId", &thing.id), element("PeerName", thing.text("name").unwrap_or_default())],
    )
}
