//! `rotate-keys`: seals what is stored anew with the first key of `ADMIN_ENCRYPTION_KEY`, so that the others can go.
//!
//! In batches, each a transaction. What the first key has sealed already is left alone: stopped, the command goes on
//! where it was when it is run again. Routers aren't concerned: what they have is sealed with `FEED_KEY`.

use clap::Args;
use dialplane_common::feed::keyring::Keyring;
use serde_json::json;

use super::{open, table};
use crate::Failure;
use crate::config::StoreArguments;
use crate::store::sealed::{self, Resealed, Sealed};
use crate::store::{Origin, Scope, Store, StoreError};

/// Rows a transaction.
const ROWS: i64 = 200;

/// Settings of `rotate-keys`.
#[derive(Args)]
pub struct RotateArguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArguments,
}

/// Runs the command.
///
/// # Errors
/// When Postgres can't be reached, or no key opens what is stored. What was sealed until then is.
pub async fn run(arguments: RotateArguments) -> Result<(), Failure> {
    let first = arguments.store.first_encryption_key()?;
    let store = open(arguments.store.settings()?)?;
    let mut rows = Vec::new();
    for sealed in sealed::ALL {
        let done = all(&store, sealed, &first).await;
        let done = done.map_err(|error| Failure::new(&format!("seal {} anew", sealed.what), &error))?;
        rows.push(json!({"what": sealed.what, "sealed_anew": done.anew, "already": done.already}));
    }
    table::print_rows(arguments.json, &["what", "sealed_anew", "already"], &rows);
    Ok(())
}

async fn all(store: &Store, sealed: Sealed, first: &Keyring) -> Result<Resealed, StoreError> {
    let mut sum = Resealed::default();
    loop {
        let mut tx = store.write(Scope::Operator, &Origin::system("rotate-keys")).await?;
        let done = sealed::reseal(tx.conn(), sealed, store.keys(), first, sum.last, ROWS).await?;
        tx.commit().await?;
        sum.anew += done.anew;
        sum.already += done.already;
        if done.last.is_none() {
            return Ok(sum);
        }
        sum.last = done.last;
    }
}
