//! Voice applications, which have the URLs and what they show to them.

use serde_json::{Map, Value};

use super::NAME;
use super::xml::{self, answer, element, error, parent};
use crate::reply::Reply;
use crate::thing::Thing;
use crate::turn::{Outcome, Turn};

/// What they are among things.
pub const KIND: &str = "application";

/// What can be set, in the order in which it is told.
const FIELDS: &[&str] = &[
    "ServiceType",
    "AppName",
    "CallInitiatedCallbackUrl",
    "CallInitiatedMethod",
    "CallInitiatedFallbackUrl",
    "CallInitiatedFallbackMethod",
    "CallStatusCallbackUrl",
    "CallStatusMethod",
    "CallbackTimeout",
    "MsgCallbackUrl",
    "InboundCallbackUrl",
    "OutboundCallbackUrl",
];

/// Makes one.
pub fn create(turn: &mut Turn<'_>) -> Outcome {
    let body = read(turn)?;
    let id = turn.world.draw.uuid().to_string();
    let name = body.get("AppName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let made = turn.make(KIND, KIND, &id, &name, body);
    let place = format!("{}/{id}", turn.request.path);
    Ok(answer(201, &provisioned(&made)).with("location", place))
}

/// Lists them.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let found: Vec<_> = turn.things(KIND).map(document).collect();
    let list = parent("ApplicationList", &found);
    Ok(answer(200, &parent("ApplicationProvisioningResponse", &[list])))
}

/// Reads one.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    turn.thing(KIND, &turn.param("id")).map(|found| answer(200, &provisioned(found))).ok_or_else(missing)
}

/// Puts it anew, whole.
pub fn update(turn: &mut Turn<'_>) -> Outcome {
    let (body, id) = (read(turn)?, turn.param("id"));
    let thing = turn.thing_mut(KIND, &id).ok_or_else(missing)?;
    thing.body = body;
    Ok(answer(200, &provisioned(thing)))
}

/// Does away with one.
pub fn delete(turn: &mut Turn<'_>) -> Outcome {
    turn.unmake(KIND, KIND, &turn.param("id")).map(|_| Reply::empty(200)).ok_or_else(missing)
}

/// Lists the locations that it is set on.
pub fn associated(turn: &mut Turn<'_>) -> Outcome {
    let id = turn.param("id");
    let locations = turn.things(super::places::LOCATION).filter(|it| it.text("application") == Some(&id));
    let one = |location: &Thing| {
        let site = element("SiteId", location.text("site").unwrap_or_default());
        let name = element("PeerName", location.text("name").unwrap_or_default());
        parent("AssociatedSipPeer", &[site, element("PeerId", &location.id), name])
    };
    let peers: Vec<_> = locations.map(one).collect();
    Ok(answer(200, &parent("AssociatedSipPeersResponse", &[parent("AssociatedSipPeers", &peers)])))
}

/// The account's only application, for numbers in a location that names none.
pub fn only<'w>(world: &'w crate::world::World, account: &'w str) -> Option<&'w Thing> {
    let voice = |thing: &&Thing| thing.text("ServiceType") != Some("Messaging-V2");
    let mut all = world.things_of(NAME, KIND, account).filter(voice);
    all.next().filter(|_| all.next().is_none())
}

fn read(turn: &Turn<'_>) -> Result<Map<String, Value>, Reply> {
    let body: Map<_, _> = xml::body(turn, |root| {
        let names = FIELDS.iter().chain(&["UserId", "Password"]);
        names.filter_map(|name| Some(((*name).to_owned(), xml::text(root, name)?.into()))).collect()
    })?;
    let wanted = ["ServiceType", "AppName"].into_iter().find(|name| !body.contains_key(*name));
    match wanted {
        Some(name) => Err(error(400, "12014", &format!("{name} is required"))),
        None => Ok(body),
    }
}

fn missing() -> Reply {
    error(404, "12029", "The application doesn't exist")
}

fn provisioned(thing: &Thing) -> String {
    parent("ApplicationProvisioningResponse", &[document(thing)])
}

/// What it says; the password is never told.
fn document(thing: &Thing) -> String {
    let mut parts = vec![element("ApplicationId", &thing.id)];
    parts.extend(FIELDS.iter().filter_map(|name| Some(element(name, thing.text(name)?))));
    if let Some(user) = thing.text("UserId") {
        parts.push(parent("CallbackCreds", &[element("UserId", user)]));
    }
    parent("Application", &parts)
}
