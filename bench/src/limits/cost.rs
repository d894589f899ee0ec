//! What counting costs a call, by the router's own clock: with a limit, without one, and without one while others count.

use super::fleet::{AMPLE, Fleet, call};
use crate::http;
use crate::load::client::Connection;
use crate::operator::Salon;
use crate::stats::median;
use crate::system::Router;

/// Calls of one run, each with a name of its own.
const CALLS: u64 = 2_000;
/// Calls of a tenant with a limit that count meanwhile.
const BESIDE: u64 = 900;
const RUNS: usize = 5;

/// Microseconds an answer.
pub struct Cost {
    /// Without a limit, while nobody's calls count.
    pub unlimited_us: f64,
    /// Without a limit, while others' calls count.
    pub unlimited_beside_us: f64,
    /// With a limit that isn't reached, for a call that counts already.
    pub limited_us: f64,
    /// How many others' calls count.
    pub beside: u64,
}

/// Measures at the first router.
pub fn run(fleet: &Fleet) -> Result<Cost, String> {
    let (router, unlimited, ample) = (&fleet.routers[0], fleet.salon(None)?, fleet.salon(Some(AMPLE))?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let mut connection = Connection::open(router.address).await?;
        let mut runs = [Vec::new(), Vec::new(), Vec::new()];
        let _warm = answers(&mut connection, router, unlimited, CALLS).await?;
        for _ in 0..RUNS {
            runs[0].push(answers(&mut connection, router, unlimited, CALLS).await?);
        }
        let _begun = answers(&mut connection, router, ample, BESIDE).await?;
        for _ in 0..RUNS {
            runs[1].push(answers(&mut connection, router, unlimited, CALLS).await?);
            runs[2].push(answers(&mut connection, router, ample, BESIDE).await?);
        }
        let [unlimited_us, unlimited_beside_us, limited_us] = runs.map(|run| median(&run));
        Ok(Cost { unlimited_us, unlimited_beside_us, limited_us, beside: BESIDE })
    })
}

/// So many calls; microseconds that the router took for one of them.
async fn answers(
    connection: &mut Connection,
    router: &Router,
    salon: &Salon,
    calls: u64,
) -> Result<f64, String> {
    let before = taken_s(router)?;
    for index in 0..calls {
        let sid = format!("CAc0{index:030x}");
        connection.ask(&call(salon, router, &sid)).await?;
    }
    Ok((taken_s(router)? - before) * 1e6 / calls as f64)
}

/// Seconds that the router took for voice webhooks so far.
fn taken_s(router: &Router) -> Result<f64, String> {
    let text =
        http::request(router.ops, "GET", "/metrics", &[], b"").map_err(|error| error.to_string())?.body;
    let series = "dialplane_router_answer_duration_seconds_sum{kind=\"voice\",provider=\"twilio\"} ";
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.parse().ok());
    value.ok_or_else(|| "the router doesn't tell how long answers take".into())
}
