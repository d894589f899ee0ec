//! The snapshot file: from it a router starts when Redis and the admin plane are gone.
//!
//! ```text
//! file      length u32 LE · manifest, then length u32 LE · part …
//! ids       kind u8 · ids of 16 bytes, in the order of their slots
//! records   stored frames, as in a checkpoint; those of one kind in the order of their slots
//! plans     count u32 LE · length u32 LE · plan …
//! numbers   entry · length u32 LE · what it sets itself: plan u32 LE (0 none, else one more than its place) · place …
//! ranges    the same for blocks of numbers
//! ```
//!
//! Each part is a signed message of about 1 MB, so that several threads check and read them. Numbers stand in the
//! order of their tree, with the slots of what they refer to: nothing has to be looked up or sorted at the start.
//! The file is written beside, synced and renamed; the one before it stays, as `FILE.prev`, and is read when the newer
//! one is damaged.

mod reader;
mod writer;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::MessageError;

use super::{ApplyError, Snapshot};

/// What a part's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Content {
    Ids = 0,
    Records = 1,
    Plans = 2,
    Numbers = 3,
    Ranges = 4,
}

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

/// Reads this file and no other.
///
/// # Errors
/// See [`FileError`].
pub fn read_one(path: &Path, keys: &Keyring) -> Result<Snapshot, FileError> {
    reader::read(File::open(path)?, keys)
}

/// Writes the snapshot beside the file, syncs it and renames it over the file, which stays as `FILE.prev`. `pause` is
/// called after each part, so that whoever shares the processor isn't held up.
///
/// # Errors
/// [`FileError::Io`]; the file is then as it was.
pub fn write(path: &Path, snapshot: &Snapshot, keys: &Keyring, pause: impl FnMut()) -> Result<(), FileError> {
    let beside = suffixed(path, ".new");
    let mut file = BufWriter::new(create_private(&beside)?);
    writer::write(&mut file, snapshot, keys, pause)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
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

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use dialplane_common::e164::E164;
    use dialplane_common::feed::frame::{Frame, Payload, RawKey};
    use dialplane_common::feed::record::{
        AgentRecord, AgentTarget, Binding, NumberRecord, PlatformRecord, Record, TenantRecord,
    };
    use dialplane_common::feed::{Epoch, FEED_VERSION};
    use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
    use dialplane_common::location::Place;
    use uuid::Uuid;

    use super::*;

    fn keys() -> Keyring {
        Keyring::feed("a-feed-key-of-some-length").unwrap()
    }

    fn id(number: u64) -> Uuid {
        Uuid::from_u128(u128::from(number))
    }

    fn called(number: u64) -> E164 {
        E164::from_u64(12_000_000_000 + number).unwrap()
    }

    fn number(number: u64) -> NumberRecord {
        let binding = Binding {
            account: AccountId(id(7)),
            number_id: number.is_multiple_of(11).then(|| format!("PN{number}")),
        };
        NumberRecord {
            agent_id: Some(AgentId(id(number % 50))),
            bindings: if number.is_multiple_of(13) { vec![] } else { vec![binding] },
            calls_max: number.is_multiple_of(3).then_some((number % 4) as u16),
            place: Place { display_name: "x".repeat((number % 7) as usize), ..Place::default() },
            ..NumberRecord::new(PhoneNumberId(id(number)), TenantId(id(number % 100)))
        }
    }

    /// Of all kinds of records some: tenants that are gone, numbers whose agents aren't there, and one that can't be read.
    fn snapshot(numbers: u64) -> Snapshot {
        let (mut snapshot, keys) = (Snapshot::empty(Epoch(id(9))), keys());
        let mut put = |record: Record| snapshot.put_record(&record, &keys);
        put(Record::Platform(PlatformRecord::default()));
        for number in 0..100 {
            put(Record::Tenant(TenantId(id(number)), TenantRecord::new(format!("T{number}"), "UTC")));
        }
        for agent in 0..40 {
            let target = AgentTarget::Sip { uri: format!("sip:{agent}@a.example") };
            let record = AgentRecord::new(TenantId(id(agent)), "Front desk", target);
            put(Record::Agent(AgentId(id(agent)), record));
        }
        for index in 0..numbers {
            put(Record::Number(called(index), number(index)));
        }
        put(Record::Range("+3312345".parse().unwrap(), number(3)));
        for tenant in 0..5 {
            let id = id(tenant * 20);
            let key = RawKey { kind: 1, key: id.as_bytes() };
            snapshot.put(None, &Frame { key, payload: None }, &keys);
        }
        let bytes = Record::Number(called(1), number(1)).encode();
        let key = RawKey { kind: 4, key: &called(1).to_u64().to_be_bytes() };
        let newer = Frame { key, payload: Some(Payload { version: FEED_VERSION + 1, bytes: &bytes }) };
        snapshot.put(newer.hash(), &newer, &keys);
        snapshot
    }

    /// A file of this test alone, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            let own = format!("dialplane-file-{name}-{}-{since}", std::process::id());
            Self(std::env::temp_dir().join(own))
        }

        fn write(&self, snapshot: &Snapshot) -> Vec<u8> {
            write(&self.0, snapshot, &keys(), || {}).unwrap();
            fs::read(&self.0).unwrap()
        }

        /// What is read from these bytes.
        fn read(&self, bytes: &[u8]) -> Result<Snapshot, FileError> {
            fs::write(&self.0, bytes).unwrap();
            read_one(&self.0, &keys())
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
            let _ = fs::remove_file(previous(&self.0));
        }
    }

    fn check_same(read: &Snapshot, expected: &Snapshot, numbers: u64) {
        assert_eq!((read.serving(), read.unreadable_records()), (expected.serving(), 1));
        assert_eq!(read.record_counts(), expected.record_counts());
        for index in 0..numbers {
            let (read, expected) =
                (read.number(called(index)).unwrap(), expected.number(called(index)).unwrap());
            assert_eq!(read.record(), expected.record());
            assert_eq!(
                (read.tenant().is_some(), read.agent()),
                (expected.tenant().is_some(), expected.agent())
            );
        }
        let ranged: E164 = "+3312345678".parse().unwrap();
        assert_eq!(read.number(ranged).unwrap().record(), number(3));
        assert_eq!(read.number_named(AccountId(id(7)), "PN22"), Some(called(22)));
    }

    #[test]
    fn a_snapshot_comes_back_and_goes_on() {
        for numbers in [100, 40_000] {
            let (scratch, expected) = (Scratch::new("whole"), snapshot(numbers));
            let bytes = scratch.write(&expected);
            let mut read = scratch.read(&bytes).unwrap();
            check_same(&read, &expected, numbers);
            // Plans are counted and slots known: changes on both go on alike.
            let mut expected = expected;
            for index in 0..numbers.min(500) {
                let record = Record::Number(called(index), number(index + 1));
                read.put_record(&record, &keys());
                expected.put_record(&record, &keys());
            }
            assert_eq!(read.serving(), expected.serving());
            assert_eq!(scratch.read(&scratch.write(&read)).unwrap().serving(), expected.serving());
        }
    }

    /// The file's messages with their lengths.
    fn messages(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut messages = Vec::new();
        while let Some((length, _)) = bytes.split_first_chunk() {
            let (message, rest) = bytes.split_at(4 + u32::from_le_bytes(*length) as usize);
            messages.push(message);
            bytes = rest;
        }
        messages
    }

    #[test]
    fn damaged_files_are_no_snapshots() {
        let (scratch, snapshot) = (Scratch::new("damaged"), snapshot(40_000));
        let bytes = scratch.write(&snapshot);
        let parts = messages(&bytes);
        assert!(parts.len() > 6, "several parts of numbers");
        let last = parts.len() - 1;
        let mut swapped = parts.clone();
        swapped.swap(2, 3);
        assert!(scratch.read(&swapped.concat()).is_ok(), "parts say themselves where they belong");
        let check = |what: &str, parts: &[&[u8]]| {
            assert!(scratch.read(&parts.concat()).is_err(), "{what}");
        };
        check("nothing", &[]);
        check("no parts", &parts[..1]);
        check("no last part", &parts[..last]);
        check("a part twice", &[&parts[..], &parts[3..4]].concat());
        check("the last part twice", &[&parts[..], &parts[last..]].concat());
        for missing in 0..=last {
            let left: Vec<&[u8]> =
                parts.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, part)| *part).collect();
            check(&format!("part {missing} missing"), &left);
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 40) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            assert!(scratch.read(&changed).is_err(), "byte {at} changed");
            assert!(scratch.read(&bytes[..at]).is_err(), "cut at {at}");
        }
        let other = Keyring::feed("another-feed-key-of-some-length").unwrap();
        fs::write(&scratch.0, &bytes).unwrap();
        assert!(read_one(&scratch.0, &other).is_err());
    }
}
