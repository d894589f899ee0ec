//! Accounts below the platform's: a tenant gets one of its own at a provider and needs no credentials for it.

use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::{AccountId, TenantId};
use dialplane_common::provider::provider;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{Operator, PathId};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::writes::Answered;
use crate::invalid::{self, Invalid};
use crate::provisioning::request::JobRequest;
use crate::provisioning::workflow::{Course, Progress};
use crate::store::jobs::{self, Job, NewJob};
use crate::store::{StoreError, accounts, tenants};

/// A subaccount to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubaccount {
    /// Whose it is to be.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// 1 to 200 characters; absent: the tenant's name.
    label: Option<String>,
}

/// Make an account of a tenant's own below one of the platform's, where its provider has such accounts. Operators only.
///
/// Twilio, Plivo and SignalWire have them. SignalWire tells no signing key: the job then rests with a person, who creates
/// the tenant's account with it.
///
/// A job makes it, one for each tenant and account above it, however often it is asked; it is among the tenant's accounts
/// once the job is done, and `tenant_account` buys numbers in it. What it costs, the account above it pays. Deleting it
/// here leaves it at its provider.
#[utoipa::path(post, path = "/accounts/{account_id}/subaccounts", tag = "Accounts",
    params(("account_id" = Uuid, Path), WaitQuery), request_body = NewSubaccount, responses((status = 202, body = Job)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AccountId>,
    order: Order,
    Body(new): Body<NewSubaccount>,
) -> Answered {
    new.label.as_deref().map_or(Ok(()), |label| invalid::name("label", label))?;
    let mut write = api.write(order).await?;
    let above = accounts::find(write.tx.conn(), None, id).await?;
    if provider(&above.provider).and_then(|provider| provider.subaccounts()).is_none() {
        let detail = format!("{} has no accounts below an account", above.provider);
        return Err(Problem::new(StatusCode::CONFLICT, "no_subaccounts", detail).into());
    }
    tenants::lock(write.tx.conn(), new.tenant_id).await.map_err(|error| match error {
        StoreError::NotFound => Problem::from(Invalid::new("tenant_id", "there is no such tenant")),
        other => Problem::from(other),
    })?;
    let request = JobRequest { account_id: Some(id.0), label: new.label, ..JobRequest::default() };
    let (origin, progress) = (write.origin().clone(), Progress::begin(Course::Subaccount, false));
    let job = NewJob {
        tenant: Some(new.tenant_id),
        kind: "subaccount",
        request: &request,
        progress: &progress,
        phone_number: None,
        agent: None,
        batch: None,
        origin: &origin,
    };
    let job = jobs::insert(write.tx.conn(), &job).await?;
    write.ring();
    write.accepted(format!("{}/provisioning/{}", super::BASE, job.id), &job).await
}
