//! Calls that weren't routed: what somebody has to mend, and how.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{InTenant, Operator, PathId, RefusedCallId, Viewer};
use super::calls::is_there;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::writes::Answered;
use crate::store::Scope;
use crate::store::refused_calls::{self, Refusals};

/// Calls that weren't routed, of one number, account and reason.
#[derive(Serialize, ToSchema)]
pub struct RefusedCalls {
    #[serde(flatten)]
    refusals: Refusals,
    /// What to do about it.
    advice: String,
}

impl From<Refusals> for RefusedCalls {
    fn from(refusals: Refusals) -> Self {
        Self { advice: advice(&refusals), refusals }
    }
}

/// List calls that weren't routed, of all accounts: which number was called, how often, since when, what to do. Operators
/// only.
#[utoipa::path(get, path = "/refused-calls", tag = "Calls", params(PageQuery),
    responses((status = 200, body = Page<RefusedCalls>)))]
pub async fn list(
    State(api): State<Api>,
    _operator: Operator,
    List { window, .. }: List,
) -> Result<Json<Page<RefusedCalls>>, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    let rows = refused_calls::list(tx.conn(), None, window.after, window.rows()).await?;
    Ok(Json(window.page(rows, |row| row.id, RefusedCalls::from)))
}

/// List calls that weren't routed, of the accounts that the tenant owns.
#[utoipa::path(get, path = "/tenants/{tenant_id}/refused-calls", tag = "Calls",
    params(("tenant_id" = Uuid, Path), PageQuery), responses((status = 200, body = Page<RefusedCalls>)))]
pub async fn list_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    List { window, .. }: List,
) -> Result<Json<Page<RefusedCalls>>, Problem> {
    is_there(&api, &tenant).await?;
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    let rows = refused_calls::list(tx.conn(), Some(tenant.id.0), window.after, window.rows()).await?;
    Ok(Json(window.page(rows, |row| row.id, RefusedCalls::from)))
}

/// Take a row off the list, until the number is called again. Operators only.
#[utoipa::path(delete, path = "/refused-calls/{refused_call_id}", tag = "Calls",
    params(("refused_call_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn dismiss(
    State(api): State<Api>,
    _operator: Operator,
    PathId(RefusedCallId(id)): PathId<RefusedCallId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    refused_calls::dismiss(write.tx.conn(), id).await?;
    write.no_content().await
}

/// What to do about it, in words that name what is concerned.
fn advice(refused: &Refusals) -> String {
    let (number, account) = (&refused.called_number, refused.account_id);
    let provider = refused.provider.as_deref().unwrap_or("its provider");
    let holder = refused.holder_id.zip(refused.phone_number_id);
    match (refused.reason.as_str(), holder) {
        ("other", _) => {
            format!(
                "Account {account} was called at more than 10,000 numbers that nobody here answers: look at which \
                numbers point here at {provider}, and dismiss what is mended."
            )
        }
        ("unknown_number", Some((tenant, phone))) => format!(
            "Tenant {tenant} has {number}, but it isn't bound to account {account}, which its calls come from: PATCH \
             /tenants/{tenant}/phone-numbers/{phone} with {{\"bindings\":[{{\"account_id\":\"{account}\"}}]}}, beside those that \
             it has; or take its webhook away at {provider}."
        ),
        ("unknown_number", None) => format!(
            "No tenant has {number}; its webhook at {provider} points here from account {account}: POST \
             /tenants/{{tenant_id}}/phone-numbers with {{\"source\":\"manual\",\"phone_number\":\"{number}\",\
             \"account_id\":\"{account}\"}}, or take the webhook away at {provider}."
        ),
        ("inactive_number", Some((tenant, phone))) => format!(
            "{number} isn't active: PATCH /tenants/{tenant}/phone-numbers/{phone} with {{\"status\":\"active\"}}, or take its \
             webhook away at {provider}."
        ),
        ("suspended_tenant", Some((tenant, _))) => {
            format!(
                "The tenant that has {number} is suspended: POST /tenants/{tenant}/resume, or leave it so."
            )
        }
        ("no_route", Some((tenant, phone))) => format!(
            "No rule of {number} holds, or {provider} can't do what it wants: GET /tenants/{tenant}/explain?to={number} says \
             why; PUT /tenants/{tenant}/phone-numbers/{phone}/routing with a rule without conditions as the last one."
        ),
        _ => format!(
            "{number} was bound to account {account} when it was called, and isn't anybody's any more: dismiss this."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::instant::Instant;
    use uuid::Uuid;

    fn advised(reason: &str, is_held: bool) -> String {
        let id = |id: u128| Uuid::from_u128(id);
        advice(&Refusals {
            id: id(1),
            tenant_id: None,
            account_id: id(2),
            provider: Some("twilio".into()),
            called_number: "+12125550001".into(),
            reason: reason.into(),
            count: 3,
            first_at: Instant::default(),
            last_at: Instant::default(),
            last_from: None,
            holder_id: is_held.then_some(id(3)),
            phone_number_id: is_held.then_some(id(4)),
        })
    }

    #[test]
    fn advice_names_the_request_that_mends_it() {
        let phone = format!("/tenants/{}/phone-numbers/{}", Uuid::from_u128(3), Uuid::from_u128(4));
        for (reason, is_held, wanted) in [
            (
                "unknown_number",
                false,
                "POST /tenants/{tenant_id}/phone-numbers with {\"source\":\"manual\"".to_owned(),
            ),
            ("unknown_number", true, format!("PATCH {phone} with {{\"bindings\"")),
            ("inactive_number", true, format!("PATCH {phone} with {{\"status\":\"active\"}}")),
            ("suspended_tenant", true, format!("POST /tenants/{}/resume", Uuid::from_u128(3))),
            ("no_route", true, format!("PUT {phone}/routing")),
            ("no_route", false, "dismiss this".to_owned()),
            ("other", false, "10,000".to_owned()),
        ] {
            let text = advised(reason, is_held);
            assert!(text.contains(&wanted), "{reason}: {text}");
        }
    }
}
