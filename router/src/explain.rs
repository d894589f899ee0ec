//! Why a call goes where it goes, by the snapshot that is served.

use dialplane_common::call;
use dialplane_common::explain::{Explanation, Known, KnownNumber, KnownTenant, Question, explain};

use crate::live::{Limited, LiveCallCounts};
use crate::snapshot::{Number, Snapshot};

/// Explains what the snapshot says of a call.
#[must_use]
pub fn explain_from(snapshot: &Snapshot, live: &LiveCallCounts, question: &Question) -> Explanation {
    let number = call::address(&question.to).and_then(|number| snapshot.number(number));
    let tenant_id = number.map(Number::tenant_id).or_else(|| snapshot.unknown_numbers());
    let tenant = tenant_id.and_then(|id| Some((id, snapshot.tenant(id)?)));
    let agent = |id| tenant_id.and_then(|tenant| snapshot.agent(tenant, id));
    let limited = tenant.map_or_else(Limited::default, |(id, tenant)| Limited::of(id, tenant, number));
    let place = number.and_then(Number::place);
    let accounts: Vec<_> = number.into_iter().flat_map(Number::accounts).collect();
    let known = Known {
        number: number.map(|number| KnownNumber {
            id: number.id(),
            display_name: place.as_ref().map_or("", |place| &place.get().display_name),
            active: number.active(),
            timezone: number.timezone(),
            agent_id: number.agent_id(),
            accounts: &accounts,
        }),
        tenant: tenant.map(|(id, tenant)| KnownTenant {
            id,
            name: &tenant.about.business.name,
            suspended: tenant.suspended,
            timezone: &tenant.about.timezone,
            subject: snapshot.subject(number, tenant),
        }),
        agent: &agent,
        // Live calls are those of this moment, whatever time is asked about.
        live: &live.limits(limited, None),
    };
    let serving = snapshot.serving();
    explain(&known, question).at_revision(serving.revision, Some(serving.epoch))
}
