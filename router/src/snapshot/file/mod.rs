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

fn read_one(path: &Path, keys: &Keyring) -> Result<Snapshot, FileError> {
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
