//! By which names a leg is known: hashes, so that each is as long as the other and tells nobody a provider's ids.

use dialplane_common::calls::event::CallEvent;
use uuid::Uuid;

/// A hash of one name of a leg.
pub type Name = Uuid;

/// The leg's own name: its account and the provider's call id.
#[must_use]
pub fn own(account: Uuid, call_id: &str) -> Name {
    hash("account", account, call_id)
}

/// The name by which the legs of a tenant's call meet: the tenant and a call id.
#[must_use]
pub fn met(tenant: Uuid, call_id: &str) -> Name {
    hash("tenant", tenant, call_id)
}

/// The names that an event tells of: all of them mean one call. The leg's own is the first.
pub fn of<'e>(event: &'e CallEvent<'_>) -> impl Iterator<Item = Name> + use<'e> {
    let own = own(event.account.0, &event.call_id);
    let tenant = event.tenant.map(|tenant| tenant.0);
    let ids = [Some(&event.call_id), event.carrier_call_id.as_ref().filter(|id| !id.is_empty())];
    let met =
        tenant.into_iter().flat_map(move |tenant| ids.into_iter().flatten().map(move |id| met(tenant, id)));
    std::iter::once(own).chain(met)
}

fn hash(kind: &str, of: Uuid, call_id: &str) -> Name {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes()).update(of.as_bytes()).update(call_id.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::calls::event::What;
    use dialplane_common::ids::{AccountId, TenantId};

    #[test]
    fn legs_meet_within_a_tenant_alone() {
        let event = |tenant: Option<u128>,
                     account: u128,
                     call_id: &'static str,
                     carrier: Option<&'static str>| CallEvent {
            at_ms: 0,
            provider: "vapi".into(),
            account: AccountId(Uuid::from_u128(account)),
            tenant: tenant.map(|tenant| TenantId(Uuid::from_u128(tenant))),
            number: None,
            call_id: call_id.into(),
            carrier_call_id: carrier.map(Into::into),
            to: "".into(),
            from: "".into(),
            what: What::Message,
        };
        let meet = |one: &CallEvent<'_>, other: &CallEvent<'_>| {
            let others: Vec<_> = of(other).collect();
            of(one).any(|name| others.contains(&name))
        };
        let agents = event(Some(1), 7, "v1", Some("CA1"));
        assert!(meet(&agents, &event(Some(1), 8, "CA1", None)));
        assert!(!meet(&agents, &event(Some(2), 8, "CA1", None)));
        assert!(!meet(&agents, &event(None, 8, "CA1", None)));
        assert!(meet(&agents, &event(None, 7, "v1", None)));
        assert!(!meet(&agents, &event(None, 8, "v1", None)));
        assert_eq!(of(&event(Some(1), 7, "v1", Some(""))).count(), 2);
    }
}
