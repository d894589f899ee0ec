//! Settings of who is let in, and how often.

use clap::Args;

use super::{SettingError, given};
use crate::oidc::OidcSettings;
use crate::oidc::issuer::is_trustworthy;
use crate::oidc::jws::Algorithm;
use crate::rate::Rate;

/// Far more than people and their programs want; far less than what hurts.
const RATE_LIMIT: &str = "200";
/// An import at the start of the day goes through at once.
const RATE_BURST: &str = "2000";
const RATE_MAX: u32 = 1_000_000;
/// A program with an old key is told so for a while, and nobody guesses at speed.
const FAILURE_LIMIT: &str = "5";
const FAILURE_BURST: &str = "100";
/// Those that issuers use. Others are taken when they are named, but neither `none` nor one with a shared secret.
const ALGORITHMS: &str = "RS256,ES256,EdDSA";
const TENANT_CLAIM: &str = "tenant_id";
const ROLE_CLAIM: &str = "role";

/// As flags and environment variables.
#[derive(Args)]
pub(super) struct AccessArguments {
    /// Requests a second that each key, or each subject of a token, may make; operators ten times as many; 0: any number.
    #[arg(long, env = "ADMIN_RATE_LIMIT", default_value = RATE_LIMIT)]
    rate_limit: String,
    /// Requests that each may make at once.
    #[arg(long, env = "ADMIN_RATE_BURST", default_value = RATE_BURST)]
    rate_burst: String,
    /// Requests a second with keys that aren't good, from one address; 0: any number.
    #[arg(long, env = "ADMIN_FAILURE_LIMIT", default_value = FAILURE_LIMIT)]
    failure_limit: String,
    /// Such requests at once.
    #[arg(long, env = "ADMIN_FAILURE_BURST", default_value = FAILURE_BURST)]
    failure_burst: String,
    /// OIDC issuer whose tokens are taken beside keys, as their claim `iss` says it.
    #[arg(long, env = "OIDC_ISSUER")]
    oidc_issuer: Option<String>,
    /// What the tokens' claim `aud` has to name.
    #[arg(long, env = "OIDC_AUDIENCE")]
    oidc_audience: Option<String>,
    /// Where the issuer's keys are; absent: where its configuration says.
    #[arg(long, env = "OIDC_JWKS_URL")]
    oidc_jwks_url: Option<String>,
    /// Algorithms that are taken, separated by commas.
    #[arg(long, env = "OIDC_ALGORITHMS", default_value = ALGORITHMS)]
    oidc_algorithms: String,
    /// Claim that names the tenant, by its id.
    #[arg(long, env = "OIDC_TENANT_CLAIM", default_value = TENANT_CLAIM)]
    oidc_tenant_claim: String,
    /// Claim that names the role (viewer, editor, admin, operator), or several.
    #[arg(long, env = "OIDC_ROLE_CLAIM", default_value = ROLE_CLAIM)]
    oidc_role_claim: String,
    /// `true`: the role `operator` is taken from tokens too.
    #[arg(long, env = "OIDC_OPERATORS", default_value = "false")]
    oidc_operators: String,
}

/// How often somebody may ask; absent: as often as they like.
#[derive(Clone, Copy, Debug)]
pub struct RateSettings {
    /// Each key or subject; operators ten times as often.
    pub requests: Option<Rate>,
    /// Each address, with keys that aren't good.
    pub failures: Option<Rate>,
}

impl AccessArguments {
    pub(super) fn settings(self) -> Result<(RateSettings, Option<OidcSettings>), SettingError> {
        let requests = rate(("ADMIN_RATE_LIMIT", &self.rate_limit), ("ADMIN_RATE_BURST", &self.rate_burst))?;
        let failures =
            rate(("ADMIN_FAILURE_LIMIT", &self.failure_limit), ("ADMIN_FAILURE_BURST", &self.failure_burst))?;
        Ok((RateSettings { requests, failures }, self.oidc()?))
    }

    fn oidc(self) -> Result<Option<OidcSettings>, SettingError> {
        let Some(issuer) = given(self.oidc_issuer) else {
            return match (given(self.oidc_audience), given(self.oidc_jwks_url)) {
                (None, None) => Ok(None),
                _ => Err(SettingError::unshown("OIDC_ISSUER", "wanted, as other OIDC settings are there")),
            };
        };
        let wanted = "wanted an https URL (http to this machine alone)";
        let url = |name: &'static str, text: &str| {
            let url = text.parse().ok().filter(is_trustworthy);
            url.ok_or_else(|| SettingError::new(name, text, wanted))
        };
        let parsed = url("OIDC_ISSUER", &issuer)?;
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(SettingError::new("OIDC_ISSUER", &issuer, "wanted a URL without query and fragment"));
        }
        let audience = given(self.oidc_audience).ok_or_else(|| {
            SettingError::unshown("OIDC_AUDIENCE", "wanted with OIDC_ISSUER: what tokens for this API say")
        })?;
        let jwks_url = given(self.oidc_jwks_url).map(|text| url("OIDC_JWKS_URL", &text)).transpose()?;
        Ok(Some(OidcSettings {
            issuer,
            audience,
            jwks_url,
            algorithms: algorithms(&self.oidc_algorithms)?,
            tenant_claim: claim("OIDC_TENANT_CLAIM", self.oidc_tenant_claim)?,
            role_claim: claim("OIDC_ROLE_CLAIM", self.oidc_role_claim)?,
            operators: flag("OIDC_OPERATORS", &self.oidc_operators)?,
        }))
    }
}

fn rate(limit: (&'static str, &str), burst: (&'static str, &str)) -> Result<Option<Rate>, SettingError> {
    let number = |(name, text): (&'static str, &str), least: u32| match text.parse() {
        Ok(number) if (least..=RATE_MAX).contains(&number) => Ok(number),
        _ => Err(SettingError::new(name, text, format!("wanted a number, {least} to {RATE_MAX}"))),
    };
    let (limit, burst) = (number(limit, 0)?, number(burst, 1)?);
    Ok((limit > 0).then(|| Rate::per_second(limit, burst)))
}

fn algorithms(list: &str) -> Result<Vec<Algorithm>, SettingError> {
    let list = if list.is_empty() { ALGORITHMS } else { list };
    let named = |name: &str| {
        let wanted = "wanted a list of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
        Algorithm::from_name(name).ok_or_else(|| SettingError::new("OIDC_ALGORITHMS", list, wanted))
    };
    list.split(',').map(|name| named(name.trim())).collect()
}

fn claim(name: &'static str, value: String) -> Result<String, SettingError> {
    if value.is_empty() { Err(SettingError::unshown(name, "wanted a claim's name")) } else { Ok(value) }
}

fn flag(name: &'static str, value: &str) -> Result<bool, SettingError> {
    match value {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(SettingError::new(name, value, "wanted true or false")),
    }
}
