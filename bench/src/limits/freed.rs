//! A place that is freed at one router: how soon another gives it away.

use std::time::{Duration, Instant};

use super::fleet::{Fleet, ONE, call, end, is_taken};
use crate::load::client::Connection;

/// A place that isn't free within this is lost.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Frees the one place again and again: milliseconds until the next router gives it away.
pub fn run(fleet: &Fleet, tries: usize) -> Result<Vec<f64>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let salon = fleet.salon(Some(ONE))?;
        let mut connections = Vec::new();
        for router in &fleet.routers {
            connections.push(Connection::open(router.address).await?);
        }
        let count = fleet.routers.len();
        let mut asked = 0_u64;
        let mut waited = Vec::with_capacity(tries);
        let mut held: Option<String> = None;
        for index in 0..=tries {
            // The call ends at one router; the next one is asked for its place.
            let (ends_at, asks_at) = (&fleet.routers[index % count], (index + 1) % count);
            if let Some(sid) = &held {
                await_full(&mut connections[asks_at], &fleet.routers[asks_at], salon, &mut asked).await?;
                end(salon, ends_at.address, sid)?;
            }
            let freed = Instant::now();
            let taken = loop {
                asked += 1;
                let sid = format!("CA{:016x}{asked:016x}", u64::from(ONE));
                if is_taken(connections[asks_at].ask(&call(salon, &fleet.routers[asks_at], &sid)).await?) {
                    break sid;
                }
                if freed.elapsed() > GIVE_UP {
                    return Err(format!("a freed place wasn't free again within {GIVE_UP:?}"));
                }
            };
            if held.replace(taken).is_some() {
                waited.push(freed.elapsed().as_secs_f64() * 1e3);
            }
        }
        if let Some(sid) = held {
            end(salon, fleet.routers[0].address, &sid)?;
        }
        Ok(waited)
    })
}

/// Waits until the router knows that the place is taken.
async fn await_full(
    connection: &mut Connection,
    router: &crate::system::Router,
    salon: &crate::operator::Salon,
    asked: &mut u64,
) -> Result<(), String> {
    loop {
        *asked += 1;
        let sid = format!("CA{:016x}{asked:016x}", u64::from(ONE));
        if !is_taken(connection.ask(&call(salon, router, &sid)).await?) {
            return Ok(());
        }
        end(salon, router.address, &sid)?;
    }
}
