//! What was bought beside what is believed.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::system::{Database, Providers};

/// What doesn't agree, and how much there was.
pub struct Verdict {
    jobs: usize,
    states: String,
    bought: usize,
    held: usize,
    late: String,
    wrong: Vec<String>,
}

/// Compares.
pub fn of(database: &Database, providers: &Providers, jobs: usize) -> Verdict {
    // Unaligned rows: role operator sees all.
    let query = |sql: &str| database.query(&format!("SET ROLE dialplane_operator; {sql}"));
    let rows = |sql: &str| -> Vec<String> {
        query(sql).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let believed: BTreeMap<String, String> = rows(
        "SELECT h.held_id || '|' || n.phone_number FROM number_holdings AS h
         JOIN phone_numbers AS n ON n.id = h.phone_number_id
         WHERE h.role = 'carrier' AND n.lifecycle <> 'released'",
    )
    .into_iter()
    .filter_map(|row| row.split_once('|').map(|(id, number)| (id.to_owned(), number.to_owned())))
    .collect();
    let held = held(providers);
    let mut wrong = Vec::new();
    for (id, number) in &held {
        match believed.get(id) {
            Some(known) if known == number => {}
            Some(known) => wrong.push(format!("{id} is {number} at its provider, and {known} here")),
            None => wrong.push(format!("{number} ({id}) is held at its provider, and unknown here")),
        }
    }
    for (id, number) in &believed {
        if !held.contains_key(id) {
            wrong.push(format!("{number} ({id}) is believed here, and isn't held at its provider"));
        }
    }
    let one_each = "SELECT j.id::text FROM provisioning_jobs AS j LEFT JOIN phone_numbers AS n ON n.id = j.phone_number_id
         WHERE j.kind = 'number' AND j.state = 'done' AND (n.id IS NULL OR n.lifecycle <> 'active' OR n.tenant_id IS NULL)";
    wrong.extend(rows(one_each).into_iter().map(|id| format!("job {id} is done and has no number")));
    let twice = "SELECT phone_number_id::text FROM provisioning_jobs WHERE state = 'done' AND phone_number_id IS NOT NULL
         GROUP BY phone_number_id HAVING count(*) > 1";
    wrong.extend(rows(twice).into_iter().map(|id| format!("number {id} was given twice")));
    let kept = "SELECT job_id::text FROM purchases AS p JOIN provisioning_jobs AS j ON j.id = p.job_id
         JOIN number_holdings AS h ON h.purchase_id = p.id JOIN phone_numbers AS n ON n.id = h.phone_number_id
         WHERE j.state = 'done' AND n.id = j.phone_number_id GROUP BY job_id HAVING count(*) > 1";
    wrong.extend(rows(kept).into_iter().map(|id| format!("job {id} kept two numbers")));
    let stuck = "SELECT id::text || ' ' || state || ' ' || stage FROM provisioning_jobs WHERE state IN ('pending', 'running')";
    wrong.extend(rows(stuck).into_iter().map(|job| format!("job {job} never came to rest")));
    let reserved = "SELECT phone_number FROM phone_numbers AS n WHERE lifecycle = 'reserved' AND NOT EXISTS (
        SELECT FROM provisioning_jobs WHERE phone_number_id = n.id AND state IN ('manual', 'confirming'))";
    wrong.extend(rows(reserved).into_iter().map(|number| format!("{number} is reserved for nobody")));
    let doubtful = "SELECT p.id::text FROM purchases AS p JOIN provisioning_jobs AS j ON j.id = p.job_id
         WHERE p.state = 'sent' AND j.state NOT IN ('manual')";
    wrong.extend(rows(doubtful).into_iter().map(|id| format!("nobody looks for purchase {id}")));
    Verdict {
        jobs,
        states: query(
            "SELECT string_agg(state || ' ' || count, ', ') FROM (
            SELECT state, count(*) FROM provisioning_jobs GROUP BY state ORDER BY state) AS s",
        ),
        bought: ledger_purchases(providers),
        held: held.len(),
        late: query(
            "SELECT string_agg(state || ' ' || count, ', ') FROM (
            SELECT state, count(*) FROM purchases GROUP BY state ORDER BY state) AS s",
        ),
        wrong,
    }
}

/// The numbers that the providers' accounts hold by themselves, by the providers' names of them; imports aside.
fn held(providers: &Providers) -> BTreeMap<String, String> {
    let numbers = providers.control("GET", "/control/numbers", &Value::Null);
    let items = numbers["numbers"].as_array().cloned().unwrap_or_default();
    let is_own = |number: &&Value| number["origin"] != "imported";
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items.iter().filter(is_own).map(|number| (text(&number["id"]), text(&number["number"]))).collect()
}

fn ledger_purchases(providers: &Providers) -> usize {
    let ledger = providers.control("GET", "/ledger", &Value::Null);
    let entries = ledger["entries"].as_array().cloned().unwrap_or_default();
    entries.iter().filter(|entry| entry["action"] == "buy" && entry["what"] == "number").count()
}

impl Verdict {
    /// Whether all agrees.
    ///
    /// # Errors
    /// What doesn't.
    pub fn problems(&self) -> Result<(), String> {
        if self.wrong.is_empty() { Ok(()) } else { Err(self.wrong.join("\n")) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} jobs ({}); {} numbers bought, {} held in the end (purchases: {}); {} disagreements",
            self.jobs,
            self.states,
            self.bought,
            self.held,
            self.late,
            self.wrong.len()
        )
    }
}
