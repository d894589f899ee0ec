//! What every path of the API lies behind: who asks, and whether that is too often.
//!
//! Rates are held by each process for itself. The headers are those of draft-ietf-httpapi-ratelimit-headers-10.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::bearer::bearer;
use super::keys::{Keys, Knowledge};
use super::{Principal, hash};
use crate::api::Api;
use crate::api::error::Problem;
use crate::config::RateSettings;
use crate::listener::Peer;
use crate::metrics::{Metrics, Refused};
use crate::oidc::jws::is_token;
use crate::oidc::{Oidc, TokenError};
use crate::rate::{Limiter, Rate, Standing};
use crate::store::{Actor, Store};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const KEY_NOT_GOOD: &str = "the key isn't known, or is no longer good";
/// Operators' programs work for all tenants.
const OPERATOR_FACTOR: u32 = 10;

/// Who is let in, and how often.
pub struct Gate {
    /// The keys that were good lately.
    pub keys: Keys,
    oidc: Option<Arc<Oidc>>,
    rates: RateSettings,
    principals: Limiter<Actor>,
    /// Failures by address.
    failures: Limiter<IpAddr>,
    metrics: Arc<Metrics>,
}

impl Gate {
    /// A gate that has let nobody in yet.
    #[must_use]
    pub fn new(rates: RateSettings, oidc: Option<Arc<Oidc>>, metrics: Arc<Metrics>) -> Self {
        let (principals, failures) = (Limiter::default(), Limiter::default());
        Self { keys: Keys::default(), oidc, rates, principals, failures, metrics }
    }

    /// Who asks.
    async fn admit(&self, store: &Store, headers: &HeaderMap, address: IpAddr) -> Result<Principal, Problem> {
        let bearer = bearer(headers)?;
        match &self.oidc {
            Some(oidc) if is_token(bearer) => self.admit_token(oidc, bearer, address).await,
            _ => self.admit_key(store, bearer, address).await,
        }
    }

    async fn admit_key(&self, store: &Store, key: &str, address: IpAddr) -> Result<Principal, Problem> {
        let (hash, now) = (hash(key), Instant::now());
        match self.keys.look_up(&hash, now) {
            Knowledge::Good(principal) => return Ok(principal),
            Knowledge::WasGood => {}
            // Before it costs Postgres anything.
            Knowledge::Nothing => {
                let failures = self.rates.failures.and_then(|rate| self.failures.wait(&address, rate, now));
                failures.map_or(Ok(()), |wait| Err(self.too_many_failures(wait)))?;
            }
        }
        match self.keys.ask(store, &hash).await? {
            Some(principal) => Ok(principal),
            None => Err(self.failed(address, KEY_NOT_GOOD)),
        }
    }

    /// A token costs a signature's verification and no more, so that a good one is let in whatever others do from its
    /// address.
    async fn admit_token(&self, oidc: &Oidc, token: &str, address: IpAddr) -> Result<Principal, Problem> {
        match identify(oidc, token).await {
            Ok(principal) => Ok(principal),
            // The issuer's failure, not the sender's.
            Err(error @ TokenError::NoKeys) => Err(error.into()),
            Err(error) => Err(self.failed(address, &error.to_string())),
        }
    }

    /// Who asks, looked at anew while what it asked for lasts. Counts neither for a rate nor as a failure, and doesn't
    /// trust what was good lately.
    ///
    /// # Errors
    /// When it isn't let in any more.
    pub async fn admit_again(&self, store: &Store, headers: &HeaderMap) -> Result<Principal, Problem> {
        let bearer = bearer(headers)?;
        match &self.oidc {
            Some(oidc) if is_token(bearer) => Ok(identify(oidc, bearer).await?),
            _ => {
                let principal = self.keys.ask(store, &hash(bearer)).await?;
                principal.ok_or_else(|| Problem::unauthorized(KEY_NOT_GOOD))
            }
        }
    }

    /// Counts a failure. Those beyond the limit aren't even told why.
    fn failed(&self, address: IpAddr, why: &str) -> Problem {
        let standing = self.rates.failures.map(|rate| self.failures.take(&address, rate, Instant::now()));
        match standing.filter(|standing| !standing.is_taken) {
            Some(standing) => self.too_many_failures(standing.more_in),
            None => {
                self.metrics.refused(Refused::Unauthorized);
                Problem::unauthorized(why)
            }
        }
    }

    fn too_many_failures(&self, wait: Duration) -> Problem {
        self.metrics.refused(Refused::Address);
        too_often("too many keys from this address that aren't good", wait)
    }

    /// Takes one of the principal's rate; `None` where there is none.
    fn take(&self, principal: &Principal) -> Option<(Rate, Standing)> {
        let rate = self.rates.requests?;
        let rate = if principal.is_operator() { rate.times(OPERATOR_FACTOR) } else { rate };
        Some((rate, self.principals.take(&principal.actor, rate, Instant::now())))
    }
}

/// Who a token speaks for.
async fn identify(oidc: &Oidc, token: &str) -> Result<Principal, TokenError> {
    let identity = oidc.verify(token).await?;
    let actor = Actor::Subject(identity.subject);
    Ok(Principal { actor, role: identity.role, tenant: identity.tenant })
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NoKeys => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "issuer_unavailable", error.to_string())
            }
            error => Self::unauthorized(&error.to_string()),
        }
    }
}

/// Lets a request through to its handler, or doesn't.
pub async fn pass(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<Peer>();
    let address = network(address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0));
    let principal = match api.gate.admit(&api.store, request.headers(), address).await {
        Ok(principal) => principal,
        Err(problem) => return problem.into_response(),
    };
    let Some((rate, standing)) = api.gate.take(&principal) else {
        request.extensions_mut().insert(principal);
        return next.run(request).await;
    };
    let mut response = if standing.is_taken {
        request.extensions_mut().insert(principal);
        next.run(request).await
    } else {
        api.metrics.refused(Refused::Principal);
        let detail = "this key, or whoever this token is for, asks too often";
        too_often(detail, standing.more_in).into_response()
    };
    add_headers(response.headers_mut(), rate, standing);
    response
}

fn too_often(detail: &str, wait: Duration) -> Problem {
    let retry_after = HeaderValue::from(seconds(wait));
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
        .with_header(header::RETRY_AFTER, retry_after)
}

/// The policy: the burst, and within how many seconds it is there again; and how it stands: how many are left, and in
/// how many seconds there are more.
fn add_headers(headers: &mut HeaderMap, rate: Rate, standing: Standing) {
    let policy = format!("\"default\";q={};w={}", rate.burst(), seconds(rate.refill()));
    let limit = format!("\"default\";r={};t={}", standing.remaining, seconds(standing.more_in));
    for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// Whole seconds, at least one, and never too few.
fn seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

/// The address, or, as nobody has but one of IPv6, the network of 64 bits that it is in.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use dialplane_common::feed::keyring::Keyring;

    use super::*;
    use crate::config::SealKeys;
    use crate::oidc::OidcSettings;

    #[tokio::test]
    async fn a_token_that_is_looked_at_anew_counts_as_no_failure() {
        let seal = |domain| Keyring::parse(domain, "a-key-for-tests-that-is-long-enough").unwrap();
        let seal_keys = SealKeys { at_rest: seal("admin"), feed: seal("feed") };
        let store = Store::new("postgres://nobody@127.0.0.1/nothing", Arc::new(seal_keys)).unwrap();
        let oidc = Arc::new(Oidc::new(OidcSettings::example(), crate::outbound::client().unwrap()));
        let rate = Rate::per_second(1, 1);
        let rates = RateSettings { requests: None, failures: Some(rate) };
        let gate = Gate::new(rates, Some(oidc), Arc::new(Metrics::new().unwrap()));
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer e30.e30.e30"));
        for _ in 0..3 {
            let again = gate.admit_again(&store, &headers).await;
            assert_eq!(again.unwrap_err().status(), StatusCode::UNAUTHORIZED);
        }
        let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        assert_eq!(gate.failures.wait(&address, rate, Instant::now()), None);
        // At the door it does.
        for expected in [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS] {
            let admitted = gate.admit(&store, &headers, address).await;
            assert_eq!(admitted.unwrap_err().status(), expected);
        }
    }

    #[test]
    fn headers_say_the_policy_and_how_it_stands() {
        let rate = Rate::per_second(200, 2_000);
        let limiter = Limiter::default();
        let standing = limiter.take(&(), rate, Instant::now());
        let mut headers = HeaderMap::new();
        add_headers(&mut headers, rate, standing);
        assert_eq!(headers[POLICY], "\"default\";q=2000;w=10");
        assert_eq!(headers[LIMIT], "\"default\";r=1999;t=1");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let check = |address: &str, expected: &str| {
            assert_eq!(network(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        };
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }
}
