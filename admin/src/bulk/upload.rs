//! Takes a file in as it arrives: pieces are committed one by one, so that what came is kept when the rest doesn't.

use super::Format;
use super::line;
use super::split::{Records, Splitter, TooLong};
use crate::invalid::Invalid;
use crate::store::imports::{self, Import, Received};
use crate::store::{Store, StoreError};

/// Every line of a file is told from every other while it is validated, in some 50 bytes of memory a line.
pub const LINES_MAX: i64 = 10_000_000;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file that is arriving.
pub struct Upload<'a> {
    store: &'a Store,
    /// The import, as it is kept so far.
    pub import: Import,
    format: Format,
    splitter: Splitter,
}

/// Why an upload doesn't go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Postgres is away or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else went on with it, or ended it.
    #[error("the upload isn't where it was")]
    Moved,
    /// The file can't be one.
    #[error("{0}")]
    Invalid(Invalid),
}

impl<'a> Upload<'a> {
    /// Goes on where an import's file is.
    ///
    /// # Errors
    /// When the import's row isn't as this program writes it.
    pub fn new(store: &'a Store, import: Import) -> Result<Self, StoreError> {
        let format = Format::from_name(&import.format).ok_or(StoreError::Malformed("import"))?;
        Ok(Self { store, import, format, splitter: Splitter::new(format) })
    }

    /// Takes bytes, and keeps what makes a piece.
    ///
    /// # Errors
    /// See [`UploadError`]; after [`UploadError::Invalid`] the import has failed.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        if self.splitter.push(bytes) == Err(TooLong) {
            let wanted = format!("wanted records of at most {} bytes", super::split::RECORD_BYTES_MAX);
            return self.refuse(Invalid::new("line", wanted)).await;
        }
        self.take_header().await?;
        while let Some(records) = self.piece() {
            self.keep(&records).await?;
        }
        Ok(())
    }

    /// The file ends here: it is validated next.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn end(mut self) -> Result<Import, UploadError> {
        if self.wants_header() {
            let header = self.splitter.end();
            self.keep_header(&header).await?;
        }
        let records = self.splitter.end();
        self.keep(&records).await?;
        let mut tx = super::worker::begin(self.store, &self.import).await?;
        let import = imports::transit(tx.conn(), self.import.id, &["uploading"], "validating").await?;
        tx.commit().await?;
        import.ok_or(UploadError::Moved)
    }

    /// The file goes on another time: whole records are kept.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn break_off(mut self) -> Result<Import, UploadError> {
        if !self.wants_header() {
            let records = self.splitter.rest();
            self.keep(&records).await?;
        }
        Ok(self.import)
    }

    fn wants_header(&self) -> bool {
        self.format == Format::Csv && self.import.header.is_none()
    }

    fn piece(&mut self) -> Option<Records> {
        if self.wants_header() { None } else { self.splitter.piece() }
    }

    async fn take_header(&mut self) -> Result<(), UploadError> {
        if self.wants_header()
            && let Some(header) = self.splitter.first()
        {
            self.keep_header(&header).await?;
        }
        Ok(())
    }

    async fn keep_header(&mut self, header: &Records) -> Result<(), UploadError> {
        let (kind, ..) = super::apply::reading(&self.import)?;
        let text = header.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&header.bytes);
        if let Err(invalid) = line::header(text, kind.columns()) {
            return self.refuse(invalid).await;
        }
        let bytes_received = self.import.bytes_received + length(&header.bytes);
        self.receive(&Received {
            offset: self.import.bytes_received,
            header: Some(text),
            bytes: &[],
            bytes_received,
            header_lines: header.line_breaks,
            line_breaks: 0,
            records: 0,
        })
        .await
    }

    async fn keep(&mut self, records: &Records) -> Result<(), UploadError> {
        if records.bytes.is_empty() {
            return Ok(());
        }
        if self.import.lines_received + records.records > LINES_MAX {
            return self
                .refuse(Invalid::new("line", format!("wanted at most {LINES_MAX} lines a file")))
                .await;
        }
        let is_first = self.import.bytes_received == 0;
        let bytes =
            records.bytes.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first).unwrap_or(&records.bytes);
        self.receive(&Received {
            offset: self.import.bytes_received,
            header: None,
            bytes,
            bytes_received: self.import.bytes_received + length(&records.bytes),
            header_lines: 0,
            line_breaks: records.line_breaks,
            records: records.records,
        })
        .await
    }

    async fn receive(&mut self, part: &Received<'_>) -> Result<(), UploadError> {
        let mut tx = super::worker::begin(self.store, &self.import).await?;
        let import = imports::receive(tx.conn(), self.import.id, part).await?;
        tx.commit().await?;
        self.import = import.ok_or(UploadError::Moved)?;
        Ok(())
    }

    async fn refuse(&mut self, invalid: Invalid) -> Result<(), UploadError> {
        let mut tx = super::worker::begin(self.store, &self.import).await?;
        imports::finish(tx.conn(), self.import.id, "failed", Some(&invalid.to_string())).await?;
        tx.commit().await?;
        Err(UploadError::Invalid(invalid))
    }
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}
