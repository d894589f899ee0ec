//! Requests that are signed right, but by another account or for another provider.

use dialplane_bench::http;
use dialplane_bench::signing::telnyx;
use dialplane_common::provider::PROVIDERS;

use super::fixture::{self, Vector};
use super::trial::{AGENT, BANDWIDTH, TRIALS, Trial};
use super::{Stage, Tenant, numbers};

/// What the agent of the other tenant is known by.
const OTHERS: &str = "others-desk-7";

#[test]
fn an_account_never_gets_the_answer_of_another_tenants_number() {
    for trial in TRIALS {
        let vectors = fixture::read(trial.provider);
        let stage = Stage::start(trial, &[]);
        let owner = Tenant::create(&stage.system.operator, &trial.agent(OTHERS), &numbers(&vectors));
        // The same names at the provider, but other secrets.
        let others = owner.account(trial.provider, &(trial.credentials)(&with_other_secrets(&vectors[0])));
        let private = [&[OTHERS.to_owned(), owner.id.clone(), others.clone()][..], &owner.phones].concat();
        for (index, vector) in vectors.iter().enumerate().filter(|(_, vector)| vector.valid) {
            let account = stage.tenant.account(trial.provider, &(trial.credentials)(vector));
            let path = format!("/webhooks/{}/{}", trial.provider, (trial.kind)(vector));
            for path in [&path, &format!("{path}/{account}"), &format!("{path}/{others}")] {
                let answer = stage.send(trial, &vectors, index, path);
                let name = format!("{} {} to {path}: {answer:?}", trial.provider, vector.name);
                assert!(matches!(answer.status, 200..=499), "{name}");
                assert!(!private.iter().any(|text| answer.body.contains(text)), "{name}");
                let refused = answer.header("dialplane-outcome").is_some();
                assert!(refused || vector.to_e164.is_none(), "{name}");
                assert!(answer.status == 403 || !path.contains(&others), "{name}");
            }
        }
    }
}

fn with_other_secrets(vector: &Vector) -> Vector {
    let mut vector = vector.clone();
    for secret in &mut vector.secrets {
        secret.seed = [9; 32];
        secret.value = match &*secret.r#type {
            "ed25519_public_key" => telnyx::public_key(&secret.seed),
            _ => format!("another-{}", secret.r#type),
        };
        secret.password = "another-password".into();
    }
    vector
}

#[test]
fn requests_of_one_provider_are_refused_at_anothers_paths() {
    let stage = Stage::start(&BANDWIDTH, &[]);
    let all: Vec<(&Trial, Vec<Vector>)> =
        TRIALS.iter().map(|trial| (*trial, fixture::read(trial.provider))).collect();
    let mut sent = 0;
    for (trial, vectors) in &all {
        let provider = PROVIDERS.iter().find(|provider| provider.name() == trial.provider);
        let of_own = |kind: &str| {
            let of_kind = vectors.iter().position(|vector| vector.valid && (trial.kind)(vector) == kind);
            of_kind.or_else(|| vectors.iter().position(|vector| vector.valid)).expect("a right request")
        };
        for kind in provider.expect("a provider").kinds() {
            let own = of_own(kind.name);
            let account = stage.tenant.account(trial.provider, &(trial.credentials)(&vectors[own]));
            let path = format!("/webhooks/{}/{}/{account}", trial.provider, kind.name);
            let foreign = all.iter().filter(|(other, _)| other.provider != trial.provider);
            for (other, vector) in
                foreign.flat_map(|(other, vectors)| vectors.iter().map(move |v| (other, v)))
            {
                let name = format!("{} {} to {path}", other.provider, vector.name);
                let answer = as_it_stands(&stage, vector, &path);
                assert!(matches!(answer.status, 400..=499), "{name}: {answer:?}");
                let signed = stage.send_changed(trial, vectors, own, &path, |own| say_the_same(own, vector));
                let refused = matches!(signed.status, 400..=499);
                let nobodys = signed.header("dialplane-outcome") == Some("unknown_number");
                assert!(refused || (signed.status < 300 && nobodys), "{name}, signed: {signed:?}");
                assert!(!signed.body.contains(AGENT), "{name}, signed: {signed:?}");
                sent += 1;
            }
        }
    }
    assert!(sent > 0);
}

/// Sends a request with its own headers to another path.
fn as_it_stands(stage: &Stage, vector: &Vector, path: &str) -> http::Response {
    let query = vector.url.find('?').map_or("", |at| &vector.url[at..]);
    let headers: Vec<_> = vector.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let (router, target) = (stage.system.router.address, format!("{path}{query}"));
    http::request(router, &vector.method, &target, &headers, vector.body.as_bytes()).expect("an answer")
}

/// Says what another request says; what proves it stays.
fn say_the_same(own: &mut Vector, other: &Vector) {
    own.headers.retain(|name, _| !name.eq_ignore_ascii_case("content-type"));
    if let Some(content_type) = other.header("Content-Type") {
        own.headers.insert("Content-Type".into(), content_type.into());
    }
    let at = own.url.find('?').unwrap_or(own.url.len());
    own.url.truncate(at);
    own.url.push_str(other.url.find('?').map_or("", |at| &other.url[at..]));
    own.method.clone_from(&other.method);
    own.body.clone_from(&other.body);
}
