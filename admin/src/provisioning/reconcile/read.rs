//! Reads what is compared: an account's list at its provider, and what is believed here.

use std::collections::HashSet;

use dialplane_common::rest::Fault;
use dialplane_common::rest::agents::Link;
use dialplane_common::rest::numbers::{Held, Tag};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::compare::{Books, Bought, Kept};
use crate::provisioning::Provisioner;
use crate::provisioning::account::OpenAccount;
use crate::store::StoreError;
use crate::store::books::{self, KeptRow};

/// So many pages of an account's list are read: with the smallest pages, 20 to a page, 200,000 numbers. A list that goes
/// on has a cursor that leads in a circle.
const PAGES_MAX: usize = 10_000;

impl Provisioner {
    /// All numbers that an account holds.
    pub(super) async fn listed(&self, account: &OpenAccount) -> Result<Vec<Held>, Fault> {
        let numbers = account.numbers()?;
        let mut listed = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = self.ask(account, numbers.list(&account.account(), cursor.as_deref())).await?;
            listed.extend(page.numbers);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(listed),
            }
        }
        Err(Fault::unclear(format!("the account's list of numbers doesn't end within {PAGES_MAX} pages")))
    }
}

/// What is believed of an account that shows `listed`. `before` is what it was believed to hold before it was listed:
/// what has come since can't be missed in the list.
pub(super) async fn books(
    conn: &mut PgConnection,
    account: &OpenAccount,
    listed: &[Held],
    before: &HashSet<(Uuid, String)>,
) -> Result<Books, StoreError> {
    let id = account.row.id;
    let tags: Vec<Uuid> = listed.iter().filter_map(|held| Tag::parse(&held.name)).map(|Tag(id)| id).collect();
    let numbers: Vec<String> =
        listed.iter().filter_map(|held| held.number).map(|one| one.to_string()).collect();
    let kept = books::kept(conn, id, None).await?.into_iter().map(|row| {
        let was_there = before.contains(&(row.phone_number_id, row.held_id.clone()));
        let kept = kept(row, account);
        Kept { is_settled: kept.is_settled && was_there, ..kept }
    });
    let kept = kept.collect();
    let bought = books::bought(conn, id, &tags, &numbers).await?.into_iter().map(|row| Bought {
        id: row.id,
        state: row.state,
        phone_number: row.phone_number,
        held_id: row.held_id,
        is_kept: row.is_kept,
        is_looked_for: row.is_looked_for,
    });
    let bought = bought.collect();
    let known = books::known(conn, &numbers).await?;
    Ok(Books {
        is_platforms: account.is_platform(),
        has_tags: account.provider.numbers().is_none_or(|numbers| numbers.abilities().tags),
        kept,
        bought,
        known: known.iter().filter_map(|number| number.parse().ok()).collect(),
        jobs: books::open_jobs(conn, &tags).await?.into_iter().collect(),
    })
}

/// A number that an account is believed to hold.
pub(super) fn kept(row: KeptRow, account: &OpenAccount) -> Kept {
    Kept {
        link: link(&row, account),
        number: row.phone_number_id,
        phone_number: row.phone_number,
        held_id: row.held_id,
        is_carrier: row.role == "carrier",
        purchase: row.purchase_id,
        is_settled: row.is_settled,
    }
}

/// Who is to answer a tenant's number at a provider of agents. What rests, or is in the pool, stays as it is until
/// somebody gets it.
fn link(row: &KeptRow, account: &OpenAccount) -> Option<Link> {
    let agents = account.provider.agents().filter(|_| row.has_tenant)?;
    let is_hosted_there = row.agent_provider.as_deref() == Some(account.provider.name());
    let hosted = row.hosted_agent.clone().filter(|_| is_hosted_there);
    Some(match (agents.asks(), hosted) {
        (true, or) => Link::Ask { or },
        (false, Some(id)) => Link::Agent(id),
        (false, None) => Link::None,
    })
}
