//! Usage as a table, sent as it is read.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::call_usage::{Reading, UsageItem};
use crate::store::usage::{self, Amount};
use crate::store::{ReadTx, StoreError};
use crate::usage::csv::Table;
use crate::usage::grouping::Group;

/// A table goes out in parts of about this size.
const PART_BYTES: usize = 64 << 10;
/// Parts that wait for a slow reader.
const PARTS_AHEAD: usize = 4;

/// One of an item's lists of amounts.
type ListOf = fn(&UsageItem) -> &Vec<Amount>;

const COUNTS: [&str; 10] = [
    "calls",
    "answered",
    "missed",
    "closed",
    "refused",
    "voicemail",
    "duration_ms",
    "minutes",
    "billed_minutes",
    "peak_concurrency",
];

/// The table as an answer.
pub(super) fn response(tx: ReadTx, reading: Reading) -> Response {
    let (sender, receiver) = mpsc::channel(PARTS_AHEAD);
    let writing = tokio::spawn(async move { write(tx, &reading, &sender).await });
    // A file that ends before its end breaks the connection off, so that nobody takes it for whole.
    let parts = stream::unfold((receiver, Some(writing)), |(mut receiver, mut writing)| async move {
        if let Some(part) = receiver.recv().await {
            return Some((Ok::<Bytes, std::io::Error>(part), (receiver, writing)));
        }
        match writing.take()?.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a table of usage broke off");
                Some((Err(std::io::Error::other(error)), (receiver, None)))
            }
            Err(error) => Some((Err(std::io::Error::other(error)), (receiver, None))),
        }
    });
    table_response("usage", Body::from_stream(parts))
}

/// An answer that is a table of this name.
pub(super) fn table_response(name: &str, body: Body) -> Response {
    let file = format!("attachment; filename=\"{name}.csv\"");
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, file)];
    (headers, body).into_response()
}

async fn write(mut tx: ReadTx, reading: &Reading, parts: &mpsc::Sender<Bytes>) -> Result<(), StoreError> {
    let mut rows = std::pin::pin!(usage::rows(tx.conn(), &reading.asked, i64::MAX));
    // The row of all tells which currencies there are.
    let Some(totals) = rows.next().await else { return Ok(()) };
    let totals = reading.item(totals?);
    let lists: [(&str, ListOf); 3] =
        [("cost", |item| &item.cost), ("rated", |item| &item.rated), ("reported", |item| &item.reported)];
    let mut columns = Vec::new();
    for (name, list) in lists {
        columns.extend(list(&totals).iter().map(|amount| (name, list, amount.currency.clone())));
    }
    let names = columns.iter().map(|(name, _, currency)| format!("{name}_{}", currency.to_lowercase()));
    let header: Vec<_> =
        keys(reading).map(str::to_owned).chain(COUNTS.map(str::to_owned)).chain(names).collect();
    let mut table = Table::new(&header.iter().map(String::as_str).collect::<Vec<_>>());
    while let Some(row) = rows.next().await {
        let item = reading.item(row?);
        let costs = columns.iter().map(|(_, list, currency)| {
            let found = list(&item).iter().find(|amount| amount.currency == *currency);
            found.map(|amount| amount.amount.clone()).unwrap_or_default()
        });
        table.line(key_cells(reading, &item).into_iter().chain(count_cells(&item)).chain(costs));
        if table.bytes() >= PART_BYTES && parts.send(table.take()).await.is_err() {
            return Ok(());
        }
    }
    let _ = parts.send(table.take()).await;
    Ok(())
}

fn keys(reading: &Reading) -> impl Iterator<Item = &'static str> {
    reading.grouping.groups.iter().map(|group| match group {
        Group::Day => "day",
        Group::Hour => "hour",
        Group::PhoneNumber => "phone_number_id",
        Group::Agent => "agent_id",
        Group::Provider => "provider",
        Group::Tenant => "tenant_id",
    })
}

fn key_cells(reading: &Reading, item: &UsageItem) -> Vec<String> {
    let id = |id: Option<Option<uuid::Uuid>>| id.flatten().map(|id| id.to_string());
    let cell = |group: &Group| match group {
        Group::Day => item.day.clone(),
        Group::Hour => item.hour.clone(),
        Group::PhoneNumber => id(item.phone_number_id),
        Group::Agent => id(item.agent_id),
        Group::Provider => item.provider.clone(),
        Group::Tenant => id(item.tenant_id),
    };
    reading.grouping.groups.iter().map(|group| cell(group).unwrap_or_default()).collect()
}

fn count_cells(item: &UsageItem) -> [String; 10] {
    [
        item.calls.to_string(),
        item.answered.to_string(),
        item.missed.to_string(),
        item.closed.to_string(),
        item.refused.to_string(),
        item.voicemail.to_string(),
        item.duration_ms.to_string(),
        item.minutes.clone(),
        item.billed_minutes.clone(),
        item.peak_concurrency.map(|peak| peak.to_string()).unwrap_or_default(),
    ]
}
