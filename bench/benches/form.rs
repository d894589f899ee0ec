//! What a signed form costs, beside what hashing it costs alone: the floor.
//!
//! `cargo bench -p dialplane-bench --bench form`. A voice webhook of Twilio with 25 parameters, as it is sent; then the
//! same with its parameters in another order, and with a name that isn't ASCII, which the fast way doesn't take.

#![expect(clippy::unwrap_used, reason = "a benchmark whose workload is wrong can only stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dialplane_bench::signing::twilio;
use dialplane_bench::workload;
use dialplane_common::provider::credentials::Credential;
use dialplane_common::provider::form::Form;
use dialplane_common::provider::provider;
use dialplane_common::provider::public_url::PublicUrl;
use dialplane_common::provider::request::WebhookRequest;
use dialplane_common::time::UnixMillis;
use http::{HeaderMap, Method};
use sha1::block_api::compress;

const SID: &str = "AC5f0c2f1e8d7b4a6c9e3d2b1a0f9e8d7c";
const CALL: &str = "CA8d2f4b6a0c1e3d5f7a9b8c7d6e5f4a3b";
const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const BASE: &str = "https://calls.example.com";
const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

fn form(c: &mut Criterion) {
    let parameters = workload::voice_parameters(SID, CALL, "+14155550123");
    let usual = workload::form(&parameters);
    let mut reversed = parameters;
    reversed.reverse();
    let reversed = workload::form(&reversed);
    let accented = usual.replace("OAKLAND", "%C3%85LAND");
    for (name, body) in [("usual", &usual), ("reversed", &reversed), ("accented", &accented)] {
        c.bench_function(&format!("form/read/{name}"), |b| {
            b.iter(|| Form::parse(black_box(body.as_bytes())).unwrap());
        });
    }

    let target = format!("/webhooks/twilio/voice/{}", workload::ACCOUNT);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/x-www-form-urlencoded; charset=UTF-8".parse().unwrap());
    let signature = twilio::signature(TOKEN, &format!("{BASE}{target}"), &parameters);
    headers.insert("x-twilio-signature", signature.parse().unwrap());
    let public_urls: [PublicUrl; 1] = [BASE.parse().unwrap()];
    let twilio = provider("twilio").unwrap();
    let keys = twilio.verifier(&[Credential::new("auth_token", TOKEN)]);
    let voice = twilio.kinds().iter().find(|kind| kind.name == "voice").unwrap();
    for (name, body) in [("usual", &usual), ("reversed", &reversed)] {
        let read =
            WebhookRequest::new(&Method::POST, &target, &headers, body.as_bytes(), &public_urls).unwrap();
        c.bench_function(&format!("form/fields/{name}"), |b| {
            b.iter(|| twilio.event(voice, black_box(&read)).unwrap());
        });
        c.bench_function(&format!("form/verify/{name}"), |b| {
            b.iter(|| keys.verify(voice, black_box(&read), NOW).unwrap());
        });
    }

    // The URL, the text and nine bytes of padding; then the block that closes the code.
    let text = Form::parse(usual.as_bytes()).unwrap().sorted_text().len();
    let blocks = vec![[7; 64]; (BASE.len() + target.len() + text + 9).div_ceil(64)];
    c.bench_function("form/floor", |b| {
        b.iter(|| {
            let mut state = [1; 5];
            compress(&mut state, black_box(&blocks));
            compress(&mut state, black_box(&blocks[..1]));
            state
        });
    });
}

criterion_group!(benches, form);
criterion_main!(benches);
