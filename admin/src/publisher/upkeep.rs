//! What the publisher looks after once a second: is Redis as it was left, is a checkpoint due, do the routers agree.

use std::time::Duration;

use dialplane_common::feed::Revision;
use dialplane_common::feed::report::FORGET_MS;
use tokio::time::Instant;

use super::decide::{EpochReason, Position, is_impossible};
use super::outbox::{Lease, Outbox};
use super::stream::{self, Look, Stream};
use super::{Progress, PublishError, Publisher, within};

/// A router that alarms in the new epoch as well isn't helped by another one right away.
const REPORT_EPOCH_INTERVAL: Duration = Duration::from_secs(60);
/// A router that wants a checkpoint gets one though a whole one seems to be there: a chunk of it may be lost.
pub(super) const REPORT_CHECKPOINT_PAUSE_MIN: Duration = Duration::from_secs(5);
/// The pause doubles with each that helped nobody, up to this.
const REPORT_CHECKPOINT_PAUSE_MAX: Duration = Duration::from_secs(300);
const TIDY_INTERVAL: Duration = Duration::from_secs(600);
/// Keys of epochs that are over stay so long, for routers that still read them.
const OLD_EPOCH_S: u64 = 3_600;
const PRUNE_ROWS: i64 = 1_000;
/// The next round takes what is left.
const EXPIRED_KEYS: i64 = 1_000;
/// A stream holds the deltas of two checkpoints at most: so many bytes twice is what Redis has to bear.
const CHECKPOINT_BYTES: usize = 256 << 20;

impl<S: Outbox> Publisher<S> {
    /// Looks after everything. The position is taken away when Redis isn't as it was left.
    pub(super) async fn look(&self, progress: &mut Progress<S::Lease>) -> Result<(), PublishError> {
        let Some(position) = progress.position else { return Ok(()) };
        let stream = Stream { link: &self.link, keys: &self.keys, epoch: position.epoch };
        let pointer = stream::pointer(&self.link, &self.keys).await?;
        let Some(look) = stream.look().await?.filter(|look| {
            pointer == Some(position.epoch)
                && look.last == position.revision
                && look.digest.is_none_or(|digest| digest == position.digest)
        }) else {
            progress.position = None;
            return Ok(());
        };
        if let Some(reason) = self.new_epoch_reason(progress, position).await? {
            progress.position = Some(self.new_epoch(progress, reason).await?);
            return Ok(());
        }
        self.tend_checkpoint(progress, position, &look).await?;
        let keep_from = progress.checkpoint.0.saturating_sub(self.checkpoint_entries);
        within(progress.lease.prune(Revision(keep_from), PRUNE_ROWS)).await?;
        let state = within(progress.lease.state()).await?;
        let backlog = state.revision.0.saturating_sub(position.revision.0);
        self.metrics.published(position.revision.0, progress.checkpoint.0, backlog);
        if progress.tidied.is_none_or(|at| at.elapsed() >= TIDY_INTERVAL) {
            progress.tidied = Some(Instant::now());
            self.tidy(position).await?;
        }
        Ok(())
    }

    async fn new_epoch_reason(
        &self,
        progress: &mut Progress<S::Lease>,
        position: Position,
    ) -> Result<Option<EpochReason>, PublishError> {
        if within(progress.lease.is_new_epoch_wanted()).await? {
            return Ok(Some(EpochReason::Asked));
        }
        // A dump can be loaded under a session that goes on.
        if !within(progress.lease.is_known(position.epoch)).await? {
            return Ok(Some(EpochReason::UnknownEpoch));
        }
        if progress.report_epoch.is_some_and(|at| at.elapsed() < REPORT_EPOCH_INTERVAL) {
            return Ok(None);
        }
        // The reports first, then Postgres: what a router served before is in Postgres by now.
        let view = self.fleet.view();
        let state = within(progress.lease.state()).await?;
        for router in view.live() {
            let Some(serving) = router.report.serving.filter(|serving| serving.epoch == position.epoch)
            else {
                continue;
            };
            let alarm = router.report.digest_alarm;
            let recorded = match alarm {
                true => within(progress.lease.digest_at(serving.revision)).await?,
                false => None,
            };
            if is_impossible(
                (serving.revision, serving.digest),
                alarm,
                recorded,
                (state.revision, state.digest),
            ) {
                tracing::warn!(router = router.report.id, "a router reports a state that Postgres never had");
                progress.report_epoch = Some(Instant::now());
                return Ok(Some(EpochReason::Report));
            }
        }
        Ok(None)
    }

    /// Starts a checkpoint when one is due; takes note of one that is done.
    async fn tend_checkpoint(
        &self,
        progress: &mut Progress<S::Lease>,
        position: Position,
        look: &Look,
    ) -> Result<(), PublishError> {
        if let Some(task) = progress.checkpointing.take_if(|task| task.is_finished()) {
            match task.await {
                Ok(Ok(revision)) => {
                    progress.checkpoint = revision;
                    self.mark(progress, position).await?;
                }
                Ok(Err(error)) => tracing::warn!(%error, "couldn't write a checkpoint; trying again"),
                Err(error) => tracing::warn!(%error, "writing a checkpoint was cut short; trying again"),
            }
        }
        if progress.checkpointing.is_some() || !self.is_checkpoint_due(progress, position, look) {
            return Ok(());
        }
        progress.appended_bytes = 0;
        let checkpoint = self.checkpoint(position.epoch);
        progress.checkpointing = Some(tokio::spawn(async move { checkpoint.renew().await }));
        Ok(())
    }

    fn is_checkpoint_due(&self, progress: &mut Progress<S::Lease>, position: Position, look: &Look) -> bool {
        let Some(manifest) = look.manifest(position.epoch, self.store.feed_keys()) else { return true };
        progress.checkpoint = manifest.revision;
        let is_long_ago = position.revision.0.saturating_sub(manifest.revision.0) > self.checkpoint_entries
            || progress.appended_bytes > CHECKPOINT_BYTES;
        // Somebody trimmed more than we do: no way leads from the checkpoint to the entries.
        let is_cut_off = match look.first {
            Some(first) => first > manifest.revision.next(),
            None => position.revision > manifest.revision,
        };
        let somebody_wants = self.fleet.view().live().any(|router| router.report.wants_checkpoint);
        let pause = progress.report_checkpoint_pause;
        let is_wanted = somebody_wants && progress.report_checkpoint.is_none_or(|at| at.elapsed() >= pause);
        if is_wanted {
            progress.report_checkpoint = Some(Instant::now());
            // A router that no checkpoint helps (its FEED_KEY is another) asks for ever.
            progress.report_checkpoint_pause = (pause * 2).min(REPORT_CHECKPOINT_PAUSE_MAX);
        } else if !somebody_wants {
            progress.report_checkpoint_pause = REPORT_CHECKPOINT_PAUSE_MIN;
        }
        is_long_ago || is_cut_off || is_wanted
    }

    /// Lets the keys of epochs that are over expire, and forgets routers and keys of the API that are gone.
    async fn tidy(&self, position: Position) -> Result<(), PublishError> {
        // Routers refuse keys that are no longer good by themselves; nor need they hold them for ever. Not worth the
        // lease: it waits for a connection beside requests.
        if let Err(error) = within(self.store.forget_expired_keys(EXPIRED_KEYS)).await {
            tracing::warn!(%error, "couldn't take expired keys out of the feed; trying again later");
        }
        let current = self.keys.of_epoch(position.epoch);
        let epoch_digits = position.epoch.to_string();
        // Any epoch's keys: the pattern of the current one's, with any hexadecimal digit in place of its digits.
        let pattern = current.replace(&epoch_digits, &"[0-9a-f]".repeat(epoch_digits.len()));
        let own_prefix = current.trim_end_matches('*');
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1_000);
            let (next, found): (u64, Vec<String>) = self.link.query(&scan).await?;
            for key in found.iter().filter(|key| !key.starts_with(own_prefix)) {
                let ttl_s: i64 = self.link.query(redis::cmd("TTL").arg(key)).await?;
                if ttl_s == -1 {
                    self.link.query::<()>(redis::cmd("EXPIRE").arg(key).arg(OLD_EPOCH_S)).await?;
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        self.forget_routers().await
    }

    async fn forget_routers(&self) -> Result<(), PublishError> {
        let (seconds, _): (u64, u64) = self.link.query(&redis::cmd("TIME")).await?;
        let before_ms = (seconds * 1_000).saturating_sub(FORGET_MS);
        let mut find = redis::cmd("ZRANGEBYSCORE");
        find.arg(self.keys.routers_seen()).arg("-inf").arg(before_ms);
        let gone: Vec<String> = self.link.query(&find).await?;
        for id in gone {
            let mut forget = redis::pipe();
            forget.cmd("ZREM").arg(self.keys.routers_seen()).arg(&id).ignore();
            forget.cmd("HDEL").arg(self.keys.routers()).arg(&id).ignore();
            self.link.pipe::<()>(&forget).await?;
        }
        Ok(())
    }
}
