//! What is recorded beside what was told, call for call and tenant for tenant.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use super::caller::Calls;
use super::course::Word;
use crate::operator::Operator;
use crate::system::Database;

/// What is said of a call: whether somebody took it, how it ended, and how long it lasted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Facts {
    is_answered: bool,
    end: Option<&'static str>,
    duration_s: u64,
}

/// What a tenant used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Used {
    calls: u64,
    answered: u64,
    duration_s: u64,
}

/// What differs.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    told: u64,
    recorded: u64,
    missing: Vec<String>,
    different: Vec<String>,
    twice: u64,
    strange: u64,
    used: Vec<String>,
}

/// Names of what differs are shown, but no more.
const SHOWN_MAX: usize = 5;

/// Compares.
#[must_use]
pub fn of(calls: &Calls, database: &Database, operator: &Operator) -> Verdict {
    let mut records = records(database);
    let mut verdict = Verdict { recorded: records.len() as u64, ..Verdict::default() };
    let mut used = vec![Used::default(); calls.salons.len()];
    for index in 0..calls.count {
        let course = calls.course(index);
        if course.told.is_empty() {
            continue;
        }
        verdict.told += 1;
        let is_over = course.tells(Word::Over);
        let told = Facts {
            is_answered: course.tells(Word::Answered) || (is_over && course.end == "completed"),
            end: is_over.then_some(course.end),
            duration_s: if is_over { course.duration_s } else { 0 },
        };
        let used = &mut used[course.salon];
        used.calls += 1;
        used.answered += u64::from(told.is_answered);
        used.duration_s += told.duration_s;
        match records.remove(&course.sid) {
            None => verdict.missing.push(course.sid),
            Some((times, recorded)) => {
                verdict.twice += u64::from(times > 1);
                if recorded != told {
                    verdict.different.push(format!("{}: told {told:?}, recorded {recorded:?}", course.sid));
                }
            }
        }
    }
    verdict.strange = records.len() as u64;
    verdict.used = differing(calls, &used, operator);
    verdict
}

/// The records by their carrier's call id; how many have that, and one of them.
fn records(database: &Database) -> HashMap<String, (u32, Facts)> {
    let rows = database.query(
        "SET ROLE dialplane_operator;
         SELECT provider_call_id, answered_at IS NOT NULL OR outcome = 'answered', coalesce(end_kind, ''), coalesce(duration_ms, 0)
         FROM calls",
    );
    let mut records: HashMap<String, (u32, Facts)> = HashMap::new();
    for row in rows.lines() {
        let fields: Vec<&str> = row.split('|').collect();
        let &[sid, answered, end, duration_ms] = fields.as_slice() else { continue };
        let facts = Facts {
            is_answered: answered == "t",
            end: end_of(end),
            duration_s: duration_ms.parse::<u64>().unwrap_or_default() / 1_000,
        };
        records.entry(sid.to_owned()).or_insert((0, facts)).0 += 1;
    }
    records
}

/// A recorded end in the carrier's word.
fn end_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "completed" => "completed",
        "no_answer" => "no-answer",
        "busy" => "busy",
        "canceled" => "canceled",
        "failed" => "failed",
        _ => return None,
    })
}

/// The tenants whose usage isn't what was told.
fn differing(calls: &Calls, used: &[Used], operator: &Operator) -> Vec<String> {
    let salons = calls.salons.iter().zip(used);
    let differing = salons.filter_map(|(salon, told)| {
        let usage = operator.ok("GET", &format!("/tenants/{}/usage", salon.tenant), &Value::Null);
        let totals = &usage["totals"];
        let number = |name: &str| totals[name].as_u64().unwrap_or_default();
        let shown = Used {
            calls: number("calls"),
            answered: number("answered"),
            duration_s: number("duration_ms") / 1_000,
        };
        (shown != *told).then(|| format!("{}: told {told:?}, shown {totals}", salon.tenant))
    });
    differing.collect()
}

impl Verdict {
    /// What is wrong.
    ///
    /// # Errors
    /// When anything is.
    pub fn problems(&self) -> Result<(), String> {
        let lists = [("missing", &self.missing), ("different", &self.different), ("usage", &self.used)];
        let mut problems: Vec<String> = lists
            .iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| {
                let shown = list.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>();
                format!("{} {name}: {}", list.len(), shown.join("; "))
            })
            .collect();
        if self.twice + self.strange > 0 {
            problems.push(format!("{} recorded twice, {} never made", self.twice, self.strange));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| told of | recorded | missing | different | twice | never made | tenants whose usage differs |\n\
             | {} | {} | {} | {} | {} | {} | {} |",
            self.told,
            self.recorded,
            self.missing.len(),
            self.different.len(),
            self.twice,
            self.strange,
            self.used.len()
        )
    }
}
