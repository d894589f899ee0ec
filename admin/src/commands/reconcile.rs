//! `reconcile`: what accounts hold at their providers against what is believed here.

use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::RemoteArguments;
use super::table;
use crate::Failure;

/// How often to look whether it is over.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);
const COLUMNS: [&str; 7] = ["kind", "phone_number", "action", "outcome", "detail", "held_id", "account_id"];

/// Settings of `reconcile`.
#[derive(Args)]
pub struct ReconcileArguments {
    /// Only say what is found, and what would be done.
    #[arg(long)]
    dry_run: bool,
    /// This account alone.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArguments,
}

/// Runs the command.
///
/// # Errors
/// When the admin plane refuses or can't be reached; when a person has to see to something, so that a script notices.
pub async fn run(arguments: ReconcileArguments) -> Result<(), Failure> {
    let remote = arguments.remote.remote()?;
    let failed = |error| Failure::new("reconcile", &error);
    let mut body = json!({"dry_run": arguments.dry_run});
    if let Some(account) = arguments.account {
        body["account_id"] = account.into();
    }
    let asked = remote.request(Method::POST, "/reconciliations").json(&body);
    let asked: Value =
        remote.send(asked).await.map_err(failed)?.json().await.map_err(|error| failed(error.into()))?;
    let path = format!("/reconciliations/{}", asked["id"].as_str().unwrap_or_default());
    let mut run = asked;
    while run["ended_at"].is_null() {
        tokio::time::sleep(LOOK_INTERVAL).await;
        run = remote.get(&path, &[]).await.map_err(failed)?;
    }
    let findings = run["findings"].as_array().cloned().unwrap_or_default();
    table::print_rows(arguments.json, &COLUMNS, &findings);
    if !arguments.json {
        table::print(&format!(
            "{} accounts with {} numbers compared, {} findings",
            run["accounts"],
            run["numbers"],
            findings.len()
        ));
    }
    match (run["failure"].as_str(), for_people(&findings)) {
        (Some(failure), _) => Err(Failure::new("reconcile", &failure)),
        (None, 0) => Ok(()),
        (None, people) => Err(Failure::new("reconcile", &format!("{people} findings want a person"))),
    }
}

/// How many findings nobody but a person ends.
fn for_people(findings: &[Value]) -> usize {
    let is_for_people = |finding: &&Value| matches!(finding["outcome"].as_str(), Some("person" | "failed"));
    findings.iter().filter(is_for_people).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_wanted_where_nothing_else_helps() {
        let outcomes = ["planned", "done", "person", "waiting", "passed", "failed"];
        let findings: Vec<_> = outcomes.iter().map(|outcome| json!({"outcome": outcome})).collect();
        assert_eq!(for_people(&findings), 2);
        assert_eq!(for_people(&[]), 0);
    }
}
