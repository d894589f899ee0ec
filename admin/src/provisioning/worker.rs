//! Takes jobs on: any admin process may, several at once.
//!
//! Whoever works on a job holds a lease, which it renews while a step takes time. A process that dies lets the lease run
//! out, and another goes on where the last commit left the job. One that lost its lease finds out when it commits, and
//! commits nothing.

use std::time::Duration;

use dialplane_common::rest::Fault;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Provisioner;
use super::performed::Performed;
use super::workflow::{Course, Outcome, Stage};
use crate::store::jobs::{self, Job};
use crate::store::{Origin, Scope, StoreError, purchases};

/// Steps wait for providers most of the time.
const WORKERS: usize = 8;
/// How often to look without being woken: for what is due, and for other processes' jobs.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const ORIGIN: Origin = Origin::system("provisioning");

impl Provisioner {
    /// Works until told to stop; the steps under way then are finished first.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(self.clone().work(stop.clone()));
        }
        while workers.join_next().await.is_some() {}
    }

    async fn work(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.take_on(&stop).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "couldn't look for provisioning jobs; trying again"),
            }
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Whether there was a job to take on.
    async fn take_on(&self, stop: &watch::Receiver<bool>) -> Result<bool, StoreError> {
        let lease = Uuid::now_v7();
        let mut tx = self.store.write(Scope::Operator, &ORIGIN).await?;
        let claimed = jobs::claim(tx.conn(), lease, self.settings.lease).await?;
        tx.commit().await?;
        let Some(job) = claimed else { return Ok(false) };
        let (id, stage) = (job.id, job.stage.clone());
        tokio::select! {
            worked = self.go_on(job, lease, stop) => {
                if let Err(error) = worked {
                    // Its lease runs out, and somebody tries again.
                    tracing::warn!(job = %id, stage, %error, "a provisioning job doesn't go on");
                }
            }
            () = self.keep(id, lease) => {}
        }
        Ok(true)
    }

    /// Keeps the lease; resolves when it is lost.
    async fn keep(&self, id: Uuid, lease: Uuid) {
        loop {
            tokio::time::sleep(self.settings.lease / 4).await;
            match self.renew(id, lease).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::debug!(%error, "couldn't renew a lease; trying again"),
            }
        }
    }

    async fn renew(&self, id: Uuid, lease: Uuid) -> Result<bool, StoreError> {
        let mut tx = self.store.write(Scope::Operator, &ORIGIN).await?;
        let renewed = jobs::renew(tx.conn(), id, lease, self.settings.lease).await?;
        tx.commit().await?;
        Ok(renewed)
    }

    /// Performs a job's steps until it rests.
    async fn go_on(&self, mut job: Job, lease: Uuid, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
        loop {
            let performed = match self.perform(&mut job, lease).await {
                Ok(Some(performed)) => performed,
                Ok(None) => return Ok(()),
                // Postgres comes back; what isn't here any more, or can't be opened, doesn't.
                Err(error @ (StoreError::Unavailable(_) | StoreError::Database(_))) => return Err(error),
                Err(error) => {
                    let reason = format!(
                        "what the job needs isn't here ({error}): put it right, then retry or cancel"
                    );
                    let fault = match job.progress.stage {
                        // It may have been sent.
                        Stage::Buy => Fault::unclear(reason),
                        _ => Fault::stop("missing_here", reason),
                    };
                    self.step(&job, Outcome::Fault(fault)).await?
                }
            };
            let Performed { mut tx, outcome, note } = performed;
            let is_canceled = jobs::is_canceled(tx.conn(), job.id).await?;
            let mut next = job.progress.advance(&outcome, is_canceled);
            if job.progress.stage == Stage::Buy && next.progress.stage == Stage::Look {
                next.rest = self.settings.settle;
            }
            if let (Stage::Look, Outcome::Absent, None, Some(lost)) =
                (job.progress.stage, &outcome, next.progress.purchase, job.progress.purchase)
            {
                purchases::settle(tx.conn(), lost, "lost", None).await?;
            }
            if next.progress.stage != Stage::Buy {
                purchases::withdraw(tx.conn(), job.id).await?;
            }
            if !jobs::advance(tx.conn(), &job, lease, &next, &note).await? {
                return Ok(());
            }
            tx.commit().await?;
            self.wake.notify_one();
            self.metrics.provisioning_step(job.progress.stage.name(), note.outcome);
            let rests = next.progress.rests() || !next.rest.is_zero();
            tracing::info!(
                job = %job.id,
                stage = job.progress.stage.name(),
                outcome = note.outcome,
                then = next.progress.stage.name(),
                state = next.progress.state.name(),
                "a provisioning step"
            );
            job.progress.0 = next.progress;
            if rests {
                return Ok(());
            }
            if *stop.borrow() {
                return self.let_go(job.id, lease).await;
            }
        }
    }

    /// Leaves a job to whoever comes next.
    async fn let_go(&self, id: Uuid, lease: Uuid) -> Result<(), StoreError> {
        let mut tx = self.store.write(Scope::Operator, &ORIGIN).await?;
        jobs::renew(tx.conn(), id, lease, Duration::ZERO).await?;
        tx.commit().await
    }

    /// Performs the stage that a job is in. `None`: the lease was lost meanwhile.
    async fn perform(&self, job: &mut Job, lease: Uuid) -> Result<Option<Performed>, StoreError> {
        let performed = match job.progress.stage {
            Stage::MakeAgent => self.make_agent(job).await?,
            Stage::Choose => self.choose(job).await?,
            Stage::Buy => return self.buy(job, lease).await,
            Stage::Look => self.look(job).await?,
            Stage::Wait => match job.progress.course {
                Course::Import => self.take_over(job).await?,
                Course::PortIn if job.request.account_id.is_some() => self.take_over(job).await?,
                Course::PortIn => self.await_porting(job).await?,
                _ => self.wait_for_number(job).await?,
            },
            Stage::Link => self.link(job).await?,
            Stage::Configure => self.configure(job).await?,
            Stage::Activate => self.activate(job).await?,
            Stage::Unlink => self.unlink(job).await?,
            Stage::PutBack => self.put_back(job).await?,
            Stage::GiveBack => self.give_back(job).await?,
            Stage::UnmakeAgent => self.unmake_agent(job).await?,
            Stage::UpdateAgent => self.update_agent(job).await?,
            Stage::MakeAccount => self.make_account(job).await?,
            Stage::End => self.step(job, Outcome::Done).await?,
        };
        Ok(Some(performed))
    }

    /// A step that changes nothing here.
    pub(super) async fn step(&self, job: &Job, outcome: Outcome) -> Result<Performed, StoreError> {
        Ok(Performed::new(self.begin(job).await?, outcome))
    }

    /// A transaction of a job's.
    pub(super) async fn begin(&self, job: &Job) -> Result<crate::store::WriteTx, StoreError> {
        self.store.write(Scope::Operator, &job.origin()).await
    }
}
