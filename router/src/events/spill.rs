//! Files of batches that there is no room for in memory, or that are to outlive the process.
//!
//! ```text
//! FOLDER/<writer>.events:  length u32 · signed batch · length u32 · signed batch …
//! ```
//!
//! Each router has a file of its own, locked as long as it lives. One whose lock is free was left by a router that ended:
//! whoever finds it adopts it, and sends what it holds. So a router that replaces another while that still runs has nothing
//! to wait for, and the other's batches are sent by whoever comes next. A batch's own signature tells whether it is whole; a
//! file is emptied once all that it holds is stored.
//!
//! Files outlive the process, not the machine: nothing waits for the disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialplane_common::calls::batch::{Batch, EVENTS_BYTES_MAX, WriterId};
use dialplane_common::calls::event::EVENT_BYTES_MAX;
use dialplane_common::feed::keyring::Keyring;
use rustix::fs::{FlockOperation, flock};

const LENGTH_BYTES: u64 = 4;
const EXTENSION: &str = "events";
const REJECTED: &str = "rejected";

/// No batch is longer, with what it has besides its events.
const BATCH_BYTES_MAX: u32 = (EVENTS_BYTES_MAX + EVENT_BYTES_MAX + 256) as u32;

/// More sequences missing between two batches of a file than this are no hole that anybody fills.
const HOLE_MAX: u64 = 10_000;

/// A batch in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Which file, as [`Spill`] numbers them.
    pub file: u32,
    /// Where the batch begins.
    pub offset: u64,
    /// How long it is.
    pub length: u32,
}

/// Why a batch can't be put into a file.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// Files hold as much as they may.
    #[error("files of events hold as much as they may")]
    Full,
    /// The system refuses.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// What was found in another writer's file.
#[derive(Debug)]
pub struct Adopted {
    /// Whose.
    pub writer: WriterId,
    /// The sequence of the first batch.
    pub first: u64,
    /// The batches, one after the other; `None` for one that isn't there.
    pub batches: Vec<Option<Span>>,
}

/// The files.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    bytes_max: u64,
    keys: Arc<Keyring>,
    own: Option<u32>,
    files: Vec<OpenFile>,
    next: u32,
}

#[derive(Debug)]
struct OpenFile {
    number: u32,
    path: PathBuf,
    file: File,
    /// Where the next batch goes.
    end: u64,
    /// Batches that aren't stored yet.
    live: usize,
    /// It holds something that can't be read: it is kept for somebody to look at.
    is_torn: bool,
}

impl Spill {
    /// Files in `folder`, of so many bytes in all.
    #[must_use]
    pub const fn new(folder: PathBuf, bytes_max: u64, keys: Arc<Keyring>) -> Self {
        Self { folder, bytes_max, keys, own: None, files: Vec::new(), next: 0 }
    }

    /// How many bytes the files hold.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.end).sum()
    }

    /// Appends a batch to the writer's own file.
    ///
    /// # Errors
    /// See [`SpillError`]; the file is then as it was before.
    pub fn append(&mut self, writer: WriterId, batch: &[u8]) -> Result<Span, SpillError> {
        let length = u32::try_from(batch.len()).map_err(|_| SpillError::Full)?;
        if self.bytes() + LENGTH_BYTES + u64::from(length) > self.bytes_max {
            return Err(SpillError::Full);
        }
        let own = self.own(writer)?;
        let offset = own.end + LENGTH_BYTES;
        let record = [&length.to_le_bytes(), batch].concat();
        if let Err(error) = own.file.write_all_at(&record, own.end) {
            // What was written of it is passed over by whoever reads it, if it can't be cut off.
            let _ = own.file.set_len(own.end);
            return Err(error.into());
        }
        own.end = offset + u64::from(length);
        own.live += 1;
        Ok(Span { file: own.number, offset, length })
    }

    /// A batch's bytes.
    ///
    /// # Errors
    /// When they can't be read as they were written.
    pub fn read(&self, span: Span) -> io::Result<Vec<u8>> {
        let file = self.files.iter().find(|file| file.number == span.file);
        let file = file.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut bytes = vec![0; span.length as usize];
        file.file.read_exact_at(&mut bytes, span.offset)?;
        Batch::verify(&bytes, &self.keys).map_err(io::Error::other)?;
        Ok(bytes)
    }

    /// A batch is stored. A file of which all are is emptied, and another writer's goes.
    pub fn free(&mut self, span: Span) {
        let Some(index) = self.files.iter().position(|file| file.number == span.file) else { return };
        let file = &mut self.files[index];
        file.live = file.live.saturating_sub(1);
        if file.live > 0 {
            return;
        }
        if self.own == Some(file.number) {
            if file.file.set_len(0).is_ok() {
                file.end = 0;
            }
        } else {
            self.files.remove(index).put_away();
        }
    }

    /// Takes on files that nobody has any more, but not those of writers that are `known`.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn adopt(&mut self, known: impl Fn(WriterId) -> bool) -> io::Result<(Vec<Adopted>, u64)> {
        let (mut adopted, mut torn) = (Vec::new(), 0);
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_events = path.extension().is_some_and(|extension| extension == EXTENSION);
            if !is_events || self.files.iter().any(|file| file.path == path) {
                continue;
            }
            let Ok(Some(mut file)) =
                OpenFile::lock(self.next, path, OpenOptions::new().read(true).write(true))
            else {
                continue;
            };
            let found = file.scan(&self.keys);
            torn += u64::from(file.is_torn);
            match found {
                // Somebody put a copy there.
                Some(found) if known(found.writer) => {}
                Some(found) => {
                    adopted.push(found);
                    self.files.push(file);
                    self.next += 1;
                }
                None => file.put_away(),
            }
        }
        Ok((adopted, torn))
    }

    fn own(&mut self, writer: WriterId) -> io::Result<&mut OpenFile> {
        if self.own.is_none() {
            fs::create_dir_all(&self.folder)?;
            let path = self.folder.join(format!("{}.{EXTENSION}", writer.0));
            let mut options = OpenOptions::new();
            // It tells who called whom.
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = OpenFile::lock(self.next, path, &options)?;
            // Another router may look into it at this very moment, and then removes it.
            let file = file.ok_or_else(|| io::Error::from(io::ErrorKind::WouldBlock))?;
            self.own = Some(file.number);
            self.files.push(file);
            self.next += 1;
        }
        let own = self.own;
        let file = self.files.iter_mut().find(|file| Some(file.number) == own);
        file.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Drop for Spill {
    /// An own file that holds nothing is of no use to anybody.
    fn drop(&mut self) {
        for file in self.files.drain(..).filter(|file| file.end == 0) {
            file.put_away();
        }
    }
}

impl OpenFile {
    /// Opens a file and locks it; `None` when somebody else has it, or removed it meanwhile.
    fn lock(number: u32, path: PathBuf, options: &OpenOptions) -> io::Result<Option<Self>> {
        let file = options.open(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() || file.metadata()?.nlink() == 0 {
            return Ok(None);
        }
        Ok(Some(Self { number, path, file, end: 0, live: 0, is_torn: false }))
    }

    /// Finds the batches. `None` when there are none.
    fn scan(&mut self, keys: &Keyring) -> Option<Adopted> {
        let bytes = self.file.metadata().map_or(0, |metadata| metadata.len());
        let mut found: Option<Adopted> = None;
        let mut offset = 0;
        while offset < bytes {
            let Ok((batch, length)) = self.record(offset, bytes) else {
                self.is_torn = true;
                break;
            };
            let span = Span { file: self.number, offset: offset + LENGTH_BYTES, length };
            offset = span.offset + u64::from(length);
            match Batch::verify(&batch, keys) {
                Ok(batch) => {
                    let is_next = add(&mut found, &batch, span);
                    self.live += usize::from(is_next);
                    self.is_torn |= !is_next;
                }
                Err(_) => self.is_torn = true,
            }
        }
        self.end = bytes;
        found
    }

    fn record(&self, offset: u64, bytes: u64) -> io::Result<(Vec<u8>, u32)> {
        let mut length = [0; LENGTH_BYTES as usize];
        self.file.read_exact_at(&mut length, offset)?;
        let length = u32::from_le_bytes(length);
        if length > BATCH_BYTES_MAX || u64::from(length) > bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut batch = vec![0; length as usize];
        self.file.read_exact_at(&mut batch, offset + LENGTH_BYTES)?;
        Ok((batch, length))
    }

    /// Removes the file; one of which something couldn't be read is kept under another name. While it is locked, so that
    /// nobody adopts it in between.
    fn put_away(self) {
        let rejected = |path: &Path| path.with_extension(REJECTED);
        let done = if self.is_torn {
            fs::rename(&self.path, rejected(&self.path))
        } else {
            fs::remove_file(&self.path)
        };
        if let Err(error) = done {
            tracing::warn!(file = %self.path.display(), %error, "put away a file of events");
        }
    }
}

/// Adds a batch to those that were found before it; where some are missing in between, with their places. Says whether it
/// follows them.
fn add(found: &mut Option<Adopted>, batch: &Batch<'_>, span: Span) -> bool {
    let Batch { writer, sequence, .. } = *batch;
    let adopted = found.get_or_insert_with(|| Adopted { writer, first: sequence, batches: Vec::new() });
    let next = adopted.first + adopted.batches.len() as u64;
    let hole = sequence.checked_sub(next).filter(|hole| *hole <= HOLE_MAX && adopted.writer == writer);
    let Some(hole) = hole else { return false };
    adopted.batches.extend((0..hole).map(|_| None));
    adopted.batches.push(Some(span));
    true
}

#[cfg(test)]
pub mod samples {
    use super::*;
    use uuid::Uuid;

    /// A folder that is removed again.
    pub struct Folder(PathBuf);

    impl Folder {
        /// A new one.
        pub fn new() -> Self {
            let path = std::env::temp_dir().join(format!("dialplane-events-{}", Uuid::now_v7().simple()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        /// Where it is.
        pub fn path(&self) -> &Path {
            &self.0
        }

        /// Files in it.
        pub fn spill(&self, bytes_max: u64) -> Spill {
            Spill::new(self.0.clone(), bytes_max, keys())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The key of all tests.
    pub fn keys() -> Arc<Keyring> {
        Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{Folder, keys};
    use super::*;
    use uuid::Uuid;

    const WRITER: WriterId = WriterId(Uuid::from_u128(7));

    /// The file of the writer.
    fn file(folder: &Folder) -> PathBuf {
        folder.path().join(format!("{}.{EXTENSION}", WRITER.0))
    }

    /// The names' endings of what lies in a folder.
    fn holds(folder: &Folder) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path().extension().unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn batch(sequence: u64) -> Vec<u8> {
        Batch { writer: WRITER, sequence, events: &[b'x'; 40] }.sign(&keys())
    }

    /// What the next process finds: the first sequence, and which batches are there.
    fn found(spill: &mut Spill) -> (Option<(u64, Vec<bool>)>, u64) {
        let (adopted, torn) = spill.adopt(|_| false).unwrap();
        assert!(adopted.len() <= 1);
        let found = adopted.into_iter().next().map(|adopted| {
            assert_eq!(adopted.writer, WRITER);
            for (span, sequence) in adopted.batches.iter().zip(adopted.first..) {
                assert!(span.is_none_or(|span| spill.read(span).unwrap() == batch(sequence)));
            }
            (adopted.first, adopted.batches.iter().map(Option::is_some).collect())
        });
        (found, torn)
    }

    #[test]
    fn what_a_process_leaves_the_next_one_finds_in_order() {
        let folder = Folder::new();
        let mut first = folder.spill(10_000);
        for sequence in 4..=6 {
            first.append(WRITER, &batch(sequence)).unwrap();
        }
        let mut second = folder.spill(10_000);
        assert_eq!(found(&mut second), (None, 0), "its owner lives");
        drop(first);
        assert_eq!(found(&mut second), (Some((4, vec![true; 3])), 0));
        assert_eq!(found(&mut second), (None, 0), "once");
        assert_eq!(found(&mut folder.spill(10_000)), (None, 0), "somebody has it");
    }

    #[test]
    fn a_torn_end_is_passed_over_and_so_is_a_batch_that_was_changed() {
        let whole = (4 + batch(1).len()) as u64;
        let check = |damage: &dyn Fn(&File), expected: Option<(u64, Vec<bool>)>, torn: u64| {
            let folder = Folder::new();
            let mut spill = folder.spill(10_000);
            for sequence in 1..=3 {
                spill.append(WRITER, &batch(sequence)).unwrap();
            }
            drop(spill);
            damage(&OpenOptions::new().write(true).open(file(&folder)).unwrap());
            assert_eq!(found(&mut folder.spill(10_000)), (expected, torn));
        };
        check(&|_| {}, Some((1, vec![true; 3])), 0);
        for cut in [1, whole / 2, whole - 1] {
            check(&|file| file.set_len(3 * whole - cut).unwrap(), Some((1, vec![true; 2])), 1);
        }
        check(&|file| file.write_all_at(b"?", whole + 60).unwrap(), Some((1, vec![true, false, true])), 1);
        check(&|file| file.write_all_at(b"?", 60).unwrap(), Some((2, vec![true; 2])), 1);
        check(&|file| file.write_all_at(&[0xff; 4], whole).unwrap(), Some((1, vec![true])), 1);
        check(&|file| file.set_len(0).unwrap(), None, 0);
    }

    #[test]
    fn a_file_goes_when_all_that_it_holds_is_stored() {
        let folder = Folder::new();
        let mut spill = folder.spill(10_000);
        let spans: Vec<Span> =
            (1..=2).map(|sequence| spill.append(WRITER, &batch(sequence)).unwrap()).collect();
        spill.free(spans[0]);
        assert!(spill.bytes() > 0);
        spill.free(spans[1]);
        assert_eq!((spill.bytes(), fs::metadata(file(&folder)).unwrap().len()), (0, 0));
        let span = spill.append(WRITER, &batch(3)).unwrap();
        assert_eq!(spill.read(span).unwrap(), batch(3));
        drop(spill);
        let mut next = folder.spill(10_000);
        let (adopted, _) = next.adopt(|_| false).unwrap();
        adopted[0].batches.iter().flatten().for_each(|span| next.free(*span));
        assert_eq!(holds(&folder), Vec::<String>::new());
    }

    #[test]
    fn what_cant_be_read_is_kept_for_somebody_to_look_at() {
        let folder = Folder::new();
        fs::write(file(&folder), b"no batches at all").unwrap();
        assert_eq!(found(&mut folder.spill(10_000)), (None, 1));
        assert_eq!(holds(&folder), [REJECTED]);
    }

    #[test]
    fn no_more_is_written_than_may_be() {
        let folder = Folder::new();
        let mut spill = folder.spill(250);
        spill.append(WRITER, &batch(1)).unwrap();
        spill.append(WRITER, &batch(2)).unwrap();
        assert!(matches!(spill.append(WRITER, &batch(3)), Err(SpillError::Full)));
        assert!(spill.bytes() <= 250);
    }

    #[test]
    fn a_folder_that_isnt_one_is_an_error_and_nothing_else() {
        let folder = Folder::new();
        let path = folder.path().join("file.txt");
        fs::write(&path, b"").unwrap();
        let mut spill = Spill::new(path.join("below"), 10_000, keys());
        assert!(matches!(spill.append(WRITER, &batch(1)), Err(SpillError::System(_))));
        assert!(spill.adopt(|_| false).is_err());
        assert_eq!(spill.bytes(), 0);
    }

    #[test]
    fn an_own_file_that_holds_nothing_goes_with_its_process() {
        let folder = Folder::new();
        let mut spill = folder.spill(10_000);
        let span = spill.append(WRITER, &batch(1)).unwrap();
        spill.free(span);
        drop(spill);
        assert_eq!(holds(&folder), Vec::<String>::new());
    }
}
