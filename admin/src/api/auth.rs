//! Who asks, and what they may. A handler's arguments say who may call it: [`InTenant`], [`Operator`].
//!
//! A tenant's key for another tenant's path gets what a path to nowhere gets: whether that tenant exists isn't its
//! business.

use std::marker::PhantomData;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use dialplane_common::ids::{AccountId, AgentId, IntentId, PhoneNumberId, TenantId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Api;
use super::error::Problem;
use crate::store::{Scope, api_keys};

/// What a key may do, each role all that those before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Writes, but neither accounts nor keys.
    Editor,
    /// Everything of its tenant.
    Admin,
    /// Everything.
    Operator,
}

impl Role {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "viewer" => Self::Viewer,
            "editor" => Self::Editor,
            "admin" => Self::Admin,
            "operator" => Self::Operator,
            _ => return None,
        })
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Principal {
    /// What it may do.
    pub role: Role,
    /// Whose key it is; absent: an operator's.
    pub tenant: Option<TenantId>,
}

impl Principal {
    /// Whose rows its transactions see.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.tenant.map_or(Scope::Operator, Scope::Tenant)
    }

    /// Whether it is an operator.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.role == Role::Operator
    }
}

/// The SHA-256 of a key, which is all that is stored of it. Keys are long and random, so a slow hash adds nothing.
#[must_use]
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

impl FromRequestParts<Api> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        if let Some(principal) = parts.extensions.get::<Self>() {
            return Ok(*principal);
        }
        let wanted = "wanted the header Authorization: Bearer <key>";
        let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(|| Problem::unauthorized(wanted))?;
        let (scheme, key) = header
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .ok_or_else(|| Problem::unauthorized(wanted))?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthorized(wanted));
        }
        let mut tx = api.store.write(Scope::Operator).await?;
        let found = api_keys::take(tx.conn(), hash(key.trim())).await?;
        tx.commit().await?;
        let found =
            found.ok_or_else(|| Problem::unauthorized("the key isn't known, or is no longer good"))?;
        let role = Role::from_name(&found.role).ok_or_else(Problem::internal)?;
        let principal = Self { role, tenant: found.tenant_id.map(TenantId) };
        parts.extensions.insert(principal);
        Ok(principal)
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
