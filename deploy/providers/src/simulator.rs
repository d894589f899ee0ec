//! The simulator: the world behind a lock, and what faults and calls need besides.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{Api, Refusal, Route};
use crate::draw::Draw;
use crate::faults::{Fault, Faults, Plan};
use crate::http_client;
use crate::reply::Reply;
use crate::request::Request;
use crate::settings::Settings;
use crate::stock::Stock;
use crate::turn::Turn;
use crate::world::{Context, Terms, World};

/// Why the simulator doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting can't be read.
    #[error("--{0} {1}")]
    Setting(&'static str, String),
    /// The state file can't be read.
    #[error("{0}: {1}")]
    State(String, String),
    /// The client for webhooks can't be made.
    #[error("client: {0}")]
    Client(String),
    /// The address can't be bound.
    #[error("listen on {0}: {1}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
}

/// All providers.
pub struct Simulator {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    requests: AtomicU64,
    pub(crate) http: reqwest::Client,
    pub(crate) seed: u64,
    settings: Settings,
}

/// What was asked of which API.
pub(crate) struct Asked {
    pub api: &'static Api,
    pub route: &'static Route,
    pub params: Vec<(&'static str, String)>,
    pub request: Request,
}

impl Simulator {
    /// A simulator as the settings say, with the state that the file keeps.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(settings: Settings) -> Result<Self, StartError> {
        let plan = Plan::parse(&settings.faults).map_err(|error| StartError::Setting("faults", error))?;
        let stock = Stock::parse(&settings.stock).map_err(|error| StartError::Setting("stock", error))?;
        let seed = settings.seed.unwrap_or_else(seed_of_now);
        let settle = Duration::from_millis(settings.settle_ms);
        let mut world = settings
            .state
            .as_deref()
            .map(read)
            .transpose()?
            .flatten()
            .unwrap_or_else(|| World { draw: Draw::new(seed), ..World::default() });
        world.terms = Terms { strict: settings.strict, settle, stock };
        Ok(Self {
            world: Mutex::new(world),
            faults: Mutex::new(Faults::new(seed, plan)),
            requests: AtomicU64::new(0),
            http: http_client::client().map_err(StartError::Client)?,
            seed,
            settings,
        })
    }

    /// What a request's fault is; drawn once for each request.
    pub(crate) fn fault(&self, asked: &Asked) -> Option<Fault> {
        self.faults().draw(asked.route)
    }

    /// Does what was asked.
    pub(crate) fn perform(&self, asked: &Asked, fault: Option<Fault>) -> Reply {
        let mut world = self.world();
        world.turn.request = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        world.turn.fault = fault.map(Fault::name);
        let mut turn = Turn {
            world: &mut world,
            request: &asked.request,
            provider: asked.api.provider,
            account: String::new(),
            params: asked.params.clone(),
        };
        let outcome = (asked.api.admit)(&mut turn).and_then(|account| {
            turn.account = account;
            (asked.route.handle)(&mut turn)
        });
        self.keep(&mut world);
        outcome.unwrap_or_else(|refused| refused)
    }

    /// Says no without doing anything.
    pub(crate) fn refuse(asked: &Asked, refusal: Refusal) -> Reply {
        (asked.api.refuse)(&refusal, &asked.request)
    }

    /// The world, at this moment.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.turn = Context { now: Timestamp::now(), request: 0, fault: None };
        world
    }

    /// What goes wrong.
    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long slow answers take.
    pub(crate) fn slow(&self) -> Duration {
        Duration::from_millis(self.settings.slow_ms)
    }

    /// How long what lands late takes.
    pub(crate) fn late(&self) -> Duration {
        Duration::from_millis(self.settings.late_ms)
    }

    /// Writes the state file when the world changed: beside it, then in its place, so that it is never half written.
    pub(crate) fn keep(&self, world: &mut World) {
        let changed = std::mem::take(&mut world.changed);
        let Some(path) = self.settings.state.as_deref().filter(|_| changed) else { return };
        if let Err(error) = write(path, world) {
            eprintln!("dialplane-providers: {}: {error}", path.display());
        }
    }
}

fn write(path: &Path, world: &World) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    serde_json::to_writer(&mut file, world)?;
    file.flush()?;
    std::fs::rename(&beside, path)
}

/// The world that a file keeps; none when there is no file yet.
fn read(path: &Path) -> Result<Option<World>, StartError> {
    let failed = |error: String| StartError::State(path.display().to_string(), error);
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Another one at each start, small enough to be typed.
fn seed_of_now() -> u64 {
    u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs()) % 1_000_000
}
