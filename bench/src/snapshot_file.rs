//! Writes a snapshot file, so that a router can be measured alone.

use std::collections::HashSet;
use std::path::Path;

use dialplane_common::feed::frame::{Frame, Payload, RawKey, StoredFrames};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Chunk, Manifest};
use dialplane_common::feed::record::Record;
use dialplane_common::feed::{Digest, Epoch, FEED_VERSION, FRAMES_BYTES_MAX, Revision};
use dialplane_router::snapshot::{Loading, ReadChunk, Snapshot, file};
use uuid::Uuid;

use crate::workload::{ACCOUNT, Location, account_record, location};

/// Builds a snapshot record by record.
pub struct Builder<'a> {
    loading: Loading,
    keys: &'a Keyring,
    manifest: Manifest,
    frames: Vec<u8>,
    chunks: u32,
}

impl<'a> Builder<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(keys: &'a Keyring) -> Self {
        let epoch = Epoch(Uuid::from_u128(1));
        let manifest = Manifest { epoch, revision: Revision(1), digest: Digest::default(), records: 0 };
        Self { loading: Loading::begin(&manifest), keys, manifest, frames: Vec::new(), chunks: 0 }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// When a chunk can't be applied: a mistake of the codec.
    pub fn add(&mut self, record: &Record) -> Result<(), String> {
        let (key, bytes) = (record.key().to_bytes(), record.encode());
        let key = RawKey { kind: record.key().kind() as u8, key: &key };
        let payload = Payload { version: FEED_VERSION, bytes: &bytes };
        let hash = payload.hash(key);
        self.manifest.digest = self.manifest.digest.with(hash);
        StoredFrames::write(hash, &Frame { key, payload: Some(payload) }, &mut self.frames);
        if self.frames.len() > FRAMES_BYTES_MAX / 2 { self.flush() } else { Ok(()) }
    }

    /// Adds a tenant with its one agent and number where they are new.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn add_location(&mut self, location: &Location, seen: &mut HashSet<Uuid>) -> Result<(), String> {
        if seen.insert(location.tenant_id().0) {
            self.add(&location.tenant_record())?;
        }
        if seen.insert(location.agent_id().0) {
            self.add(&location.agent_record())?;
        }
        self.add(&location.number_record(ACCOUNT))
    }

    fn flush(&mut self) -> Result<(), String> {
        let frames = std::mem::take(&mut self.frames);
        let (epoch, revision, index) = (self.manifest.epoch, self.manifest.revision, self.chunks);
        let chunk = Chunk { epoch, revision, index, last: false, frames: &frames };
        let chunk = ReadChunk::read(&chunk, self.keys).map_err(|error| error.to_string())?;
        self.loading.add(chunk).map_err(|error| error.to_string())?;
        self.chunks += 1;
        Ok(())
    }

    /// The snapshot.
    ///
    /// # Errors
    /// As [`Builder::add`].
    pub fn finish(mut self) -> Result<Snapshot, String> {
        self.flush()?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let snapshot = self.loading.complete(&self.manifest, self.keys, threads);
        let snapshot = snapshot.map_err(|error| error.to_string())?;
        match snapshot.unreadable_records() {
            0 => Ok(snapshot),
            records => Err(format!("{records} records can't be read back: a mistake of the workload")),
        }
    }
}

/// A snapshot of `count` generated numbers, or of the lines of a CSV file.
///
/// # Errors
/// Names the line that is wrong, or says what can't be read.
pub fn build(
    source: &Source<'_>,
    account_sid: &str,
    auth_token: &str,
    keys: &Keyring,
) -> Result<Snapshot, String> {
    let mut builder = Builder::new(keys);
    builder.add(&account_record(ACCOUNT, account_sid, auth_token, keys))?;
    let mut seen = HashSet::new();
    match source {
        Source::Count(count) => {
            for index in 0..*count {
                let location = location(index).ok_or("--count: more numbers than E.164 has")?;
                builder.add_location(&location, &mut seen)?;
            }
        }
        Source::Csv(path) => {
            for location in read_csv(path)? {
                builder.add_location(&location?, &mut seen)?;
            }
        }
    }
    builder.finish()
}

/// The lines of a CSV file. Its first line may name the columns, in any order.
fn read_csv(path: &Path) -> Result<impl Iterator<Item = Result<Location, String>>, String> {
    let failed = |error: csv::Error| format!("--csv {}: {error}", path.display());
    let columns = csv::StringRecord::from(vec!["number", "stream_url", "agent", "tenant"]);
    let open = |has_headers| {
        let mut builder = csv::ReaderBuilder::new();
        builder.trim(csv::Trim::All).has_headers(has_headers).from_path(path).map_err(failed)
    };
    let mut first = csv::StringRecord::new();
    open(false)?.read_record(&mut first).map_err(failed)?;
    let named = first.iter().any(|column| column == "number");
    if named && columns.iter().any(|wanted| !first.iter().any(|column| column == wanted)) {
        return Err(format!(
            "--csv {}: wanted the columns number, stream_url, agent, tenant",
            path.display()
        ));
    }
    let columns = if named { first } else { columns };
    Ok(open(named)?.into_records().enumerate().map(move |(index, record)| {
        let line = index + 1 + usize::from(named);
        let location = record.and_then(|record| record.deserialize(Some(&columns)));
        location.map_err(|error| format!("--csv line {line}: {error}"))
    }))
}

/// Where numbers come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// So many are generated.
    Count(u64),
    /// The lines of a CSV file with the columns number, `stream_url`, agent and tenant.
    Csv(&'a Path),
}

/// Builds a snapshot and writes its file.
///
/// # Errors
/// As [`build`], and when the file can't be written.
pub fn write(
    source: &Source<'_>,
    account_sid: &str,
    auth_token: &str,
    keys: &Keyring,
    out: &Path,
) -> Result<Snapshot, String> {
    let snapshot = build(source, account_sid, auth_token, keys)?;
    file::write(out, &snapshot, keys, || {}).map_err(|error| format!("--out {}: {error}", out.display()))?;
    Ok(snapshot)
}
