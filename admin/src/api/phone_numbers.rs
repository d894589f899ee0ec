//! Phone numbers, which are also their tenant's locations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dialplane_common::feed::frame::RecordKey;
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Editor, InTenant, PathId, Principal, Viewer};
use super::body::{Body, Query, present};
use super::error::Problem;
use super::page::{Page, PageQuery};
use super::writes::WaitQuery;
use crate::invalid::{self, Invalid};
use crate::numbering;
use crate::store::instant::Instant;
use crate::store::numbers::{self, NumberFields, NumberFilter, NumberRow};
use crate::store::{accounts, agents, tenants};

const CARRIER: &str = "carrier";
/// The number exists and somebody points it here.
const MANUAL: &str = "manual";

/// A phone number.
#[derive(Serialize, ToSchema)]
pub struct PhoneNumber {
    /// Its id.
    id: Uuid,
    /// Whose number it is.
    tenant_id: Uuid,
    /// The number, in the E.164 form.
    phone_number: String,
    /// The location's name.
    display_name: String,
    /// The location's IANA time zone; null: its tenant's.
    timezone: Option<String>,
    /// `active`, `inactive` or `suspended`: set by people.
    status: String,
    /// Where it is in its life.
    lifecycle: String,
    /// How it came here.
    source: String,
    /// Whoever answers where a rule names nobody.
    agent_id: Option<Uuid>,
    /// The carrier's account.
    account_id: Option<Uuid>,
    /// All accounts whose webhooks may speak of it.
    bindings: Vec<Binding>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Instant,
}

/// What ties a number to an account.
#[derive(Serialize, ToSchema)]
pub struct Binding {
    /// The account.
    account_id: Uuid,
    /// `carrier` or `agent`.
    role: String,
}

/// A phone number to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPhoneNumber {
    /// `manual`: the number exists and somebody points it here.
    source: String,
    /// In the E.164 form: `+12125550001`.
    phone_number: String,
    /// The carrier's account, the tenant's own or one granted to it.
    #[schema(value_type = Option<Uuid>)]
    account_id: Option<AccountId>,
    /// Whoever answers where a rule names nobody.
    #[schema(value_type = Option<Uuid>)]
    agent_id: Option<AgentId>,
    /// The location's name; absent: the number.
    display_name: Option<String>,
    /// The location's IANA time zone; absent: its tenant's.
    timezone: Option<String>,
    /// Absent: `active`.
    status: Option<NumberStatus>,
}

/// Fields of a phone number to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneNumberPatch {
    /// The carrier's account; null: none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    account_id: Option<Option<AccountId>>,
    /// Whoever answers where a rule names nobody; null: nobody.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    agent_id: Option<Option<AgentId>>,
    /// The location's name.
    #[serde(default, deserialize_with = "present")]
    display_name: Option<String>,
    /// The location's IANA time zone; null: its tenant's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    timezone: Option<Option<String>>,
    /// Whether its calls are routed.
    #[serde(default, deserialize_with = "present")]
    status: Option<NumberStatus>,
}

/// Whether a number's calls are routed.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NumberStatus {
    /// They are.
    Active,
    /// They aren't: the number rests.
    Inactive,
    /// They aren't: somebody stopped it.
    Suspended,
}

impl NumberStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Suspended => "suspended",
        }
    }
}

/// Which phone numbers.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// This number alone, in the E.164 form with its plus as `%2B`.
    phone_number: Option<String>,
    /// Those of this status.
    #[param(inline)]
    status: Option<NumberStatus>,
    /// How many items, 1 to 200; absent: 50.
    limit: Option<i64>,
    /// `next` of the page before; absent: the first page.
    cursor: Option<String>,
}

fn view(row: NumberRow) -> PhoneNumber {
    let bindings: Vec<_> = row
        .account_ids
        .into_iter()
        .zip(row.account_roles)
        .map(|(account_id, role)| Binding { account_id, role })
        .collect();
    PhoneNumber {
        id: row.id,
        tenant_id: row.tenant_id,
        phone_number: row.phone_number,
        display_name: row.display_name,
        timezone: row.timezone,
        status: row.status,
        lifecycle: row.lifecycle,
        source: row.source,
        agent_id: row.agent_id,
        account_id: bindings.iter().find(|binding| binding.role == CARRIER).map(|binding| binding.account_id),
        bindings,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// List a tenant's phone numbers.
#[utoipa::path(get, path = "/tenants/{tenant_id}/phone-numbers", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), ListQuery), responses((status = 200, body = Page<PhoneNumber>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<PhoneNumber>>, Problem> {
    let window = PageQuery { limit: query.limit, cursor: query.cursor }.window()?;
    let filter = NumberFilter {
        phone_number: query.phone_number.filter(|text| !text.contains('\0')),
        status: query.status.map(|status| status.name().to_owned()),
    };
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    let rows = numbers::list(tx.conn(), tenant.id, &filter, window.after, window.rows()).await?;
    Ok(Json(window.page(rows, |row| row.id, view)))
}

/// Create a phone number.
#[utoipa::path(post, path = "/tenants/{tenant_id}/phone-numbers", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = NewPhoneNumber,
    responses((status = 201, body = PhoneNumber)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    Query(wait): Query<WaitQuery>,
    Body(new): Body<NewPhoneNumber>,
) -> Result<impl IntoResponse, Problem> {
    if new.source != MANUAL {
        let detail = "source: wanted manual; numbers can't be bought or imported yet";
        return Err(
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "source_not_supported", detail).at("source")
        );
    }
    let number = numbering::possible("phone_number", &new.phone_number)?;
    let fields = NumberFields {
        display_name: new.display_name.unwrap_or_else(|| number.to_string()),
        timezone: timezone(new.timezone.as_deref())?,
        status: new.status.unwrap_or(NumberStatus::Active).name().to_owned(),
        agent_id: new.agent_id,
    };
    invalid::name("display_name", &fields.display_name)?;
    let mut write = api.write_routing(&tenant.principal, wait).await?;
    check_references(write.tx.conn(), &tenant.principal, tenant.id, new.agent_id, new.account_id).await?;
    let id = numbers::insert(write.tx.conn(), tenant.id, number, MANUAL, &fields).await?;
    numbers::bind_carrier(write.tx.conn(), tenant.id, id, new.account_id).await?;
    let row = write.tx.record_number(tenant.id, id).await?;
    Ok((StatusCode::CREATED, write.commit().await?, Json(view(row))))
}

fn timezone(text: Option<&str>) -> Result<Option<String>, Problem> {
    Ok(text.map(|text| invalid::timezone("timezone", text)).transpose()?)
}

/// Holds what the number will refer to, and refuses what isn't the tenant's to refer to.
///
/// A tenant's key binds numbers to the tenant's own accounts only. On an account that tenants share, whoever names a
/// number would get its calls: there the platform says whose number it is.
async fn check_references(
    conn: &mut PgConnection,
    principal: &Principal,
    tenant: TenantId,
    agent: Option<AgentId>,
    account: Option<AccountId>,
) -> Result<(), Problem> {
    if let Some(agent) = agent
        && agents::hold(conn, tenant, &[agent]).await?.is_empty()
    {
        return Err(Invalid::new("agent_id", "wanted an agent of this tenant").into());
    }
    if let Some(account) = account
        && !accounts::is_usable(conn, tenant, account).await?
    {
        return Err(
            Invalid::new("account_id", "wanted an account of this tenant, or one granted to it").into()
        );
    }
    if let Some(account) = account
        && !principal.is_operator()
        && !accounts::is_own(conn, tenant, account).await?
    {
        let detail = "account_id: only operators bind numbers to the platform's accounts";
        return Err(Problem::new(StatusCode::FORBIDDEN, "operator_only", detail).at("account_id"));
    }
    Ok(())
}

/// Get a phone number.
#[utoipa::path(get, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path)),
    responses((status = 200, body = PhoneNumber)))]
pub async fn get(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PhoneNumberId>,
) -> Result<Json<PhoneNumber>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    Ok(Json(view(numbers::find(tx.conn(), tenant.id, id).await?)))
}

/// Change a phone number.
#[utoipa::path(patch, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    request_body = PhoneNumberPatch, responses((status = 200, body = PhoneNumber)))]
pub async fn change(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    Query(wait): Query<WaitQuery>,
    Body(patch): Body<PhoneNumberPatch>,
) -> Result<impl IntoResponse, Problem> {
    if let Some(name) = &patch.display_name {
        invalid::name("display_name", name)?;
    }
    let zone = patch.timezone.map(|zone| timezone(zone.as_deref())).transpose()?;
    let mut write = api.write_routing(&tenant.principal, wait).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    let row = numbers::find(write.tx.conn(), tenant.id, id).await?;
    let (agent, account) = (patch.agent_id.flatten(), patch.account_id.flatten());
    check_references(write.tx.conn(), &tenant.principal, tenant.id, agent, account).await?;
    let fields = NumberFields {
        display_name: patch.display_name.unwrap_or(row.display_name),
        timezone: zone.unwrap_or(row.timezone),
        status: patch.status.map_or(row.status, |status| status.name().to_owned()),
        agent_id: patch.agent_id.unwrap_or(row.agent_id.map(AgentId)),
    };
    numbers::update(write.tx.conn(), tenant.id, id, &fields).await?;
    if let Some(account) = patch.account_id {
        numbers::bind_carrier(write.tx.conn(), tenant.id, id, account).await?;
    }
    let row = write.tx.record_number(tenant.id, id).await?;
    Ok((write.commit().await?, Json(view(row))))
}

/// Delete a phone number.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    Query(wait): Query<WaitQuery>,
) -> Result<impl IntoResponse, Problem> {
    let mut write = api.write_routing(&tenant.principal, wait).await?;
    let number = numbers::delete(write.tx.conn(), tenant.id, id).await?;
    write.tx.remove(RecordKey::Number(number));
    Ok((StatusCode::NO_CONTENT, write.commit().await?))
}
