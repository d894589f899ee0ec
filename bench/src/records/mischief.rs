//! What befalls an installation meanwhile: admin planes are killed and started again, and so is Redis, which then holds
//! nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::simulation::dice::Dice;
use crate::system::{Admin, Database, Redis};

/// What may be killed.
#[derive(Debug)]
pub struct Victims {
    /// Redis.
    pub redis: Redis,
    /// Admin planes.
    pub admins: Vec<Admin>,
    /// What they keep everything in.
    pub database: Arc<Database>,
    /// What they are started with.
    pub settings: Vec<(&'static str, String)>,
}

/// How often something was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kills {
    /// Admin planes.
    pub admins: u32,
    /// Redis.
    pub redis: u32,
}

/// A thread that kills.
#[derive(Debug)]
pub struct Mischief {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Victims, Kills)>,
}

/// From one kill to the next.
const PAUSE_MS: std::ops::Range<u64> = 500..4_000;
/// One kill of so many is Redis's.
const REDIS_SHARE: f64 = 0.3;

impl Victims {
    /// Starts so many admin planes.
    #[must_use]
    pub fn start(admins: usize, settings: &[(&'static str, &str)]) -> Self {
        let settings: Vec<(&'static str, String)> =
            settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let (redis, database) = (Redis::start(), Arc::new(Database::create()));
        let mut victims = Self { redis, admins: Vec::new(), database, settings };
        victims.admins = (0..admins).map(|_| victims.admin()).collect();
        victims
    }

    fn admin(&self) -> Admin {
        let settings: Vec<(&str, &str)> =
            self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Admin::start_with(&self.database, &self.redis, &settings)
    }

    fn kill(&mut self, dice: &mut Dice, kills: &mut Kills) {
        if dice.chance(REDIS_SHARE) {
            self.redis.restart();
            kills.redis += 1;
        } else {
            let at = dice.place(self.admins.len());
            self.admins[at].process.kill();
            self.admins[at] = self.admin();
            kills.admins += 1;
        }
    }
}

impl Mischief {
    /// Begins to kill, at most so often.
    #[must_use]
    pub fn begin(mut victims: Victims, seed: u64, kills_max: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut dice, mut kills) = (Dice::new(seed), Kills::default());
            while !stopped.load(Ordering::Relaxed) && kills.admins + kills.redis < kills_max {
                std::thread::sleep(dice.ms(PAUSE_MS));
                victims.kill(&mut dice, &mut kills);
            }
            (victims, kills)
        });
        Self { stop, thread }
    }

    /// Ends it: what there was to kill is up again.
    ///
    /// # Errors
    /// When something didn't start again.
    pub fn end(self) -> Result<(Victims, Kills), String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "something that was killed didn't start again".to_owned())
    }
}
