//! A snapshot's parts, one after the other.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use dialplane_common::feed::frame::{Frame, Kind, Payload, RawKey, RecordKey, StoredFrames, encode};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Manifest, Part};
use dialplane_common::feed::{FEED_VERSION, FRAMES_BYTES_MAX, RecordHash};

use super::Content;
use crate::snapshot::Snapshot;
use crate::snapshot::map::MapKey;
use crate::snapshot::numbers::{Entry, Numbers, Own};
use crate::snapshot::plan::Plan;
use crate::snapshot::slots::Slots;

pub fn write(
    out: &mut impl Write,
    snapshot: &Snapshot,
    keys: &Keyring,
    pause: impl FnMut(),
) -> io::Result<()> {
    let plans = PlanIndex::of(snapshot);
    let mut writer =
        Writer { out, snapshot, keys, pause, content: Content::Ids, bytes: Vec::new(), index: 0 };
    writer.manifest()?;
    writer.ids(Kind::Tenant, &snapshot.tenants, |id| id.as_bytes())?;
    writer.ids(Kind::Agent, &snapshot.agents, |id| id.as_bytes())?;
    writer.ids(Kind::Account, &snapshot.accounts, |id| id.as_bytes())?;
    if let Some((hash, record)) = &snapshot.platform {
        writer.record(*hash, RecordKey::Platform, &encode(&**record))?;
    }
    writer.slots(&snapshot.tenants, RecordKey::Tenant, |tenant| encode(&tenant.record()))?;
    writer.slots(&snapshot.agents, RecordKey::Agent, encode)?;
    writer.slots(&snapshot.accounts, RecordKey::Account, |account| encode(&account.record))?;
    let mut written = Ok(());
    snapshot.tokens.for_each(&mut |token, (hash, record)| {
        if written.is_ok() {
            written = writer.record(*hash, RecordKey::Token(*token), &encode(&**record));
        }
    });
    written?;
    plans.in_order.iter().try_for_each(|(plan, count)| writer.plan(plan, *count))?;
    writer.numbers(Content::Numbers, &snapshot.numbers, &plans)?;
    writer.numbers(Content::Ranges, &snapshot.ranges, &plans)?;
    // Behind the good state that they replaced, so that both are there again when the file is read.
    for ((kind, key), record) in &*snapshot.unreadable {
        let payload = Payload { version: record.version, bytes: &record.payload };
        writer.frame(record.hash, &Frame { key: RawKey { kind: *kind, key }, payload: Some(payload) })?;
    }
    writer.part(true)
}

/// Each plan that numbers have, with how many have it, and its place in the file.
struct PlanIndex<'s> {
    in_order: Vec<(&'s Plan, u32)>,
    places: HashMap<*const Plan, usize>,
}

impl<'s> PlanIndex<'s> {
    fn of(snapshot: &'s Snapshot) -> Self {
        let mut index = Self { in_order: Vec::new(), places: HashMap::new() };
        for numbers in [&snapshot.numbers, &snapshot.ranges] {
            numbers.for_each(&mut |_, own| own.plan.into_iter().for_each(|plan| index.count(plan)));
        }
        index
    }

    fn count(&mut self, plan: &'s Arc<Plan>) {
        let place = *self.places.entry(Arc::as_ptr(plan)).or_insert(self.in_order.len());
        match self.in_order.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => self.in_order.push((plan, 1)),
        }
    }

    /// One more than a plan's place; 0 when there is none.
    fn reference(&self, plan: Option<&Arc<Plan>>) -> u32 {
        let place = plan.and_then(|plan| self.places.get(&Arc::as_ptr(plan)));
        place.map_or(0, |place| u32::try_from(place + 1).unwrap_or_default())
    }
}

struct Writer<'a, W, P> {
    out: &'a mut W,
    snapshot: &'a Snapshot,
    keys: &'a Keyring,
    pause: P,
    content: Content,
    bytes: Vec<u8>,
    index: u32,
}

impl<W: Write, P: FnMut()> Writer<'_, W, P> {
    fn manifest(&mut self) -> io::Result<()> {
        let readable = self.snapshot.record_counts().iter().map(|(_, count)| count).sum::<usize>();
        let serving = self.snapshot.serving();
        let manifest = Manifest {
            epoch: serving.epoch,
            revision: serving.revision,
            digest: serving.digest,
            records: (readable + self.snapshot.unreadable.len()) as u64,
        };
        let message = manifest.sign(self.keys);
        self.message(&message)
    }

    fn ids<K: MapKey, V>(
        &mut self,
        kind: Kind,
        slots: &Slots<K, V>,
        id: impl Fn(&K) -> &[u8; 16],
    ) -> io::Result<()> {
        for slot in slots.iter() {
            self.begin(Content::Ids, 16)?;
            // A part has the ids of one kind.
            if self.bytes.first().is_some_and(|begun| *begun != kind as u8) {
                self.part(false)?;
            }
            if self.bytes.is_empty() {
                self.bytes.push(kind as u8);
            }
            self.bytes.extend_from_slice(id(&slot.key));
        }
        Ok(())
    }

    fn slots<K: MapKey, V>(
        &mut self,
        slots: &Slots<K, V>,
        key: impl Fn(K) -> RecordKey,
        payload: impl Fn(&V) -> Vec<u8>,
    ) -> io::Result<()> {
        slots.iter().try_for_each(|slot| match (slot.hash(), &slot.value) {
            (Some(hash), Some(value)) => self.record(hash, key(slot.key), &payload(value)),
            _ => Ok(()),
        })
    }

    fn record(&mut self, hash: RecordHash, key: RecordKey, payload: &[u8]) -> io::Result<()> {
        let (kind, key) = (key.kind() as u8, key.to_bytes());
        let payload = Payload { version: FEED_VERSION, bytes: payload };
        self.frame(hash, &Frame { key: RawKey { kind, key: &key }, payload: Some(payload) })
    }

    fn frame(&mut self, hash: RecordHash, frame: &Frame<'_>) -> io::Result<()> {
        self.begin(Content::Records, 64 + frame.payload.map_or(0, |payload| payload.bytes.len()))?;
        StoredFrames::write(hash, frame, &mut self.bytes);
        Ok(())
    }

    fn plan(&mut self, plan: &Plan, count: u32) -> io::Result<()> {
        let own = encode(&plan.own);
        self.begin(Content::Plans, 8 + own.len())?;
        self.bytes.extend_from_slice(&count.to_le_bytes());
        self.sized(&own)
    }

    fn numbers(&mut self, content: Content, numbers: &Numbers, plans: &PlanIndex<'_>) -> io::Result<()> {
        let mut written = Ok(());
        numbers.for_each(&mut |entry, own| {
            if written.is_ok() {
                written = self.number(content, entry, own, plans.reference(own.plan));
            }
        });
        written
    }

    fn number(&mut self, content: Content, entry: &Entry, own: Own<'_>, plan: u32) -> io::Result<()> {
        self.begin(content, 64 + own.place.len())?;
        self.bytes.extend_from_slice(&entry.to_bytes());
        if own.plan.is_none() && own.place.is_empty() {
            return self.sized(&[]);
        }
        let length = u32::try_from(4 + own.place.len()).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&plan.to_le_bytes());
        self.bytes.extend_from_slice(own.place);
        Ok(())
    }

    /// Appends bytes behind their length.
    fn sized(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes room for so many bytes of this content.
    fn begin(&mut self, content: Content, bytes: usize) -> io::Result<()> {
        let full = self.bytes.len() + bytes > FRAMES_BYTES_MAX;
        if !self.bytes.is_empty() && (full || self.content != content) {
            self.part(false)?;
        }
        self.content = content;
        Ok(())
    }

    fn part(&mut self, last: bool) -> io::Result<()> {
        let serving = self.snapshot.serving();
        let bytes = std::mem::take(&mut self.bytes);
        let part = Part {
            epoch: serving.epoch,
            revision: serving.revision,
            index: self.index,
            last,
            content: self.content as u8,
            bytes: &bytes,
        };
        let message = part.sign(self.keys);
        self.index += 1;
        self.message(&message)?;
        (self.pause)();
        Ok(())
    }

    fn message(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u32::try_from(message.len()).map_err(io::Error::other)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(message)
    }
}
