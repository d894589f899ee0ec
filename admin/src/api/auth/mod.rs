//! Who asks, and what they may.
//!
//! [`gate`] stands before every path of the API: it finds out who asks, by an opaque key ([`keys`]) or by a token of the
//! OIDC issuer ([`crate::oidc`]), and holds them to their rate. A handler's arguments say who may call it
//! ([`extract`]): [`InTenant`], [`Operator`].
//!
//! A tenant's key for another tenant's path gets what a path to nowhere gets: whether that tenant exists isn't its
//! business.

mod bearer;
mod extract;
pub mod gate;
pub mod keys;

use dialplane_common::ids::TenantId;
use sha2::{Digest, Sha256};

pub use extract::{
    Admin, CallId, Editor, ImportId, InPath, InTenant, JobId, Least, Operator, PathId, PlanName, RateId,
    ReconciliationId, RefusedCallId, Viewer, operator_only,
};

pub use crate::role::Role;
use crate::store::{Actor, Scope};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Who, by a name that lasts.
    pub actor: Actor,
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
