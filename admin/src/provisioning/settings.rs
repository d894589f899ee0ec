//! What the platform wants of provisioning.

use std::time::Duration;

use dialplane_common::e164::E164;
use dialplane_common::rest::numbers::Webhooks;

use super::reconcile::policy::Policies;
use crate::business::provisioning::Strategy;
use crate::store::purchases::{Cost, SpendingLimits};

/// What the platform wants of provisioning, where tenants and requests say nothing else.
#[derive(Clone, Debug)]
pub struct ProvisioningSettings {
    /// Our base URLs, which providers call: the first is set, the second is the providers' own fallback.
    pub public_urls: Vec<String>,
    /// Who is called when nobody answers for us, where the provider can call by itself.
    pub fallback: Option<E164>,
    /// Where numbers come from, in this order.
    pub strategies: Vec<Strategy>,
    /// The country of numbers: ISO 3166-1 alpha-2.
    pub country: String,
    /// Who hosts agents of which nothing is said.
    pub agent_provider: String,
    /// What may be spent.
    pub limits: SpendingLimits,
    /// What a number is taken to cost each month where its provider doesn't say.
    pub monthly_estimate: String,
    /// How many free numbers an account may have.
    pub free_numbers_max: i64,
    /// How long a process that says nothing keeps a job, before another takes it on.
    pub lease: Duration,
    /// How long a purchase that wasn't answered may take to come about, beyond the request's own deadline.
    pub settle: Duration,
    /// Below so many available numbers the pool is filled up again; 0: it isn't.
    pub pool_low_water: u32,
    /// What is done with what such comparisons find.
    pub policies: Policies,
    /// How often accounts are compared with what is believed here; absent: only when somebody asks.
    pub reconcile_every: Option<Duration>,
}

impl ProvisioningSettings {
    /// How long one exchange with a provider may take: a lease that was just renewed outlives it.
    #[must_use]
    pub fn exchange_timeout(&self) -> Duration {
        self.lease * 2 / 3
    }

    /// Where numbers are pointed.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks {
        Webhooks { public_urls: self.public_urls.clone(), fallback: self.fallback }
    }

    /// What a number is taken to cost where its provider doesn't say.
    #[must_use]
    pub fn estimate(&self) -> Cost {
        Cost {
            upfront: "0".to_owned(),
            monthly: self.monthly_estimate.clone(),
            currency: self.limits.currency.clone(),
            is_estimated: true,
        }
    }
}
