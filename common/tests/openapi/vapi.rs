//! Vapi's.

use dialplane_common::ids::AccountId;
use dialplane_common::provider::provider;
use dialplane_common::rest::agents::{AgentSpec, Agents, Carrier, Import, Link};
use dialplane_common::rest::numbers::{Held, NumberType, Numbers, Order, Tag, Wanted, Webhooks};
use dialplane_common::rest::{Account, Exchange, Reply, Step};
use dialplane_common::secret::Secret;
use dialplane_common::time::UnixSeconds;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::description::Description;
use super::hold;

const ID: &str = "5a5a04dc-dcbe-45b1-8f64-fd32a253d135";
const NUMBER: &str = "+14155550132";
const TAG: Tag = Tag(Uuid::from_u128(7));

fn credentials() -> Map<String, Value> {
    object(json!({"api_key": "k", "auth": {"type": "bearer", "token": "t"}}))
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("wanted an object") };
    object
}

fn webhooks() -> Webhooks {
    Webhooks { public_urls: vec!["https://d.example".to_owned()], fallback: NUMBER.parse().ok() }
}

fn record() -> String {
    let server = json!({"url": "https://x.example", "secret": "s", "timeoutSeconds": 20});
    json!({
        "id": ID, "provider": "twilio", "number": NUMBER, "name": TAG.to_string(), "server": server,
        "fallbackDestination": {"type": "number", "number": NUMBER, "message": "One moment."},
    })
    .to_string()
}

fn order() -> Order {
    let wanted = Wanted {
        country: "US".to_owned(),
        area_code: Some("415".to_owned()),
        contains: None,
        number_type: NumberType::Local,
        sms: false,
        offers_max: 1,
    };
    Order { tag: TAG, number: None, wanted, webhooks: webhooks() }
}

/// The number of [`record`], as it is read.
fn held(numbers: &dyn Numbers, account: &Account<'_>) -> Held {
    let reply = Reply::new(200, record());
    match numbers.get(account, ID).unwrap().read(reply).unwrap() {
        Step::Done(held) => held,
        step => panic!("wanted the end, got {step:?}"),
    }
}

#[test]
fn numbers() {
    let vapi = Description::read("vapi");
    let numbers = provider("vapi").unwrap().numbers().unwrap();
    let credentials = credentials();
    let account =
        Account { id: AccountId(Uuid::from_u128(1)), credentials: &credentials, now: UnixSeconds(0) };
    let (record, order) = (record(), order());
    let held = held(numbers, &account);
    hold(&vapi, numbers.search(&account, &order.wanted), &[(200, "[]")]);
    hold(&vapi, numbers.buy(&account, &order), &[(201, &record)]);
    hold(&vapi, numbers.bought(&account, &order), &[(200, "[]")]);
    hold(&vapi, numbers.get(&account, ID), &[(200, &record)]);
    hold(&vapi, numbers.list(&account, Some("2026-11-01T11:59:58.604Z")), &[(200, "[]")]);
    hold(&vapi, numbers.configure(&account, &held, &"n".repeat(50), &webhooks()), &[(200, &record)]);
    hold(&vapi, numbers.restore(&account, ID, &held.setup), &[(200, &record)]);
    hold(&vapi, numbers.release(&account, &held), &[(200, &record)]);
}

#[test]
fn agents() {
    let vapi = Description::read("vapi");
    let agents = provider("vapi").unwrap().agents().unwrap();
    let credentials = credentials();
    let account =
        Account { id: AccountId(Uuid::from_u128(1)), credentials: &credentials, now: UnixSeconds(0) };
    let voices = [
        ("11labs", "v1"),
        ("vapi", "Elliot"),
        ("cartesia", "v1"),
        ("deepgram", "asteria"),
        ("azure", "andrew"),
    ];
    for (maker, voice) in voices {
        let agent = AgentSpec {
            name: "a".repeat(40),
            language: Some("de-AT".to_owned()),
            greeting: Some("Hello!".to_owned()),
            prompt: Some("You are kind.".to_owned()),
            voice_id: Some(voice.to_owned()),
            config: object(json!({"voice": {"provider": maker}})),
            webhooks: webhooks(),
        };
        let made = format!(r#"{{"id":"{ID}"}}"#);
        hold(&vapi, agents.create(&account, &agent), &[(201, &made)]);
        hold(&vapi, agents.update(&account, ID, &agent), &[(200, &made)]);
        let bare = AgentSpec { language: None, greeting: None, prompt: None, voice_id: None, ..agent };
        hold(&vapi, agents.update(&account, ID, &AgentSpec { config: Map::new(), ..bare }), &[(200, &made)]);
    }
    hold(&vapi, agents.named(&account, "a"), &[(200, "[]")]);
    hold(&vapi, agents.delete(&account, ID), &[(200, "{}")]);
    let record = record();
    for link in [Link::Ask { or: None }, Link::Agent(ID.to_owned()), Link::None] {
        hold(&vapi, agents.link(&account, ID, &link, &webhooks()), &[(200, &record)]);
        import(&vapi, agents, &account, link);
    }
    hold(&vapi, agents.forget(&account, ID), &[(200, &record), (200, &record)]);
}

fn import(vapi: &Description, agents: &dyn Agents, account: &Account<'_>, link: Link) {
    let carrier = Carrier::Twilio { account_sid: "AC1".to_owned(), auth_token: Secret::new("t") };
    let number = NUMBER.parse().unwrap();
    let import = Import { number, name: "Main line".to_owned(), carrier, link, webhooks: webhooks() };
    let record = record();
    hold(vapi, agents.import(account, &import), &[(201, &record)]);
    let known = json!({"message": format!("Existing Phone Number {ID} Has Identical `number` {NUMBER}")});
    hold(vapi, agents.import(account, &import), &[(400, &known.to_string()), (200, &record)]);
}

/// The requests about credentials stand under no path of the description; their bodies have a schema all the same.
#[test]
fn trunks() {
    let vapi = Description::read("vapi");
    let agents = provider("vapi").unwrap().agents().unwrap();
    let credentials = credentials();
    let account =
        Account { id: AccountId(Uuid::from_u128(1)), credentials: &credentials, now: UnixSeconds(0) };
    let carrier = Carrier::Trunk {
        address: "203.0.113.9:5080".to_owned(),
        username: Some("u".to_owned()),
        password: Some(Secret::new("p")),
    };
    let (number, link) = (NUMBER.parse().unwrap(), Link::Ask { or: None });
    let import = Import { number, name: "Main line".to_owned(), carrier, link, webhooks: webhooks() };
    let next =
        |exchange: Exchange<Held>, status, body: &str| match exchange.read(Reply::new(status, body)).unwrap()
        {
            Step::Next(next) => next,
            step => panic!("wanted a request, got {step:?}"),
        };
    let create = next(agents.import(&account, &import).unwrap(), 200, "[]");
    let (_, body) = create.request.body.as_ref().unwrap();
    let body = serde_json::from_slice(body).unwrap();
    assert_eq!(vapi.schema_errors("CreateByoSipTrunkCredentialDTO", &body), [""; 0]);
    hold(&vapi, Ok(next(create, 201, r#"{"id":"c1"}"#)), &[(201, &record())]);
}
