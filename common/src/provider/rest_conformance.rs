//! What every provider's REST side has to stand: whatever is replied, nothing panics, no exchange goes on without end,
//! and no purchase is taken for done that the reply doesn't name.

use std::fmt::Debug;

use serde_json::{Map, Value, json};

use super::PROVIDERS;
use crate::rest::agents::{AgentSpec, Agents, Carrier, Import, Link};
use crate::rest::numbers::{Held, HeldState, NumberType, Numbers, Order, Wanted};
use crate::rest::samples::{self, account, webhooks};
use crate::rest::{Account, Exchange, Fault, Reply, Step};
use crate::secret::Secret;

/// All that any provider's REST API wants of an account.
const CREDENTIALS: &str = r#"{
    "account_id": "5500001", "account_sid": "AC1", "api_key": "k", "api_key_secret": "s", "api_password": "p",
    "api_secret": "s", "api_user": "u", "callback_user_id": "u", "location_id": "1", "api_token": "t", "application_id": "a", "auth": {"type": "bearer", "token": "t"},
    "auth_id": "MA1", "auth_token": "t", "callback_password": "p", "connection_id": "1", "initiation_secret": "s",
    "project_id": "p", "secret": "s", "site_id": "1", "space": "acme", "url": "wss://x.livekit.cloud", "username": "u"
}"#;

/// How many replies an exchange may ask for that are chosen at random.
const REPLIES_MAX: usize = 64;

/// How many conversations there are with each operation.
const CONVERSATIONS: u64 = 300;

const STATUSES: [u16; 13] = [200, 200, 200, 201, 202, 204, 302, 400, 404, 409, 422, 429, 503];

/// Names that providers read.
const NAMES: [&str; 36] = [
    "account_sid",
    "agent_id",
    "agents",
    "applications",
    "available_phone_numbers",
    "code",
    "count",
    "createdAt",
    "data",
    "detail",
    "error-code",
    "gateways",
    "has_more",
    "id",
    "incoming_phone_numbers",
    "items",
    "llm_id",
    "message",
    "meta",
    "name",
    "next_cursor",
    "next_page_uri",
    "number",
    "numbers",
    "objects",
    "pagination_key",
    "phone_number",
    "phone_number_id",
    "phone_numbers",
    "results",
    "server",
    "sid",
    "sip_dispatch_rule_id",
    "sip_trunk_id",
    "status",
    "response_engine",
];

/// Numbers drawn from a seed, the same ones each time.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % count.max(1) as u64) as usize
    }
}

/// Bodies that name nothing that was asked for.
fn bodies() -> Vec<Vec<u8>> {
    let values = [
        json!(null),
        json!(7),
        json!(true),
        json!(""),
        json!("x"),
        json!([]),
        json!({}),
        json!([[]]),
        json!([{}]),
        json!([1, "x"]),
    ];
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    for value in &values {
        bodies.push(value.to_string().into_bytes());
        let all: Map<String, Value> = NAMES.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
        bodies.push(Value::Array(vec![Value::Object(all.clone()); 3]).to_string().into_bytes());
        let nested: Map<String, Value> =
            NAMES.iter().map(|name| ((*name).to_owned(), Value::Object(all.clone()))).collect();
        let listed: Map<String, Value> =
            NAMES.iter().map(|name| ((*name).to_owned(), json!([all]))).collect();
        bodies.extend([all, nested, listed].map(|object| Value::Object(object).to_string().into_bytes()));
    }
    let cut: Vec<Vec<u8>> = bodies.iter().map(|body| body[..body.len() * 2 / 3].to_vec()).collect();
    bodies.extend(cut);
    bodies.extend(
        ["", "<html>502</html>", "<?xml version=\"1.0\"?><a><b/></a>", "\u{0}\u{1}"].map(|text| text.into()),
    );
    bodies.extend([b"[".repeat(20_000), b"{\"data\":".repeat(20_000), b"<a>".repeat(20_000)]);
    let mut random = Random(7);
    bodies.extend((0..20).map(|length| (0..length * 40).map(|_| random.below(256) as u8).collect()));
    bodies
}

/// Holds conversations with one operation, whose values are given to `done`.
fn storm<T: Debug + 'static>(
    name: &str,
    bodies: &[Vec<u8>],
    begin: impl Fn() -> Result<Exchange<T>, Fault>,
    done: impl Fn(T),
) {
    for seed in 1..=CONVERSATIONS {
        let mut exchange = match begin() {
            Ok(exchange) => exchange,
            Err(Fault::Stop { code, reason }) if code == "credentials_incomplete" => {
                panic!("{name}: {reason}")
            }
            Err(_) => return,
        };
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..REPLIES_MAX {
            let body = &bodies[random.below(bodies.len())];
            let reply = Reply::new(STATUSES[random.below(STATUSES.len())], body.clone());
            match exchange.read(reply) {
                Ok(Step::Next(next) | Step::Later(_, next)) => exchange = next,
                Ok(Step::Done(value)) => {
                    done(value);
                    break;
                }
                Err(_) => break,
            }
        }
    }
}

/// Replies the same again and again: the exchange has to end.
fn repeat<T: 'static>(name: &str, bodies: &[Vec<u8>], begin: impl Fn() -> Result<Exchange<T>, Fault>) {
    for body in bodies {
        let Ok(mut exchange) = begin() else { return };
        for turn in 0.. {
            assert!(turn < REPLIES_MAX, "{name} goes on for ever: {:?}", exchange.request);
            match exchange.read(Reply::new(200, body.clone())) {
                Ok(Step::Next(next) | Step::Later(_, next)) => exchange = next,
                Ok(Step::Done(_)) | Err(_) => break,
            }
        }
    }
}

fn orders() -> Vec<Order> {
    let wanted = |country: &str, sms| Wanted { country: country.into(), sms, ..samples::wanted() };
    let order = |number, wanted| Order { number, wanted, ..samples::order() };
    let exact = samples::order().number;
    let toll_free = Wanted { number_type: NumberType::TollFree, ..wanted("US", false) };
    vec![
        order(exact, wanted("US", true)),
        order(exact, wanted("US", false)),
        order(None, wanted("US", false)),
        order(None, toll_free),
    ]
}

fn held() -> Held {
    Held {
        id: "x".into(),
        number: samples::order().number,
        sip_uri: None,
        name: samples::TAG.into(),
        state: HeldState::Active,
        setup: Map::new(),
        agent_id: None,
        is_free: false,
    }
}

fn try_numbers(provider: &str, numbers: &dyn Numbers, account: &Account<'_>, bodies: &[Vec<u8>]) {
    let (held, webhooks) = (held(), webhooks());
    for order in orders() {
        let never = |bought: Held| panic!("{provider} bought {bought:?} for {order:?}");
        storm(provider, bodies, || numbers.buy(account, &order), never);
        repeat(provider, bodies, || numbers.buy(account, &order));
        storm(
            provider,
            bodies,
            || numbers.bought(account, &order),
            |found: Vec<Held>| {
                assert!(found.is_empty(), "{provider} found {found:?}");
            },
        );
        repeat(provider, bodies, || numbers.bought(account, &order));
        storm(provider, bodies, || numbers.search(account, &order.wanted), drop);
        repeat(provider, bodies, || numbers.search(account, &order.wanted));
    }
    storm(
        provider,
        bodies,
        || numbers.get(account, "x"),
        |got| {
            numbers.drift(account, &got, &webhooks);
        },
    );
    storm(
        provider,
        bodies,
        || numbers.list(account, None),
        |page| {
            page.numbers.iter().for_each(|held| drop(numbers.drift(account, held, &webhooks)));
        },
    );
    storm(provider, bodies, || numbers.configure(account, &held, "n", &webhooks), drop);
    storm(provider, bodies, || numbers.restore(account, "x", &held.setup), drop);
    storm(provider, bodies, || numbers.release(account, &held), drop);
    repeat(provider, bodies, || numbers.get(account, "x"));
    repeat(provider, bodies, || numbers.list(account, None));
    repeat(provider, bodies, || numbers.configure(account, &held, "n", &webhooks));
    repeat(provider, bodies, || numbers.release(account, &held));
}

fn try_agents(provider: &str, agents: &dyn Agents, account: &Account<'_>, bodies: &[Vec<u8>]) {
    let config = json!({"voice": {"provider": "11labs"}});
    let spec = AgentSpec {
        name: "n".into(),
        language: Some("de-AT".into()),
        greeting: Some("g".into()),
        prompt: None,
        voice_id: Some("v".into()),
        config: config.as_object().unwrap().clone(),
        webhooks: webhooks(),
    };
    storm(provider, bodies, || agents.create(account, &spec), drop);
    repeat(provider, bodies, || agents.create(account, &spec));
    storm(provider, bodies, || agents.named(account, "n"), |found| assert!(found.is_empty(), "{found:?}"));
    repeat(provider, bodies, || agents.named(account, "n"));
    storm(provider, bodies, || agents.update(account, "y", &spec), drop);
    storm(provider, bodies, || agents.delete(account, "y"), drop);
    let trunk = Carrier::Trunk { address: "203.0.113.9".into(), username: None, password: None };
    let twilio = Carrier::Twilio { account_sid: "AC1".into(), auth_token: Secret::new("t") };
    let number = "+14155550176";
    for carrier in [trunk, twilio] {
        let link = Link::Ask { or: Some("y".into()) };
        let (name, webhooks) = ("n".to_owned(), webhooks());
        let import = Import { number: number.parse().unwrap(), name, carrier, link, webhooks };
        storm(provider, bodies, || agents.import(account, &import), drop);
        repeat(provider, bodies, || agents.import(account, &import));
    }
    for link in [Link::Agent("y".into()), Link::None] {
        storm(provider, bodies, || agents.link(account, number, &link, &webhooks()), drop);
        repeat(provider, bodies, || agents.link(account, number, &link, &webhooks()));
    }
    storm(provider, bodies, || agents.forget(account, number), drop);
    repeat(provider, bodies, || agents.forget(account, number));
}

#[test]
fn replies_of_any_kind_neither_break_nor_buy_anything() {
    let (account, bodies) = (account(CREDENTIALS), bodies());
    let mut tried = 0;
    for provider in PROVIDERS {
        if let Some(numbers) = provider.numbers() {
            try_numbers(provider.name(), numbers, &account, &bodies);
            tried += 1;
        }
        if let Some(agents) = provider.agents() {
            try_agents(provider.name(), agents, &account, &bodies);
            tried += 1;
        }
    }
    assert!(tried >= 7, "{tried}");
}
