//! Tenants.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::ids::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Admin, InTenant, Operator, Principal, Viewer, operator_only};
use super::body::{Body, present};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery, Search};
use super::writes::Answered;
use crate::business::ProfileDocument;
use crate::business::integrations::{self, Integrations};
use crate::business::provisioning::ProvisioningDocument;
use crate::invalid::{self, Invalid};
use crate::store::plans;
use crate::store::tenants::{self, OperatorsChanges, Tenant, TenantChanges, TenantFilter};

/// A tenant to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// 1 to 200 characters.
    name: String,
    /// IANA time zone; absent: UTC.
    timezone: Option<String>,
    /// What whoever sells the platform knows it by, unlike any other tenant: 1 to 200 characters.
    external_id: Option<String>,
    /// The business behind it.
    #[serde(default)]
    profile: ProfileDocument,
    /// What its other systems need to be known of it: objects by name, no secrets, 16 KiB in all.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, Object>)]
    integrations: Integrations,
    /// How its numbers and agents are provisioned.
    #[serde(default)]
    provisioning: ProvisioningDocument,
    /// How many calls it may have at a time, 1 to 1000; absent: any number.
    calls_max: Option<u32>,
    /// How many phone numbers it may have, 0 to 1000000; absent: any number.
    phone_numbers_max: Option<u32>,
    /// How many agents it may have, 0 to 1000000; absent: any number.
    agents_max: Option<u32>,
    /// How much may be spent on its numbers in a calendar month (UTC), in the platform's currency: a decimal such as
    /// `10.00`, at most 1000000.00; absent: the platform's default.
    spend_max: Option<String>,
    /// What it pays for: a plan's name. Its limits hold where it has none itself. Absent: none.
    plan: Option<String>,
}

/// Fields of a tenant to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantPatch {
    /// 1 to 200 characters.
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    /// IANA time zone.
    #[serde(default, deserialize_with = "present")]
    timezone: Option<String>,
    /// The business behind it: all of it, in place of what was said before.
    #[serde(default, deserialize_with = "present")]
    profile: Option<ProfileDocument>,
    /// What its other systems need to be known of it: all of it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, Object>>)]
    integrations: Option<Integrations>,
    /// How its numbers and agents are provisioned: all of it.
    #[serde(default, deserialize_with = "present")]
    provisioning: Option<ProvisioningDocument>,
    /// What whoever sells the platform knows it by; null: nothing. Operators only.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    external_id: Option<Option<String>>,
    /// Operators only.
    #[serde(default, deserialize_with = "present")]
    status: Option<TenantStatus>,
    /// How many calls it may have at a time, 1 to 1000; null: any number. Operators only.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    calls_max: Option<Option<u32>>,
    /// How many phone numbers it may have; null: any number. What it has more, it keeps. Operators only.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    phone_numbers_max: Option<Option<u32>>,
    /// How many agents it may have; null: any number. What it has more, it keeps. Operators only.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    agents_max: Option<Option<u32>>,
    /// How much may be spent on its numbers in a calendar month (UTC): a decimal such as `10.00`; null: the platform's
    /// default. Operators only.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    spend_max: Option<Option<String>>,
    /// What it pays for: a plan's name; null: nothing. What it has more than the plan allows, it keeps. Operators only.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    plan: Option<Option<String>>,
}

/// Whether a tenant's calls are routed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TenantStatus {
    /// They are.
    Active,
    /// They are rejected.
    Suspended,
}

impl TenantStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// Which tenants.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TenantQuery {
    /// Those whose name holds this, in capitals or not.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    q: Option<Search>,
    /// Those of this status.
    #[param(inline)]
    status: Option<TenantStatus>,
}

/// List tenants; a tenant's key sees its own alone.
#[utoipa::path(get, path = "/tenants", tag = "Tenants", params(PageQuery, TenantQuery),
    responses((status = 200, body = Page<Tenant>)))]
pub async fn list(
    State(api): State<Api>,
    principal: Principal,
    list: List<TenantQuery>,
) -> Result<Json<Page<Tenant>>, Problem> {
    let filter = TenantFilter {
        name: list.filter.q.map(|q| q.pattern()),
        status: list.filter.status.map(TenantStatus::name),
    };
    let mut tx = api.store.read(principal.scope()).await?;
    let rows = tenants::list(tx.conn(), &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |tenant| tenant.id, |tenant| tenant)))
}

/// Create a tenant. Operators only.
#[utoipa::path(post, path = "/tenants", tag = "Tenants", params(WaitQuery), request_body = NewTenant,
    responses((status = 201, body = Tenant)))]
pub async fn create(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewTenant>,
) -> Answered {
    invalid::name("name", &new.name)?;
    let timezone = invalid::timezone("timezone", new.timezone.as_deref().unwrap_or("UTC"))?;
    check(Some(&new.profile), Some(&new.integrations), Some(&new.provisioning), new.external_id.as_deref())?;
    let spend_max = spend_max(new.spend_max)?;
    let tenant = tenants::NewTenant {
        name: &new.name,
        timezone: &timezone,
        external_id: new.external_id.as_deref(),
        profile: &new.profile,
        integrations: &new.integrations,
        provisioning: &new.provisioning,
        calls_max: calls_max(new.calls_max)?,
        phone_numbers_max: count_max("phone_numbers_max", new.phone_numbers_max)?,
        agents_max: count_max("agents_max", new.agents_max)?,
        spend_max: spend_max.as_deref(),
        plan: new.plan.as_deref(),
    };
    let id = TenantId(Uuid::now_v7());
    let mut write = api.write_routing(order).await?;
    if let Some(plan) = &new.plan {
        plans::hold(write.tx.conn(), plan).await?;
    }
    let tenant = tenants::insert(write.tx.conn(), id, &tenant).await?;
    write.tx.record_tenant(id).await?;
    write.created(tenant.id, &tenant).await
}

fn calls_max(calls: Option<u32>) -> Result<Option<i32>, Invalid> {
    calls.map(|calls| invalid::calls_max("calls_max", calls)).transpose()
}

fn count_max(field: &str, most: Option<u32>) -> Result<Option<i32>, Invalid> {
    most.map(|most| invalid::count_max(field, most)).transpose()
}

fn spend_max(most: Option<String>) -> Result<Option<String>, Invalid> {
    most.map(|most| invalid::spend_max("spend_max", &most)).transpose()
}

/// Refuses documents that aren't what they say they are.
fn check(
    profile: Option<&ProfileDocument>,
    integrations: Option<&Integrations>,
    provisioning: Option<&ProvisioningDocument>,
    external_id: Option<&str>,
) -> Result<(), Invalid> {
    profile.map_or(Ok(()), ProfileDocument::check)?;
    integrations.map_or(Ok(()), integrations::check)?;
    provisioning.map_or(Ok(()), ProvisioningDocument::check)?;
    external_id.map_or(Ok(()), |id| invalid::name("external_id", id))
}

/// Get a tenant.
#[utoipa::path(get, path = "/tenants/{tenant_id}", tag = "Tenants", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, body = Tenant)))]
pub async fn get(State(api): State<Api>, tenant: InTenant<Viewer>) -> Result<Json<Tenant>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    Ok(Json(tenants::find(tx.conn(), tenant.id).await?))
}

/// Change a tenant.
#[utoipa::path(patch, path = "/tenants/{tenant_id}", tag = "Tenants",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = TenantPatch,
    responses((status = 200, body = Tenant)))]
pub async fn change(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    order: Order,
    Body(patch): Body<TenantPatch>,
) -> Answered {
    if let Some(name) = &patch.name {
        invalid::name("name", name)?;
    }
    let timezone = patch.timezone.as_deref().map(|zone| invalid::timezone("timezone", zone)).transpose()?;
    let count = |field: &str, most: Option<Option<u32>>| most.map(|most| count_max(field, most)).transpose();
    let operators = OperatorsChanges {
        status: patch.status.map(|status| status.name().to_owned()),
        external_id: patch.external_id,
        calls_max: patch.calls_max.map(calls_max).transpose()?,
        phone_numbers_max: count("phone_numbers_max", patch.phone_numbers_max)?,
        agents_max: count("agents_max", patch.agents_max)?,
        spend_max: patch.spend_max.map(spend_max).transpose()?,
        plan: patch.plan,
    };
    if operators != OperatorsChanges::default() && !tenant.principal.is_operator() {
        return Err(operator_only().into());
    }
    let changes = TenantChanges {
        name: patch.name,
        timezone,
        profile: patch.profile,
        integrations: patch.integrations,
        provisioning: patch.provisioning,
        operators,
    };
    let TenantChanges { profile, integrations, provisioning, operators, .. } = &changes;
    let external_id = operators.external_id.as_ref().and_then(Option::as_deref);
    check(profile.as_ref(), integrations.as_ref(), provisioning.as_ref(), external_id)?;
    update(&api, tenant.id, order, &changes).await
}

async fn update(api: &Api, id: TenantId, order: Order, changes: &TenantChanges) -> Answered {
    if changes.are_of_one_statement() && !order.is_conditional() {
        let change = async |scope, origin| api.store.change_tenant(scope, origin, id, changes).await;
        return api.change_at_once(order, change).await;
    }
    let concerns_routers = changes.concern_routers();
    let mut write = if concerns_routers { api.write_routing(order).await? } else { api.write(order).await? };
    if let Some(Some(plan)) = &changes.operators.plan {
        plans::hold(write.tx.conn(), plan).await?;
    }
    // What is neither compared nor recorded is locked by the change itself.
    if concerns_routers || write.is_conditional() {
        tenants::lock(write.tx.conn(), id).await?;
    }
    write.expect(async |conn| tenants::find(conn, id).await).await?;
    let changed = tenants::update(write.tx.conn(), id, changes).await?;
    if concerns_routers {
        write.tx.record_tenant(id).await?;
    }
    write.answer(StatusCode::OK, &changed).await
}

/// Suspend a tenant: calls for its numbers are rejected until it is resumed. Operators only.
#[utoipa::path(post, path = "/tenants/{tenant_id}/suspend", tag = "Tenants",
    params(("tenant_id" = Uuid, Path), WaitQuery), responses((status = 200, body = Tenant)))]
pub async fn suspend(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    order: Order,
    _operator: Operator,
) -> Answered {
    set_status(&api, tenant.id, order, TenantStatus::Suspended).await
}

/// Resume a suspended tenant. Operators only.
#[utoipa::path(post, path = "/tenants/{tenant_id}/resume", tag = "Tenants",
    params(("tenant_id" = Uuid, Path), WaitQuery), responses((status = 200, body = Tenant)))]
pub async fn resume(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    order: Order,
    _operator: Operator,
) -> Answered {
    set_status(&api, tenant.id, order, TenantStatus::Active).await
}

async fn set_status(api: &Api, id: TenantId, order: Order, status: TenantStatus) -> Answered {
    let operators =
        OperatorsChanges { status: Some(status.name().to_owned()), ..OperatorsChanges::default() };
    update(api, id, order, &TenantChanges { operators, ..TenantChanges::default() }).await
}
