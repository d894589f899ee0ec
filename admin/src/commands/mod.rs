//! What operators do in a terminal, one file each. Those of [`remote`] speak to a running admin plane; the others to
//! Postgres, with the settings that `serve` takes.
//!
//! Answers go to standard output, errors and progress to standard error. A command ends with 0 when it did what it was
//! asked to, with 1 when it couldn't, with 2 when it was called wrong.

pub mod check;
pub mod explain;
pub mod export;
pub mod fleet;
pub mod import;
pub mod keys;
pub mod reconcile;
pub mod remote;
pub mod rotate_keys;
pub mod table;

use std::sync::Arc;

use crate::Failure;
use crate::config::StoreSettings;
use crate::store::Store;

/// Postgres, by a command's settings.
///
/// # Errors
/// When its URL isn't one.
pub fn open(settings: StoreSettings) -> Result<Store, Failure> {
    crate::telemetry::start(settings.log);
    Store::new(&settings.database_url, Arc::new(settings.seal_keys))
        .map_err(|error| Failure::new("open the database", &error))
}
