//! Compares what an account holds with what is believed here: pure.
//!
//! What a job is at work on is left alone, however it looks: it settles by itself, and what it leaves behind the next run
//! finds. What was begun here while the account was being listed counts as such.

use std::collections::{HashMap, HashSet};

use dialplane_common::e164::E164;
use dialplane_common::rest::agents::Link;
use dialplane_common::rest::numbers::{Held, HeldState, Tag};
use uuid::Uuid;

use super::finding::{Action, Finding, Kind};
use super::policy::{Drift, Ghosts, Late, Orphans, Policies};

/// What is believed here of one account.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// It is the platform's.
    pub is_platforms: bool,
    /// What is bought there carries its tag from the first moment. Otherwise it is known by its exact number alone.
    pub has_tags: bool,
    /// What it is believed to hold.
    pub kept: Vec<Kept>,
    /// Purchases with it: those whose tags it shows, those that were given up, those that no number here is of.
    pub bought: Vec<Bought>,
    /// Which of the numbers that it shows are somebody's here, or the platform's, wherever they are held.
    pub known: HashSet<E164>,
    /// Which of the tags that it shows are names of jobs that aren't over: numbers made known to an agent's provider
    /// carry these.
    pub jobs: HashSet<Uuid>,
}

/// A number that an account is believed to hold.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its id here.
    pub number: Uuid,
    /// In the E.164 form.
    pub phone_number: String,
    /// The provider's name of it.
    pub held_id: String,
    /// The account is the carrier's; otherwise a provider of agents only knows of the number.
    pub is_carrier: bool,
    /// The purchase that brought it.
    pub purchase: Option<Uuid>,
    /// Who is to answer it at this provider; absent: that isn't said there.
    pub link: Option<Link>,
    /// No job is at work on it, nor about to be.
    pub is_settled: bool,
}

/// A purchase.
#[derive(Clone, Debug)]
pub struct Bought {
    /// Its id, which is its tag.
    pub id: Uuid,
    /// What is believed to have become of it.
    pub state: String,
    /// Which number was asked for.
    pub phone_number: Option<String>,
    /// The provider's name of what it brought, as far as that is known.
    pub held_id: Option<String>,
    /// A number here is of it.
    pub is_kept: bool,
    /// A job that isn't over is making it, or looking for it.
    pub is_looked_for: bool,
}

/// What differs, in the order of the list, then what isn't in it. `drift` tells what of a number isn't as it is to be.
#[must_use]
pub fn compare(
    listed: &[Held],
    books: &Books,
    policies: &Policies,
    drift: impl Fn(&Held) -> Vec<String>,
) -> Vec<Finding> {
    let kept: HashMap<&str, &Kept> = books.kept.iter().map(|kept| (kept.held_id.as_str(), kept)).collect();
    let mut seen = HashSet::new();
    let mut findings = Vec::new();
    // A list that changes while it is read may show one twice.
    for held in listed.iter().filter(|held| seen.insert(held.id.as_str())) {
        findings.extend(match kept.get(held.id.as_str()) {
            Some(kept) => drifted(held, kept, policies.drift, &drift),
            None => match purchase_of(held, books) {
                Some(bought) => late(held, bought, books, policies.late),
                None => orphan(held, books, policies.orphans),
            },
        });
    }
    let gone = books.kept.iter().filter(|kept| kept.is_settled && !seen.contains(kept.held_id.as_str()));
    findings.extend(gone.map(|kept| ghost(kept, policies.ghosts)));
    findings.extend(books.bought.iter().filter_map(|bought| vanished(bought, &seen, policies.ghosts)));
    findings
}

/// The purchase that brought a number, by its tag, or else by what it is known to have brought, or by its exact number
/// where there are no tags.
fn purchase_of<'a>(held: &Held, books: &'a Books) -> Option<&'a Bought> {
    if let Some(Tag(tag)) = Tag::parse(&held.name) {
        return books.bought.iter().find(|bought| bought.id == tag);
    }
    let is_this = |bought: &&Bought| !bought.is_kept && bought.held_id.as_ref() == Some(&held.id);
    if let Some(bought) = books.bought.iter().find(is_this) {
        return Some(bought);
    }
    let number = held.number?.to_string();
    let is_in_doubt =
        |bought: &&Bought| bought.is_looked_for || matches!(bought.state.as_str(), "sent" | "lost");
    let mut found = books.bought.iter().filter(|_| !books.has_tags).filter(is_in_doubt);
    found.find(|bought| bought.phone_number.as_deref() == Some(number.as_str()))
}

fn late(held: &Held, bought: &Bought, books: &Books, policy: Late) -> Option<Finding> {
    // A job takes the first that it finds; once it has one, any other is late, whatever the job is doing.
    if bought.is_looked_for && !bought.is_kept {
        return None;
    }
    let is_taken = held.number.is_some_and(|number| books.known.contains(&number));
    let (action, remark) = match (held.state, policy) {
        (HeldState::Pending, _) => (Action::Wait, "; its provider isn't done with it"),
        _ if bought.state == "returned" => (Action::Release, ""),
        (_, Late::Release) => (Action::Release, ""),
        (HeldState::Blocked, Late::Pool) => {
            (Action::Report, "; its provider has blocked it: ask its support")
        }
        (HeldState::Active, Late::Pool) if held.number.is_none() => (Action::Release, "; it has no number"),
        (HeldState::Active, Late::Pool) if is_taken => {
            (Action::Report, "; the number is somebody's here already: see whether it is paid for twice")
        }
        (HeldState::Active, Late::Pool) => (Action::Pool, ""),
    };
    let what = if bought.is_kept { "another number of purchase" } else { "brought late by purchase" };
    let detail = format!("{what} {}, which is {}{remark}", bought.id, bought.state);
    Some(Finding { purchase: Some(bought.id), ..about(held, Kind::LatePurchase, action, detail) })
}

fn orphan(held: &Held, books: &Books, policy: Orphans) -> Option<Finding> {
    let tag = Tag::parse(&held.name).map(|Tag(id)| id);
    let is_known = held.number.is_some_and(|number| books.known.contains(&number));
    match tag {
        Some(job) if books.jobs.contains(&job) => None,
        Some(_) => {
            // Never adopted: whoever bought it may well use it.
            let detail = "carries a tag that nothing here has: left over from a job, or another installation's that \
                          uses this account";
            Some(about(held, Kind::Orphan, Action::Report, detail.to_owned()))
        }
        // Somebody has it who points it here by hand.
        None if is_known => None,
        // What else a tenant does with its own account is the tenant's business.
        None if !books.is_platforms => None,
        None => {
            let is_whole = held.number.is_some() && held.state == HeldState::Active;
            let action = if policy == Orphans::Adopt && is_whole { Action::Adopt } else { Action::Report };
            let name = if held.name.is_empty() { "nameless" } else { held.name.as_str() };
            Some(about(held, Kind::Orphan, action, format!("nobody here knows it: {name}")))
        }
    }
}

fn drifted(held: &Held, kept: &Kept, policy: Drift, drift: impl Fn(&Held) -> Vec<String>) -> Option<Finding> {
    if !kept.is_settled {
        return None;
    }
    let mut fields = drift(held);
    let is_renamed = |purchase| !held.name.is_empty() && Tag::parse(&held.name) != Some(Tag(purchase));
    if kept.purchase.is_some_and(is_renamed) {
        fields.push("name".to_owned());
    }
    if kept.link.as_ref().is_some_and(|link| !is_linked(held, link)) {
        fields.push("agent".to_owned());
    }
    if fields.is_empty() {
        return None;
    }
    let action = if policy == Drift::Repair { Action::Repair } else { Action::Report };
    let detail = format!("differs in {}", fields.join(", "));
    let phone_number = Some(kept.phone_number.clone());
    Some(Finding { phone_number, number: Some(kept.number), ..about(held, Kind::Drift, action, detail) })
}

/// Whether the agent that answers at the provider is the one that is to.
fn is_linked(held: &Held, link: &Link) -> bool {
    match (link, &held.agent_id) {
        (Link::Ask { .. } | Link::None, None) => true,
        // The agent for when we aren't there.
        (Link::Ask { or }, Some(agent)) => or.as_ref() == Some(agent),
        (Link::Agent(id), agent) => agent.as_ref() == Some(id),
        (Link::None, Some(_)) => false,
    }
}

fn ghost(kept: &Kept, policy: Ghosts) -> Finding {
    let (action, detail) = match (kept.is_carrier, policy) {
        (true, Ghosts::Deactivate) => (Action::Deactivate, "the account doesn't hold it any more"),
        (true, Ghosts::Report) => (Action::Report, "the account doesn't hold it any more"),
        (false, _) => (Action::Report, "the agent's provider doesn't know it any more"),
    };
    Finding {
        kind: Kind::Ghost,
        action,
        phone_number: Some(kept.phone_number.clone()),
        held_id: kept.held_id.clone(),
        detail: detail.to_owned(),
        number: Some(kept.number),
        purchase: None,
    }
}

/// A purchase that brought something of which no number here came, and that isn't there any more.
fn vanished(bought: &Bought, seen: &HashSet<&str>, policy: Ghosts) -> Option<Finding> {
    let held_id = bought.held_id.as_deref()?;
    let is_ours = bought.state == "owned" && !bought.is_kept && !bought.is_looked_for;
    if !is_ours || seen.contains(held_id) {
        return None;
    }
    let action = if policy == Ghosts::Deactivate { Action::Deactivate } else { Action::Report };
    Some(Finding {
        kind: Kind::Ghost,
        action,
        phone_number: bought.phone_number.clone(),
        held_id: held_id.to_owned(),
        detail: format!("what purchase {} brought isn't there any more", bought.id),
        number: None,
        purchase: Some(bought.id),
    })
}

fn about(held: &Held, kind: Kind, action: Action, detail: String) -> Finding {
    Finding {
        kind,
        action,
        phone_number: held.number.map(|number| number.to_string()).or_else(|| held.sip_uri.clone()),
        held_id: held.id.clone(),
        detail,
        number: None,
        purchase: None,
    }
}

#[cfg(test)]
mod tests;
