//! Stores batches: each counts once, and with it all that its events say.
//!
//! One transaction, of a handful of statements however many events there are. Where another process was at the same calls
//! at the same time, it is rolled back and begun again, from what is there then.

use std::collections::{BTreeMap, HashMap, HashSet};

use dialplane_common::calls::batch::WriterId;
use dialplane_common::calls::event::{CallEvent, What};
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::fold::{Fold, Group};
use super::leg::Leg;
use super::record::{Record, Shown};
use crate::store::call_events::{self, BatchId, Place, Rows};
use crate::store::calls::{self, Call};
use crate::store::instant::Instant;
use crate::store::refused_calls::{self, RefusedCall};
use crate::store::{Origin, Scope, Store, StoreError};

const ORIGIN: Origin = Origin::system("calls");
/// What two processes do to each other at one time is over the next.
const ATTEMPTS: usize = 8;

/// A batch as it came.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Whose.
    pub writer: WriterId,
    /// Its place among the writer's.
    pub sequence: i64,
    /// Its events.
    pub events: Vec<u8>,
}

/// What came of batches.
#[derive(Default, Debug)]
pub struct Stored {
    /// Batches that weren't stored before.
    pub batches: u64,
    /// Batches that were.
    pub repeats: u64,
    /// Their events, by what they tell.
    pub events: BTreeMap<&'static str, u64>,
    /// Events that this version can't read.
    pub unreadable: u64,
    /// Up to where each writer is stored.
    pub through: Vec<BatchId>,
    /// The records as they are now.
    pub changed: Vec<Call>,
    /// Ids of records that have become part of others, and their tenants.
    pub gone: Vec<(Uuid, Option<Uuid>)>,
    /// Numbers that calls were offered for.
    pub called: HashSet<Uuid>,
}

/// Stores batches.
///
/// # Errors
/// When Postgres can't be asked: nothing is stored then, or all; asking again does no harm.
pub async fn store(store: &Store, batches: &[Delivered]) -> Result<Stored, StoreError> {
    for at in 0..ATTEMPTS {
        // Names that still mean a record which isn't there then: it was dropped with its partition.
        match attempt(store, batches, at >= ATTEMPTS / 2).await {
            Ok(Some(stored)) => return Ok(stored),
            Ok(None) => {}
            Err(error) if is_collision(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let busy = "each time somebody else was at the same calls".to_owned();
    Err(StoreError::Unavailable(sqlx::Error::Protocol(busy)))
}

/// Whether two transactions were in each other's way.
fn is_collision(error: &StoreError) -> bool {
    let (StoreError::Database(sqlx::Error::Database(reason))
    | StoreError::Unavailable(sqlx::Error::Database(reason))) = error
    else {
        return false;
    };
    reason.code().is_some_and(|code| matches!(&*code, "40001" | "40P01" | "23505"))
}

/// One attempt; `None`: somebody came before. `takes_lost` has records made anew that names lead to and that aren't there.
async fn attempt(
    store: &Store,
    batches: &[Delivered],
    takes_lost: bool,
) -> Result<Option<Stored>, StoreError> {
    let mut stored = Stored::default();
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
    call_events::plan_for_keys(tx.conn()).await?;
    let ids: Vec<BatchId> = batches.iter().map(|batch| (batch.writer.0, batch.sequence)).collect();
    let mut new: HashSet<_> = call_events::claim_batches(tx.conn(), &ids).await?.into_iter().collect();
    let mut fold = Fold::default();
    for batch in batches {
        // One that came twice at once is folded once.
        if new.remove(&(batch.writer.0, batch.sequence)) {
            stored.batches += 1;
            read(batch, &mut fold, &mut stored);
        } else {
            stored.repeats += 1;
        }
    }
    if !write(tx.conn(), fold, &mut stored, takes_lost).await? {
        return Ok(None);
    }
    let mut writers: Vec<_> = ids.iter().map(|(writer, _)| *writer).collect();
    writers.sort_unstable();
    writers.dedup();
    stored.through = call_events::advance(tx.conn(), &writers).await?;
    tx.commit().await?;
    Ok(Some(stored))
}

fn read(batch: &Delivered, fold: &mut Fold, stored: &mut Stored) {
    for event in CallEvent::read_all(&batch.events) {
        let Ok(event) = event else {
            stored.unreadable += 1;
            continue;
        };
        if let (What::Offered(_), Some(number)) = (&event.what, event.number) {
            stored.called.insert(number.0);
        }
        *stored.events.entry(kind(&event.what)).or_default() += 1;
        fold.add(&event);
    }
}

/// What an event tells, in a word.
const fn kind(what: &What<'_>) -> &'static str {
    match what {
        What::Offered(_) => "offered",
        What::Continued(_) => "continued",
        What::Reported(_) => "reported",
        What::Message => "message",
        What::Refused(_) => "refused",
    }
}

/// Writes what events say. Says whether it could.
async fn write(
    conn: &mut PgConnection,
    fold: Fold,
    stored: &mut Stored,
    takes_lost: bool,
) -> Result<bool, StoreError> {
    let names: Vec<_> = fold.names().collect();
    if names.is_empty() {
        return Ok(true);
    }
    let known = call_events::known(conn, &names).await?;
    let groups = fold.groups(&known.iter().map(|(name, place)| (*name, place.id)).collect());
    let mut right = known.clone();
    if takes_lost {
        correct(conn, &mut right).await?;
    }
    let targets: Vec<_> = groups.into_iter().filter_map(|group| Target::of(group, &right)).collect();
    let fresh = |target: &Target| {
        let place = target.kept;
        target
            .group
            .names
            .iter()
            .filter(|name| !known.contains_key(*name))
            .map(|name| (*name, place))
            .collect::<Vec<_>>()
    };
    let fresh: Vec<_> = targets.iter().flat_map(fresh).collect();
    if !call_events::name(conn, &fresh).await? {
        return Ok(false);
    }
    let mut places: Vec<_> = targets.iter().flat_map(|target| target.places.iter().copied()).collect();
    places.sort_unstable();
    let mut locked = call_events::lock(conn, &places).await?;
    let lost: Vec<_> = places.iter().map(|place| place.id).filter(|id| !locked.contains_key(id)).collect();
    if !lost.is_empty() {
        // One that is elsewhere was moved by somebody at this moment.
        let are_gone = takes_lost && calls::again(conn, &lost).await?.is_empty();
        if !are_gone {
            return Ok(false);
        }
    }
    let at = calls::clock(conn).await?;
    let mut change = Change { at, ..Change::default() };
    for target in targets {
        change.take(target, &known, &mut locked, stored)?;
    }
    call_events::delete(conn, &change.gone).await?;
    change.new.insert(conn).await?;
    change.old.update(conn).await?;
    change.renamed.sort_unstable();
    change.renamed.dedup_by_key(|(name, _)| *name);
    call_events::rename(conn, &change.renamed).await?;
    refused_calls::count(conn, &change.refused.into_values().collect::<Vec<_>>()).await?;
    Ok(true)
}

/// Has names mean where records are: one that nobody knew of any more when its record moved still says where that was.
async fn correct(conn: &mut PgConnection, known: &mut HashMap<Uuid, Place>) -> Result<(), StoreError> {
    let mut ids: Vec<_> = known.values().map(|place| place.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let calls = calls::again(conn, &ids).await?;
    let places: HashMap<_, _> = calls.into_iter().map(|call| (call.id, call.started_at)).collect();
    for place in known.values_mut() {
        if let Some(started_at) = places.get(&place.id) {
            place.started_at = *started_at;
        }
    }
    Ok(())
}

/// A call that events are of.
struct Target {
    group: Group,
    /// Where its record will be.
    kept: Place,
    /// Where records are that events say are one; none: it is new.
    places: Vec<Place>,
}

impl Target {
    /// `None` of a group without a leg, which no event makes.
    fn of(group: Group, known: &HashMap<Uuid, Place>) -> Option<Self> {
        let mut places: Vec<_> = group.names.iter().filter_map(|name| known.get(name).copied()).collect();
        places.sort_unstable();
        places.dedup();
        let first = places.iter().min_by_key(|place| (place.started_at, place.id)).copied();
        let kept = match first {
            Some(place) => place,
            None => {
                let started_at = group.record.legs.values().map(|leg| leg.heard).min()?;
                Place { id: new_id(started_at), started_at: instant(started_at) }
            }
        };
        Some(Self { group, kept, places })
    }
}

/// An id that sorts by when the call began.
fn new_id(at_ms: i64) -> Uuid {
    let seconds = u64::try_from(at_ms / 1_000).unwrap_or_default();
    let nanos = u32::try_from(at_ms % 1_000 * 1_000_000).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

/// Never outside of what can be written: a leg's times are within.
fn instant(at_ms: i64) -> Instant {
    Instant(Timestamp::from_millisecond(at_ms).unwrap_or_default())
}

/// What is to be written.
#[derive(Default)]
struct Change {
    at: Instant,
    new: Rows,
    old: Rows,
    gone: Vec<Place>,
    renamed: Vec<(Uuid, Place)>,
    refused: BTreeMap<(Uuid, String, &'static str), RefusedCall>,
}

impl Change {
    fn take(
        &mut self,
        target: Target,
        known: &HashMap<Uuid, Place>,
        locked: &mut HashMap<Uuid, String>,
        stored: &mut Stored,
    ) -> Result<(), StoreError> {
        let mut record = Record::default();
        let mut is_there = false;
        for place in &target.places {
            let Some(legs) = locked.remove(&place.id) else { continue };
            let legs: Vec<Leg> =
                serde_json::from_str(&legs).map_err(|_| StoreError::Malformed("legs of a call"))?;
            let own = Record { legs: legs.into_iter().map(|leg| (leg.name(), leg)).collect() };
            if place.id == target.kept.id {
                is_there = true;
            } else {
                self.gone.push(*place);
                stored.gone.push((place.id, own.shown().and_then(|shown| shown.tenant)));
                self.renamed.extend(own.legs.values().flat_map(Leg::names).map(|name| (name, target.kept)));
            }
            record.join(&own);
        }
        let before = record.clone();
        record.join(&target.group.record);
        if is_there && record == before && target.places.len() == 1 {
            return Ok(());
        }
        let Some(shown) = record.shown() else { return Ok(()) };
        self.note_refused(&before, &record);
        let place = Place { id: target.kept.id, started_at: instant(shown.started_at) };
        // Names that lead elsewhere: to another record that is part of this one now, or to where this one was.
        let strays =
            target.group.names.iter().filter(|name| known.get(*name).is_some_and(|known| *known != place));
        self.renamed.extend(strays.map(|name| (*name, place)));
        if place != target.kept {
            self.renamed.iter_mut().filter(|(_, to)| *to == target.kept).for_each(|(_, to)| *to = place);
            let names = target.group.names.iter().copied().chain(record.legs.values().flat_map(Leg::names));
            self.renamed.extend(names.map(|name| (name, place)));
        }
        let legs = serde_json::to_string(&record.legs.values().collect::<Vec<_>>());
        let legs = legs.map_err(|_| StoreError::Malformed("legs of a call"))?;
        let rows = if is_there { &mut self.old } else { &mut self.new };
        push(rows, &shown, place, target.kept.started_at, legs);
        stored.changed.push(Call::of(place, &shown, self.at));
        Ok(())
    }

    /// Counts legs that weren't known to be refused.
    fn note_refused(&mut self, before: &Record, record: &Record) {
        for (name, leg) in &record.legs {
            let was = before.legs.get(name).is_some_and(|leg| leg.told.refused.is_some());
            let Some(refused) = leg.told.refused.as_ref().filter(|_| !was) else { continue };
            let called = leg.told.to.as_ref().map(|to| to.value.clone()).unwrap_or_default();
            let at = instant(refused.at);
            let from = leg.told.from.as_ref().map(|from| from.value.clone());
            let reason = refused.value.word();
            let one = RefusedCall {
                account: leg.account,
                called_number: called.clone(),
                reason,
                count: 1,
                first_at: at,
                last_at: at,
                last_from: from,
            };
            match self.refused.get_mut(&(leg.account, called.clone(), reason)) {
                Some(row) => row.add(one),
                None => {
                    self.refused.insert((leg.account, called, reason), one);
                }
            }
        }
    }
}

fn push(rows: &mut Rows, shown: &Shown, place: Place, was_started_at: Instant, legs: String) {
    rows.id.push(place.id);
    rows.was_started_at.push(was_started_at);
    rows.started_at.push(place.started_at);
    rows.tenant_id.push(shown.tenant);
    rows.phone_number_id.push(shown.number);
    rows.agent_id.push(shown.agent);
    rows.direction.push(shown.direction);
    rows.from_number.push(shown.from.clone());
    rows.to_number.push(shown.to.clone());
    rows.provider.push(shown.provider.clone());
    rows.account_id.push(shown.account);
    rows.provider_call_id.push(shown.call_id.clone());
    rows.legs.push(legs);
    rows.action.push(shown.action.map(super::words::Action::word));
    rows.is_closed.push(shown.is_closed);
    rows.is_over_limit.push(shown.is_over_limit);
    rows.refused.push(shown.refused.map(super::words::Refusal::word));
    rows.outcome.push(shown.outcome);
    rows.ringing_at.push(shown.ringing_at.map(instant));
    rows.answered_at.push(shown.answered_at.map(instant));
    rows.transferred_at.push(shown.transferred_at.map(instant));
    rows.voicemail_at.push(shown.voicemail_at.map(instant));
    rows.ended_at.push(shown.ended_at.map(instant));
    rows.end_kind.push(shown.end.map(super::words::End::word));
    rows.end_reason.push(shown.end_reason.clone());
    rows.duration_ms.push(shown.duration_ms);
    let cost = shown.cost.as_ref();
    rows.reported_cost.push(cost.map(|cost| cost.amount.to_string()));
    rows.reported_currency.push(cost.map(|cost| cost.currency.clone()));
    let stages = cost.filter(|cost| !cost.stages.is_empty());
    rows.cost_stages.push(stages.and_then(|cost| serde_json::to_string(&cost.stages).ok()));
    rows.flags.push(shown.flags.join(","));
}
