//! What a verified token says. Source: RFC 7519, RFC 9068.

use std::sync::Arc;

use dialplane_common::ids::TenantId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::OidcSettings;
use crate::role::Role;

/// How far our clock and the issuer's may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
const SUBJECT_BYTES_MAX: usize = 255;

/// Who a token speaks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The issuer's name of them.
    pub subject: Arc<str>,
    /// What they may do.
    pub role: Role,
    /// In which tenant; absent: an operator. Nobody has looked whether there is such a tenant.
    pub tenant: Option<TenantId>,
}

/// A claim that doesn't do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's claim {name}: {wanted}")]
pub struct ClaimError {
    name: String,
    wanted: &'static str,
}

/// What a token claims.
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Reads claims; `None` when it isn't an object.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }

    /// Who this speaks for, at `now`.
    ///
    /// # Errors
    /// The first claim that doesn't do.
    pub fn identity(&self, settings: &OidcSettings, now: Timestamp) -> Result<Identity, ClaimError> {
        let refuse = |name: &str, wanted| Err(ClaimError { name: name.to_owned(), wanted });
        if self.0.get("iss").and_then(Value::as_str) != Some(settings.issuer.as_str()) {
            return refuse("iss", "it is another issuer's");
        }
        if !self.strings("aud").any(|audience| audience == settings.audience) {
            return refuse("aud", "it is meant for somebody else");
        }
        self.check_times(now)?;
        let Some(subject) = self.0.get("sub").and_then(Value::as_str).filter(|subject| is_subject(subject))
        else {
            return refuse("sub", "wanted 1 to 255 characters, none of them a control character");
        };
        let roles = self.strings(&settings.role_claim).filter_map(Role::from_name);
        let Some(role) = roles.filter(|role| settings.operators || *role != Role::Operator).max() else {
            return refuse(&settings.role_claim, "it names no role that a token can have here");
        };
        let subject = subject.into();
        if role == Role::Operator {
            return Ok(Identity { subject, role, tenant: None });
        }
        let tenant = self.find(&settings.tenant_claim).and_then(Value::as_str).and_then(|id| id.parse().ok());
        match tenant {
            Some(tenant) => Ok(Identity { subject, role, tenant: Some(tenant) }),
            None => refuse(&settings.tenant_claim, "wanted a tenant's id"),
        }
    }

    fn check_times(&self, now: Timestamp) -> Result<(), ClaimError> {
        let refuse = |name: &str, wanted| Err(ClaimError { name: name.to_owned(), wanted });
        if self.instant("exp")?.is_none_or(|expires| now >= expires.saturating_add(SKEW).unwrap_or(expires)) {
            return refuse("exp", "it has expired, or doesn't say when it will");
        }
        for name in ["nbf", "iat"] {
            if self.instant(name)?.is_some_and(|begins| now.saturating_add(SKEW).unwrap_or(now) < begins) {
                return refuse(name, "it isn't good yet");
            }
        }
        Ok(())
    }

    /// Seconds since 1970, with a fraction or without.
    fn instant(&self, name: &str) -> Result<Option<Timestamp>, ClaimError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let seconds = value.as_i64().or_else(|| {
            let seconds = value.as_f64().filter(|seconds| (0.0..1e12).contains(seconds))?;
            #[expect(clippy::cast_possible_truncation, reason = "within what an i64 holds, and seconds do")]
            Some(seconds as i64)
        });
        match seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
            Some(instant) => Ok(Some(instant)),
            None => Err(ClaimError { name: name.to_owned(), wanted: "wanted seconds since 1970" }),
        }
    }

    /// The text of a claim, or the texts of a list.
    fn strings(&self, name: &str) -> impl Iterator<Item = &str> {
        let value = self.find(name);
        let list = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        value.into_iter().chain(list).filter_map(Value::as_str)
    }

    /// A claim of this very name, else the one that a path with dots leads to (`realm_access.roles`).
    fn find(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let (first, rest) = name.split_once('.')?;
            rest.split('.').try_fold(self.0.get(first)?, |value, name| value.get(name))
        })
    }
}

/// It stands in logs and in the records of who changed what.
fn is_subject(text: &str) -> bool {
    (1..=SUBJECT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;
    const TENANT: &str = "018f0000-0000-7000-8000-000000000001";

    fn identity(changes: Value) -> Result<Identity, ClaimError> {
        identity_with(&OidcSettings::example(), changes)
    }

    fn identity_with(settings: &OidcSettings, changes: Value) -> Result<Identity, ClaimError> {
        let mut claims = json!({
            "iss": "https://issuer.example", "aud": ["other", "dialplane"], "sub": "ada", "exp": NOW + 300, "nbf": NOW,
            "iat": NOW, "tenant_id": TENANT, "realm": {"roles": ["viewer", "someone", "editor"]},
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
        claims.identity(settings, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn the_highest_of_several_roles_counts() {
        let good = identity(json!({})).unwrap();
        assert_eq!((&*good.subject, good.role), ("ada", Role::Editor));
        assert_eq!(good.tenant, Some(TENANT.parse().unwrap()));
        // A claim whose name has dots in it goes before a path.
        assert_eq!(identity(json!({"realm.roles": "viewer"})).unwrap().role, Role::Viewer);
    }

    #[test]
    fn an_operator_is_made_only_where_that_is_allowed() {
        let both = json!({"realm": {"roles": ["operator", "viewer"]}});
        assert_eq!(identity(both.clone()).unwrap().role, Role::Viewer);
        assert!(identity(json!({"realm": {"roles": "operator"}})).is_err());
        let settings = OidcSettings { operators: true, ..OidcSettings::example() };
        let operator = identity_with(&settings, both).unwrap();
        assert_eq!((operator.role, operator.tenant), (Role::Operator, None));
    }

    #[test]
    fn clocks_may_be_a_minute_apart() {
        for changes in [
            json!({"exp": NOW - 59}),
            json!({"exp": NOW as f64 + 0.5}),
            json!({"nbf": NOW + 60}),
            json!({"iat": NOW + 60}),
        ] {
            assert!(identity(changes.clone()).is_ok(), "{changes}");
        }
    }

    #[test]
    fn claims_that_do_not_do_are_named() {
        for (name, value) in [
            ("iss", json!("https://issuer.example/")),
            ("iss", Value::Null),
            ("aud", json!("Dialplane")),
            ("aud", json!(["a", ["dialplane"]])),
            ("aud", json!({"dialplane": true})),
            ("exp", json!(NOW - 60)),
            ("exp", json!(NOW.to_string())),
            ("exp", Value::Null),
            ("exp", json!(1e300)),
            ("exp", json!(-5.5)),
            ("nbf", json!(NOW + 61)),
            ("iat", json!(NOW + 61)),
            ("iat", json!("now")),
            ("sub", json!("")),
            ("sub", json!("a\nb")),
            ("sub", json!("a".repeat(256))),
            ("sub", json!(7)),
            ("tenant_id", json!("mine")),
            ("tenant_id", json!([TENANT])),
            ("tenant_id", Value::Null),
        ] {
            let error = identity(json!({name: value})).unwrap_err();
            assert_eq!(error.name, name, "{error} {value}");
        }
        for roles in [json!([]), json!({"viewer": true}), json!("Viewer"), json!(["own", 7]), Value::Null] {
            assert_eq!(identity(json!({"realm": {"roles": roles}})).unwrap_err().name, "realm.roles");
        }
        assert!(Claims::parse(b"[]").is_none() && Claims::parse(b"").is_none());
    }
}
