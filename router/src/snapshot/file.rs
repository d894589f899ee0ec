//! The snapshot file: from it a router starts when Redis and the admin plane are gone.
//!
//! The same signed messages as a checkpoint in Redis, each behind its length: `length u32 LE · message`, first the
//! manifest, then the chunks. It is written beside, synced and renamed; the one before it stays, as `FILE.prev`, and is
//! read when the newer one is damaged.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dialplane_common::feed::frame::{Frame, Payload, RawKey, RecordKey, StoredFrames, encode};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::{Chunk, Manifest, MessageError};
use dialplane_common::feed::{FEED_VERSION, FRAMES_BYTES_MAX, RecordHash};

use super::table::{Table, TableKey};
use super::{ApplyError, Snapshot};

/// Longer messages than this are no messages.
const MESSAGE_BYTES_MAX: u32 = 4 * FRAMES_BYTES_MAX as u32;

/// Why there is no snapshot in a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What it holds isn't signed, or isn't a snapshot.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// What it holds doesn't add up.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Reads the file, or the one before it when that is damaged or missing. `Ok(None)`: there is neither.
///
/// # Errors
/// The newer file's [`FileError`], when neither can be used.
pub fn read(path: &Path, keys: &Keyring) -> Result<Option<Snapshot>, FileError> {
    let newer = match read_one(path, keys) {
        Ok(snapshot) => return Ok(Some(snapshot)),
        Err(error) => error,
    };
    let missing = is_missing(&newer);
    match read_one(&previous(path), keys) {
        Ok(snapshot) => {
            tracing::warn!(file = %path.display(), error = %newer, "using the snapshot file before this one");
            Ok(Some(snapshot))
        }
        Err(error) if missing && is_missing(&error) => Ok(None),
        Err(error) => Err(if missing { error } else { newer }),
    }
}

fn is_missing(error: &FileError) -> bool {
    matches!(error, FileError::Io(error) if error.kind() == io::ErrorKind::NotFound)
}

fn read_one(path: &Path, keys: &Keyring) -> Result<Snapshot, FileError> {
    let mut file = BufReader::with_capacity(FRAMES_BYTES_MAX, File::open(path)?);
    let mut message = Vec::new();
    read_message(&mut file, &mut message)?;
    let manifest = Manifest::verify(&message, keys)?;
    let mut snapshot = Snapshot::begin(&manifest);
    for index in 0.. {
        read_message(&mut file, &mut message)?;
        let chunk = Chunk::verify(&message, keys)?;
        if chunk.index != index {
            return Err(ApplyError::OutOfOrder.into());
        }
        snapshot.add(&chunk, keys)?;
        if chunk.last {
            break;
        }
    }
    Ok(snapshot.complete(&manifest)?)
}

fn read_message(file: &mut impl Read, message: &mut Vec<u8>) -> Result<(), FileError> {
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > MESSAGE_BYTES_MAX {
        return Err(MessageError::Malformed.into());
    }
    message.resize(length as usize, 0);
    file.read_exact(message)?;
    Ok(())
}

/// Writes the snapshot beside the file, syncs it and renames it over the file, which stays as `FILE.prev`.
///
/// # Errors
/// [`FileError::Io`]; the file is then as it was.
pub fn write(path: &Path, snapshot: &Snapshot, keys: &Keyring) -> Result<(), FileError> {
    let beside = suffixed(path, ".new");
    let mut writer = Writer {
        file: BufWriter::new(create_private(&beside)?),
        snapshot,
        keys,
        frames: Vec::new(),
        index: 0,
    };
    writer.write_all()?;
    let file = writer.file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    drop(file);
    match fs::rename(path, previous(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Numbers and names of businesses are nobody else's on the machine.
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn previous(path: &Path) -> PathBuf {
    suffixed(path, ".prev")
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

struct Writer<'a> {
    file: BufWriter<File>,
    snapshot: &'a Snapshot,
    keys: &'a Keyring,
    frames: Vec<u8>,
    index: u32,
}

impl Writer<'_> {
    fn write_all(&mut self) -> io::Result<()> {
        let Snapshot { platform, tenants, accounts, agents, numbers, ranges, tokens, unreadable, .. } =
            self.snapshot;
        let readable = self.snapshot.record_counts().iter().map(|(_, count)| count).sum::<usize>();
        let serving = self.snapshot.serving();
        let manifest = Manifest {
            epoch: serving.epoch,
            revision: serving.revision,
            digest: serving.digest,
            records: (readable + unreadable.len()) as u64,
        };
        let message = manifest.sign(self.keys);
        self.message(&message)?;
        if let Some((hash, record)) = platform {
            self.record(*hash, RecordKey::Platform, &encode(&**record))?;
        }
        self.table(tenants, RecordKey::Tenant, |tenant| encode(&tenant.record()))?;
        self.table(accounts, RecordKey::Account, |account| encode(&account.record))?;
        self.table(agents, RecordKey::Agent, encode)?;
        self.table(numbers, RecordKey::Number, |number| encode(&number.record()))?;
        self.table(ranges, RecordKey::Range, |number| encode(&number.record()))?;
        self.table(tokens, RecordKey::Token, encode)?;
        // Behind the good state that they replaced, so that both are there again when the file is read.
        for ((kind, key), record) in &**unreadable {
            let payload = Payload { version: record.version, bytes: &record.payload };
            self.frame(record.hash, &Frame { key: RawKey { kind: *kind, key }, payload: Some(payload) })?;
        }
        self.chunk(true)
    }

    fn table<K: TableKey, V>(
        &mut self,
        table: &Table<K, V>,
        key: impl Fn(K) -> RecordKey,
        payload: impl Fn(&V) -> Vec<u8>,
    ) -> io::Result<()> {
        let mut result = Ok(());
        table.for_each(&mut |entry| {
            if result.is_ok() {
                result = self.record(entry.hash, key(entry.key), &payload(&entry.value));
            }
        });
        result
    }

    fn record(&mut self, hash: RecordHash, key: RecordKey, payload: &[u8]) -> io::Result<()> {
        let (kind, key) = (key.kind() as u8, key.to_bytes());
        let payload = Payload { version: FEED_VERSION, bytes: payload };
        self.frame(hash, &Frame { key: RawKey { kind, key: &key }, payload: Some(payload) })
    }

    fn frame(&mut self, hash: RecordHash, frame: &Frame<'_>) -> io::Result<()> {
        let bytes = frame.payload.map_or(0, |payload| payload.bytes.len());
        if self.frames.len() + bytes + 64 > FRAMES_BYTES_MAX && !self.frames.is_empty() {
            self.chunk(false)?;
        }
        StoredFrames::write(hash, frame, &mut self.frames);
        Ok(())
    }

    fn chunk(&mut self, last: bool) -> io::Result<()> {
        let serving = self.snapshot.serving();
        let frames = std::mem::take(&mut self.frames);
        let chunk = Chunk {
            epoch: serving.epoch,
            revision: serving.revision,
            index: self.index,
            last,
            frames: &frames,
        };
        let message = chunk.sign(self.keys);
        self.index += 1;
        self.message(&message)
    }

    fn message(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u32::try_from(message.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(message)
    }
}
