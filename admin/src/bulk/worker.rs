//! Takes imports on: any admin process may, several at once.
//!
//! Validation is one process's, by an advisory lock that ends with its transaction, and begins anew after a crash: it
//! writes nothing but what it found. Pieces are applied by whoever takes them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dialplane_common::ids::TenantId;
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::apply::{self, Applied};
use super::check::Changes;
use crate::fleet::Fleet;
use crate::store::bulk::{self, Hold};
use crate::store::imports::{self, BadLine, Import};
use crate::store::{Origin, Scope, Store, StoreError, WriteTx};

/// Why an import fails whose lines aren't all good.
pub const BAD_LINES: &str = "some lines are bad, and nothing was to be applied unless all are good";

/// Two keep Postgres at work while the third reads a file, or waits for its commit.
const APPLIERS: usize = 3;
/// Pieces that are read and checked ahead of the one whose outcome is noted.
const VALIDATED_AHEAD: usize = 3;
/// How often to look without being woken: other processes' imports.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const TIDY_INTERVAL: Duration = Duration::from_secs(600);
/// An import that fails as often, with no line to blame, is given up.
const ATTEMPTS_MAX: u32 = 5;
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// What the workers of one process work with.
#[derive(Clone)]
pub struct Worker {
    /// Postgres.
    pub store: Store,
    /// The routers: what they can't read isn't written.
    pub fleet: Fleet,
    /// Wakes the publisher.
    pub wake: Arc<Notify>,
    /// Rung when there is an import to take on.
    pub imports: Arc<Notify>,
}

/// Begins a transaction of an import, in the name of whoever made it.
///
/// # Errors
/// When Postgres can't be reached.
pub async fn begin(store: &Store, import: &Import) -> Result<WriteTx, StoreError> {
    store.write(import.scope(), &import.origin()).await
}

/// What one look came to.
enum Look {
    Worked,
    Idle,
}

impl Worker {
    /// Works until told to stop; what is under way then is finished first.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..APPLIERS {
            workers.spawn(self.clone().work(stop.clone()));
        }
        while workers.join_next().await.is_some() {}
    }

    async fn work(self, mut stop: watch::Receiver<bool>) {
        let mut failures: HashMap<Uuid, u32> = HashMap::new();
        let mut tidied: Option<Instant> = None;
        while !*stop.borrow() {
            let looked = self.look(&mut failures).await;
            let pause = match looked {
                Ok(Look::Worked) => continue,
                Ok(Look::Idle) => {
                    failures.clear();
                    if tidied.is_none_or(|at| at.elapsed() >= TIDY_INTERVAL) {
                        tidied = Some(Instant::now());
                        if let Err(error) = self.tidy().await {
                            tracing::debug!(%error, "couldn't tidy imports; trying again later");
                        }
                    }
                    LOOK_INTERVAL
                }
                Err(error) => {
                    tracing::debug!(%error, "couldn't look for imports; trying again");
                    LOOK_INTERVAL
                }
            };
            tokio::select! {
                () = self.imports.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn look(&self, failures: &mut HashMap<Uuid, u32>) -> Result<Look, StoreError> {
        if !self.fleet.view().too_old().is_empty() {
            return Ok(Look::Idle);
        }
        // Those that somebody else is at are stepped over.
        let mut others: Vec<Uuid> = Vec::new();
        for state in ["applying", "validating"] {
            others.clear();
            loop {
                let mut tx = self.store.read(Scope::Operator).await?;
                let import = imports::first_in(tx.conn(), state, &others).await?;
                drop(tx);
                let Some(import) = import else { break };
                match self.take_on(&import).await {
                    Ok(true) => return Ok(Look::Worked),
                    Ok(false) => others.push(import.id),
                    Err(error) => {
                        self.failed(&import, error, failures).await?;
                        others.push(import.id);
                    }
                }
            }
        }
        Ok(Look::Idle)
    }

    /// Whether there was something to do.
    async fn take_on(&self, import: &Import) -> Result<bool, StoreError> {
        if import.state == "validating" {
            return self.validate(import).await;
        }
        let applied = apply::next_piece(&self.store, import).await?;
        self.wake.notify_one();
        Ok(applied == Applied::Piece)
    }

    /// A Postgres that is away comes back; what else goes wrong is tried again a few times.
    async fn failed(
        &self,
        import: &Import,
        error: StoreError,
        failures: &mut HashMap<Uuid, u32>,
    ) -> Result<(), StoreError> {
        if matches!(error, StoreError::Unavailable(_)) {
            return Err(error);
        }
        let failed = failures.entry(import.id).or_default();
        *failed += 1;
        tracing::warn!(import = %import.id, %error, attempt = *failed, "an import doesn't go on");
        if *failed >= ATTEMPTS_MAX {
            let mut tx = begin(&self.store, import).await?;
            imports::finish(tx.conn(), import.id, "failed", Some(&error.to_string())).await?;
            tx.commit().await?;
        }
        tokio::time::sleep(RETRY_DELAY).await;
        Ok(())
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        let mut tx = self.store.write(Scope::Operator, &Origin::system("imports")).await?;
        imports::tidy(tx.conn()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Checks all lines, then lets the import go on, or not. `false`: another process is at it.
    async fn validate(&self, import: &Import) -> Result<bool, StoreError> {
        let mut guard = self.store.read(Scope::Operator).await?;
        if !imports::try_lock_validation(guard.conn(), import.id).await? {
            return Ok(false);
        }
        let mut tx = begin(&self.store, import).await?;
        let begun = imports::begin_validation(tx.conn(), import.id).await?;
        tx.commit().await?;
        if !begun {
            return Ok(true);
        }
        let pieces = futures_util::stream::iter(0..import.pieces)
            .map(|piece| async move { (piece, self.check(import, piece).await) })
            .buffered(VALIDATED_AHEAD);
        let mut pieces = std::pin::pin!(pieces);
        let mut seen = HashMap::new();
        let mut any_bad = false;
        while let Some((piece, checked)) = pieces.next().await {
            let Checked { mut changes, mut bad, planned_bad } = checked?;
            let lines = changes.count() + bad.len();
            bad.extend(changes.take_repeated(&mut seen));
            let known: std::collections::HashSet<i64> = bad.iter().map(|bad| bad.line).collect();
            bad.extend(planned_bad.into_iter().filter(|bad| !known.contains(&bad.line)));
            bad.sort_by_key(|bad| bad.line);
            any_bad |= !bad.is_empty();
            let mut tx = begin(&self.store, import).await?;
            let lines = i64::try_from(lines).unwrap_or(i64::MAX);
            let is_on = imports::validated(tx.conn(), import, piece, lines, &bad).await?;
            tx.commit().await?;
            if !is_on {
                return Ok(true);
            }
        }
        let mut tx = begin(&self.store, import).await?;
        if any_bad && import.is_all_or_nothing() {
            imports::finish(tx.conn(), import.id, "failed", Some(BAD_LINES)).await?;
        } else {
            let next = if import.dry_run { "ready" } else { "applying" };
            imports::transit(tx.conn(), import.id, &["validating"], next).await?;
        }
        tx.commit().await?;
        self.imports.notify_waiters();
        Ok(true)
    }

    /// A piece's lines, those that are bad by themselves, and those that are bad beside what is there. It sees
    /// everybody's rows, as a number that is taken is taken whoever has it.
    async fn check(&self, import: &Import, piece: i32) -> Result<Checked, StoreError> {
        let (kind, format, header) = apply::reading(import)?;
        let mut tx = self.store.read(Scope::Operator).await?;
        bulk::prefer_indexes(tx.conn()).await?;
        let piece = imports::piece(tx.conn(), import.id, piece).await?;
        let read = tokio::task::spawn_blocking(move || Changes::read(kind, format, header.as_ref(), &piece));
        let (changes, bad) = read.await.map_err(|_| StoreError::Malformed("piece"))?;
        let plan = changes.plan(tx.conn(), import.tenant_id.map(TenantId), Hold::No).await?;
        Ok(Checked { changes, bad, planned_bad: plan.bad })
    }
}

struct Checked {
    changes: Changes,
    bad: Vec<BadLine>,
    planned_bad: Vec<BadLine>,
}
