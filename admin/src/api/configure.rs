//! Numbers and agents pointed at us anew, many at once: after `PUBLIC_URLS` has changed.

use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::AccountId;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::Operator;
use super::body::Body;
use super::error::Problem;
use super::jobs::Batch;
use super::order::{Order, WaitQuery};
use super::writes::Answered;
use crate::invalid::Invalid;
use crate::provisioning::upkeep;
use crate::store::{StoreError, accounts, holdings, hosted_agents};

/// Which numbers and agents are pointed at us.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConfiguration {
    /// Those that this account has; absent: those of all accounts.
    #[schema(value_type = Option<Uuid>)]
    account_id: Option<AccountId>,
    /// Also those that were pointed at the first of `PUBLIC_URLS` already.
    #[serde(default)]
    all: bool,
}

/// Point numbers at the first of `PUBLIC_URLS` at their providers, those that were bought or taken over here and are
/// pointed elsewhere, and agents that were made here: a job each, at the providers' rate limits. Operators only.
///
/// What a job is at work on is left to it. How far it is, the jobs of the batch tell:
/// `/provisioning?batch_id=`.
#[utoipa::path(post, path = "/provisioning/configure", tag = "Provisioning", params(WaitQuery),
    request_body = NewConfiguration, responses((status = 202, body = Batch)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewConfiguration>,
) -> Answered {
    let mut write = api.write(order).await?;
    let Some(url) = write.provisioning().public_urls.first().cloned() else {
        let detail = "the admin plane doesn't know by which URL providers call: set PUBLIC_URLS";
        return Err(Problem::new(StatusCode::CONFLICT, "public_urls_unset", detail).into());
    };
    if let Some(account) = new.account_id {
        accounts::any(write.tx.conn(), account).await.map_err(|error| match error {
            StoreError::NotFound => Invalid::new("account_id", "there is no such account").into(),
            other => Problem::from(other),
        })?;
    }
    let (batch, origin) = (Uuid::now_v7(), write.origin().clone());
    let account = new.account_id.map(|account| account.0);
    let mut jobs = 0;
    for number in holdings::to_point(write.tx.conn(), &url, account, new.all).await? {
        let is_made = upkeep::point_at_us(write.tx.conn(), number, Some(batch), &origin).await?;
        jobs += usize::from(is_made);
    }
    for agent in hosted_agents::told_elsewhere(write.tx.conn(), &url, account, new.all).await? {
        upkeep::update(write.tx.conn(), &agent, Some(batch), &origin).await?;
        jobs += 1;
    }
    write.ring();
    let location = format!("{}/provisioning?batch_id={batch}", super::BASE);
    write.accepted(location, &Batch { batch_id: batch, jobs }).await
}
