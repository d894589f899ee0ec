//! What routers tell of calls, as it lies in Redis: whatever breaks, what was taken in arrives, and once.

use std::collections::BTreeSet;
use std::path::Path;

use dialplane_bench::events::EventStream;
use dialplane_bench::operator::Salon;
use dialplane_bench::system::{Redis, Router, TempDir, wait_for};
use dialplane_common::calls::event::{Action, CallEvent, Decided, Refused, What};

use crate::alone::snapshot_file;
use crate::call::{ending, post};
use crate::ops;

/// A router with a snapshot file and a Redis, and no admin plane that would take events away.
struct Telling {
    router: Router,
    redis: Redis,
    stream: EventStream,
    salon: Salon,
    dir: TempDir,
}

/// An event without what it borrows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Told {
    call: String,
    what: String,
    tenant: Option<String>,
    number: Option<String>,
    addresses: [String; 2],
}

impl Told {
    fn of(event: &CallEvent<'_>) -> Self {
        Self {
            call: event.call_id.to_string(),
            what: format!("{:?}", event.what),
            tenant: event.tenant.map(|id| id.to_string()),
            number: event.number.map(|id| id.to_string()),
            addresses: [event.from.to_string(), event.to.to_string()],
        }
    }
}

impl Telling {
    fn start(settings: &[(&str, &str)]) -> Self {
        let (redis, dir) = (Redis::start(), TempDir::new());
        let salon = snapshot_file(&dir.path("snapshot").display().to_string());
        let router = router(&dir, &redis, settings);
        let stream = EventStream::of(&redis).expect("the stream is read");
        Self { router, redis, stream, salon, dir }
    }

    /// Calls the salon, each time with another id.
    fn ring(&self, calls: &[&str]) {
        for call in calls {
            let mut parameters = self.salon.call(call);
            parameters.sort_unstable();
            let answer =
                post(&self.salon, self.router.address, &self.salon.webhook_path("voice"), &parameters);
            assert_eq!(ending(&answer), (200, "answered"), "{answer:?}");
        }
    }

    /// Stores events until so many have come.
    fn stored(&mut self, count: usize) -> Vec<Told> {
        let mut told = Vec::new();
        wait_for("events", || {
            self.stream.store(|event| told.push(Told::of(&event))).expect("the stream is read");
            told.len() >= count
        });
        assert!(!self.stream.has_hole());
        told
    }

    fn metric(&self, series: &str) -> f64 {
        ops::metric(self.router.ops, &format!("router_{series}"))
    }

    /// Waits until a series has this value.
    fn await_metric(&self, series: &str, is_so: impl Fn(f64) -> bool) {
        wait_for(series, || is_so(self.metric(series)));
    }

    fn dropped(&self) -> f64 {
        let reasons = ["queue_full", "too_long", "memory_full", "file_full", "file_error", "stopped"];
        reasons
            .map(|reason| self.metric(&format!("call_events_dropped_total{{reason=\"{reason}\"}}")))
            .iter()
            .sum()
    }
}

fn router(dir: &TempDir, redis: &Redis, settings: &[(&str, &str)]) -> Router {
    let (file, url) = (dir.path("snapshot").display().to_string(), redis.url());
    let common = [("ROUTER_SNAPSHOT_FILE", &*file), ("REDIS_URL", &*url), ("ROUTER_WORKERS", "2")];
    Router::start(&common.into_iter().chain(settings.iter().copied()).collect::<Vec<_>>())
}

fn calls(told: &[Told]) -> BTreeSet<&str> {
    told.iter().map(|told| &*told.call).collect()
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

const MEMORY: &str = "call_event_bytes{place=\"memory\"}";
const FILE: &str = "call_event_bytes{place=\"file\"}";
const RESENT: &str = "call_event_batches_total{result=\"resent\"}";

#[test]
fn what_happens_to_a_call_is_told() {
    let mut telling = Telling::start(&[]);
    let (salon, address) = (telling.salon.clone(), telling.router.address);
    telling.ring(&["CA1"]);
    let send = |kind: &str, parameters: &[(&str, &str)]| {
        let account = [("AccountSid", &*salon.account_sid), ("From", "+15105550198")];
        let mut parameters: Vec<_> = account.iter().chain(parameters).copied().collect();
        parameters.sort_unstable();
        post(&salon, address, &salon.webhook_path(kind), &parameters)
    };
    let number = &*salon.number;
    send("status", &[("CallSid", "CA1"), ("CallStatus", "completed"), ("To", number)]);
    send("sms", &[("Body", "Hello"), ("MessageSid", "SM1"), ("To", number)]);
    let unknown = send("voice", &[("CallSid", "CA2"), ("CallStatus", "ringing"), ("To", "+12125559999")]);
    assert_eq!(ending(&unknown), (200, "unknown_number"));
    let stranger = Salon { auth_token: "not-the-token".into(), ..salon.clone() };
    let path = salon.webhook_path("voice");
    assert_eq!(post(&stranger, address, &path, &stranger.call("CA3")).status, 403);

    let mut told = telling.stored(4);
    told.sort_unstable();
    let agent = salon.agent.parse().ok();
    let decided = Decided { action: Action::Agent, agent, is_closed: false, is_over_limit: false };
    let event = |call: &str, what: String, is_known: bool, to: &str| Told {
        call: call.into(),
        what,
        tenant: is_known.then(|| salon.tenant.clone()),
        number: is_known.then(|| salon.phone.clone()),
        addresses: ["+15105550198".into(), to.into()],
    };
    let reported = told.iter().find(|told| told.what.starts_with("Reported")).map(|told| told.what.clone());
    let mut expected = [
        event("CA1", format!("{:?}", What::Offered(decided)), true, number),
        event("CA1", reported.expect("a report"), true, number),
        event("CA2", format!("{:?}", What::Refused(Refused::UnknownNumber)), false, "+12125559999"),
        event("SM1", format!("{:?}", What::Message), true, number),
    ];
    expected.sort_unstable();
    assert_eq!(told, expected);
    for (kind, count) in
        [("offered", 1.0), ("reported", 1.0), ("message", 1.0), ("refused", 1.0), ("continued", 0.0)]
    {
        assert_eq!(telling.metric(&format!("call_events_total{{kind=\"{kind}\"}}")), count, "{kind}");
    }
    telling.await_metric(MEMORY, |bytes| bytes == 0.0);
}

#[test]
fn who_doesnt_want_events_has_none() {
    let mut telling = Telling::start(&[("ROUTER_EVENTS", "off")]);
    telling.ring(&["CA1"]);
    telling.router.process.signal("TERM");
    assert_eq!(telling.router.process.wait().code(), Some(0));
    assert_eq!(telling.stream.len().expect("Redis answers"), 0);
}

#[test]
fn a_redis_that_is_killed_and_comes_back_empty_is_sent_everything_again() {
    let mut telling = Telling::start(&[]);
    telling.ring(&["CA1", "CA2"]);
    wait_for("the events to lie in Redis", || telling.stream.len().expect("Redis answers") > 0);
    telling.await_metric("call_event_batches_total{result=\"sent\"}", |sent| sent > 0.0);
    telling.redis.stop();
    telling.ring(&["CA3", "CA4"]);
    telling.await_metric("call_events_redis_errors_total", |errors| errors > 0.0);
    telling.redis.restart();
    telling.stream.reconnect(&telling.redis);
    let told = telling.stored(4);
    assert_eq!(calls(&told), BTreeSet::from(["CA1", "CA2", "CA3", "CA4"]));
    assert_eq!(told.len(), 4, "each once");
    assert!(telling.metric(RESENT) > 0.0);
    telling.ring(&["CA5"]);
    assert_eq!(calls(&telling.stored(1)), BTreeSet::from(["CA5"]));
    telling.await_metric(MEMORY, |bytes| bytes == 0.0);
    assert_eq!(telling.dropped(), 0.0);
}

#[test]
fn what_a_killed_router_left_in_its_file_the_next_one_sends() {
    let folder_of = TempDir::new();
    let folder = folder_of.path("events");
    let text = folder.display().to_string();
    let settings = [("ROUTER_EVENTS_FOLDER", &*text)];
    let mut telling = Telling::start(&settings);
    telling.redis.stop();
    telling.ring(&["CA1", "CA2", "CA3"]);
    telling.await_metric(FILE, |bytes| bytes > 0.0);
    telling.await_metric(MEMORY, |bytes| bytes == 0.0);
    telling.router.process.kill();
    telling.redis.restart();
    telling.stream.reconnect(&telling.redis);
    telling.router = router(&telling.dir, &telling.redis, &settings);
    telling.ring(&["CA4"]);
    let told = telling.stored(4);
    assert_eq!(calls(&told), BTreeSet::from(["CA1", "CA2", "CA3", "CA4"]));
    assert_eq!((told.len(), telling.stream.writers().count()), (4, 2), "each by its own writer");
    wait_for("the file to go", || files(&folder) == 0);
    telling.await_metric(FILE, |bytes| bytes == 0.0);
}

#[test]
fn a_router_that_is_told_to_end_leaves_nothing_in_memory() {
    let folder_of = TempDir::new();
    let folder = folder_of.path("events");
    let text = folder.display().to_string();
    let settings = [("ROUTER_EVENTS_FOLDER", &*text)];
    let mut telling = Telling::start(&settings);
    telling.ring(&["CA1"]);
    telling.router.process.signal("TERM");
    assert_eq!(telling.router.process.wait().code(), Some(0));
    assert_eq!(calls(&telling.stored(1)), BTreeSet::from(["CA1"]), "to Redis, which is there");
    assert_eq!(files(&folder), 0);

    telling.router = router(&telling.dir, &telling.redis, &settings);
    telling.redis.stop();
    telling.ring(&["CA2"]);
    telling.router.process.signal("TERM");
    assert_eq!(telling.router.process.wait().code(), Some(0));
    assert_eq!(files(&folder), 1, "to the file");
    telling.redis.restart();
    telling.stream.reconnect(&telling.redis);
    telling.router = router(&telling.dir, &telling.redis, &settings);
    assert_eq!(calls(&telling.stored(1)), BTreeSet::from(["CA2"]));
}

#[test]
fn a_router_without_redis_keeps_events_for_one_that_has_it() {
    let folder_of = TempDir::new();
    let text = folder_of.path("events").display().to_string();
    let settings = [("ROUTER_EVENTS_FOLDER", &*text)];
    let mut telling = Telling::start(&[("ROUTER_EVENTS", "off")]);
    let without = [settings[0], ("REDIS_URL", "")];
    telling.router = router(&telling.dir, &telling.redis, &without);
    telling.ring(&["CA1"]);
    telling.await_metric(FILE, |bytes| bytes > 0.0);
    telling.router.process.kill();
    telling.router = router(&telling.dir, &telling.redis, &settings);
    assert_eq!(calls(&telling.stored(1)), BTreeSet::from(["CA1"]));
}

#[test]
fn what_a_replaced_router_had_taken_in_the_one_in_its_place_sends() {
    let kept = TempDir::new();
    let [folder, socket] = ["events", "handover"].map(|name| kept.path(name).display().to_string());
    let both = [("ROUTER_EVENTS_FOLDER", &*folder), ("ROUTER_HANDOVER_SOCKET", &*socket)];
    let mut telling = Telling::start(&[("ROUTER_EVENTS", "off")]);
    let without = [both[0], both[1], ("REDIS_URL", "")];
    telling.router = router(&telling.dir, &telling.redis, &without);
    telling.ring(&["CA1", "CA2"]);
    let [address, ops] = [telling.router.address, telling.router.ops].map(|address| address.to_string());
    let instead = [both[0], both[1], ("ROUTER_LISTEN", &*address), ("ROUTER_OPS_LISTEN", &*ops)];
    let next = router(&telling.dir, &telling.redis, &instead);
    let mut old = std::mem::replace(&mut telling.router, next);
    assert_eq!(old.process.wait().code(), Some(0), "{}", old.process.log());
    telling.ring(&["CA3"]);
    assert_eq!(calls(&telling.stored(3)), BTreeSet::from(["CA1", "CA2", "CA3"]));
}

#[test]
fn a_folder_that_takes_nothing_costs_nothing_but_what_memory_doesnt_hold() {
    let blocked_in = TempDir::new();
    let blocked = blocked_in.path("file");
    std::fs::write(&blocked, b"").expect("a file where a folder is wanted");
    let blocked = blocked.join("below").display().to_string();
    let room = blocked_in.path("events").display().to_string();
    for settings in [
        [("ROUTER_EVENTS_FOLDER", &*blocked), ("ROUTER_EVENTS_FOLDER_BYTES_MAX", "1000000")],
        [("ROUTER_EVENTS_FOLDER", &*room), ("ROUTER_EVENTS_FOLDER_BYTES_MAX", "10")],
    ] {
        let mut telling = Telling::start(&settings);
        telling.redis.stop();
        telling.ring(&["CA1", "CA2"]);
        telling.await_metric("call_events_unstored_age_seconds", |age| age > 1.5);
        assert!(telling.metric(MEMORY) > 0.0 && telling.metric(FILE) == 0.0, "{settings:?}");
        telling.redis.restart();
        telling.stream.reconnect(&telling.redis);
        assert_eq!(calls(&telling.stored(2)), BTreeSet::from(["CA1", "CA2"]), "{settings:?}");
        assert_eq!(telling.dropped(), 0.0);
    }
}

#[test]
fn a_full_stream_is_left_alone_until_there_is_room() {
    let mut telling = Telling::start(&[("ROUTER_EVENTS_STREAM_MAX", "2")]);
    let sent = "call_event_batches_total{result=\"sent\"}";
    telling.ring(&["CA1"]);
    telling.await_metric(sent, |sent| sent == 1.0);
    telling.ring(&["CA2"]);
    telling.await_metric(sent, |sent| sent == 2.0);
    telling.ring(&["CA3", "CA4"]);
    telling.await_metric("call_events_stream_full", |full| full == 1.0);
    assert_eq!(telling.stream.len().expect("Redis answers"), 2);
    assert_eq!(calls(&telling.stored(4)), BTreeSet::from(["CA1", "CA2", "CA3", "CA4"]));
    telling.await_metric("call_events_stream_full", |full| full == 0.0);
    assert_eq!(telling.dropped(), 0.0);
}
