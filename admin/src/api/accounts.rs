//! Accounts: credentials at providers. Secrets go in and never come out.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::country::Country;
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::ids::{AccountId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Admin, InTenant, Operator, PathId, Principal, Viewer, operator_only};
use super::body::{Body, present};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::writes::Answered;
use crate::config::SealKeys;
use crate::credentials::{Credentials, check_provider};
use crate::invalid;
use crate::numbering;
use crate::store::accounts::{self, AccountFields, AccountRow};
use crate::store::instant::Instant;
use crate::store::{StoreError, tenants};

/// Credentials at one provider, without the secrets.
#[derive(Serialize, ToSchema)]
pub struct Account {
    /// Its id.
    id: Uuid,
    /// Whose it is; absent: the platform's.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<Uuid>,
    /// The provider.
    provider: String,
    /// What people call it.
    label: String,
    /// The provider's name of the account, in the field of the credentials that holds it: `{"account_sid":"AC…"}`.
    credentials: BTreeMap<&'static str, String>,
    /// The names of the secrets that are set: `auth_token`, `auth_token_secondary`, `shared_key:<id>`.
    secrets_set: Vec<String>,
    /// Whether webhooks have to prove that they come from it.
    signature_policy: String,
    /// The country of numbers that the provider writes in their national form; null: it writes none so.
    country: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Instant,
}

/// An account to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its name, as in the webhook paths: `twilio`.
    provider: String,
    /// 1 to 200 characters.
    label: String,
    /// The provider's credentials.
    #[schema(value_type = Object)]
    credentials: Map<String, Value>,
    /// Whether webhooks have to prove that they come from it; absent: `enforce`.
    signature_policy: Option<SignaturePolicy>,
    /// The ISO 3166-1 code of the country whose numbers the provider writes in their national form: `DE`. Absent: it
    /// writes none so.
    country: Option<String>,
}

/// Fields of an account to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    label: Option<String>,
    /// Fields of the credentials to change; null takes one away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    credentials: Option<Map<String, Value>>,
    /// Whether webhooks have to prove that they come from it.
    #[serde(default, deserialize_with = "present")]
    signature_policy: Option<SignaturePolicy>,
    /// The country of numbers that the provider writes in their national form; null: it writes none so.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    country: Option<Option<String>>,
}

/// Whether webhooks have to prove that they come from an account.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignaturePolicy {
    /// What isn't signed right is refused.
    Enforce,
    /// It is answered, counted and logged: for a roll-out.
    Observe,
    /// It is answered. Operators only.
    Off,
}

impl SignaturePolicy {
    const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
            Self::Off => "off",
        }
    }

    fn check(self, principal: &Principal) -> Result<(), Problem> {
        if self == Self::Off && !principal.is_operator() { Err(operator_only()) } else { Ok(()) }
    }
}

/// Which accounts.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountFilter {
    /// Those at this provider.
    provider: Option<String>,
}

fn view(row: AccountRow, keys: &SealKeys) -> Result<Account, StoreError> {
    let credentials = row.credentials(keys)?;
    Ok(Account {
        id: row.id,
        tenant_id: row.tenant_id,
        provider: row.provider,
        label: row.label,
        secrets_set: credentials.secret_names.clone(),
        credentials: Some((credentials.external_field, credentials.external_id.clone()))
            .filter(|(field, _)| !field.is_empty())
            .into_iter()
            .collect(),
        signature_policy: row.signature_policy,
        country: row.country,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// List a tenant's accounts.
#[utoipa::path(get, path = "/tenants/{tenant_id}/accounts", tag = "Accounts",
    params(("tenant_id" = Uuid, Path), PageQuery, AccountFilter), responses((status = 200, body = Page<Account>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    list: List<AccountFilter>,
) -> Result<Json<Page<Account>>, Problem> {
    page_of(&api, &tenant.principal, Some(tenant.id), list).await
}

/// List the platform's accounts. Operators only.
#[utoipa::path(get, path = "/accounts", tag = "Accounts", params(PageQuery, AccountFilter),
    responses((status = 200, body = Page<Account>)))]
pub async fn list_platform(
    State(api): State<Api>,
    Operator(principal): Operator,
    list: List<AccountFilter>,
) -> Result<Json<Page<Account>>, Problem> {
    page_of(&api, &principal, None, list).await
}

async fn page_of(
    api: &Api,
    principal: &Principal,
    owner: Option<TenantId>,
    list: List<AccountFilter>,
) -> Result<Json<Page<Account>>, Problem> {
    let provider = list.filter.provider.as_deref();
    provider.map_or(Ok(()), check_provider)?;
    let mut tx = api.store.read(principal.scope()).await?;
    if let Some(tenant) = owner {
        tenants::find(tx.conn(), tenant).await?;
    }
    let rows = accounts::list(tx.conn(), owner, provider, list.window.after, list.window.rows()).await?;
    let page = list.window.page(rows, |row| row.id, |row| view(row, api.store.keys()));
    Ok(Json(Page { items: page.items.into_iter().collect::<Result<_, _>>()?, next: page.next }))
}

/// Create an account of a tenant.
#[utoipa::path(post, path = "/tenants/{tenant_id}/accounts", tag = "Accounts",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = NewAccount,
    responses((status = 201, body = Account)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    order: Order,
    Body(new): Body<NewAccount>,
) -> Answered {
    insert(&api, Some(tenant.id), order, new).await
}

/// Create an account of the platform, for tenants to whom it is granted. Operators only.
#[utoipa::path(post, path = "/accounts", tag = "Accounts", params(WaitQuery), request_body = NewAccount,
    responses((status = 201, body = Account)))]
pub async fn create_platform(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewAccount>,
) -> Answered {
    insert(&api, None, order, new).await
}

async fn insert(api: &Api, owner: Option<TenantId>, order: Order, new: NewAccount) -> Answered {
    check_provider(&new.provider)?;
    invalid::name("label", &new.label)?;
    let credentials = Credentials::parse(&new.provider, new.credentials)?;
    let policy = new.signature_policy.unwrap_or(SignaturePolicy::Enforce);
    policy.check(order.principal())?;
    let country = country(new.country.as_deref())?;
    let fields = AccountFields {
        label: &new.label,
        credentials: &credentials,
        signature_policy: policy.name(),
        country: country.as_ref().map(Country::as_str),
    };
    let mut write = api.write_routing(order).await?;
    let row = accounts::insert(write.tx.conn(), api.store.keys(), owner, &new.provider, &fields)
        .await
        .map_err(|error| refused(error, &credentials))?;
    write.tx.record_account(&row)?;
    let account = view(row, api.store.keys())?;
    write.created(account.id, &account).await
}

fn country(text: Option<&str>) -> Result<Option<Country>, Problem> {
    Ok(text.map(|text| numbering::country("country", text)).transpose()?)
}

/// Names the field of the credentials that an account can't have because another has it.
fn refused(error: StoreError, credentials: &Credentials) -> Problem {
    let exists = matches!(error, StoreError::AccountExists);
    let problem = Problem::from(error);
    if exists { problem.at(&format!("credentials.{}", credentials.identity().0)) } else { problem }
}

/// Get an account of a tenant.
#[utoipa::path(get, path = "/tenants/{tenant_id}/accounts/{account_id}", tag = "Accounts",
    params(("tenant_id" = Uuid, Path), ("account_id" = Uuid, Path)), responses((status = 200, body = Account)))]
pub async fn get(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<AccountId>,
) -> Result<Json<Account>, Problem> {
    find(&api, &tenant.principal, Some(tenant.id), id).await
}

/// Get an account of the platform. Operators only.
#[utoipa::path(get, path = "/accounts/{account_id}", tag = "Accounts", params(("account_id" = Uuid, Path)),
    responses((status = 200, body = Account)))]
pub async fn get_platform(
    State(api): State<Api>,
    Operator(principal): Operator,
    PathId(id): PathId<AccountId>,
) -> Result<Json<Account>, Problem> {
    find(&api, &principal, None, id).await
}

async fn find(
    api: &Api,
    principal: &Principal,
    owner: Option<TenantId>,
    id: AccountId,
) -> Result<Json<Account>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    let row = accounts::find(tx.conn(), owner, id).await?;
    Ok(Json(view(row, api.store.keys())?))
}

/// Change an account of a tenant. Credentials are changed field by field.
#[utoipa::path(patch, path = "/tenants/{tenant_id}/accounts/{account_id}", tag = "Accounts",
    params(("tenant_id" = Uuid, Path), ("account_id" = Uuid, Path), WaitQuery), request_body = AccountPatch,
    responses((status = 200, body = Account)))]
pub async fn change(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    PathId(id): PathId<AccountId>,
    order: Order,
    Body(patch): Body<AccountPatch>,
) -> Answered {
    update(&api, (Some(tenant.id), id), order, patch).await
}

/// Change an account of the platform. Operators only.
#[utoipa::path(patch, path = "/accounts/{account_id}", tag = "Accounts",
    params(("account_id" = Uuid, Path), WaitQuery), request_body = AccountPatch,
    responses((status = 200, body = Account)))]
pub async fn change_platform(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AccountId>,
    order: Order,
    Body(patch): Body<AccountPatch>,
) -> Answered {
    update(&api, (None, id), order, patch).await
}

async fn update(
    api: &Api,
    (owner, id): (Option<TenantId>, AccountId),
    order: Order,
    patch: AccountPatch,
) -> Answered {
    if let Some(label) = &patch.label {
        invalid::name("label", label)?;
    }
    if let Some(policy) = patch.signature_policy {
        policy.check(order.principal())?;
    }
    let new_country = patch.country.map(|text| country(text.as_deref())).transpose()?;
    let mut write = api.write_routing(order).await?;
    let row = accounts::lock(write.tx.conn(), owner, id).await?;
    write.expect(async |_| view(row.clone(), api.store.keys())).await?;
    let stored = row.credentials(api.store.keys())?;
    let credentials = match patch.credentials {
        Some(changes) => stored.merged(&row.provider, changes)?,
        None => stored,
    };
    let fields = AccountFields {
        label: patch.label.as_deref().unwrap_or(&row.label),
        credentials: &credentials,
        signature_policy: patch
            .signature_policy
            .map_or(row.signature_policy.as_str(), |policy| policy.name()),
        country: match &new_country {
            Some(country) => country.as_ref().map(Country::as_str),
            None => row.country.as_deref(),
        },
    };
    let row = accounts::update(write.tx.conn(), api.store.keys(), id, &fields)
        .await
        .map_err(|error| refused(error, &credentials))?;
    write.tx.record_account(&row)?;
    write.answer(StatusCode::OK, &view(row, api.store.keys())?).await
}

/// Delete an account of a tenant that no phone number is bound to.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/accounts/{account_id}", tag = "Accounts",
    params(("tenant_id" = Uuid, Path), ("account_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    PathId(id): PathId<AccountId>,
    order: Order,
) -> Answered {
    remove(&api, Some(tenant.id), id, order).await
}

/// Delete an account of the platform that no phone number is bound to. Operators only.
#[utoipa::path(delete, path = "/accounts/{account_id}", tag = "Accounts",
    params(("account_id" = Uuid, Path), WaitQuery), responses((status = 204)))]
pub async fn delete_platform(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AccountId>,
    order: Order,
) -> Answered {
    remove(&api, None, id, order).await
}

async fn remove(api: &Api, owner: Option<TenantId>, id: AccountId, order: Order) -> Answered {
    let mut write = api.write_routing(order).await?;
    let row = accounts::lock(write.tx.conn(), owner, id).await?;
    write.expect(async |_| view(row, api.store.keys())).await?;
    accounts::delete(write.tx.conn(), owner, id).await?;
    write.tx.remove(RecordKey::Account(id));
    write.no_content().await
}

/// Let a tenant use an account of the platform. Operators only.
#[utoipa::path(put, path = "/accounts/{account_id}/grants/{tenant_id}", tag = "Accounts",
    params(("account_id" = Uuid, Path), ("tenant_id" = Uuid, Path)), responses((status = 204)))]
pub async fn grant(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AccountId>,
    PathId(tenant): PathId<TenantId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    accounts::find(write.tx.conn(), None, id).await?;
    accounts::grant(write.tx.conn(), id, tenant).await?;
    write.no_content().await
}

/// Take the use of an account of the platform back. Operators only.
#[utoipa::path(delete, path = "/accounts/{account_id}/grants/{tenant_id}", tag = "Accounts",
    params(("account_id" = Uuid, Path), ("tenant_id" = Uuid, Path)), responses((status = 204)))]
pub async fn revoke(
    State(api): State<Api>,
    _operator: Operator,
    PathId(id): PathId<AccountId>,
    PathId(tenant): PathId<TenantId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    accounts::find(write.tx.conn(), None, id).await?;
    accounts::revoke(write.tx.conn(), id, tenant).await?;
    write.no_content().await
}
