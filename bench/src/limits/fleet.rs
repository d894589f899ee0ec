//! Several routers with one Redis, and tenants with limits.

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::Record;
use dialplane_router::snapshot::file;

use crate::operator::Salon;
use crate::snapshot_file::Builder;
use crate::system::{FEED_KEY, Redis, Router, TempDir, wait_for};
use crate::workload::{ACCOUNT, account_record, location};

/// The limits that are overshot.
pub const LIMITS: [u16; 2] = [10, 50];
/// The tenant with one place, and the one whose limit is never reached.
pub const ONE: u16 = 1;
/// As above.
pub const AMPLE: u16 = 1_000;

const TOKEN: &str = "a-token-for-measurements";

/// Several routers with one Redis. Fields end in the order in which they stand here.
pub struct Fleet {
    /// The routers.
    pub routers: Vec<Router>,
    salons: Vec<(Option<u16>, Salon)>,
    redis: Redis,
    _dir: TempDir,
}

impl Fleet {
    /// Starts so many, which serve one tenant for each limit and one without.
    pub fn start(routers: usize) -> Result<Self, String> {
        let (dir, redis) = (TempDir::new(), Redis::start());
        let keys = Keyring::feed(FEED_KEY).map_err(|error| error.to_string())?;
        let account_sid = format!("AC{:032x}", 1);
        let mut builder = Builder::new(&keys);
        builder.add(&account_record(ACCOUNT, &account_sid, TOKEN, &keys))?;
        let mut salons = Vec::new();
        let limits = LIMITS.into_iter().chain([ONE, AMPLE]).map(Some).chain([None]);
        for (index, limit) in limits.enumerate() {
            // Ten numbers of a tenant follow each other: one of each.
            let place = location(index as u64 * 10).ok_or("no such number")?;
            let Record::Tenant(id, mut tenant) = place.tenant_record() else {
                return Err("no tenant".into());
            };
            tenant.calls_max = limit;
            builder.add(&Record::Tenant(id, tenant))?;
            builder.add(&place.agent_record())?;
            builder.add(&place.number_record(ACCOUNT))?;
            let salon = Salon {
                tenant: id.to_string(),
                account: ACCOUNT.to_string(),
                account_sid: account_sid.clone(),
                auth_token: TOKEN.into(),
                agent: String::new(),
                phone: String::new(),
                number: place.number.to_string(),
            };
            salons.push((limit, salon));
        }
        let path = dir.path("snapshot");
        file::write(&path, &builder.finish()?, &keys, || {}).map_err(|error| error.to_string())?;
        let routers = (0..routers).map(|index| {
            // Each keeps its own file: one has one writer.
            let own = dir.path(&format!("snapshot-{index}"));
            std::fs::copy(&path, &own).map_err(|error| error.to_string())?;
            let (own, url) = (own.display().to_string(), redis.url());
            let settings = [("ROUTER_SNAPSHOT_FILE", &*own), ("REDIS_URL", &*url), ("ROUTER_WORKERS", "1")];
            Ok(Router::start(&settings))
        });
        let routers = routers.collect::<Result<Vec<_>, String>>()?;
        let fleet = Self { routers, salons, redis, _dir: dir };
        wait_for("the routers to listen to each other", || fleet.hears());
        Ok(fleet)
    }

    /// The tenant with this limit.
    pub fn salon(&self, limit: Option<u16>) -> Result<&Salon, String> {
        let found = self.salons.iter().find(|(known, _)| *known == limit);
        found.map(|(_, salon)| salon).ok_or_else(|| format!("no tenant has the limit {limit:?}"))
    }

    /// Whether all routers listen to the others.
    fn hears(&self) -> bool {
        let listening = || -> redis::RedisResult<usize> {
            let mut connection = self.redis.connection();
            let counts: (String, usize) =
                redis::cmd("PUBSUB").arg("NUMSUB").arg("dialplane:live:changes").query(&mut connection)?;
            Ok(counts.1)
        };
        listening().is_ok_and(|count| count == self.routers.len())
    }
}

/// A signed call as bytes for the wire.
pub fn call(salon: &Salon, router: &Router, call_sid: &str) -> Vec<u8> {
    salon.webhook(&format!("http://{}", router.address), "voice", &salon.call(call_sid))
}

/// Tells a router that a call is over.
///
/// # Errors
/// When it doesn't take it.
pub fn end(salon: &Salon, router: std::net::SocketAddr, call_sid: &str) -> Result<(), String> {
    let mut parameters = salon.call(call_sid);
    parameters.retain(|(name, _)| *name != "CallStatus");
    parameters.push(("CallStatus", "completed"));
    let answer = salon.post(router, &salon.webhook_path("status"), &parameters);
    match answer.map_err(|error| format!("end a call: {error}"))?.status {
        200 | 204 => Ok(()),
        status => Err(format!("end a call: status {status}")),
    }
}

/// Whether an answer takes the call: its agent speaks.
pub fn is_taken(document: &str) -> bool {
    document.contains("<Stream ")
}
