//! What is known of tenants' servers: how many requests each has under way, and whether it fails.
//!
//! An entry lasts while there is something to know, so that memory is bounded by the requests under way and by the
//! servers that failed within the last minute.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use dialplane_common::ids::TenantId;

use super::breaker::{Breaker, OPEN, Ticket};
use super::failure::Failure;

/// How long failures are remembered of a server that nobody asks.
const KEPT: Duration = Duration::from_secs(6 * OPEN.as_secs());

/// All tenants' servers of which there is something to know.
#[derive(Debug, Default)]
pub struct Tenants {
    states: DashMap<TenantId, State>,
}

#[derive(Debug)]
struct State {
    under_way: usize,
    /// Which server the breaker is about: a tenant that moves to another starts anew.
    url: String,
    breaker: Breaker,
    changed: Instant,
}

/// Leave to ask a tenant's server once.
#[derive(Debug)]
pub struct Leave {
    tenants: Arc<Tenants>,
    tenant: TenantId,
    url: String,
    ticket: Ticket,
    ended: bool,
}

impl Tenants {
    /// Leave to ask the server at `url` now; it never waits.
    ///
    /// # Errors
    /// [`Failure::Busy`] when as many as `most` are under way, [`Failure::Open`] when the server failed too often.
    pub fn admit(
        self: &Arc<Self>,
        tenant: TenantId,
        url: &str,
        most: u16,
        now: Instant,
    ) -> Result<Leave, Failure> {
        let fresh = || State { under_way: 0, url: url.to_owned(), breaker: Breaker::default(), changed: now };
        let mut state = self.states.entry(tenant).or_insert_with(fresh);
        if state.url != url {
            *state = State { under_way: state.under_way, ..fresh() };
        }
        if state.under_way >= usize::from(most) {
            let pristine = state.under_way == 0 && state.breaker == Breaker::default();
            drop(state);
            if pristine {
                self.forget(tenant);
            }
            return Err(Failure::Busy);
        }
        let ticket = state.breaker.admit(now).ok_or(Failure::Open)?;
        state.under_way += 1;
        state.changed = now;
        Ok(Leave { tenants: Arc::clone(self), tenant, url: url.to_owned(), ticket, ended: false })
    }

    /// Forgets servers that nobody has asked for long.
    pub fn tidy(&self, now: Instant) {
        self.states
            .retain(|_, state| state.under_way > 0 || now.saturating_duration_since(state.changed) < KEPT);
    }

    fn forget(&self, tenant: TenantId) {
        self.states
            .remove_if(&tenant, |_, state| state.under_way == 0 && state.breaker == Breaker::default());
    }
}

impl Leave {
    /// The server answered, or it was an outage.
    pub fn end(mut self, outage: bool, now: Instant) {
        self.note(outage, now);
    }

    fn note(&mut self, outage: bool, now: Instant) {
        self.ended = true;
        if let Some(mut state) = self.tenants.states.get_mut(&self.tenant) {
            state.under_way = state.under_way.saturating_sub(1);
            state.changed = now;
            if state.url == self.url {
                state.breaker.ended(self.ticket, outage, now);
            }
        }
        self.tenants.forget(self.tenant);
    }
}

impl Drop for Leave {
    /// A request that was given up before its end is known: a probe has to end, or nobody would be asked any more.
    fn drop(&mut self) {
        if !self.ended {
            self.note(true, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::breaker::FAILURES_MAX;
    use uuid::Uuid;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const OTHER: TenantId = TenantId(Uuid::from_u128(2));

    #[test]
    fn each_tenant_has_as_many_requests_as_its_server_takes_and_nothing_is_left_behind() {
        let (tenants, now) = (Arc::new(Tenants::default()), Instant::now());
        let admit = |tenant| tenants.admit(tenant, "https://a.example", 2, now);
        let (first, second) = (admit(TENANT).unwrap(), admit(TENANT).unwrap());
        assert_eq!(admit(TENANT).unwrap_err(), Failure::Busy);
        let other = admit(OTHER).unwrap();
        first.end(false, now);
        let third = admit(TENANT).unwrap();
        for leave in [second, third, other] {
            leave.end(false, now);
        }
        assert_eq!(tenants.admit(TENANT, "https://a.example", 0, now).unwrap_err(), Failure::Busy);
        assert!(tenants.states.is_empty());
    }

    #[test]
    fn a_server_that_fails_is_left_alone_until_it_is_another_or_long_ago() {
        let (tenants, now) = (Arc::new(Tenants::default()), Instant::now());
        let admit = |url, at| tenants.admit(TENANT, url, 9, at);
        for _ in 0..FAILURES_MAX {
            admit("https://a.example", now).unwrap().end(true, now);
        }
        assert_eq!(admit("https://a.example", now).unwrap_err(), Failure::Open);
        tenants.tidy(now + KEPT / 2);
        assert_eq!(tenants.states.len(), 1);
        // A probe that nobody hears of again counts as failed.
        drop(admit("https://a.example", now + OPEN).unwrap());
        assert_eq!(admit("https://a.example", now + OPEN / 2).unwrap_err(), Failure::Open);
        admit("https://b.example", now).unwrap().end(true, now);
        assert!(admit("https://a.example", now).is_ok(), "another server");
        tenants.tidy(Instant::now() + KEPT * 2);
        assert!(tenants.states.is_empty());
    }
}
