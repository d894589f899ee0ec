//! Settings of provisioning: where numbers come from, and what they may cost.

use std::time::Duration;

use clap::Args;
use dialplane_common::e164::E164;
use dialplane_common::provider::public_url::PublicUrl;

use super::{SettingError, given};
use crate::business::provisioning::Strategy;
use crate::provisioning::reconcile::policy::{Drift, Ghosts, Late, Orphans, Policies};
use crate::provisioning::settings::ProvisioningSettings;
use crate::store::purchases::SpendingLimits;
use crate::target;

const STRATEGIES: &str = "pool,free,tenant_account,platform_account,manual";
const COUNTRY: &str = "US";
const AGENT_PROVIDER: &str = "vapi";
/// Some forty numbers a month: a loop that buys is stopped before it hurts.
const SPEND_MAX: &str = "50.00";
const TENANT_SPEND_MAX: &str = "10.00";
const CURRENCY: &str = "USD";
/// A little more than most providers ask for a local number.
const MONTHLY_ESTIMATE: &str = "1.50";
/// What Vapi's pages say now; older ones say 10.
const FREE_NUMBERS_MAX: &str = "5";
const FREE_NUMBERS_MOST: i64 = 100_000;
/// Purchases that weren't answered were seen to take seconds.
const SETTLE_SECONDS: &str = "15";
const SETTLE_SECONDS_MAX: u64 = 3_600;
/// A purchase may take half a minute, and is asked for within two thirds of this.
const LEASE_SECONDS: &str = "90";
/// Purchases aren't sent with less than five seconds to hear of them.
const LEASE_SECONDS_MIN: u64 = 10;
const LEASE_SECONDS_MAX: u64 = 3_600;
const POOL_LOW_WATER_MAX: u32 = 10_000;
const RECONCILE_MINUTES: &str = "60";
/// What was bought is used; what isn't known, or is gone, is a person's to judge; what we set, we set again.
const LATE: &str = "pool";
const ORPHANS: &str = "report";
const GHOSTS: &str = "report";
const DRIFT: &str = "repair";
const RECONCILE_MINUTES_MAX: u64 = 60 * 24 * 7;

/// As flags and environment variables.
#[derive(Args)]
pub(super) struct ProvisioningArguments {
    /// Where numbers come from, in this order, separated by commas: pool, free, tenant_account, platform_account, manual.
    #[arg(long, env = "PROVISIONING_STRATEGIES", default_value = STRATEGIES)]
    provisioning_strategies: String,
    /// Country of numbers of which nobody says: ISO 3166-1 alpha-2.
    #[arg(long, env = "PROVISIONING_COUNTRY", default_value = COUNTRY)]
    provisioning_country: String,
    /// Who hosts agents of which nobody says.
    #[arg(long, env = "PROVISIONING_AGENT_PROVIDER", default_value = AGENT_PROVIDER)]
    provisioning_agent_provider: String,
    /// What may be spent on numbers in a calendar month (UTC), in all.
    #[arg(long, env = "PROVISIONING_SPEND_MAX", default_value = SPEND_MAX)]
    provisioning_spend_max: String,
    /// What may be spent for one tenant, where its limits say nothing.
    #[arg(long, env = "PROVISIONING_TENANT_SPEND_MAX", default_value = TENANT_SPEND_MAX)]
    provisioning_tenant_spend_max: String,
    /// Currency of these: what is offered in others isn't bought without a person.
    #[arg(long, env = "PROVISIONING_CURRENCY", default_value = CURRENCY)]
    provisioning_currency: String,
    /// What a number is taken to cost a month where its provider doesn't say.
    #[arg(long, env = "PROVISIONING_MONTHLY_ESTIMATE", default_value = MONTHLY_ESTIMATE)]
    provisioning_monthly_estimate: String,
    /// How many free numbers a Vapi account may have.
    #[arg(long, env = "VAPI_FREE_NUMBERS_MAX", default_value = FREE_NUMBERS_MAX)]
    vapi_free_numbers_max: String,
    /// Seconds that a purchase which wasn't answered has to come about before it is looked for.
    #[arg(long, env = "PROVISIONING_SETTLE_SECONDS", default_value = SETTLE_SECONDS)]
    provisioning_settle_seconds: String,
    /// Seconds for which a process that says nothing keeps a job, before another takes it on.
    #[arg(long, env = "PROVISIONING_LEASE_SECONDS", default_value = LEASE_SECONDS)]
    provisioning_lease_seconds: String,
    /// Below so many available numbers the pool is filled up again; 0: it isn't.
    #[arg(long, env = "PROVISIONING_POOL_LOW_WATER", default_value = "0")]
    provisioning_pool_low_water: String,
    /// Minutes between two comparisons of what accounts hold with what is believed here; 0: only when somebody asks.
    #[arg(long, env = "PROVISIONING_RECONCILE_MINUTES", default_value = RECONCILE_MINUTES)]
    provisioning_reconcile_minutes: String,
    /// What becomes of a purchase that comes about after it was given up: `pool` or `release`.
    #[arg(long, env = "PROVISIONING_LATE", default_value = LATE)]
    provisioning_late: String,
    /// What becomes of a number that an account of the platform's holds and nobody here knows: `report` or `adopt`.
    #[arg(long, env = "PROVISIONING_ORPHANS", default_value = ORPHANS)]
    provisioning_orphans: String,
    /// What becomes of a number that its account doesn't hold any more: `report` or `deactivate`.
    #[arg(long, env = "PROVISIONING_GHOSTS", default_value = GHOSTS)]
    provisioning_ghosts: String,
    /// What becomes of a number that isn't set at its provider as it is to be: `repair` or `report`.
    #[arg(long, env = "PROVISIONING_DRIFT", default_value = DRIFT)]
    provisioning_drift: String,
    /// Number that providers call by themselves when nobody answers for us, where they can.
    #[arg(long, env = "PROVISIONING_FALLBACK_NUMBER")]
    provisioning_fallback_number: Option<String>,
}

impl ProvisioningArguments {
    pub(super) fn settings(self, public_urls: &[PublicUrl]) -> Result<ProvisioningSettings, SettingError> {
        let settle =
            whole("PROVISIONING_SETTLE_SECONDS", &self.provisioning_settle_seconds, 0..=SETTLE_SECONDS_MAX)?;
        let lease = whole(
            "PROVISIONING_LEASE_SECONDS",
            &self.provisioning_lease_seconds,
            LEASE_SECONDS_MIN..=LEASE_SECONDS_MAX,
        )?;
        let minutes = whole(
            "PROVISIONING_RECONCILE_MINUTES",
            &self.provisioning_reconcile_minutes,
            0..=RECONCILE_MINUTES_MAX,
        )?;
        let fallback = given(self.provisioning_fallback_number).map(|text| {
            text.parse::<E164>().map_err(|error| {
                SettingError::new("PROVISIONING_FALLBACK_NUMBER", &text, format!("wanted E.164: {error}"))
            })
        });
        Ok(ProvisioningSettings {
            public_urls: public_urls.iter().map(|url| url.as_str().to_owned()).collect(),
            fallback: fallback.transpose()?,
            strategies: strategies(&self.provisioning_strategies)?,
            country: country(&self.provisioning_country)?,
            agent_provider: host(&self.provisioning_agent_provider)?,
            limits: SpendingLimits {
                platform: amount("PROVISIONING_SPEND_MAX", self.provisioning_spend_max)?,
                tenant: amount("PROVISIONING_TENANT_SPEND_MAX", self.provisioning_tenant_spend_max)?,
                currency: currency(self.provisioning_currency)?,
            },
            monthly_estimate: amount("PROVISIONING_MONTHLY_ESTIMATE", self.provisioning_monthly_estimate)?,
            free_numbers_max: whole(
                "VAPI_FREE_NUMBERS_MAX",
                &self.vapi_free_numbers_max,
                0..=FREE_NUMBERS_MOST,
            )?,
            lease: Duration::from_secs(lease),
            settle: Duration::from_secs(settle),
            pool_low_water: whole(
                "PROVISIONING_POOL_LOW_WATER",
                &self.provisioning_pool_low_water,
                0..=POOL_LOW_WATER_MAX,
            )?,
            policies: Policies {
                late: policy(
                    "PROVISIONING_LATE",
                    &self.provisioning_late,
                    "pool or release",
                    Late::from_name,
                )?,
                orphans: policy(
                    "PROVISIONING_ORPHANS",
                    &self.provisioning_orphans,
                    "report or adopt",
                    Orphans::from_name,
                )?,
                ghosts: policy(
                    "PROVISIONING_GHOSTS",
                    &self.provisioning_ghosts,
                    "report or deactivate",
                    Ghosts::from_name,
                )?,
                drift: policy(
                    "PROVISIONING_DRIFT",
                    &self.provisioning_drift,
                    "repair or report",
                    Drift::from_name,
                )?,
            },
            reconcile_every: (minutes > 0).then(|| Duration::from_secs(60 * minutes)),
        })
    }
}

fn whole<T>(name: &'static str, text: &str, range: std::ops::RangeInclusive<T>) -> Result<T, SettingError>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let wanted = format!("wanted a whole number, {} to {}", range.start(), range.end());
            Err(SettingError::new(name, text, wanted))
        }
    }
}

fn policy<T>(
    name: &'static str,
    text: &str,
    names: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SettingError> {
    read(text).ok_or_else(|| SettingError::new(name, text, format!("wanted {names}")))
}

fn amount(name: &'static str, text: String) -> Result<String, SettingError> {
    match crate::invalid::amount(name, &text) {
        Ok(()) => Ok(text),
        Err(invalid) => Err(SettingError::new(name, &text, invalid.wanted)),
    }
}

fn currency(text: String) -> Result<String, SettingError> {
    if text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Ok(text);
    }
    Err(SettingError::new("PROVISIONING_CURRENCY", &text, "wanted ISO 4217, three capitals: USD"))
}

fn country(text: &str) -> Result<String, SettingError> {
    let parsed = crate::numbering::country("", text);
    parsed.map(|_| text.to_owned()).map_err(|_| {
        SettingError::new("PROVISIONING_COUNTRY", text, "wanted ISO 3166-1 alpha-2, two capitals: US")
    })
}

fn host(text: &str) -> Result<String, SettingError> {
    target::check_provider(text)
        .map_err(|invalid| SettingError::new("PROVISIONING_AGENT_PROVIDER", text, invalid.wanted))?;
    Ok(text.to_owned())
}

fn strategies(list: &str) -> Result<Vec<Strategy>, SettingError> {
    let wanted = "wanted a list of pool, free, tenant_account, platform_account, manual, each once";
    let refuse = || SettingError::new("PROVISIONING_STRATEGIES", list, wanted);
    let mut read = Vec::new();
    for name in list.split(',').map(str::trim) {
        let named: Strategy = serde_json::from_value(serde_json::Value::from(name)).map_err(|_| refuse())?;
        if read.contains(&named) {
            return Err(refuse());
        }
        read.push(named);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_decimals() {
        let good = |text: &str| amount("PROVISIONING_SPEND_MAX", text.to_owned()).is_ok();
        assert!(["0", "0.5", "50", "50.00", "1234567.89"].map(good) == [true; 5]);
        assert!(["", "-1", "1.", ".5", "1.234", "1e3", "12345678", "USD 5", "5 "].map(good) == [false; 9]);
    }

    #[test]
    fn policies_are_named() {
        assert_eq!(policy("PROVISIONING_LATE", "release", "", Late::from_name).unwrap(), Late::Release);
        for wrong in ["", "Pool", "adopt"] {
            let error = policy("PROVISIONING_LATE", wrong, "pool or release", Late::from_name).unwrap_err();
            assert_eq!(error.to_string(), format!("PROVISIONING_LATE={wrong}: wanted pool or release"));
        }
        let defaults = Policies {
            late: Late::from_name(LATE).unwrap(),
            orphans: Orphans::from_name(ORPHANS).unwrap(),
            ghosts: Ghosts::from_name(GHOSTS).unwrap(),
            drift: Drift::from_name(DRIFT).unwrap(),
        };
        assert_eq!(defaults, Policies::default());
    }

    #[test]
    fn strategies_are_named_once_each() {
        assert_eq!(strategies("pool, manual").unwrap(), [Strategy::Pool, Strategy::Manual]);
        for wrong in ["", "pool,pool", "cheap"] {
            let error = strategies(wrong).unwrap_err().to_string();
            assert!(error.starts_with("PROVISIONING_STRATEGIES"), "{error}");
        }
    }
}
