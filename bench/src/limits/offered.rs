//! Calls offered to all routers at a rate, whatever the answers take: how many are taken at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::fleet::{Fleet, call, end, is_taken};
use crate::load::client::Connection;
use crate::simulation::dice::Dice;

/// Callers of each router: enough that none waits for another's answer.
const CALLERS: u64 = 8;

/// What is offered.
pub struct Offer {
    /// Calls a second.
    pub rate: u64,
    /// For how long.
    pub duration: Duration,
    /// How long a call lasts at most.
    pub call: Duration,
}

/// What was taken.
pub struct Done {
    /// Calls offered.
    pub offered: u64,
    /// Calls taken.
    pub taken: u64,
    /// The most that were under way at a time.
    pub most: u64,
}

/// Counts calls from the answer that takes them until their end is told, which is no longer than routers count them.
#[derive(Default)]
struct Ledger {
    offered: AtomicU64,
    taken: AtomicU64,
    now: AtomicU64,
    most: AtomicU64,
    failed: AtomicBool,
}

/// Offers calls to the tenant with this limit.
pub fn run(fleet: &Fleet, limit: u16, offer: &Offer) -> Result<Done, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ledger = Arc::new(Ledger::default());
    runtime.map_err(|error| error.to_string())?.block_on(offer_all(fleet, limit, offer, &ledger))?;
    if ledger.failed.load(Ordering::Relaxed) {
        return Err("the end of a call wasn't taken".into());
    }
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    Ok(Done { offered: read(&ledger.offered), taken: read(&ledger.taken), most: read(&ledger.most) })
}

async fn offer_all(fleet: &Fleet, limit: u16, offer: &Offer, ledger: &Arc<Ledger>) -> Result<(), String> {
    let salon = fleet.salon(Some(limit))?;
    let addresses: Arc<[_]> = fleet.routers.iter().map(|router| router.address).collect();
    let callers = CALLERS * fleet.routers.len() as u64;
    let (ends, started) = (Arc::new(tokio::sync::Mutex::new(JoinSet::new())), Instant::now());
    let mut calling = Vec::new();
    for (place, router) in fleet.routers.iter().cycle().take(callers as usize).enumerate() {
        let (ends, addresses) = (Arc::clone(&ends), Arc::clone(&addresses));
        calling.push(async move {
            let mut connection = Connection::open(router.address).await?;
            let mut due = tokio::time::interval(Duration::from_secs_f64(callers as f64 / offer.rate as f64));
            due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
            let mut dice = Dice::new(place as u64 + 1);
            // Not all at once.
            tokio::time::sleep(due.period().mul_f64(place as f64 / callers as f64)).await;
            for count in 0_u64.. {
                due.tick().await;
                if started.elapsed() >= offer.duration {
                    break;
                }
                let sid = format!("CA{limit:04x}{place:012x}{count:016x}");
                ledger.offered.fetch_add(1, Ordering::Relaxed);
                if !is_taken(connection.ask(&call(salon, router, &sid)).await?) {
                    continue;
                }
                ledger.taken.fetch_add(1, Ordering::Relaxed);
                let now = ledger.now.fetch_add(1, Ordering::Relaxed) + 1;
                ledger.most.fetch_max(now, Ordering::Relaxed);
                let lasts = offer.call.mul_f64(dice.of(0..1_000) as f64 / 1_000.0);
                let at = addresses[dice.place(addresses.len())];
                let (ledger, salon) = (Arc::clone(ledger), salon.clone());
                ends.lock().await.spawn(async move {
                    tokio::time::sleep(lasts).await;
                    ledger.now.fetch_sub(1, Ordering::Relaxed);
                    let told = tokio::task::spawn_blocking(move || end(&salon, at, &sid)).await;
                    if !matches!(told, Ok(Ok(()))) {
                        ledger.failed.store(true, Ordering::Relaxed);
                    }
                });
            }
            Ok::<_, String>(())
        });
    }
    futures_util::future::try_join_all(calling).await?;
    let mut ends = ends.lock().await;
    while ends.join_next().await.is_some() {}
    Ok(())
}
