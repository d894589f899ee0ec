//! From commit to answer: how long a change over REST takes to show in a router's answers, under load.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::load::client::Connection;
use crate::operator::{Operator, Salon};
use crate::stats::{median, percentile};
use crate::system::{Admin, Database, Redis, Router};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Changes, one after the other.
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// Webhooks a second that the router answers meanwhile.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
}

const CONNECTIONS: u64 = 16;

/// A change that doesn't show within this is a failure.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Measures and prints.
///
/// # Errors
/// When a request fails, or a change never shows.
pub fn run(options: &Options) -> Result<(), String> {
    let (redis, database) = (Redis::start(), Database::create());
    let admin = Admin::start(&database, &redis);
    let router = Router::start(&[("REDIS_URL", &redis.url())]);
    let operator = Operator::new(admin.address);
    let salon = Salon::create(&operator, 1);
    let background = Background::start(router.address, request(&salon, router.address), options.rate);
    let (mut since_answer, mut since_request) = (Vec::new(), Vec::new());
    for index in 0..options.changes {
        let say = format!("Change {index}.");
        let routing = json!({"rules": [{"then": {"action": "message", "say": say}}]});
        let requested = Instant::now();
        let watching = watch(router.address, request(&salon, router.address), say);
        let _ = operator.ok("PUT", &format!("{}/routing", salon.phone_path()), &routing);
        let answered = Instant::now();
        let shown = watching.join().map_err(|_| "the watching thread panicked")??;
        since_answer.push(shown.saturating_duration_since(answered).as_secs_f64() * 1e3);
        since_request.push(shown.duration_since(requested).as_secs_f64() * 1e3);
    }
    let (answered, failed, seconds) = background.stop();
    let lines = format!(
        "{} changes over REST, router under {:.0} webhooks/s meanwhile ({answered} answered, {failed} failed)\n\
         | from                  | median   | 99th     | max      |\n\
         | the REST answer (2xx) | {:5.2} ms | {:5.2} ms | {:5.2} ms |\n\
         | the REST request      | {:5.2} ms | {:5.2} ms | {:5.2} ms |\n\
         (wanted: 5 ms at the median, 25 ms at the 99th percentile, none failed)",
        options.changes,
        answered as f64 / seconds,
        median(&since_answer),
        percentile(&since_answer, 0.99),
        percentile(&since_answer, 1.0),
        median(&since_request),
        percentile(&since_request, 0.99),
        percentile(&since_request, 1.0),
    );
    let _ = writeln!(std::io::stdout(), "{lines}");
    if failed > 0 { Err(format!("{failed} requests failed")) } else { Ok(()) }
}

/// A signed call as bytes for the wire.
fn request(salon: &Salon, router: SocketAddr) -> Vec<u8> {
    salon.webhook(&format!("http://{router}"), "voice", &salon.call("CA8d2f4b6a0c1e3d5f7a9b8c7d6e5f4a3b"))
}

/// Asks the router again and again until the answer says `wanted`: when that was.
fn watch(
    router: SocketAddr,
    request: Vec<u8>,
    wanted: String,
) -> std::thread::JoinHandle<Result<Instant, String>> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(async {
            let mut connection = Connection::open(router).await?;
            let deadline = Instant::now() + GIVE_UP;
            while Instant::now() < deadline {
                if connection.ask(&request).await?.contains(&wanted) {
                    return Ok(Instant::now());
                }
            }
            Err(format!("{wanted:?} did not show within {GIVE_UP:?}"))
        })
    })
}

/// Calls at a fixed rate, whatever the answers take.
struct Background {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
    started: Instant,
}

impl Background {
    fn start(router: SocketAddr, request: Vec<u8>, rate: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (answered, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counters = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&failed));
        let thread = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(async {
                let mut callers = JoinSet::new();
                for _ in 0..CONNECTIONS {
                    callers.spawn(call(router, request.clone(), rate, counters.clone()));
                }
                while callers.join_next().await.is_some() {}
            });
        });
        Self { stop, answered, failed, thread, started: Instant::now() }
    }

    fn stop(self) -> (u64, u64, f64) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        let seconds = self.started.elapsed().as_secs_f64();
        (self.answered.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed), seconds)
    }
}

type Counters = (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>);

async fn call(router: SocketAddr, request: Vec<u8>, rate: u64, (stop, answered, failed): Counters) {
    let mut due = tokio::time::interval(Duration::from_secs_f64(CONNECTIONS as f64 / rate as f64));
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        due.tick().await;
        if connection.is_none() {
            connection = Connection::open(router).await.ok();
        }
        let asked = match &mut connection {
            Some(connection) => connection.ask(&request).await.map(|_| ()),
            None => Err("connect".into()),
        };
        if asked.is_ok() {
            answered.fetch_add(1, Ordering::Relaxed);
        } else {
            failed.fetch_add(1, Ordering::Relaxed);
            connection = None;
        }
    }
}
