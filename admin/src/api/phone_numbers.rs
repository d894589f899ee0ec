//! Phone numbers, which are also their tenant's locations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use dialplane_common::e164::E164;
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Editor, InTenant, PathId, Principal, Viewer};
use super::bindings::{self, NewBinding};
use super::body::{Body, present};
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery, Search};
use super::writes::Answered;
use crate::invalid::{self, Invalid};
use crate::numbering;
use crate::store::bindings::Binding;
use crate::store::instant::Instant;
use crate::store::numbers::{self, Address, NumberFields, NumberFilter, NumberRow};
use crate::store::{self, StoreError, agents, tenants};

const ADDRESS_CHARS_MAX: usize = 300;
/// Seven digits are a calling code and what a town or a large trunk begins with.
const OPERATORS_RANGES_BELOW: u64 = 1_000_000;
/// The number exists and somebody points it here.
const MANUAL: &str = "manual";

/// A phone number.
#[derive(Serialize, ToSchema)]
pub struct PhoneNumber {
    /// Its id.
    id: Uuid,
    /// Whose number it is.
    tenant_id: Uuid,
    /// The number, in the E.164 form; null: it is a range.
    phone_number: Option<String>,
    /// What a range's numbers begin with; null: it is one number.
    prefix: Option<String>,
    /// The location's name.
    display_name: String,
    /// Where the location is; null: not said.
    address: Option<String>,
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
    /// How many calls it may have at a time; null: any number.
    calls_max: Option<i32>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Instant,
}

/// A phone number to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPhoneNumber {
    /// `manual`: the number exists and somebody points it here.
    source: String,
    /// In the E.164 form: `+12125550001`.
    phone_number: Option<String>,
    /// Instead of `phone_number`, a range, such as a block on a trunk, that is one location: what its numbers begin
    /// with, `+4930123`, a plus and 4 to 14 digits. A number of its own goes before a range, a longer range before a
    /// shorter. Ranges of less than 7 digits are operators' to create.
    prefix: Option<String>,
    /// The carrier's account, the tenant's own or one granted to it: short for one binding.
    #[schema(value_type = Option<Uuid>)]
    account_id: Option<AccountId>,
    /// All accounts whose webhooks may speak of it, at most 10; instead of `account_id`.
    bindings: Option<Vec<NewBinding>>,
    /// Whoever answers where a rule names nobody.
    #[schema(value_type = Option<Uuid>)]
    agent_id: Option<AgentId>,
    /// The location's name; absent: the number.
    display_name: Option<String>,
    /// Where the location is: one line of 1 to 300 characters.
    address: Option<String>,
    /// The location's IANA time zone; absent: its tenant's.
    timezone: Option<String>,
    /// Absent: `active`.
    status: Option<NumberStatus>,
    /// How many calls it may have at a time, 1 to 1000; absent: any number.
    calls_max: Option<u32>,
}

/// Fields of a phone number to change; those absent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneNumberPatch {
    /// The carrier's account, in place of the carriers' among the bindings; null: none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    account_id: Option<Option<AccountId>>,
    /// All accounts whose webhooks may speak of it, at most 10; instead of `account_id`.
    #[serde(default, deserialize_with = "present")]
    bindings: Option<Vec<NewBinding>>,
    /// Whoever answers where a rule names nobody; null: nobody.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    agent_id: Option<Option<AgentId>>,
    /// The location's name.
    #[serde(default, deserialize_with = "present")]
    display_name: Option<String>,
    /// Where the location is: one line of 1 to 300 characters; null: not said.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    address: Option<Option<String>>,
    /// The location's IANA time zone; null: its tenant's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    timezone: Option<Option<String>>,
    /// Whether its calls are routed.
    #[serde(default, deserialize_with = "present")]
    status: Option<NumberStatus>,
    /// How many calls it may have at a time, 1 to 1000; null: any number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    calls_max: Option<Option<u32>>,
}

/// Whether a number's calls are routed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
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

/// Where a number is in its life.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// Nobody's.
    Available,
    /// Somebody is about to get it.
    Reserved,
    /// In use.
    Active,
    /// On its way from another carrier, in use.
    Porting,
    /// Taken away from its tenant, kept for a while.
    Quarantined,
    /// Given back to its carrier.
    Released,
}

impl Lifecycle {
    const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Reserved => "reserved",
            Self::Active => "active",
            Self::Porting => "porting",
            Self::Quarantined => "quarantined",
            Self::Released => "released",
        }
    }
}

/// Which phone numbers.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NumberQuery {
    /// Those whose number holds these digits, however written, or whose display name holds this, in capitals or not.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    q: Option<Search>,
    /// This number alone, in the E.164 form with its plus as `%2B`.
    phone_number: Option<String>,
    /// Those of this status.
    #[param(inline)]
    status: Option<NumberStatus>,
    /// Those that are there in their life.
    #[param(inline)]
    lifecycle: Option<Lifecycle>,
    /// Those that this agent answers where a rule names nobody.
    agent_id: Option<Uuid>,
}

impl NumberQuery {
    fn filter(self) -> Result<NumberFilter, Invalid> {
        let wanted = "wanted a number in the E.164 form, its plus written %2B";
        let phone_number = self.phone_number.map(|text| {
            text.parse::<E164>()
                .map(|number| number.to_string())
                .map_err(|_| Invalid::new("phone_number", wanted))
        });
        Ok(NumberFilter {
            digits: self.q.as_ref().and_then(Search::digits),
            text: self.q.as_ref().map(Search::pattern),
            phone_number: phone_number.transpose()?,
            status: self.status.map(NumberStatus::name),
            lifecycle: self.lifecycle.map(Lifecycle::name),
            agent_id: self.agent_id,
        })
    }
}

fn view(row: NumberRow) -> PhoneNumber {
    let (phone_number, prefix) =
        if row.is_range { (None, Some(row.phone_number)) } else { (Some(row.phone_number), None) };
    PhoneNumber {
        id: row.id,
        tenant_id: row.tenant_id,
        phone_number,
        prefix,
        display_name: row.display_name,
        address: row.address,
        timezone: row.timezone,
        status: row.status,
        lifecycle: row.lifecycle,
        source: row.source,
        agent_id: row.agent_id,
        account_id: bindings::carrier(&row.bindings),
        bindings: row.bindings.0,
        calls_max: row.calls_max,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// List a tenant's phone numbers.
#[utoipa::path(get, path = "/tenants/{tenant_id}/phone-numbers", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), PageQuery, NumberQuery), responses((status = 200, body = Page<PhoneNumber>)))]
pub async fn list(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    list: List<NumberQuery>,
) -> Result<Json<Page<PhoneNumber>>, Problem> {
    let filter = list.filter.filter()?;
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    let rows = numbers::list(tx.conn(), tenant.id, &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |row| row.id, view)))
}

/// Create a phone number.
#[utoipa::path(post, path = "/tenants/{tenant_id}/phone-numbers", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), WaitQuery), request_body = NewPhoneNumber,
    responses((status = 201, body = PhoneNumber)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order,
    Body(new): Body<NewPhoneNumber>,
) -> Answered {
    if new.source != MANUAL {
        let detail = "source: wanted manual; numbers can't be bought or imported yet";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "source_not_supported", detail).at("source").into());
    }
    let address = address(&tenant.principal, new.phone_number.as_deref(), new.prefix.as_deref())?;
    let fields = NumberFields {
        display_name: new.display_name.unwrap_or_else(|| address.to_string()),
        address: place(new.address)?,
        timezone: timezone(new.timezone.as_deref())?,
        status: new.status.unwrap_or(NumberStatus::Active).name().to_owned(),
        agent_id: new.agent_id,
        calls_max: calls_max(new.calls_max)?,
    };
    invalid::name("display_name", &fields.display_name)?;
    let wanted = bindings::wanted(new.account_id.map(Some), new.bindings.as_deref(), &[])?;
    let mut write = api.write_routing(order).await?;
    check_agent(write.tx.conn(), tenant.id, new.agent_id).await?;
    if let Some(wanted) = &wanted {
        wanted.check(write.tx.conn(), &tenant.principal, tenant.id, &[]).await?;
    }
    let id = numbers::insert(write.tx.conn(), tenant.id, address, MANUAL, &fields)
        .await
        .map_err(|error| taken(error, address))?;
    if let Some(wanted) = &wanted {
        store::bindings::replace(write.tx.conn(), tenant.id, id, &wanted.bindings).await?;
    }
    let row = write.tx.record_number(tenant.id, id).await?;
    write.created(row.id, &view(row)).await
}

/// The number or the range that is given, whichever it is.
fn address(principal: &Principal, number: Option<&str>, prefix: Option<&str>) -> Result<Address, Problem> {
    match (number, prefix) {
        (Some(number), None) => Ok(Address::Number(numbering::possible("phone_number", number)?)),
        (None, Some(prefix)) => {
            let range = numbering::possible_range("prefix", prefix)?;
            // A whole city, which one tenant would keep from all others.
            if !principal.is_operator() && range.to_u64() < OPERATORS_RANGES_BELOW {
                let detail = "prefix: only operators create ranges of less than 7 digits";
                return Err(Problem::new(StatusCode::FORBIDDEN, "operator_only", detail).at("prefix"));
            }
            Ok(Address::Range(range))
        }
        (None, None) => Err(Invalid::new("phone_number", "wanted phone_number or prefix").into()),
        (Some(_), Some(_)) => Err(Invalid::new("prefix", "wanted phone_number or prefix, not both").into()),
    }
}

/// Names the field that was given.
fn taken(error: StoreError, address: Address) -> Problem {
    match (error, address) {
        (StoreError::NumberTaken, Address::Range(_)) => {
            Problem::new(StatusCode::CONFLICT, "phone_number_taken", "prefix: this range is taken")
                .at("prefix")
        }
        (StoreError::AddressOverlaps, Address::Range(_)) => {
            let detail = "prefix: a range of somebody else's holds it, or it holds what is somebody else's";
            Problem::new(StatusCode::CONFLICT, "phone_number_overlaps", detail).at("prefix")
        }
        (error, _) => error.into(),
    }
}

fn place(text: Option<String>) -> Result<Option<String>, Problem> {
    if let Some(text) = &text {
        invalid::line("address", text, ADDRESS_CHARS_MAX)?;
    }
    Ok(text)
}

fn calls_max(calls: Option<u32>) -> Result<Option<i32>, Problem> {
    Ok(calls.map(|calls| invalid::calls_max("calls_max", calls)).transpose()?)
}

fn timezone(text: Option<&str>) -> Result<Option<String>, Problem> {
    Ok(text.map(|text| invalid::timezone("timezone", text)).transpose()?)
}

/// Holds the agent, and refuses one that isn't the tenant's.
async fn check_agent(
    conn: &mut PgConnection,
    tenant: TenantId,
    agent: Option<AgentId>,
) -> Result<(), Problem> {
    if let Some(agent) = agent
        && agents::hold(conn, tenant, &[agent]).await?.is_empty()
    {
        return Err(Invalid::new("agent_id", "wanted an agent of this tenant").into());
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
    order: Order,
    Body(patch): Body<PhoneNumberPatch>,
) -> Answered {
    if let Some(name) = &patch.display_name {
        invalid::name("display_name", name)?;
    }
    let zone = patch.timezone.map(|zone| timezone(zone.as_deref())).transpose()?;
    let address = patch.address.map(place).transpose()?;
    let limit = patch.calls_max.map(calls_max).transpose()?;
    let mut write = api.write_routing(order).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    let row = numbers::find(write.tx.conn(), tenant.id, id).await?;
    write.expect(async |_| Ok::<_, Problem>(view(row.clone()))).await?;
    check_agent(write.tx.conn(), tenant.id, patch.agent_id.flatten()).await?;
    if let Some(wanted) = bindings::wanted(patch.account_id, patch.bindings.as_deref(), &row.bindings)? {
        wanted.check(write.tx.conn(), &tenant.principal, tenant.id, &row.bindings).await?;
        store::bindings::replace(write.tx.conn(), tenant.id, id, &wanted.bindings).await?;
    }
    let fields = NumberFields {
        display_name: patch.display_name.unwrap_or(row.display_name),
        address: address.unwrap_or(row.address),
        timezone: zone.unwrap_or(row.timezone),
        status: patch.status.map_or(row.status, |status| status.name().to_owned()),
        agent_id: patch.agent_id.unwrap_or(row.agent_id.map(AgentId)),
        calls_max: limit.unwrap_or(row.calls_max),
    };
    numbers::update(write.tx.conn(), tenant.id, id, &fields).await?;
    let row = write.tx.record_number(tenant.id, id).await?;
    write.answer(StatusCode::OK, &view(row)).await
}

/// Delete a phone number.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
) -> Answered {
    let mut write = api.write_routing(order).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    write.expect(async |conn| numbers::find(conn, tenant.id, id).await.map(view)).await?;
    let address = numbers::delete(write.tx.conn(), tenant.id, id).await?;
    write.tx.remove(address.key());
    write.no_content().await
}
