//! PostGraphile, as one process of Node.js.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

use super::rows::Rows;
use crate::load::server::Server;
use crate::system::{Process, free_port};

const INSTALL: &str = "PostGraphile isn't installed; to have it: bench/rivals/install";

/// Starts it on a database, with the tenants' keys.
///
/// # Errors
/// When it isn't installed or doesn't start.
pub fn start(database_url: &str, rows: &Rows) -> Result<Server, String> {
    let state = env::var_os("DIALPLANE_DIR").map_or_else(
        || Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.dialplane")).into(),
        PathBuf::from,
    );
    let program = state.join("rivals/postgraphile/server.mjs");
    if !program.exists() {
        return Err(INSTALL.to_owned());
    }
    let keys: Map<String, Value> =
        rows.0.iter().map(|tenant| (tenant.key.clone(), tenant.id.clone().into())).collect();
    let port = free_port();
    let mut command = Command::new("node");
    command.arg(program).env("PORT", port.to_string()).env("DATABASE_URL", database_url);
    command.env("NODE_ENV", "production").env("GRAPHILE_ENV", "production");
    command.env("KEYS", Value::from(keys).to_string());
    let (process, address) = Process::listening(command, port)?;
    Ok(Server::new(process, address, "{"))
}
