//! The requests of the providers' own SDKs, signed again for the router's paths: right ones are answered, wrong ones
//! refused.
//!
//! [`scheme`] finds out how each request was signed, and so how the bad ones went bad.

mod every_byte;
pub mod fixture;
mod scheme;
mod strangers;
pub mod trial;
mod ways;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use dialplane_bench::http::{self, Response};
use dialplane_bench::operator::Operator;
use dialplane_common::provider::PROVIDERS;
use fixture::Vector;
use scheme::Place;
use serde_json::{Value, json};
use trial::{AGENT, TRIALS, Trial};

use crate::installation::{self, Installation};

#[test]
fn no_provider_and_no_request_is_left_out() {
    let tried: Vec<_> = TRIALS.iter().map(|trial| trial.provider).collect();
    let known: Vec<_> = PROVIDERS.iter().map(|provider| provider.name()).collect();
    assert_eq!(tried, known);
    for trial in TRIALS {
        let vectors = fixture::read(trial.provider);
        let valid = vectors.iter().filter(|vector| vector.valid).count();
        assert_eq!((valid, vectors.len() - valid), trial.counts, "{}", trial.provider);
    }
}

#[test]
fn each_signature_is_explained_by_what_it_was_made_of() {
    for trial in TRIALS {
        let vectors = fixture::read(trial.provider);
        assert_eq!(trial.scheme.unexplained(&vectors), trial.unexplained, "{}", trial.provider);
        for (index, vector) in vectors.iter().enumerate() {
            // At its own place and time a request is signed again as it stands.
            let (origin, path) = place_of(&vector.url);
            let place = Place { origin, path, now_s: vector.now.unwrap_or_default() };
            let again = trial.scheme.resigned(&vectors, index, &place);
            let same = (again.url == vector.url, again.headers == vector.headers, again.body == vector.body);
            let unknown = trial.unexplained.contains(&&*vector.name);
            assert_eq!(same, (true, !unknown, true), "{} {}", trial.provider, vector.name);
        }
    }
}

/// Origin and path of a URL.
fn place_of(url: &str) -> (&str, &str) {
    let host = url.find("://").expect("an absolute URL") + 3;
    let path = host + url[host..].find('/').expect("a path");
    (&url[..path], url[path..].split('?').next().unwrap_or_default())
}

/// A tenant whose agent takes the calls to the numbers of a provider's requests.
pub struct Stage {
    pub system: Installation,
    pub tenant: Tenant,
}

/// A tenant with numbers that are bound to none of its accounts yet.
pub struct Tenant {
    operator: Operator,
    pub id: String,
    pub phones: Vec<String>,
    /// Its accounts by their providers, and their credentials.
    accounts: RefCell<BTreeMap<String, (String, Value)>>,
}

impl Tenant {
    pub fn create(operator: &Operator, agent: &Value, numbers: &BTreeSet<String>) -> Self {
        let id =
            operator.create("/tenants", &json!({"name": "Sparkle Nails", "timezone": "America/New_York"}));
        let agent = operator.create(&format!("/tenants/{id}/agents"), agent);
        let path = format!("/tenants/{id}/phone-numbers");
        let create = |number: &String| {
            operator.create(&path, &json!({"source": "manual", "phone_number": number, "agent_id": agent}))
        };
        let phones = numbers.iter().map(create).collect();
        Self { operator: operator.clone(), id, phones, accounts: RefCell::default() }
    }

    /// Its account at a provider, with these credentials instead of those that it had; all numbers are bound to it.
    pub fn account(&self, provider: &str, credentials: &Value) -> String {
        let accounts = format!("/tenants/{}/accounts", self.id);
        let known = self.accounts.borrow().get(provider).cloned();
        let account = match known {
            Some((account, old)) => {
                let change = json!({"credentials": instead_of(&old, credentials)});
                installation::apply(&self.operator, "PATCH", &format!("{accounts}/{account}"), &change);
                account
            }
            None => {
                let new = json!({"provider": provider, "label": provider, "credentials": credentials});
                let account = self.operator.create(&accounts, &new);
                for phone in &self.phones {
                    let path = format!("/tenants/{}/phone-numbers/{phone}", self.id);
                    installation::apply(&self.operator, "PATCH", &path, &json!({"account_id": account}));
                }
                account
            }
        };
        self.accounts.borrow_mut().insert(provider.to_owned(), (account.clone(), credentials.clone()));
        account
    }
}

/// The change that makes old credentials new ones: what isn't among them is taken away.
fn instead_of(old: &Value, new: &Value) -> Value {
    let mut change = new.clone();
    for name in old.as_object().into_iter().flatten().map(|(name, _)| name) {
        if change[name].is_null() {
            change[name] = Value::Null;
        }
    }
    change
}

impl Stage {
    pub fn start(trial: &Trial, vectors: &[Vector]) -> Self {
        // Nothing that a router would say to a provider's API leaves this machine.
        let apis = PROVIDERS.iter().filter_map(|provider| provider.api());
        let settings: Vec<_> = apis.map(|api| (api.base_setting, "http://127.0.0.1:9")).collect();
        let system = Installation::start_with(&settings);
        let tenant = Tenant::create(&system.operator, &trial.agent(AGENT), &numbers(vectors));
        Self { system, tenant }
    }

    /// Signs a request again for this path of the router, and sends it.
    pub fn send(&self, trial: &Trial, vectors: &[Vector], index: usize, path: &str) -> Response {
        self.send_changed(trial, vectors, index, path, |_| {})
    }

    /// The same, changed before it is signed.
    pub fn send_changed(
        &self,
        trial: &Trial,
        vectors: &[Vector],
        index: usize,
        path: &str,
        change: impl Fn(&mut Vector),
    ) -> Response {
        let router = self.system.router.address;
        let origin = format!("http://{router}");
        // Ages are exact to the second, so that none may begin meanwhile.
        loop {
            let now_s = now_s();
            let place = Place { origin: &origin, path, now_s };
            let vector = trial.scheme.changed(vectors, index, &place, &change);
            let target = vector.url.strip_prefix("https:").or(vector.url.strip_prefix("http:"));
            let target =
                target.and_then(|rest| rest.strip_prefix(&origin[5..])).expect("a URL of the router");
            let headers: Vec<_> = vector.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            let answer = http::request(router, &vector.method, target, &headers, vector.body.as_bytes());
            if now_s == self::now_s() {
                return answer.expect("the router answers");
            }
        }
    }
}

fn now_s() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_1970.as_secs()).expect("a time that can be counted")
}

/// The numbers that are called.
fn numbers(vectors: &[Vector]) -> BTreeSet<String> {
    vectors.iter().filter_map(|vector| vector.to_e164.clone()).collect()
}

/// Signs all requests of a provider again and compares the answers with what is expected.
fn check(trial: &Trial) {
    let vectors = fixture::read(trial.provider);
    let stage = Stage::start(trial, &vectors);
    let mut counts = (0, 0);
    let mut asked_without_account = false;
    let mut order: Vec<usize> = (0..vectors.len()).collect();
    // Requests with the same secrets one after the other: the account has one set of them at a time.
    order.sort_by_key(|index| (trial.credentials)(&vectors[*index]).to_string());
    let mut account = (Value::Null, String::new());
    for index in order {
        let (vector, credentials) = (&vectors[index], (trial.credentials)(&vectors[index]));
        if account.0 != credentials {
            let id = stage.tenant.account(trial.provider, &credentials);
            account = (credentials, id);
        }
        let path = format!("/webhooks/{}/{}", trial.provider, (trial.kind)(vector));
        let answer = stage.send(trial, &vectors, index, &format!("{path}/{}", account.1));
        if !vector.valid {
            assert_eq!(answer.status, 403, "{} {}: {answer:?}", trial.provider, vector.name);
            counts.1 += 1;
            continue;
        }
        check_right(trial, vector, &answer);
        counts.0 += 1;
        // Of some requests only the called number tells whose they are.
        if vector.to_e164.is_some() && !asked_without_account {
            check_right(trial, vector, &stage.send(trial, &vectors, index, &path));
            asked_without_account = true;
        }
    }
    assert!(asked_without_account, "{}", trial.provider);
    assert_eq!(counts, trial.counts, "{}", trial.provider);
}

fn check_right(trial: &Trial, vector: &Vector, answer: &Response) {
    let name = format!("{} {}: {answer:?}", trial.provider, vector.name);
    let (status, part) = (trial.answer)(vector);
    let outcome = trial.outcomes.iter().find(|(name, _)| *name == vector.name).map(|(_, outcome)| *outcome);
    assert_eq!((answer.status, answer.header("dialplane-outcome")), (status, outcome), "{name}");
    assert!(outcome.is_some() || answer.body.contains(part), "{name}");
}

#[test]
fn bandwidth() {
    check(&trial::BANDWIDTH);
}

#[test]
fn bland() {
    check(&trial::BLAND);
}

#[test]
fn elevenlabs() {
    check(&trial::ELEVENLABS);
}

#[test]
fn jambonz() {
    check(&trial::JAMBONZ);
}

#[test]
fn livekit() {
    check(&trial::LIVEKIT);
}

#[test]
fn plivo() {
    check(&trial::PLIVO);
}

#[test]
fn retell() {
    check(&trial::RETELL);
}

#[test]
fn signalwire() {
    check(&trial::SIGNALWIRE);
}

#[test]
fn telnyx() {
    check(&trial::TELNYX);
}

#[test]
fn twilio() {
    check(&trial::TWILIO);
}

#[test]
fn vapi() {
    check(&trial::VAPI);
}

#[test]
fn vonage() {
    check(&trial::VONAGE);
}
