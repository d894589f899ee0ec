//! The steps of a call and of a change, each ready to be run: for criterion, which asks how long they take, and for
//! [`counts`](super), which asks what they allocate and execute.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dialplane_common::call::Caller;
use dialplane_common::calls::event::{Action as Told, CallEvent, Decided, What};
use dialplane_common::e164::E164;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::Delta;
use dialplane_common::feed::record::{AgentTarget, NumberRecord};
use dialplane_common::provider::event::Event;
use dialplane_common::provider::form::Form;
use dialplane_common::provider::provider;
use dialplane_common::provider::public_url::PublicUrl;
use dialplane_common::provider::reply::{Action, Reply};
use dialplane_common::provider::request::WebhookRequest;
use dialplane_common::route::{Date, Facts, Holiday, Hours, Interval, Weekly, decide, next_opening, open_at};
use dialplane_common::time::UnixMillis;
use dialplane_router::events::queue::{QUEUE_BYTES, Queue};
use dialplane_router::outbound::Outbound;
use dialplane_router::snapshot::Snapshot;
use dialplane_router::webhook::{Endpoint, Origins, Peer, Reaction, Received, Webhooks, endpoint};
use hyper::{HeaderMap, Method};
use jiff::tz::TimeZone;

use crate::calls::{self, Call, PUBLIC_URL};
use crate::feed::Feed;
use crate::population::Population;
use crate::system::FEED_KEY;
use crate::workload::ACCOUNT;

/// The writer comes by after so many events.
const EVENTS_TAKEN: u32 = 500;

/// When all calls come: 2026-11-18, a Wednesday.
const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

/// Whoever wants to know something of each step.
pub trait Measure {
    /// A step by its name; `run` does it once, each time for the next call.
    fn step(&mut self, name: &'static str, run: impl FnMut());
}

/// A router's insides with a population, and calls to it.
pub struct Fixture {
    /// What answers.
    pub webhooks: Webhooks,
    population: Population,
    calls: Vec<ReadyCall>,
    target: String,
    voice: Endpoint,
}

struct ReadyCall {
    headers: HeaderMap,
    body: String,
    to: E164,
}

impl Fixture {
    /// Serves the population, which has an agent's stream for each number, to so many different calls.
    ///
    /// # Errors
    /// When the workload or the router's set-up is wrong.
    pub fn new(population: Population, calls: u64) -> Result<Self, String> {
        let keys = Arc::new(Keyring::feed(FEED_KEY).map_err(|error| error.to_string())?);
        let snapshot = population.snapshot(&keys, true)?;
        Self::serving(snapshot, population, keys, calls)
    }

    /// The same with a snapshot of the population that is there already.
    ///
    /// # Errors
    /// As [`Fixture::new`].
    pub fn serving(
        snapshot: Snapshot,
        population: Population,
        keys: Arc<Keyring>,
        calls: u64,
    ) -> Result<Self, String> {
        let public_url = PUBLIC_URL.parse().map_err(|_| "the public URL is none")?;
        let origins = Origins { public_urls: vec![public_url], trusted_proxies: vec![] };
        let body_timeout = Duration::from_secs(5);
        let webhooks = Webhooks::new(keys, origins, body_timeout, Outbound::default())
            .map_err(|error| error.to_string())?;
        webhooks.store.store(snapshot);
        let target = calls::target();
        let voice = endpoint(&target).ok_or("the webhook's path is none")?;
        let calls =
            calls::calls(calls, population.numbers).map(|call| ready(&call)).collect::<Result<_, _>>()?;
        Ok(Self { webhooks, population, calls, target, voice })
    }

    /// Answers a call, wholly, from `snapshot`.
    ///
    /// # Panics
    /// When it isn't answered with 200: there is nothing to measure then.
    pub fn answer(&self, snapshot: &Snapshot, index: usize) {
        let call = &self.calls[index % self.calls.len()];
        let received = Received {
            method: &Method::POST,
            authority: None,
            target: &self.target,
            headers: (&call.headers).into(),
            body: call.body.as_bytes(),
            peer: Peer { address: IpAddr::from([127, 0, 0, 1]), tls: false },
        };
        let reaction = self.webhooks.react(snapshot, &self.voice, &received, NOW);
        let Reaction::Now(answer) = reaction else { unreachable!("a stream's call waits for nobody") };
        let response = black_box(answer.into_response());
        assert_eq!(response.status(), 200);
    }

    /// The same from what is served.
    ///
    /// # Panics
    /// As [`Fixture::answer`], and when nothing is served.
    pub fn answer_served(&self, index: usize) {
        let served = self.webhooks.store.load();
        let Some(snapshot) = &*served else { unreachable!("a fixture serves from its beginning") };
        self.answer(snapshot, index);
    }

    /// Hands over each step of a call, in their order, then `answer`, which is all of them.
    ///
    /// # Errors
    /// When the workload is wrong.
    pub fn call(&self, measure: &mut impl Measure) -> Result<(), String> {
        let snapshot = self.webhooks.store.load_full().ok_or("no snapshot")?;
        let one = self.calls.first().ok_or("no calls")?;
        let wrong = |what: &'static str| move || format!("the workload's call has no {what}");
        let public_urls: [PublicUrl; 1] = [PUBLIC_URL.parse().map_err(|_| wrong("URL")())?];
        let (target, body) = (&*self.target, one.body.as_bytes());
        let request = || WebhookRequest::new(&Method::POST, target, &one.headers, body, &public_urls);
        let request = request().map_err(|error| error.to_string())?;
        let twilio = provider("twilio").ok_or_else(wrong("provider"))?;
        let kind = self.voice.kind;
        let account = snapshot.account(ACCOUNT).ok_or_else(wrong("account"))?;

        measure.step("form", || drop(black_box(Form::parse(black_box(body)))));
        measure.step("verify", || {
            black_box(account.verifier.verify(kind, black_box(&request), NOW).is_ok());
        });
        measure.step("parse", || drop(black_box(twilio.event(kind, black_box(&request)))));
        let mut numbers = self.calls.iter().map(|call| call.to).cycle();
        measure.step("lookup", || {
            let found = numbers.next().and_then(|number| {
                let number = snapshot.number(number)?;
                let (_, tenant) = number.tenant()?;
                let agent = number.agent()?;
                Some((tenant.suspended, &agent.target))
            });
            assert!(black_box(found).is_some());
        });
        let number = snapshot.number(one.to).ok_or_else(wrong("number"))?;
        let owner @ (_, tenant) = number.tenant().ok_or_else(wrong("tenant"))?;
        let subject = snapshot.subject(Some(number), tenant);
        let facts = Facts { caller: Caller::Withheld, call_id: "CA1", now: NOW.seconds(), live: &() };
        measure.step("decide", || {
            black_box(decide(black_box(&subject), &facts).chain.len());
        });
        let agent = number.agent();
        let Some(AgentTarget::Stream { url }) = agent.map(|agent| &agent.target) else {
            return Err(wrong("stream")());
        };
        let Ok(Event::Call(call)) = twilio.event(kind, &request) else { return Err(wrong("caller")()) };
        let location = snapshot.location(Some(one.to), (Some(number), None), owner, agent, NOW.seconds());
        let reply = Reply {
            call: &call,
            location: &location,
            action: Action::Stream(url),
            after: None,
            fallback: None,
        };
        measure.step("render", || drop(black_box(twilio.render(black_box(&reply)))));
        let decided = Decided { action: Told::Agent, agent: None, is_closed: false, is_over_limit: false };
        let event = CallEvent {
            at_ms: NOW.0,
            provider: twilio.name().into(),
            account: ACCOUNT,
            tenant: Some(owner.0),
            number: Some(number.id()),
            call_id: (&*call.call_id).into(),
            carrier_call_id: None,
            to: (&*call.to).into(),
            from: (&*call.from).into(),
            what: What::Offered(decided),
        };
        let events = Queue::new(1, QUEUE_BYTES);
        let (mut spare, mut taken, mut offered) = (events.spare(), Vec::with_capacity(QUEUE_BYTES), 0_u32);
        measure.step("event", || {
            events.offer(black_box(&event));
            offered += 1;
            if offered % EVENTS_TAKEN == 0 {
                taken.clear();
                events.take(&mut spare, &mut taken);
            }
        });
        let mut indexes = 0..;
        measure.step("answer", || self.answer(&snapshot, indexes.next().unwrap_or_default()));
        Ok(())
    }

    /// Hands over each step of a change on the same population: the codec, the MAC, applying one delta, serving the result.
    ///
    /// # Errors
    /// When the workload is wrong.
    pub fn change(&self, measure: &mut impl Measure) -> Result<(), String> {
        let snapshot = self.webhooks.store.load_full().ok_or("no snapshot")?;
        let record = self.population.number_record(self.population.numbers / 2)?;
        let bytes = record.encode();
        measure.step("codec/encode", || drop(black_box(black_box(&record).encode())));
        measure.step("codec/decode", || {
            black_box(postcard::from_bytes::<NumberRecord>(black_box(&bytes)).is_ok());
        });
        let feed = Feed::behind(snapshot.serving(), Arc::clone(&self.webhooks.keys), self.population);
        let signed = feed.clone().rename(self.population.numbers / 2)?;
        let verify = || Delta::verify(black_box(signed.bytes()), &self.webhooks.keys);
        measure.step("message/verify", || {
            black_box(verify().is_ok());
        });
        let delta = verify().map_err(|error| error.to_string())?;
        let apply = || snapshot.apply(black_box(&delta), &self.webhooks.keys);
        if !apply().is_ok_and(|(_, agrees)| agrees) {
            return Err("the delta doesn't lead where it says".into());
        }
        measure.step("apply", || drop(black_box(apply())));
        measure.step("store", || self.webhooks.store.store(Snapshot::clone(&snapshot)));
        Ok(())
    }
}

/// Hands over what a location's usual week is asked: whether it is open, and when it opens again.
///
/// # Errors
/// When the workload is wrong.
pub fn hours(measure: &mut impl Measure) -> Result<(), String> {
    let day = || [(9 * 60, 12 * 60), (13 * 60, 18 * 60)].map(|(start, end)| Interval::new(start, end));
    let day = || day().into_iter().flatten().collect();
    let christmas = Holiday { date: Date { year: 2026, month: 12, day: 25 }, intervals: vec![] };
    let weekly = Weekly::from(std::array::from_fn(|_| day()));
    let hours = Hours { weekly: Some(weekly), holidays: Some(vec![christmas]), forced: None };
    let zone = TimeZone::get("America/New_York").map_err(|error| error.to_string())?;
    measure.step("hours", || {
        black_box(open_at(black_box(&[Some(&hours), None, None]), &zone, NOW.seconds()));
    });
    measure.step("next_opening", || {
        black_box(next_opening(black_box(&[Some(&hours), None, None]), &zone, NOW.seconds()));
    });
    Ok(())
}

fn ready(call: &Call) -> Result<ReadyCall, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "calls.example.com"),
        ("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),
        ("x-twilio-signature", &call.signature),
    ] {
        headers.insert(name, value.parse().map_err(|_| format!("{name} is no header"))?);
    }
    let to = call.to.parse().map_err(|_| format!("{} is no number", call.to))?;
    Ok(ReadyCall { headers, body: call.body.clone(), to })
}
