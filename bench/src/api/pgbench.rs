//! pgbench with the transaction of a write that routers see: the same statements over the same rows, and the same row
//! locked last. It sends no settings of the transaction: role and origin are its connections'.

use std::process::{Command, Stdio};

use super::rows::Rows;
use crate::cores::{CLIENT, SERVER, keep_on};
use crate::system::{Database, wait_for};

/// How PostgreSQL knows its connections.
const NAME: &str = "pgbench";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/pgbench/change_number.sql");

/// Writes down what each client changes: a number of its own, with its record as the feed has it and the last delta that
/// carried it. Each has to be in the feed once by itself.
pub fn prepare(database: &Database, rows: &Rows) {
    let _ = database.query(
        "CREATE TABLE pgbench_clients (client int PRIMARY KEY, tenant uuid, number uuid, kinds text, keys text,
            versions text, payloads text, hashes text, frames text);
         GRANT SELECT, INSERT ON pgbench_clients TO dialplane_operator",
    );
    for (client, tenant) in rows.0.iter().enumerate() {
        let _ = database.query(&format!(
            "SET ROLE dialplane_operator;
             INSERT INTO pgbench_clients
             SELECT {client}, n.tenant_id, n.id, ARRAY[r.kind]::text, ARRAY[r.key]::text, ARRAY[r.version]::text,
                ARRAY[r.payload]::text, ARRAY[r.hash]::text, e.frames::text
             FROM phone_numbers n
             JOIN feed_records r ON r.key = int8send(substr(n.phone_number, 2)::bigint)
             JOIN feed_entries e ON e.revision = r.revision
             WHERE n.id = '{}'",
            tenant.number
        ));
    }
}

/// Runs it: transactions a second.
///
/// # Errors
/// When it can't be run, or a transaction fails.
pub fn run(database: &Database, clients: usize, seconds: u64) -> Result<f64, String> {
    let mut command = Command::new("pgbench");
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--define=ready=0"]);
    command.args([
        &*format!("--client={clients}"),
        &format!("--time={seconds}"),
        &format!("--file={SCRIPT}"),
    ]);
    command.arg(database.url()).env("PGAPPNAME", NAME);
    command.env("PGOPTIONS", "-c role=dialplane_operator -c dialplane.actor=operator:pgbench");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("run pgbench: {error}"))?;
    keep_on(CLIENT, child.id());
    let mut backends = Vec::new();
    wait_for("pgbench's connections", || {
        backends = database.backends(NAME);
        backends.len() >= clients || child.try_wait().is_ok_and(|status| status.is_some())
    });
    backends.iter().for_each(|pid| keep_on(SERVER, *pid));
    let output = child.wait_with_output().map_err(|error| format!("pgbench: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    match tps {
        Some(tps) if output.status.success() && text.contains("failed transactions: 0") => Ok(tps),
        _ => Err(format!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr))),
    }
}
