//! Writes one state of the database in the form that import takes. The same state gives the same bytes.

use bytes::Bytes;
use dialplane_common::ids::TenantId;
use futures_util::{Stream, StreamExt};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{Format, Kind, numbers, settings, tenants};
use crate::store::bulk::{self, SettingsRow};
use crate::store::{ReadTx, StoreError};

/// A file goes out in parts of about this size.
const PART_BYTES: usize = 64 << 10;

/// Writes a file to `parts`, until all is written or nobody takes it.
///
/// # Errors
/// When Postgres goes away: the file then ends before its end.
pub async fn write(
    mut tx: ReadTx,
    kind: Kind,
    format: Format,
    tenant: Option<TenantId>,
    parts: &mpsc::Sender<Bytes>,
) -> Result<(), StoreError> {
    let conn = tx.conn();
    match kind {
        Kind::Numbers => {
            let rows = bulk::all_numbers(conn, tenant).map(|row| row.map(|row| numbers::cells(&row)));
            lines(kind, format, rows, parts).await
        }
        Kind::Tenants => {
            let rows = bulk::all_tenants(conn, tenant).map(|row| row.map(|row| tenants::cells(&row)));
            lines(kind, format, rows, parts).await
        }
        Kind::Settings => {
            let rows = bulk::all_settings(conn, tenant).map(|row| row.map(settings_cells));
            lines(kind, format, rows, parts).await
        }
    }
}

/// Settings as a line: the values of [`settings::EXPORTED`], null where there is none.
fn settings_cells(mut row: SettingsRow) -> Vec<Value> {
    let (number, prefix) = match row.number {
        Some((digits, true)) => (Value::Null, Value::from(digits)),
        Some((digits, false)) => (Value::from(digits), Value::Null),
        None => (Value::Null, Value::Null),
    };
    let mut cells = vec![number, prefix, Value::from(row.tenant.to_string())];
    cells.extend(settings::KINDS.map(|kind| row.documents.remove(kind.name()).unwrap_or_default()));
    cells
}

async fn lines(
    kind: Kind,
    format: Format,
    rows: impl Stream<Item = Result<Vec<Value>, StoreError>>,
    parts: &mpsc::Sender<Bytes>,
) -> Result<(), StoreError> {
    let columns = kind.exported();
    let mut out = Writer::new(format, columns);
    let mut rows = std::pin::pin!(rows);
    while let Some(cells) = rows.next().await {
        out.line(columns, cells?);
        if out.is_full() && parts.send(out.take()).await.is_err() {
            return Ok(());
        }
    }
    let _ = parts.send(out.take()).await;
    Ok(())
}

/// Lines in memory. Writing there doesn't fail.
enum Writer {
    Csv(Box<csv::Writer<Vec<u8>>>),
    Jsonl(Vec<u8>),
}

impl Writer {
    fn new(format: Format, columns: &[&str]) -> Self {
        match format {
            Format::Csv => {
                let mut out = csv::Writer::from_writer(Vec::with_capacity(2 * PART_BYTES));
                let _ = out.write_record(columns);
                Self::Csv(Box::new(out))
            }
            Format::Jsonl => Self::Jsonl(Vec::with_capacity(2 * PART_BYTES)),
        }
    }

    fn line(&mut self, columns: &[&str], cells: Vec<Value>) {
        match self {
            Self::Csv(out) => {
                for cell in cells {
                    let _ = match cell {
                        Value::Null => out.write_field(""),
                        Value::String(text) => out.write_field(text),
                        other => out.write_field(other.to_string()),
                    };
                }
                let _ = out.write_record(None::<&[u8]>);
            }
            Self::Jsonl(out) => {
                let there = columns.iter().zip(cells).filter(|(_, cell)| !cell.is_null());
                let object: serde_json::Map<String, Value> =
                    there.map(|(name, cell)| ((*name).to_owned(), cell)).collect();
                let _ = serde_json::to_writer(&mut *out, &object);
                out.push(b'\n');
            }
        }
    }

    fn is_full(&mut self) -> bool {
        match self {
            Self::Csv(out) => {
                let _ = out.flush();
                out.get_ref().len() >= PART_BYTES
            }
            Self::Jsonl(out) => out.len() >= PART_BYTES,
        }
    }

    fn take(&mut self) -> Bytes {
        match self {
            Self::Csv(out) => {
                let empty = csv::Writer::from_writer(Vec::with_capacity(2 * PART_BYTES));
                Bytes::from(std::mem::replace(&mut **out, empty).into_inner().unwrap_or_default())
            }
            Self::Jsonl(out) => Bytes::from(std::mem::take(out)),
        }
    }
}
