//! What is sealed in the tables, whatever it is: for sealing it anew.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{StoreError, nonce};
use crate::config::SealKeys;

/// A column with sealed bytes, each for the id of its row's owner.
#[derive(Clone, Copy, Debug)]
pub struct Sealed {
    table: &'static str,
    owner: &'static str,
    column: &'static str,
    /// What it holds, for people.
    pub what: &'static str,
}

/// All of them.
pub const ALL: [Sealed; 2] = [
    Sealed { table: "accounts", owner: "id", column: "credentials_sealed", what: "accounts" },
    Sealed { table: "tool_servers", owner: "tenant_id", column: "secret_sealed", what: "tool servers" },
];

/// What came of a batch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Resealed {
    /// Rows that were sealed anew.
    pub anew: u64,
    /// Rows that the first key had sealed already.
    pub already: u64,
    /// The last row's owner; absent: there are no more.
    pub last: Option<Uuid>,
}

/// Seals a batch of rows behind `after` with the first key, `first`, unless it did so before. For operators.
///
/// # Errors
/// [`StoreError::Sealed`] when no key opens a row.
pub async fn reseal(
    conn: &mut PgConnection,
    sealed: Sealed,
    keys: &SealKeys,
    first: &dialplane_common::feed::keyring::Keyring,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Resealed, StoreError> {
    let Sealed { table, owner, column, .. } = sealed;
    // Safe: all names are literals of this file.
    let select = AssertSqlSafe(format!(
        "SELECT {owner}, {column} FROM {table} WHERE ($1::uuid IS NULL OR {owner} > $1)
         ORDER BY {owner} LIMIT $2 FOR NO KEY UPDATE"
    ));
    let rows: Vec<(Uuid, Vec<u8>)> =
        sqlx::query_as(select).bind(after).bind(rows_max).fetch_all(&mut *conn).await?;
    let mut done = Resealed { last: rows.last().map(|(id, _)| *id), ..Resealed::default() };
    for (id, bytes) in rows {
        if first.open(id.as_bytes(), &bytes).is_ok() {
            done.already += 1;
            continue;
        }
        let plain = keys.at_rest.open(id.as_bytes(), &bytes)?;
        let anew = keys.at_rest.seal(nonce::draw()?, id.as_bytes(), plain.expose());
        let update = AssertSqlSafe(format!("UPDATE {table} SET {column} = $2 WHERE {owner} = $1"));
        sqlx::query(update).bind(id).bind(anew).execute(&mut *conn).await?;
        done.anew += 1;
    }
    Ok(done)
}
