//! Compares what each account holds with what is believed here, and mends what differs as the platform wants it.
//!
//! What a provider brings late, keeps twice or loses is found here and nowhere else. A run lists an account (`read`),
//! compares ([`compare`], pure) and acts (`act`); each action looks again at what it is about to change, so that a run
//! that is begun anew after a crash, and a second one, find done what is done.
//!
//! One process runs at a time, by a lease that its connection to Postgres holds: on a schedule, and whenever somebody asks.
//! A run that its process died over is begun anew by the next.

mod act;
pub mod compare;
pub mod finding;
pub mod policy;
mod read;
pub mod take_in;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use self::act::{Acted, Actor};
use self::finding::{Action, Came, Finding, Kind};
use super::Provisioner;
use super::account::OpenAccount;
use super::performed::said;
use crate::metrics::Metrics;
use crate::store::accounts::AccountRow;
use crate::store::reconciliations::{self, FindingRow, NewRun, Reconciliation, Standing};
use crate::store::{Origin, Scope, StoreError, books};

const ORIGIN: Origin = Origin::system("reconcile");
/// A look that finds nothing to do is one query by indexes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The very first run waits until accounts were entered, most likely.
const FIRST_AFTER: Duration = Duration::from_secs(300);
/// Runs are kept for so long.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Runs comparisons when they are due or asked for.
pub struct Reconciler {
    provisioner: Provisioner,
    metrics: Arc<Metrics>,
    began: Instant,
    /// The run whose findings the metrics show.
    shown: Option<Uuid>,
}

impl Reconciler {
    /// With what jobs work with.
    #[must_use]
    pub fn new(provisioner: Provisioner, metrics: Arc<Metrics>) -> Self {
        Self { provisioner, metrics, began: Instant::now(), shown: None }
    }

    /// Goes on until told to stop; an account that is being compared then is finished first.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut is_well = true;
        while !*stop.borrow() {
            let looked = self.look(&stop).await;
            // Once an outage, not once a look.
            if let (Err(error), true) = (&looked, is_well) {
                tracing::warn!(%error, "couldn't reconcile; trying again until it can be done");
            }
            is_well = looked.is_ok();
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn look(&mut self, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
        let standing = self.standing().await?;
        self.show(&standing).await?;
        if !standing.is_open && !self.is_due(&standing) {
            return Ok(());
        }
        let mut lease = reconciliations::connect(self.provisioner.store.pool()).await?;
        if !reconciliations::try_lock(&mut lease).await? {
            return Ok(());
        }
        // Somebody may have had the lease since.
        let standing = self.standing().await?;
        if !standing.is_open && self.is_due(&standing) {
            let new = NewRun { dry_run: false, account: None, origin: &ORIGIN };
            let mut tx = self.provisioner.store.write(Scope::Operator, &ORIGIN).await?;
            reconciliations::insert(tx.conn(), &new).await?;
            reconciliations::forget(tx.conn(), KEPT_FOR).await?;
            tx.commit().await?;
        }
        while !*stop.borrow() {
            let mut tx = self.provisioner.store.write(Scope::Operator, &ORIGIN).await?;
            let run = reconciliations::begin(tx.conn()).await?;
            tx.commit().await?;
            let Some(run) = run else { break };
            self.perform(&run, &mut lease, stop).await?;
        }
        let standing = self.standing().await?;
        self.show(&standing).await
    }

    async fn standing(&self) -> Result<Standing, StoreError> {
        let mut tx = self.provisioner.store.read(Scope::Operator).await?;
        reconciliations::standing(tx.conn()).await
    }

    fn is_due(&self, standing: &Standing) -> bool {
        let Some(every) = self.provisioner.settings.reconcile_every else { return false };
        match standing.since_last_s {
            Some(seconds) => seconds >= every.as_secs_f64(),
            None => self.began.elapsed() >= every.min(FIRST_AFTER),
        }
    }

    /// Has the metrics show the last run over all accounts, whichever process made it.
    async fn show(&mut self, standing: &Standing) -> Result<(), StoreError> {
        let Some((done, at)) = standing.done.zip(standing.done_at_s) else { return Ok(()) };
        if self.shown == Some(done) {
            return Ok(());
        }
        let mut tx = self.provisioner.store.read(Scope::Operator).await?;
        let counts = reconciliations::counts(tx.conn(), done).await?;
        for kind in Kind::ALL {
            self.metrics.found(kind, counts.get(kind.name()).copied().unwrap_or_default());
        }
        self.metrics.reconciled(at);
        self.shown = Some(done);
        Ok(())
    }

    /// Performs a run. One that is stopped is left to whoever comes next.
    async fn perform(
        &self,
        run: &Reconciliation,
        lease: &mut PgConnection,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let mut tx = self.provisioner.store.read(Scope::Operator).await?;
        let accounts = books::accounts(tx.conn(), run.account_id).await?;
        drop(tx);
        for row in accounts {
            if *stop.borrow() {
                return Ok(());
            }
            reconciliations::still_has(lease).await?;
            match self.compare(run, row).await {
                Ok(()) => {}
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(reconciliation = %run.id, %error, "a reconciliation failed");
                    return self.end(run, Some(&error.to_string())).await;
                }
            }
        }
        self.end(run, None).await
    }

    async fn end(&self, run: &Reconciliation, failure: Option<&str>) -> Result<(), StoreError> {
        let mut tx = self.provisioner.store.write(Scope::Operator, &run.origin()).await?;
        reconciliations::end(tx.conn(), run.id, failure).await?;
        let findings = reconciliations::counts(tx.conn(), run.id).await?;
        tx.commit().await?;
        tracing::info!(reconciliation = %run.id, dry_run = run.dry_run, ?findings, "accounts were reconciled");
        Ok(())
    }

    /// Compares one account, and acts.
    async fn compare(&self, run: &Reconciliation, row: AccountRow) -> Result<(), StoreError> {
        let (id, origin) = (row.id, run.origin());
        let account = match OpenAccount::open(row, self.provisioner.store.keys()) {
            Ok(account) => account,
            Err(error @ (StoreError::Sealed(_) | StoreError::Malformed(_))) => {
                let finding = Finding::unreachable(error.to_string());
                self.note(run, id, &finding, Came::Person.into()).await?;
                return self.compared(run, 0).await;
            }
            Err(error) => return Err(error),
        };
        let (listed, findings) = self.findings(&account).await?;
        let actor = Actor { provisioner: &self.provisioner, account: &account, origin: &origin };
        for finding in &findings {
            let acted =
                if run.dry_run { Came::untaken(finding.action).into() } else { actor.act(finding).await? };
            self.note(run, id, finding, acted).await?;
        }
        self.compared(run, listed).await
    }

    /// How many numbers an account holds, and what differs.
    async fn findings(&self, account: &OpenAccount) -> Result<(usize, Vec<Finding>), StoreError> {
        let provisioner = &self.provisioner;
        let mut tx = provisioner.store.read(Scope::Operator).await?;
        let kept = books::kept(tx.conn(), account.row.id, None).await?;
        drop(tx);
        let is_carrier = kept.iter().any(|kept| kept.role == "carrier");
        let before: HashSet<(Uuid, String)> =
            kept.into_iter().map(|kept| (kept.phone_number_id, kept.held_id)).collect();
        if account.provider.numbers().is_none() && !is_carrier {
            return Ok((0, Vec::new()));
        }
        let listed = match provisioner.listed(account).await {
            Ok(listed) => listed,
            Err(fault) => return Ok((0, vec![Finding::unreachable(said(&fault))])),
        };
        let mut tx = provisioner.store.read(Scope::Operator).await?;
        let books = read::books(tx.conn(), account, &listed, &before).await?;
        drop(tx);
        let webhooks = provisioner.settings.webhooks();
        let mut findings = compare::compare(&listed, &books, &provisioner.settings.policies, |held| {
            account
                .numbers()
                .map_or_else(|_| Vec::new(), |numbers| numbers.drift(&account.account(), held, &webhooks))
        });
        if webhooks.public_urls.is_empty() {
            // Nobody knows how it is to be.
            findings.retain(|finding| finding.kind != Kind::Drift);
        }
        Ok((listed.len(), findings))
    }

    /// Notes a finding and commits what was done about it, together.
    async fn note(
        &self,
        run: &Reconciliation,
        account: Uuid,
        finding: &Finding,
        acted: Acted,
    ) -> Result<(), StoreError> {
        let Acted { came, tx } = acted;
        let has_changed = tx.is_some();
        let mut tx = match tx {
            Some(tx) => tx,
            None => self.provisioner.store.write(Scope::Operator, &run.origin()).await?,
        };
        let detail = match &came {
            Came::Failed(reason) => {
                format!("{}; couldn't {}: {reason}", finding.detail, finding.action.name())
            }
            _ => finding.detail.clone(),
        };
        let row = FindingRow {
            finding: 0,
            account_id: account,
            kind: finding.kind.name().to_owned(),
            phone_number: finding.phone_number.clone(),
            held_id: finding.held_id.clone(),
            detail,
            action: finding.action.name().to_owned(),
            outcome: came.name().to_owned(),
        };
        reconciliations::add_finding(tx.conn(), run.id, &row).await?;
        tx.commit().await?;
        if has_changed {
            self.provisioner.wake.notify_one();
        }
        if matches!(finding.action, Action::Pool | Action::Adopt) && came == Came::Done {
            self.provisioner.bell.notify_one();
        }
        Ok(())
    }

    async fn compared(&self, run: &Reconciliation, numbers: usize) -> Result<(), StoreError> {
        let mut tx = self.provisioner.store.write(Scope::Operator, &run.origin()).await?;
        reconciliations::compared(tx.conn(), run.id, numbers).await?;
        tx.commit().await
    }
}
