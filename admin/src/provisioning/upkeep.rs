//! Jobs that the platform makes by itself: one gives a number back, one points it at us anew, one tells its provider who
//! answers it now, one tells an agent's provider of a change, one fills the pool. Every process looks whether any is wanted; that each is made once is
//! Postgres's doing.

use std::time::Duration;

use dialplane_common::ids::{AgentId, PhoneNumberId, TenantId};
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use uuid::Uuid;

use super::Provisioner;
use super::request::{JobRequest, Wish};
use super::workflow::{Course, Progress};
use crate::business::provisioning::Strategy;
use crate::store::holdings::Unlinked;
use crate::store::hosted_agents::Outdated;
use crate::store::jobs::{self, NewJob};
use crate::store::{Origin, Scope, StoreError, holdings, hosted_agents, pool};

/// A look that finds nothing to do is five by indexes.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// So many numbers at once get a job that gives them back: a transaction of some milliseconds.
const GIVEN_BACK_AT_ONCE: i64 = 100;
/// So many numbers at once get a job that links them.
const LINKED_AT_ONCE: i64 = 100;
/// So many agents at once get a job that tells their providers of a change.
const UPDATED_AT_ONCE: i64 = 100;
/// So many jobs at once fill the pool, so that a mistake in a setting is noticed before all is spent.
const REFILLS_AT_ONCE: i64 = 20;
static QUARANTINE: Origin = Origin::system("quarantine");
static REFILL: Origin = Origin::system("refill");
static RELINK: Origin = Origin::system("relink");
static UPDATE: Origin = Origin::system("update");

impl Provisioner {
    /// Looks after numbers that rest and after the pool, until told to stop.
    pub async fn keep_up(self, mut stop: watch::Receiver<bool>) {
        self.say_how_many_point_elsewhere().await;
        while !*stop.borrow() {
            if let Err(error) = self.end_rests().await {
                tracing::warn!(%error, "couldn't release numbers that had rested; trying again later");
            }
            if let Err(error) = self.relink().await {
                tracing::warn!(%error, "couldn't look which numbers have another agent; trying again later");
            }
            if let Err(error) = self.update_agents().await {
                tracing::warn!(%error, "couldn't look which agents were changed; trying again later");
            }
            if let Err(error) = self.refill().await {
                tracing::warn!(%error, "couldn't look whether the pool is low; trying again later");
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Ends rests that are over, and has those numbers given back that are to be.
    async fn end_rests(&self) -> Result<(), StoreError> {
        let mut tx = self.store.write(Scope::Operator, &QUARANTINE).await?;
        let released = pool::end_rests(tx.conn()).await?;
        let returning = pool::to_give_back(tx.conn(), GIVEN_BACK_AT_ONCE).await?;
        for number in &returning {
            give_back(tx.conn(), *number).await?;
        }
        tx.commit().await?;
        if released > 0 {
            tracing::info!(released, "released numbers that had rested");
        }
        if !returning.is_empty() {
            tracing::info!(numbers = returning.len(), "giving numbers back");
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Has providers told of the agents that answer numbers now.
    async fn relink(&self) -> Result<(), StoreError> {
        let mut tx = self.store.write(Scope::Operator, &RELINK).await?;
        let numbers = holdings::to_link(tx.conn(), LINKED_AT_ONCE).await?;
        for unlinked in &numbers {
            link_anew(tx.conn(), unlinked).await?;
        }
        tx.commit().await?;
        if !numbers.is_empty() {
            tracing::info!(numbers = numbers.len(), "telling providers of numbers' other agents");
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Has providers told of agents that were changed.
    async fn update_agents(&self) -> Result<(), StoreError> {
        let mut tx = self.store.write(Scope::Operator, &UPDATE).await?;
        let agents = hosted_agents::changed(tx.conn(), UPDATED_AT_ONCE).await?;
        for agent in &agents {
            update(tx.conn(), agent, None, &UPDATE).await?;
        }
        tx.commit().await?;
        if !agents.is_empty() {
            tracing::info!(agents = agents.len(), "telling providers of changed agents");
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Makes as many jobs as the pool lacks numbers, those under way counted.
    async fn refill(&self) -> Result<(), StoreError> {
        let low_water = i64::from(self.settings.pool_low_water);
        if low_water == 0 {
            return Ok(());
        }
        let mut tx = self.store.write(Scope::Operator, &REFILL).await?;
        if !jobs::try_lock_refill(tx.conn()).await? {
            return Ok(());
        }
        let (available, open) =
            (pool::available(tx.conn()).await?, jobs::open_of_kind(tx.conn(), "refill").await?);
        let missing = missing(low_water, available, open);
        for _ in 0..missing {
            let wish = Wish { country: self.settings.country.clone(), ..Wish::default() };
            let strategies = vec![Strategy::PlatformAccount];
            let request = JobRequest { wish, strategies, ..JobRequest::default() };
            let progress = Progress::begin(Course::Refill, false);
            jobs::insert(tx.conn(), &platforms("refill", &request, &progress, None, None, &REFILL)).await?;
        }
        tx.commit().await?;
        if missing > 0 {
            tracing::info!(missing, available, low_water, "the pool is low: buying numbers");
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Once at a start: numbers that were pointed at another URL don't come by themselves.
    async fn say_how_many_point_elsewhere(&self) {
        let Some(url) = self.settings.public_urls.first() else { return };
        match self.pointed_elsewhere(url).await {
            Ok(0) => {}
            Ok(numbers) => tracing::warn!(
                numbers,
                public_url = url,
                "numbers are pointed elsewhere at their providers: POST /api/v2/provisioning/configure points them here"
            ),
            Err(error) => tracing::debug!(%error, "couldn't count the numbers that are pointed elsewhere"),
        }
    }

    async fn pointed_elsewhere(&self, url: &str) -> Result<i64, StoreError> {
        let mut tx = self.store.read(Scope::Operator).await?;
        holdings::pointed_elsewhere(tx.conn(), url).await
    }
}

/// How many jobs are to be made now.
fn missing(low_water: i64, available: i64, open: i64) -> i64 {
    (low_water - available - open).clamp(0, REFILLS_AT_ONCE)
}

/// Writes the job that gives a locked number back, unless there is one.
async fn give_back(conn: &mut PgConnection, number: PhoneNumberId) -> Result<(), StoreError> {
    let (request, progress) = (JobRequest::default(), Progress::begin(Course::Release, false));
    let new = platforms("release", &request, &progress, Some(number), None, &QUARANTINE);
    jobs::insert_release(conn, &new).await.map(drop)
}

/// Writes the job that tells a locked number's provider who answers it, if anybody does.
async fn link_anew(conn: &mut PgConnection, unlinked: &Unlinked) -> Result<(), StoreError> {
    holdings::link_is_seen_to(&mut *conn, PhoneNumberId(unlinked.phone_number_id)).await?;
    let (Some(tenant), Some(agent)) = (unlinked.tenant_id, unlinked.agent_id) else { return Ok(()) };
    let (request, progress) = (JobRequest::default(), Progress::begin(Course::Relink, false));
    let new = NewJob {
        tenant: Some(TenantId(tenant)),
        kind: "relink",
        request: &request,
        progress: &progress,
        phone_number: Some(unlinked.phone_number_id),
        agent: Some(agent),
        batch: None,
        origin: &RELINK,
    };
    jobs::insert(conn, &new).await.map(drop)
}

/// Writes the job that tells a locked agent's provider how the agent is now.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn update(
    conn: &mut PgConnection,
    agent: &Outdated,
    batch: Option<Uuid>,
    origin: &Origin,
) -> Result<(), StoreError> {
    hosted_agents::change_is_seen_to(&mut *conn, AgentId(agent.id)).await?;
    let (request, progress) = (JobRequest::default(), Progress::begin(Course::Update, false));
    let new = NewJob {
        tenant: agent.tenant_id.map(TenantId),
        kind: "update",
        request: &request,
        progress: &progress,
        phone_number: None,
        agent: Some(agent.id),
        batch,
        origin,
    };
    jobs::insert(conn, &new).await.map(drop)
}

/// Writes a job that points a locked number at us, unless one is at work on the number that will; tells whether.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn point_at_us(
    conn: &mut PgConnection,
    number: PhoneNumberId,
    batch: Option<Uuid>,
    origin: &Origin,
) -> Result<bool, StoreError> {
    if jobs::is_about(&mut *conn, number.0).await? {
        return Ok(false);
    }
    let (request, progress) = (JobRequest::default(), Progress::begin(Course::Configure, false));
    jobs::insert(conn, &platforms("configure", &request, &progress, Some(number), batch, origin)).await?;
    Ok(true)
}

/// A job of the platform's, whoever has the number.
fn platforms<'a>(
    kind: &'a str,
    request: &'a JobRequest,
    progress: &'a Progress,
    number: Option<PhoneNumberId>,
    batch: Option<Uuid>,
    origin: &'a Origin,
) -> NewJob<'a> {
    NewJob {
        tenant: None,
        kind,
        request,
        progress,
        phone_number: number.map(|number| number.0),
        agent: None,
        batch,
        origin,
    }
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn the_pool_is_filled_by_what_is_missing_and_not_on_its_way() {
        let check = |low_water, available, open, expected| {
            assert_eq!(missing(low_water, available, open), expected, "{low_water} {available} {open}");
        };
        check(5, 0, 0, 5);
        check(5, 3, 0, 2);
        check(5, 3, 2, 0);
        check(5, 2, 2, 1);
        check(5, 9, 0, 0);
        check(5, 0, 9, 0);
        check(1_000, 0, 0, super::REFILLS_AT_ONCE);
    }
}
