//! Carriers that tell routers of calls: signed webhooks on connections that are kept, each to any of the routers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::course::{Course, Mishaps, Word};
use crate::calls::PUBLIC_URL;
use crate::load::client::Connection;
use crate::operator::Salon;
use crate::simulation::dice::Dice;

/// The calls that are made.
pub struct Calls {
    /// How many.
    pub count: u64,
    /// What chance is drawn from.
    pub seed: u64,
    /// Whom they are for.
    pub salons: Vec<Salon>,
    /// What goes wrong on the way.
    pub mishaps: Mishaps,
}

impl Calls {
    /// One of them.
    #[must_use]
    pub fn course(&self, index: u64) -> Course {
        Course::of(index, self.seed, self.salons.len(), &self.mishaps)
    }

    /// Tells the routers of all calls, on so many connections. How many webhooks were answered.
    ///
    /// # Errors
    /// When a router doesn't answer one, or with another status than 200 or 204.
    pub fn make(self: &Arc<Self>, routers: &[SocketAddr], connections: usize) -> Result<u64, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(async {
            let next = Arc::new(AtomicU64::new(0));
            let mut carriers = JoinSet::new();
            for index in 0..connections {
                let (calls, next, routers) = (Arc::clone(self), Arc::clone(&next), routers.to_vec());
                carriers.spawn(async move { calls.carry(&next, &routers, index).await });
            }
            let mut told = 0;
            while let Some(done) = carriers.join_next().await {
                told += done.map_err(|error| error.to_string())??;
            }
            Ok(told)
        })
    }

    async fn carry(&self, next: &AtomicU64, routers: &[SocketAddr], own: usize) -> Result<u64, String> {
        let mut dice = Dice::new(self.seed.wrapping_add(own as u64).wrapping_mul(31));
        let mut connections = Vec::new();
        for router in routers {
            connections.push(Connection::open(*router).await?);
        }
        let mut told = 0;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= self.count {
                return Ok(told);
            }
            let course = self.course(index);
            for word in &course.told {
                let at = dice.place(connections.len());
                let request = self.request(&course, *word);
                let answered = tokio::time::timeout(ANSWER_TIMEOUT, connections[at].ask(&request)).await;
                answered.map_err(|_| format!("no answer within {ANSWER_TIMEOUT:?}"))??;
                told += 1;
            }
        }
    }

    /// A webhook as bytes for the wire.
    fn request(&self, course: &Course, word: Word) -> Vec<u8> {
        let salon = &self.salons[course.salon];
        let duration = course.duration_s.to_string();
        let status = match word {
            Word::Offered | Word::Ringing => "ringing",
            Word::Answered => "in-progress",
            Word::Over => course.end,
        };
        let mut parameters = vec![
            ("AccountSid", &*salon.account_sid),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", &*course.sid),
            ("CallStatus", status),
            ("Direction", "inbound"),
            ("From", &*course.from),
            ("To", &*salon.number),
        ];
        if word == Word::Over {
            parameters.push(("CallDuration", &duration));
        }
        let kind = if word == Word::Offered { "voice" } else { "status" };
        salon.webhook(PUBLIC_URL, kind, &parameters)
    }
}

/// A router answers from memory: this is far beyond what any disturbance of others may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
