//! The extractors: who may call a handler stands in its arguments.

use std::marker::PhantomData;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use dialplane_common::ids::{AccountId, AgentId, IntentId, PhoneNumberId, TenantId};
use uuid::Uuid;

use super::Principal;
use crate::api::Api;
use crate::api::error::Problem;
use crate::role::Role;

/// Whoever it is: [`super::gate`] knows already.
impl FromRequestParts<Api> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        // A route that doesn't lie behind the gate has nobody to tell of: a mistake that its first request shows.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// An operator asks.
pub struct Operator(pub Principal);

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, api).await?;
        if principal.is_operator() { Ok(Self(principal)) } else { Err(operator_only()) }
    }
}

/// Only operators may do that.
#[must_use]
pub fn operator_only() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "operator_only", "only operators may do this")
}

/// The least role that something takes.
pub trait Least: Send {
    /// That role.
    const ROLE: Role;
}

/// Reading.
pub struct Viewer;
/// Writing.
pub struct Editor;
/// Writing accounts and keys.
pub struct Admin;

impl Least for Viewer {
    const ROLE: Role = Role::Viewer;
}
impl Least for Editor {
    const ROLE: Role = Role::Editor;
}
impl Least for Admin {
    const ROLE: Role = Role::Admin;
}

/// Somebody asks who may do `L` in the tenant that the path names.
pub struct InTenant<L> {
    /// The tenant.
    pub id: TenantId,
    /// Who asks.
    pub principal: Principal,
    least: PhantomData<fn() -> L>,
}

impl<L: Least> FromRequestParts<Api> for InTenant<L> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, api).await?;
        let id = path_id(parts, "tenant_id").await?;
        if principal.tenant.is_some_and(|own| own != id) {
            return Err(Problem::not_found());
        }
        if principal.role < L::ROLE {
            let detail = "this key's role doesn't allow it: viewers read, editors write, admins also manage accounts and keys";
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        Ok(Self { id, principal, least: PhantomData })
    }
}

/// An id in the path. What isn't one is nobody's.
pub struct PathId<T>(pub T);

/// An id that stands in paths under one name.
pub trait InPath: FromStr + Send {
    /// The parameter's name.
    const NAME: &'static str;
}

impl InPath for TenantId {
    const NAME: &'static str = "tenant_id";
}
impl InPath for AccountId {
    const NAME: &'static str = "account_id";
}
impl InPath for AgentId {
    const NAME: &'static str = "agent_id";
}
impl InPath for PhoneNumberId {
    const NAME: &'static str = "phone_number_id";
}
impl InPath for IntentId {
    const NAME: &'static str = "intent_id";
}
impl InPath for Uuid {
    const NAME: &'static str = "api_key_id";
}

/// An import's id.
pub struct ImportId(pub Uuid);

impl FromStr for ImportId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
impl InPath for ImportId {
    const NAME: &'static str = "import_id";
}

/// A provisioning job's id.
pub struct JobId(pub Uuid);

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
impl InPath for JobId {
    const NAME: &'static str = "job_id";
}

/// A reconciliation's id.
pub struct ReconciliationId(pub Uuid);

impl FromStr for ReconciliationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
impl InPath for ReconciliationId {
    const NAME: &'static str = "reconciliation_id";
}

/// A rate's id.
pub struct RateId(pub Uuid);

impl FromStr for RateId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
impl InPath for RateId {
    const NAME: &'static str = "rate_id";
}

/// A call's id.
pub struct CallId(pub Uuid);

impl FromStr for CallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
impl InPath for CallId {
    const NAME: &'static str = "call_id";
}

/// The id of a row of calls that weren't routed.
pub struct RefusedCallId(pub Uuid);

impl FromStr for RefusedCallId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}
impl InPath for RefusedCallId {
    const NAME: &'static str = "refused_call_id";
}

/// A plan's name.
pub struct PlanName(pub String);

impl FromStr for PlanName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What Postgres can't hold is nobody's name.
        Ok(Self(text.replace('\0', "")))
    }
}
impl InPath for PlanName {
    const NAME: &'static str = "plan_name";
}

impl<T: InPath> FromRequestParts<Api> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        path_id(parts, T::NAME).await.map(Self)
    }
}

async fn path_id<T: FromStr>(parts: &mut Parts, name: &str) -> Result<T, Problem> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Problem::not_found())?;
    let text = parameters.iter().find_map(|(found, text)| (found == name).then_some(text));
    text.and_then(|text| text.parse().ok()).ok_or_else(Problem::not_found)
}
