//! One benchmark for each step of a call and of a change, named as the step's module.
//!
//! `cargo bench -p dialplane-bench --bench steps`, and a name to run only some. Lookups go to random numbers among a
//! million, so that caches are as cold as they are in use.

#![expect(clippy::unwrap_used, reason = "a benchmark whose workload is wrong can only stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dialplane_bench::signing::twilio;
use dialplane_bench::snapshot_file::{Source, build};
use dialplane_bench::workload;
use dialplane_common::call::Caller;
use dialplane_common::feed::frame::{Frame, Payload, RawKey};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::Delta;
use dialplane_common::feed::record::{AgentTarget, Record};
use dialplane_common::feed::{Digest, FEED_VERSION};
use dialplane_common::provider::event::Event;
use dialplane_common::provider::form::Form;
use dialplane_common::provider::provider;
use dialplane_common::provider::public_url::PublicUrl;
use dialplane_common::provider::reply::{Action, Reply};
use dialplane_common::provider::request::WebhookRequest;
use dialplane_common::route::{Date, Facts, Holiday, Hours, Interval, Weekly, decide, open_at};
use dialplane_common::time::UnixMillis;
use dialplane_router::outbound::Outbound;
use dialplane_router::snapshot::Snapshot;
use dialplane_router::webhook::{Origins, Peer, Reaction, Received, Webhooks, endpoint};
use http::{HeaderMap, Method};
use jiff::tz::TimeZone;

const NUMBERS: u64 = 1_000_000;
const SID: &str = "AC5f0c2f1e8d7b4a6c9e3d2b1a0f9e8d7c";
const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const BASE: &str = "https://calls.example.com";
const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

fn keys() -> Keyring {
    Keyring::feed("a-feed-key-for-measuring").unwrap()
}

/// A signed call, ready to be answered.
struct Call {
    headers: HeaderMap,
    body: String,
    to: String,
}

fn target() -> String {
    format!("/webhooks/twilio/voice/{}", workload::ACCOUNT)
}

fn calls() -> Vec<Call> {
    let mut random = 7_u64;
    let call = |index: u64| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let to = workload::number((random >> 20) % NUMBERS).unwrap().to_string();
        let call_sid = format!("CA{index:032x}");
        let parameters = workload::voice_parameters(SID, &call_sid, &to);
        let signature = twilio::signature(TOKEN, &format!("{BASE}{}", target()), &parameters);
        let mut headers = HeaderMap::new();
        headers.insert("host", "calls.example.com".parse().unwrap());
        headers.insert("content-type", "application/x-www-form-urlencoded; charset=UTF-8".parse().unwrap());
        headers.insert("x-twilio-signature", signature.parse().unwrap());
        Call { headers, body: workload::form(&parameters), to }
    };
    (0..50_000).map(call).collect()
}

fn webhooks(snapshot: Snapshot) -> Webhooks {
    let origins = Origins { public_urls: vec![BASE.parse().unwrap()], trusted_proxies: vec![] };
    let webhooks =
        Webhooks::new(Arc::new(keys()), origins, Duration::from_secs(5), Outbound::default()).unwrap();
    webhooks.store.store(snapshot);
    webhooks
}

/// Steps of a call: form, verify, parse, lookup, decide, render; and `answer`, which is all of them.
fn call(c: &mut Criterion) {
    let snapshot = build(&Source::Count(NUMBERS), SID, TOKEN, &keys()).unwrap();
    let webhooks = webhooks(snapshot);
    let snapshot = webhooks.store.load_full().unwrap();
    let (calls, target) = (calls(), target());
    let mut calls = calls.iter().cycle();
    let one = calls.next().unwrap();
    let public_urls: [PublicUrl; 1] = [BASE.parse().unwrap()];
    let request = || {
        WebhookRequest::new(&Method::POST, &target, &one.headers, one.body.as_bytes(), &public_urls).unwrap()
    };
    let twilio = provider("twilio").unwrap();
    let voice = endpoint(&target).unwrap();
    let account = snapshot.account(workload::ACCOUNT).unwrap();

    c.bench_function("form", |b| b.iter(|| Form::parse(black_box(one.body.as_bytes()))));
    let read = request();
    c.bench_function("verify", |b| {
        b.iter(|| account.verifier.verify(voice.kind, black_box(&read), NOW).unwrap())
    });
    c.bench_function("parse", |b| b.iter(|| twilio.event(voice.kind, black_box(&read)).unwrap()));
    c.bench_function("lookup", |b| {
        b.iter_batched(
            || calls.next().unwrap().to.parse().unwrap(),
            |number| {
                let number = snapshot.number(number).unwrap();
                let (_, tenant) = number.tenant().unwrap();
                let agent = number.agent().unwrap();
                black_box((tenant.suspended, &agent.target));
            },
            BatchSize::SmallInput,
        );
    });
    let number = snapshot.number(one.to.parse().unwrap()).unwrap();
    let owner @ (_, tenant) = number.tenant().unwrap();
    let subject = snapshot.subject(Some(number), tenant);
    let facts = Facts { caller: Caller::Withheld, call_id: "CA1", now: NOW.seconds(), live: &() };
    c.bench_function("decide", |b| b.iter(|| decide(black_box(&subject), &facts).chain.len()));
    let agent = number.agent().unwrap();
    let Ok(Event::Call(call)) = twilio.event(voice.kind, &read) else { panic!("not a call") };
    let AgentTarget::Stream { url } = &agent.target else { panic!("not a stream") };
    let location =
        snapshot.location(one.to.parse().ok(), (Some(number), None), owner, Some(agent), NOW.seconds());
    c.bench_function("render", |b| {
        b.iter(|| {
            twilio.render(black_box(&Reply {
                call: &call,
                location: &location,
                action: Action::Stream(url),
                after: None,
                fallback: None,
            }))
        });
    });
    c.bench_function("answer", |b| {
        b.iter_batched(
            || calls.next().unwrap(),
            |call| {
                let received = Received {
                    method: &Method::POST,
                    authority: None,
                    target: &target,
                    headers: &call.headers,
                    body: call.body.as_bytes(),
                    peer: Peer { address: [127, 0, 0, 1].into(), tls: false },
                };
                match webhooks.react(&snapshot, &voice, &received, NOW) {
                    Reaction::Now(answer) => answer.into_response(),
                    Reaction::Later(work) => panic!("{work:?}"),
                }
            },
            BatchSize::SmallInput,
        );
    });
    change(c, &webhooks, &snapshot);
}

/// Steps of a change on the same million numbers: the codec, applying one delta, serving the result.
fn change(c: &mut Criterion, webhooks: &Webhooks, snapshot: &Snapshot) {
    let location = workload::location(NUMBERS / 2).unwrap();
    let record = location.number_record(workload::ACCOUNT);
    let (key, bytes) = (record.key().to_bytes(), record.encode());
    let key = RawKey { kind: record.key().kind() as u8, key: &key };
    let mut frames = Vec::new();
    Frame { key, payload: Some(Payload { version: FEED_VERSION, bytes: &bytes }) }.write(&mut frames);
    let serving = snapshot.serving();
    let delta = Delta {
        epoch: serving.epoch,
        revision: serving.revision.next(),
        digest: Digest::default(),
        committed_us: 0,
        frames: &frames,
    };
    let signed = delta.sign(&webhooks.keys);
    c.bench_function("codec/encode", |b| b.iter(|| black_box(&record).encode()));
    c.bench_function("codec/decode", |b| {
        b.iter(|| -> Option<Record> {
            let frame =
                Frame { key, payload: Some(Payload { version: FEED_VERSION, bytes: black_box(&bytes) }) };
            frame.record().unwrap()
        });
    });
    c.bench_function("message/verify", |b| {
        b.iter(|| Delta::verify(black_box(&signed), &webhooks.keys).unwrap().revision)
    });
    c.bench_function("apply", |b| b.iter(|| snapshot.apply(black_box(&delta), &webhooks.keys).unwrap().1));
    c.bench_function("store", |b| {
        b.iter_batched(|| snapshot.clone(), |next| webhooks.store.store(next), BatchSize::SmallInput);
    });
}

/// Whether a location with a usual week is open.
fn hours(c: &mut Criterion) {
    let day = || vec![Interval::new(9 * 60, 12 * 60).unwrap(), Interval::new(13 * 60, 18 * 60).unwrap()];
    let hours = Hours {
        weekly: Some(Weekly::from(std::array::from_fn(|_| day()))),
        holidays: Some(vec![Holiday { date: Date { year: 2026, month: 12, day: 25 }, intervals: vec![] }]),
        forced: None,
    };
    let zone = TimeZone::get("America/New_York").unwrap();
    c.bench_function("hours", |b| {
        b.iter(|| open_at(black_box(&[Some(&hours), None, None]), &zone, NOW.seconds()))
    });
}

criterion_group! {
    name = steps;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = call, hours
}
criterion_main!(steps);
