//! Calls now, for people: `/debug/live` on the operations port.

use serde_json::{Value, json};

use super::LiveCallCounts;
use crate::snapshot::Snapshot;

/// So many tenants are shown, those with most calls.
const TENANTS_MAX: usize = 100;

/// The tenants with most calls under way, as this router counts them, and what they may have.
#[must_use]
pub fn view(live: &LiveCallCounts, snapshot: &Snapshot) -> Value {
    let mut tenants = live.tenants();
    let calls: u64 = tenants.iter().map(|(_, now)| u64::from(*now)).sum();
    let count = tenants.len();
    tenants.sort_unstable_by_key(|(id, now)| (std::cmp::Reverse(*now), *id));
    tenants.truncate(TENANTS_MAX);
    let shown = tenants.into_iter().map(|(id, now)| {
        let max = snapshot.tenant(id).and_then(|tenant| tenant.calls_max);
        json!({ "tenant_id": id, "now": now, "max": max })
    });
    json!({ "calls": calls, "tenants": count, "largest": shown.collect::<Vec<_>>() })
}
