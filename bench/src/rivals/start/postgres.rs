//! Programs that ask PostgreSQL for each call. The backends that serve them count as theirs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Absent, Setup, folder, free_port, listening, missing, program};
use crate::calls::{AUTH_TOKEN, PUBLIC_URL};
use crate::load::server::Server;
use crate::system::Database;

/// The numbers as a table.
pub struct Numbers {
    database: Database,
    bytes: u64,
}

impl Numbers {
    fn load(map: &Path) -> Result<Self, Absent> {
        if env::var_os("DATABASE_URL").is_none() {
            let wanted = "no PostgreSQL; run this under: deploy/services exec --ephemeral -- COMMAND";
            return Err(Absent::Missing(wanted.to_owned()));
        }
        let database = Database::create();
        let _ = database.query("create table numbers (number text not null, stream_url text not null)");
        let _ = database.query(&format!("\\copy numbers from '{}' with (delimiter ' ')", map.display()));
        let _ = database.query("alter table numbers add primary key (number)");
        let _ = database.query("vacuum analyze numbers");
        let bytes = database.query("select pg_total_relation_size('numbers')").parse().unwrap_or_default();
        Ok(Self { database, bytes })
    }

    /// The backends that clients hold.
    fn backends(&self) -> Vec<u32> {
        let others = "select pid from pg_stat_activity where datname = current_database() \
                      and backend_type = 'client backend' and pid <> pg_backend_pid()";
        self.database.query(others).lines().filter_map(|pid| pid.parse().ok()).collect()
    }
}

/// Express with `pg`.
pub fn express(setup: &Setup) -> Result<Server, Absent> {
    let modules = installed("express/node_modules")?;
    let mut command = Command::new(program("node", "apt-get install nodejs npm")?);
    command.arg(folder().join("express/server.cjs")).env("NODE_PATH", modules).env("NODE_ENV", "production");
    start(setup, command, free_port())
}

/// FastAPI with asyncpg, on uvicorn.
pub fn fastapi(setup: &Setup) -> Result<Server, Absent> {
    let port = free_port();
    let mut command = Command::new(installed("fastapi/bin/python")?);
    command.args(["-m", "uvicorn", "server:app", "--no-access-log", "--log-level", "warning"]);
    command.args(["--loop", "uvloop", "--http", "httptools", "--port", &port.to_string(), "--app-dir"]);
    command.arg(folder().join("fastapi")).env("PYTHONDONTWRITEBYTECODE", "1");
    start(setup, command, port)
}

/// Starts a program that holds its connections from the start, each a backend of its own.
fn start(setup: &Setup, mut command: Command, port: u16) -> Result<Server, Absent> {
    if setup.database.get().is_none() {
        let _ = setup.database.set(Numbers::load(&setup.map)?);
    }
    let Some(numbers) = setup.database.get() else {
        return Err(Absent::Broken("the numbers weren't loaded".into()));
    };
    let before = numbers.backends();
    command.env("PORT", port.to_string()).env("DATABASE_URL", numbers.database.url());
    command.env("AUTH_TOKEN", AUTH_TOKEN).env("PUBLIC_URL", PUBLIC_URL);
    let server = listening(command, port)?;
    let backends = numbers.backends().into_iter().filter(|pid| !before.contains(pid)).collect();
    Ok(server.with_helpers(backends, numbers.bytes))
}

/// What `bench/rivals/install` fetched.
fn installed(path: &str) -> Result<PathBuf, Absent> {
    let state = env::var_os("DIALPLANE_DIR").map_or_else(|| folder().join("../../.dialplane"), PathBuf::from);
    let path = state.join("rivals").join(path);
    if path.exists() { Ok(path) } else { Err(missing("bench/rivals/install")) }
}
