//! What can go wrong with Postgres, as callers treat it. Constraint names become errors here and nowhere else.

use dialplane_common::feed::keyring::OpenError;

/// Why a read or a write didn't happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such row, or not in this tenant.
    #[error("not found")]
    NotFound,
    /// Somebody has the number already.
    #[error("the number is taken")]
    NumberTaken,
    /// The tenant has an intent of this name.
    #[error("the intent's name is taken")]
    IntentNameTaken,
    /// The tenant may have no more phone numbers.
    #[error("the tenant may have no more phone numbers")]
    PhoneNumbersMax,
    /// The tenant may have no more agents.
    #[error("the tenant may have no more agents")]
    AgentsMax,
    /// Another tenant is known by it.
    #[error("the external id is taken")]
    ExternalIdTaken,
    /// There is no such plan.
    #[error("there is no such plan")]
    NoSuchPlan,
    /// There is a plan of this name.
    #[error("the plan's name is taken")]
    PlanNameTaken,
    /// A tenant has the plan.
    #[error("the plan is in use")]
    PlanInUse,
    /// Another rate would hold with equal right.
    #[error("another rate holds with equal right")]
    RateAmbiguous,
    /// An agent knows the intent.
    #[error("the intent is in use")]
    IntentInUse,
    /// The number or block overlaps another tenant's.
    #[error("the address overlaps another tenant's")]
    AddressOverlaps,
    /// Another number of the account has the provider's name already.
    #[error("the provider's name of the number is taken")]
    NumberIdTaken,
    /// The owner has an account of that name at the provider already.
    #[error("the account exists")]
    AccountExists,
    /// A number is bound to the account or held there, or an agent was made there.
    #[error("the account is in use")]
    AccountInUse,
    /// A number or a rule uses the agent.
    #[error("the agent is in use")]
    AgentInUse,
    /// The tenant still has numbers.
    #[error("the tenant has phone numbers")]
    TenantHasNumbers,
    /// A record that no delta could carry.
    #[error("the record is larger than a delta may be")]
    RecordTooLarge,
    /// Stored credentials don't open with any key of `ADMIN_ENCRYPTION_KEY`.
    #[error("open stored credentials: {0}")]
    Sealed(#[from] OpenError),
    /// What is stored isn't what this program stores.
    #[error("stored {0} is malformed")]
    Malformed(&'static str),
    /// Postgres is away or has no connection to spare.
    #[error("reach Postgres: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Anything else that Postgres says.
    #[error("ask Postgres: {0}")]
    Database(#[source] sqlx::Error),
}

/// Classes of SQLSTATE that say what is wrong with what was to be stored: data exceptions, constraints, and more than an
/// index or a row has room for. All others are about Postgres, as it is at this moment.
const REFUSALS: [&str; 3] = ["22", "23", "54"];

impl StoreError {
    /// Whether it is what was to be stored that is at fault, so that trying again leads nowhere. Whatever else it is ends
    /// with whom it comes from: an outage, a standby that isn't promoted, a full disk, a schema that isn't there yet.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(reason)) => {
                reason.code().is_some_and(|code| REFUSALS.iter().any(|class| code.starts_with(class)))
            }
            Self::Database(_) | Self::Unavailable(_) | Self::Sealed(_) => false,
            // What constraints have names for, and what no program of this kind stored.
            _ => true,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::BeginFailed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(reason) => match reason.constraint() {
                Some("phone_numbers_phone_number_key") => Self::NumberTaken,
                Some("tenants_external_id_key" | "tenants_pkey") => Self::ExternalIdTaken,
                Some("plans_pkey") => Self::PlanNameTaken,
                Some("tenants_plan_fkey") if is_delete(reason.message()) => Self::PlanInUse,
                Some("tenants_plan_fkey") => Self::NoSuchPlan,
                Some("rates_ambiguous_key") => Self::RateAmbiguous,
                Some("intents_name_key") => Self::IntentNameTaken,
                Some("phone_numbers_max_check") => Self::PhoneNumbersMax,
                Some("agents_max_check") => Self::AgentsMax,
                Some("agent_intents_intent_fkey") if is_delete(reason.message()) => Self::IntentInUse,
                Some("phone_numbers_overlap_excl") => Self::AddressOverlaps,
                Some("phone_number_bindings_number_id_key") => Self::NumberIdTaken,
                Some("accounts_identity_key") => Self::AccountExists,
                Some(
                    "phone_number_bindings_account_fkey"
                    | "number_holdings_account_fkey"
                    | "agents_account_fkey",
                ) => Self::AccountInUse,
                Some("phone_numbers_agent_fkey") => Self::AgentInUse,
                Some("phone_numbers_tenant_fkey") if is_delete(reason.message()) => Self::TenantHasNumbers,
                Some(
                    "phone_numbers_tenant_fkey"
                    | "accounts_tenant_fkey"
                    | "agents_tenant_fkey"
                    | "api_keys_tenant_fkey"
                    | "account_grants_tenant_fkey"
                    | "account_grants_account_fkey"
                    | "agent_grants_tenant_fkey"
                    | "agent_grants_agent_fkey"
                    | "intents_tenant_fkey"
                    | "tool_servers_tenant_fkey"
                    | "idempotency_keys_tenant_fkey"
                    | "imports_tenant_fkey"
                    | "tenant_defaults_tenant_fkey"
                    | "provisioning_jobs_tenant_fkey",
                ) => Self::NotFound,
                None if reason.code().is_some_and(|code| is_outage(&code)) => Self::Unavailable(error),
                _ => Self::Database(error),
            },
            _ => Self::Database(error),
        }
    }
}

/// Whether a SQLSTATE says that Postgres can't do anything of the kind just now: it starts or ends, has no connection, memory
/// or disk left, is a standby (25006), took too long (57014), or lost its files.
/// Source: PostgreSQL's documentation, appendix A.
fn is_outage(code: &str) -> bool {
    const CLASSES: [&str; 4] = ["08", "53", "57P", "58"];
    CLASSES.iter().any(|class| code.starts_with(class)) || matches!(code, "25006" | "57014")
}

/// A foreign key is violated from either end, with one name for both; only the message tells which.
fn is_delete(message: &str) -> bool {
    message.starts_with("update or delete")
}
