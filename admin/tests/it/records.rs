//! What the feed says of a record, as a router would read it.

use dialplane_common::feed::frame::{Frame, Kind, Payload, RawKey};
use dialplane_common::feed::record::Record;
use sqlx::{Connection, PgConnection};

use crate::harness::Admin;

/// All records of a kind, in the order of their keys.
pub async fn of_kind(admin: &Admin, kind: Kind) -> Vec<Record> {
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
    let rows: Vec<(Vec<u8>, i16, Vec<u8>)> =
        sqlx::query_as("SELECT key, version, payload FROM feed_records WHERE kind = $1 ORDER BY key")
            .bind(kind as i16)
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let read = |(key, version, bytes): &(Vec<u8>, i16, Vec<u8>)| {
        let payload = Payload { version: u8::try_from(*version).unwrap(), bytes };
        let frame = Frame { key: RawKey { kind: kind as u8, key }, payload: Some(payload) };
        frame.record().unwrap().unwrap()
    };
    rows.iter().map(read).collect()
}
