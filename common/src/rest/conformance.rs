//! One suite over every provider's REST API: whatever comes back, nothing panics, every exchange ends, and a purchase is
//! never taken for made unless an answer named it.
//!
//! Answers are nonsense of all kinds, deep and large ones, documents made of the providers' own words, and
//! documents that the providers do send, with some bytes changed. They are the same ones each time.

use serde_json::{Map, Value, json};

use super::agents::{AgentSpec, Carrier, Import, Link};
use super::numbers::{Held, HeldState, Order, Wanted};
use super::subaccounts::SubaccountState;
use super::{Account, Effect, Exchange, Fault, Reply, Request, Step, samples};
use crate::provider::{PROVIDERS, Provider, hostile};
use crate::secret::Secret;

/// More requests than any exchange takes that goes through pages.
const REQUESTS_MAX: usize = 200;

/// How often each operation is tried.
const TRIES: usize = 200;

/// How many purchases each time: some take several good answers, one after the other.
const PURCHASES: usize = 30;

/// The digits of [`samples::order`]'s number, as the providers have them in common.
const DIGITS: &str = "2125550001";

/// What an account has beside the provider's example, for REST.
fn credentials(provider: &dyn Provider) -> Map<String, Value> {
    let mut credentials: Map<String, Value> = serde_json::from_str(provider.credentials_example()).unwrap();
    let more = match provider.name() {
        "bandwidth" => {
            json!({"api_user": "u", "api_password": "p", "site_id": "743", "location_id": "303716"})
        }
        "livekit" => json!({"url": "wss://acme.livekit.cloud"}),
        "signalwire" => json!({"api_token": "PT1", "space": "acme"}),
        "vonage" => json!({"api_secret": "s"}),
        "elevenlabs" | "vapi" => json!({"api_key": "k"}),
        _ => json!({}),
    };
    let Value::Object(more) = more else { unreachable!() };
    credentials.extend(more);
    provider.credentials(&credentials).unwrap();
    credentials
}

/// A generator of numbers, the same ones each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn choose<'t, T: ?Sized>(&mut self, among: &[&'t T]) -> &'t T {
        among[self.below(among.len())]
    }
}

/// Names of fields and elements, as the providers' answers have them.
const NAMES: &[&str] = &[
    "data",
    "meta",
    "id",
    "sid",
    "status",
    "name",
    "number",
    "numbers",
    "phone_number",
    "phone_numbers",
    "phoneNumber",
    "friendly_name",
    "customer_reference",
    "available_phone_numbers",
    "incoming_phone_numbers",
    "next_page_uri",
    "objects",
    "next",
    "total_pages",
    "page_number",
    "auth_id",
    "auth_token",
    "app_id",
    "app_name",
    "msisdn",
    "country",
    "count",
    "features",
    "_embedded",
    "applications",
    "capabilities",
    "error",
    "error-code",
    "message",
    "errors",
    "code",
    "agent_id",
    "phone_number_id",
    "phone_number_pretty",
    "items",
    "accounts",
    "results",
    "provider",
    "sip_trunk_id",
    "Order",
    "OrderStatus",
    "CustomerOrderId",
    "TelephoneNumber",
    "FullNumber",
    "ApplicationId",
    "AppName",
    "ApplicationList",
    "Application",
    "HttpVoiceV2AppId",
    "TelephoneNumbers",
    "SearchResult",
    "enabled",
    "agents",
];

fn json_soup(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 9 } else { 13 }) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(1),
        3 => json!(-1.5e300),
        4 => json!("+12125550001"),
        5 => json!(DIGITS),
        6 => json!(samples::TAG),
        7 => json!(random.choose(&[
            "",
            "active",
            "pending",
            "success",
            "fulfilled",
            "failure",
            "200",
            "420",
            "app"
        ])),
        8 => json!("/x?page=2&PageToken=\u{0}é"),
        9 => (0..random.below(3)).map(|_| json_soup(random, depth - 1)).collect(),
        _ => (0..random.below(12))
            .map(|_| (random.choose(NAMES).to_owned(), json_soup(random, depth - 1)))
            .collect(),
    }
}

fn xml_soup(random: &mut Random, depth: usize) -> String {
    let name = random.choose(NAMES);
    let content = match random.below(if depth == 0 { 3 } else { 8 }) {
        0 => DIGITS.to_owned(),
        1 => "COMPLETE".to_owned(),
        2 => samples::TAG.replace(':', "-"),
        _ => (0..=random.below(4)).map(|_| xml_soup(random, depth - 1)).collect(),
    };
    format!("<{name}>{content}</{name}>")
}

/// What a provider answers when all is well, and some of what others do.
fn good_answers(provider: &str) -> Vec<String> {
    let (digits, tag) = ("12125550001", samples::TAG);
    let number = json!({"sid": "id1", "id": "id1", "phone_number": "+12125550001", "friendly_name": tag, "status": "active",
        "number": digits, "application": null, "country": "US", "msisdn": digits, "features": ["VOICE"],
        "customer_reference": tag, "connection_id": "1", "name": tag, "phone_numbers":
        [{"phone_number": "+12125550001", "status": "success"}]});
    let own: Vec<Value> = match provider {
        "telnyx" => vec![
            json!({"data": number}),
            json!({"data": []}),
            json!({"data": [number], "meta":
            {"page_number": 1, "total_pages": 2}}),
        ],
        "plivo" => vec![
            json!({"meta": {"next": null}, "objects": []}),
            json!({"message": "changed", "app_id": "15784735442685051"}),
            json!({"numbers": [{"number": digits, "status": "Success"}], "status": "fulfilled"}),
        ],
        "vonage" => vec![
            json!({"error-code": "420", "error-code-label": "no"}),
            json!({"error-code": "200", "error-code-label": "success"}),
            json!({"count": 1, "numbers": [number]}),
            json!({"total_pages": 1, "_embedded": {"applications": []}}),
        ],
        "vapi" | "retell" => vec![
            json!({"id": "5a5a04dc-dcbe-45b1-8f64-fd32a253d135", "provider": "vapi", "number": "+12125550001",
                "phone_number": "+12125550001", "name": tag, "nickname": tag, "status": "active"}),
            json!([]),
        ],
        _ => vec![
            number.clone(),
            json!({"incoming_phone_numbers": [number], "next_page_uri": "/x?Page=1"}),
            json!({"available_phone_numbers": [number]}),
        ],
    };
    let mut answers: Vec<String> = own.iter().map(Value::to_string).collect();
    if provider == "bandwidth" {
        let number = format!("<TelephoneNumber>{DIGITS}</TelephoneNumber>");
        let name = tag.replace(':', "-");
        answers = vec![
            format!(
                "<OrderResponse><Order><CustomerOrderId>{name}</CustomerOrderId><id>1</id>{number}</Order><OrderStatus>COMPLETE</OrderStatus></OrderResponse>"
            ),
            format!("<TNs><TelephoneNumbers>{number}</TelephoneNumbers></TNs>"),
            "<SipPeerOriginationSettingsResponse/>".to_owned(),
            "<R><ApplicationList/><Application><ApplicationId>1</ApplicationId></Application></R>".to_owned(),
        ];
    }
    answers
}

/// One answer.
fn answer(random: &mut Random, good: &[String]) -> Reply {
    let kind = random.below(9);
    let statuses = [200, 201, 202, 204, 400, 401, 404, 409, 420, 422, 429, 500, 502, 301, 999];
    let is_well = matches!(kind, 2 | 3 | 8) && random.below(4) > 0;
    let status = if is_well { 200 } else { statuses[random.below(statuses.len())] };
    let body = match kind {
        0 => (0..random.below(64)).map(|_| random.below(256) as u8).collect(),
        1 => json_soup(random, 5).to_string().into_bytes(),
        2 | 3 | 8 => good[random.below(good.len())].clone().into_bytes(),
        4 => xml_soup(random, 6).into_bytes(),
        5 => {
            let (bytes, mut mutated) = (good[random.below(good.len())].clone(), Vec::new());
            hostile::mutations(bytes.as_bytes(), 1 + random.below(8), |body| mutated = body.to_vec());
            mutated
        }
        6 => {
            let bytes = good[random.below(good.len())].clone().into_bytes();
            bytes[..random.below(bytes.len())].to_vec()
        }
        _ => Vec::new(),
    };
    Reply { location: Some("https://x.example/orders/1".to_owned()), ..Reply::new(status, body) }
}

/// A request that was made, and what it was answered.
#[derive(Debug)]
struct Turn {
    operation: &'static str,
    effect: Effect,
    body: Vec<u8>,
}

/// Brings an exchange to its end with such answers: whether it was done, and what was said on the way.
fn drive<T: 'static>(
    random: &mut Random,
    good: &[String],
    begun: Result<Exchange<T>, Fault>,
) -> (Result<T, Fault>, Vec<Turn>) {
    let mut said = Vec::new();
    let mut exchange = match begun {
        Ok(exchange) => exchange,
        Err(fault) => return (Err(fault), said),
    };
    for _ in 0..REQUESTS_MAX {
        let reply = answer(random, good);
        let Request { operation, effect, .. } = exchange.request;
        said.push(Turn { operation, effect, body: reply.body.clone() });
        match exchange.read(reply) {
            Ok(Step::Done(value)) => return (Ok(value), said),
            Ok(Step::Next(next) | Step::Later(_, next)) => exchange = next,
            Err(fault) => return (Err(fault), said),
        }
    }
    panic!("it goes on for ever: {:?}", exchange.request);
}

fn held(id: &str) -> Held {
    Held {
        id: id.to_owned(),
        number: "+12125550001".parse().ok(),
        sip_uri: None,
        name: samples::TAG.to_owned(),
        state: HeldState::Active,
        setup: Map::new(),
        agent_id: None,
        is_free: false,
    }
}

/// Every operation of a provider's numbers and subaccounts; whether a purchase was taken for made.
fn try_numbers(provider: &dyn Provider, account: &Account<'_>, random: &mut Random, good: &[String]) -> bool {
    let Some(numbers) = provider.numbers() else { return false };
    let number = numbers.abilities().exact.then(|| "+12125550001".parse().unwrap());
    // Not all sell numbers that take text messages.
    let wanted = Wanted { sms: random.below(2) == 0, ..samples::wanted() };
    let order = Order { number, wanted, ..samples::order() };
    let webhooks = samples::webhooks();
    let id =
        random.choose(&["id1", "US:12125550001", "12125550001", DIGITS, "order:id1", "", "../x?y=\u{0}"]);
    let number = held(id);
    drop(drive(random, good, numbers.search(account, &order.wanted)));
    let mut is_bought = false;
    for _ in 0..PURCHASES {
        let (bought, said) = drive(random, good, numbers.buy(account, &order));
        check_purchase(provider, &bought, &said);
        is_bought |= bought.is_ok();
    }
    drop(drive(random, good, numbers.bought(account, &order)));
    drop(drive(random, good, numbers.get(account, id)));
    drop(drive(random, good, numbers.list(account, None)));
    drop(drive(random, good, numbers.list(account, Some("x\u{0}&page=é"))));
    drop(drive(random, good, numbers.configure(account, &number, "Broadway", &webhooks)));
    drop(drive(random, good, numbers.restore(account, id, &number.setup)));
    drop(drive(random, good, numbers.release(account, &number)));
    drop(numbers.drift(account, &number, &webhooks));
    let Some(subaccounts) = provider.subaccounts() else { return is_bought };
    drop(drive(random, good, subaccounts.create(account, "acme")));
    drop(drive(random, good, subaccounts.named(account, "acme")));
    drop(drive(random, good, subaccounts.set(account, "id1", SubaccountState::Suspended)));
    is_bought
}

/// A purchase is asked for once and, as a fault behind it would be taken for its own, last; and it was made if its answer
/// says so.
fn check_purchase(provider: &dyn Provider, bought: &Result<Held, Fault>, said: &[Turn]) {
    let name = provider.name();
    let sent: Vec<_> = (0..said.len()).filter(|at| said[*at].operation.ends_with(".buy")).collect();
    assert!(sent.len() <= 1 && sent.iter().all(|at| said[*at].effect == Effect::Once), "{name} {said:?}");
    // Vonage looks after a refusal whether the number is ours already.
    assert!(name == "vonage" || sent.iter().all(|at| at + 1 == said.len()), "{name} {said:?}");
    let Ok(bought) = bought else { return };
    let text = said.last().map(|turn| String::from_utf8_lossy(&turn.body)).unwrap_or_default();
    // Its answer to a purchase is a code alone.
    let is_code = name == "vonage" && text.contains("error-code");
    assert!(
        is_code || text.contains(DIGITS) || text.contains(&samples::TAG[3..]),
        "{name} {bought:?} {said:?}"
    );
    assert!(!bought.id.is_empty(), "{name} {said:?}");
}

/// Every operation of a provider's agents.
fn try_agents(provider: &dyn Provider, account: &Account<'_>, random: &mut Random, good: &[String]) {
    let Some(agents) = provider.agents() else { return };
    let webhooks = samples::webhooks();
    let agent = AgentSpec {
        name: "dp-agent".to_owned(),
        language: Some("en-US".to_owned()),
        greeting: Some("Hello".to_owned()),
        prompt: Some("Be kind".to_owned()),
        voice_id: None,
        config: Map::new(),
        webhooks: webhooks.clone(),
    };
    let carrier = match random.below(2) {
        0 => Carrier::Twilio { account_sid: "AC1".to_owned(), auth_token: Secret::new("t") },
        _ => Carrier::Trunk { address: "sip.example".to_owned(), username: None, password: None },
    };
    let link = Link::Agent("id1".to_owned());
    let import = Import {
        number: "+12125550001".parse().unwrap(),
        name: samples::TAG.to_owned(),
        carrier,
        link: Link::Ask { or: Some("id1".to_owned()) },
        webhooks: webhooks.clone(),
    };
    drop(drive(random, good, agents.create(account, &agent)));
    drop(drive(random, good, agents.named(account, "dp-agent")));
    drop(drive(random, good, agents.update(account, "id1", &agent)));
    drop(drive(random, good, agents.delete(account, "id1")));
    drop(drive(random, good, agents.import(account, &import)));
    drop(drive(random, good, agents.link(account, "id1", &link, &webhooks)));
    drop(drive(random, good, agents.forget(account, "id1")));
}

#[test]
fn no_answer_panics_or_goes_on_for_ever_or_buys_what_it_does_not_name() {
    for provider in PROVIDERS {
        let good = good_answers(provider.name());
        let credentials = credentials(*provider);
        let account = Account { credentials: &credentials, ..samples::account("{}") };
        let (mut random, mut bought) = (Random(0x9e37_79b9_7f4a_7c15), 0);
        for _ in 0..TRIES {
            bought += u32::from(try_numbers(*provider, &account, &mut random, &good));
            try_agents(*provider, &account, &mut random, &good);
        }
        // Else nothing was tried of it.
        let sells = provider.numbers().is_some_and(|numbers| numbers.abilities().sells);
        assert!(!sells || bought > 0, "{}: no purchase was ever made", provider.name());
    }
}

#[test]
fn deep_and_large_answers_are_read_without_harm() {
    let mut bodies: Vec<Vec<u8>> =
        hostile::malformed("application/json").into_iter().map(|body| body.bytes).collect();
    bodies.push(b"<a>".repeat(20_000));
    bodies.push([b"<a>".repeat(20_000), b"</a>".repeat(20_000)].concat());
    bodies.push(
        b"<!DOCTYPE a [<!ENTITY x \"xxxxxxxx\"><!ENTITY y \"&x;&x;&x;&x;\">]><a>&y;&y;&y;</a>".to_vec(),
    );
    for provider in PROVIDERS {
        let Some(numbers) = provider.numbers() else { continue };
        let credentials = credentials(*provider);
        let account = Account { credentials: &credentials, ..samples::account("{}") };
        let order = Order {
            number: numbers.abilities().exact.then(|| "+12125550001".parse().unwrap()),
            ..samples::order()
        };
        for body in &bodies {
            for status in [200, 400, 500] {
                let read = |exchange: Exchange<Held>| exchange.read(Reply::new(status, body.clone()));
                let bought = numbers.buy(&account, &order).map(read);
                assert!(!matches!(bought, Ok(Ok(Step::Done(_)))), "{} {status}", provider.name());
                drop(
                    numbers
                        .list(&account, None)
                        .map(|exchange| exchange.read(Reply::new(status, body.clone()))),
                );
            }
        }
    }
}

#[test]
fn what_reads_may_be_repeated_and_the_settings_of_all_apis_are_known() {
    for provider in PROVIDERS {
        let Some(numbers) = provider.numbers() else { continue };
        let credentials = credentials(*provider);
        let account = Account { credentials: &credentials, ..samples::account("{}") };
        let order = samples::order();
        let mut requests = vec![numbers.list(&account, None).unwrap().request];
        if numbers.abilities().sells {
            requests.push(numbers.bought(&account, &order).unwrap().request);
            requests.extend(numbers.search(&account, &order.wanted).map(|search| search.request));
        }
        for request in requests {
            assert_eq!(request.effect, Effect::Repeatable, "{request:?}");
            assert!(numbers.apis().contains(&request.api), "{request:?}");
            assert!(request.operation.starts_with(provider.name()), "{request:?}");
        }
        assert!(numbers.apis().iter().all(|api| api.base_setting.ends_with("_API_BASE")));
        assert!(numbers.requests_per_second() > 0, "{}", provider.name());
    }
}
