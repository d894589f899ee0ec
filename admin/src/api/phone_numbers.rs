//! Phone numbers, which are also their tenant's locations.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use dialplane_common::e164::E164;
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Editor, InTenant, PathId, Principal, Viewer, operator_only};
use super::bindings::{self, NewBinding};
use super::body::{Body, present};
use super::error::Problem;
use super::jobs::{self, DryRunQuery, NewWish, admin_only};
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery, Search};
use super::writes::{Answered, Stop, Write};
use crate::business::address::LocationAddress;
use crate::business::provisioning::Strategy;
use crate::invalid::{self, Invalid};
use crate::numbering;
use crate::provisioning::plan::Plan;
use crate::provisioning::request::Kind;
use crate::store::bindings::Binding;
use crate::store::instant::Instant;
use crate::store::jobs::Job;
use crate::store::numbers::{self, Address, LifecycleStep, NumberFields, NumberFilter, NumberRow};
use crate::store::pool::{self, Leaving, Wanted};
use crate::store::{self, StoreError, agents, tenants};

/// The primary number, where it has passed on.
const PRIMARY: HeaderName = HeaderName::from_static("dialplane-primary");
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
    /// Where the location is, as it was given; null: not said.
    address: Option<LocationAddress>,
    /// The location's IANA time zone; null: its tenant's.
    timezone: Option<String>,
    /// `active`, `inactive` or `suspended`: set by people.
    status: String,
    /// Where it is in its life.
    lifecycle: String,
    /// How it came here.
    source: String,
    /// Whether it is its tenant's primary one. Of a tenant's numbers whose calls are routed, exactly one is.
    primary: bool,
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
    /// `manual`: the number exists and somebody points it here. `pool`: one of the platform's that nobody has
    /// (operators only); the one that `phone_number` says, the first that begins with `prefix`, or any. By a job, which
    /// is the answer (202), and for admins only: `provision`, a number as `country`, `area_code` and the like say, from
    /// where the tenant's `provisioning` says; `import`, `phone_number` that the account `account_id` has already, what
    /// stands on it being kept for its return; `port_in`, `phone_number` that another carrier has.
    source: String,
    /// In the E.164 form: `+12125550001`. A number that the tenant deleted and that still rests comes back as it was.
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
    /// Where the location is: one line of 1 to 300 characters, or its parts.
    address: Option<LocationAddress>,
    /// The location's IANA time zone; absent: its tenant's.
    timezone: Option<String>,
    /// Absent: `active`.
    status: Option<NumberStatus>,
    /// How many calls it may have at a time, 1 to 1000; absent: any number.
    calls_max: Option<u32>,
    /// Whether it is to be the tenant's primary one; the first whose calls are routed is anyway.
    primary: Option<bool>,
    /// Of `provision`: ISO 3166-1 alpha-2. What is absent here, the tenant's `provisioning` says, else the platform's
    /// settings.
    country: Option<String>,
    /// Of `provision`: what it begins with behind the country's code, 2 to 5 digits. A preference, unless it is required.
    area_code: Option<String>,
    /// Of `provision`: whether none is better than one with another area code.
    area_code_required: Option<bool>,
    /// Of `provision`: what it has somewhere, 2 to 10 digits.
    contains: Option<String>,
    /// Of `provision`: its kind; absent: `local`.
    #[schema(inline)]
    number_type: Option<Kind>,
    /// Of `provision`: whether it takes text messages, too.
    sms: Option<bool>,
    /// Of `provision`: where it may come from, in this order, each once.
    #[schema(inline)]
    strategies: Option<Vec<Strategy>>,
    /// Of `provision`: the most that it may cost, at once and a month together, without anybody being asked: a decimal such
    /// as `2.00`.
    cost_max: Option<String>,
}

impl NewPhoneNumber {
    /// Which number is wanted: taken out of the body's fields.
    fn wish(&mut self) -> NewWish {
        NewWish {
            country: self.country.take(),
            area_code: self.area_code.take(),
            area_code_required: self.area_code_required.take(),
            contains: self.contains.take(),
            number_type: self.number_type.take(),
            sms: self.sms.take(),
            strategies: self.strategies.take(),
            cost_max: self.cost_max.take(),
        }
    }
}

/// A phone number as a whole: what is absent is unset.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneNumberReplacement {
    /// The location's name.
    display_name: String,
    /// The carrier's account: short for one binding.
    #[schema(value_type = Option<Uuid>)]
    account_id: Option<AccountId>,
    /// All accounts whose webhooks may speak of it, at most 10; instead of `account_id`.
    bindings: Option<Vec<NewBinding>>,
    /// Whoever answers where a rule names nobody.
    #[schema(value_type = Option<Uuid>)]
    agent_id: Option<AgentId>,
    /// Where the location is: one line of 1 to 300 characters, or its parts.
    address: Option<LocationAddress>,
    /// The location's IANA time zone; absent: its tenant's.
    timezone: Option<String>,
    /// Absent: `active`.
    status: Option<NumberStatus>,
    /// How many calls it may have at a time, 1 to 1000; absent: any number.
    calls_max: Option<u32>,
    /// Whether it is to be the tenant's primary one; absent: as it is.
    primary: Option<bool>,
}

impl From<PhoneNumberReplacement> for PhoneNumberPatch {
    fn from(whole: PhoneNumberReplacement) -> Self {
        Self {
            account_id: whole.account_id.map(Some),
            bindings: whole.bindings.or_else(|| whole.account_id.is_none().then(Vec::new)),
            agent_id: Some(whole.agent_id),
            display_name: Some(whole.display_name),
            address: Some(whole.address),
            timezone: Some(whole.timezone),
            status: Some(whole.status.unwrap_or(NumberStatus::Active)),
            calls_max: Some(whole.calls_max),
            primary: whole.primary,
        }
    }
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
    /// Where the location is: one line of 1 to 300 characters, or its parts; null: not said.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<LocationAddress>)]
    address: Option<Option<LocationAddress>>,
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
    /// `true`: it is the tenant's primary one from now on, instead of the one that was.
    #[serde(default, deserialize_with = "present")]
    primary: Option<bool>,
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

/// A number as the API shows it.
pub(super) fn view(row: NumberRow) -> PhoneNumber {
    let address = row.location_address();
    let (phone_number, prefix) =
        if row.is_range { (None, Some(row.phone_number)) } else { (Some(row.phone_number), None) };
    PhoneNumber {
        id: row.id,
        tenant_id: row.tenant_id,
        phone_number,
        prefix,
        display_name: row.display_name,
        address,
        timezone: row.timezone,
        status: row.status,
        lifecycle: row.lifecycle,
        source: row.source,
        primary: row.is_primary,
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
    let rows = numbers::list(tx.conn(), tenant.id, &filter, list.window.after, list.window.rows()).await?;
    if rows.is_empty() {
        // It has none, or there is no such tenant.
        tenants::find(tx.conn(), tenant.id).await?;
    }
    Ok(Json(list.window.page(rows, |row| row.id, view)))
}

/// Create a phone number, or ask for one by a job.
///
/// `dry_run=true` with `source` `provision` says which number a job would get, from where and at what price.
#[utoipa::path(post, path = "/tenants/{tenant_id}/phone-numbers", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), DryRunQuery, WaitQuery), request_body = NewPhoneNumber,
    responses((status = 201, body = PhoneNumber), (status = 202, body = Job), (status = 200, body = Plan)))]
pub async fn create(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    order: Order<DryRunQuery>,
    Body(mut new): Body<NewPhoneNumber>,
) -> Answered {
    let source = source(&new.source)?;
    if order.query.dry_run && new.source != "provision" {
        return Err(Invalid::new("source", "wanted provision with dry_run").into());
    }
    let wish = new.wish();
    if source == Source::Job {
        return ask(&api, &tenant, order, new, wish).await;
    }
    wish.refuse_any("source provision")?;
    if source == Source::Pool && !tenant.principal.is_operator() {
        return Err(operator_only().into());
    }
    let (number, prefix) = (new.phone_number.as_deref(), new.prefix.as_deref());
    let wanted = match source {
        Source::Manual => Err(address(&tenant.principal, number, prefix)?),
        Source::Pool | Source::Job => Ok(from_pool(number, prefix)?),
    };
    let patch = PhoneNumberPatch::from(new).checked()?;
    let mut write = api.write_routing(order).await?;
    tenants::lock(write.tx.conn(), tenant.id).await?;
    let id = match wanted {
        Ok(wanted) => {
            let id = pool::pick(write.tx.conn(), wanted).await?.ok_or_else(pool_empty)?;
            pool::assign(write.tx.conn(), tenant.id, id).await?;
            id
        }
        Err(address) => match pool::take_back(write.tx.conn(), tenant.id, address).await? {
            Some(id) => id,
            None => {
                check_agent(write.tx.conn(), tenant.id, patch.agent_id.flatten()).await?;
                let fields = patch.over(NumberFields::of(address));
                numbers::insert(write.tx.conn(), tenant.id, address, MANUAL, &fields)
                    .await
                    .map_err(|error| taken(error, address))?
            }
        },
    };
    let row = apply(&mut write, &tenant, id, patch).await?;
    write.created(row.id, &view(row)).await
}

/// Asks for a number by a job.
async fn ask(
    api: &Api,
    tenant: &InTenant<Editor>,
    order: Order<DryRunQuery>,
    new: NewPhoneNumber,
    wish: NewWish,
) -> Answered {
    admin_only(&tenant.principal)?;
    let kind = if new.source == "provision" { "number" } else { new.source.as_str() };
    let dry_run = order.query.dry_run;
    let mut write = api.write_routing(order).await?;
    let agent = match new.agent_id {
        Some(id) => {
            check_agent(write.tx.conn(), tenant.id, Some(id)).await?;
            Some(agents::find(write.tx.conn(), tenant.id, id).await?)
        }
        None => None,
    };
    let number =
        new.phone_number.as_deref().map(|text| numbering::possible("phone_number", text)).transpose()?;
    let unsupported = [
        ("prefix", new.prefix.is_some()),
        ("bindings", new.bindings.is_some()),
        ("address", new.address.is_some()),
        ("status", new.status.is_some()),
        ("calls_max", new.calls_max.is_some()),
        ("primary", new.primary.is_some()),
    ];
    if let Some((field, _)) = unsupported.into_iter().find(|(_, is_set)| *is_set) {
        let wanted =
            format!("wanted nothing here with source {}: set it once the number is there", new.source);
        return Err(Invalid::new(field, wanted).into());
    }
    let place = jobs::Place {
        account: new.account_id,
        number,
        display_name: new.display_name,
        timezone: new.timezone,
    };
    let request = jobs::resolve_request(&mut write, tenant.id, kind, wish, place).await?;
    if dry_run {
        return jobs::plan(write, tenant.id, agent.as_ref(), &request).await;
    }
    let job = jobs::ask(&mut write, tenant.id, kind, agent.as_ref(), &request).await?;
    write.accepted(format!("{}/tenants/{}/provisioning/{}", super::BASE, tenant.id, job.id), &job).await
}

/// Where a number comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Manual,
    Pool,
    Job,
}

fn source(name: &str) -> Result<Source, Problem> {
    match name {
        MANUAL => Ok(Source::Manual),
        "pool" => Ok(Source::Pool),
        "provision" | "import" | "port_in" => Ok(Source::Job),
        _ => Err(Invalid::new("source", "wanted manual, pool, provision, import or port_in").into()),
    }
}

fn from_pool(number: Option<&str>, prefix: Option<&str>) -> Result<Wanted, Invalid> {
    match (number, prefix) {
        (Some(number), None) => Ok(Wanted::Number(numbering::possible("phone_number", number)?)),
        (None, Some(prefix)) => Ok(Wanted::Beginning(numbering::possible_range("prefix", prefix)?)),
        (None, None) => Ok(Wanted::Any),
        (Some(_), Some(_)) => Err(Invalid::new("prefix", "wanted phone_number or prefix, not both")),
    }
}

fn pool_empty() -> Problem {
    Problem::new(StatusCode::CONFLICT, "pool_empty", "the pool has no such number")
}

impl From<NewPhoneNumber> for PhoneNumberPatch {
    fn from(new: NewPhoneNumber) -> Self {
        Self {
            account_id: new.account_id.map(Some),
            bindings: new.bindings,
            agent_id: new.agent_id.map(Some),
            display_name: new.display_name,
            address: new.address.map(Some),
            timezone: new.timezone.map(Some),
            status: new.status,
            calls_max: new.calls_max.map(Some),
            primary: new.primary,
        }
    }
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

/// Change a phone number. Where it was the primary one and is no more, the header `Dialplane-Primary` names the one that
/// is now, or says `none`.
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
    update(&api, &tenant, id, order, patch).await
}

/// Replace a phone number as a whole: what the body leaves out is unset.
#[utoipa::path(put, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), WaitQuery),
    request_body = PhoneNumberReplacement, responses((status = 200, body = PhoneNumber)))]
pub async fn replace(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order,
    Body(whole): Body<PhoneNumberReplacement>,
) -> Answered {
    update(&api, &tenant, id, order, whole.into()).await
}

async fn update(
    api: &Api,
    tenant: &InTenant<Editor>,
    id: PhoneNumberId,
    order: Order,
    patch: PhoneNumberPatch,
) -> Answered {
    let patch = patch.checked()?;
    let mut write = api.write_routing(order).await?;
    if patch.status.is_none() && patch.primary.is_none() {
        // The primary number stays what it is.
        numbers::lock(write.tx.conn(), tenant.id, id).await?;
        write.expect(async |conn| numbers::find(conn, tenant.id, id).await.map(view)).await?;
        let row = apply(&mut write, tenant, id, patch).await?;
        return write.answer(StatusCode::OK, &view(row)).await;
    }
    tenants::lock(write.tx.conn(), tenant.id).await?;
    numbers::lock(write.tx.conn(), tenant.id, id).await?;
    write.expect(async |conn| numbers::find(conn, tenant.id, id).await.map(view)).await?;
    let before = numbers::primary(write.tx.conn(), tenant.id).await?;
    let row = apply(&mut write, tenant, id, patch).await?;
    let after = numbers::primary(write.tx.conn(), tenant.id).await?;
    let answer = write.answer(StatusCode::OK, &view(row)).await?;
    Ok(telling_primary(answer, id, before, after))
}

impl PhoneNumberPatch {
    /// With its zone in the zone's own spelling.
    ///
    /// # Errors
    /// What is wanted where.
    fn checked(mut self) -> Result<Self, Invalid> {
        if let Some(name) = &self.display_name {
            invalid::name("display_name", name)?;
        }
        if let Some(Some(address)) = &self.address {
            address.check()?;
        }
        if let Some(Some(zone)) = &mut self.timezone {
            *zone = invalid::timezone("timezone", zone)?;
        }
        if let Some(Some(calls)) = self.calls_max {
            invalid::calls_max("calls_max", calls)?;
        }
        Ok(self)
    }

    /// What is set once this checked patch is written over `stored`.
    fn over(&self, stored: NumberFields) -> NumberFields {
        let limit = |calls: Option<u32>| calls.and_then(|calls| i32::try_from(calls).ok());
        NumberFields {
            display_name: self.display_name.clone().unwrap_or(stored.display_name),
            address: self.address.clone().unwrap_or(stored.address),
            timezone: self.timezone.clone().unwrap_or(stored.timezone),
            status: self.status.map_or(stored.status, |status| status.name().to_owned()),
            agent_id: self.agent_id.unwrap_or(stored.agent_id),
            calls_max: self.calls_max.map_or(stored.calls_max, limit),
        }
    }
}

/// Writes a checked patch to a locked number, whose tenant is locked where it touches status or primary, and notes the
/// record.
async fn apply(
    write: &mut Write<'_>,
    tenant: &InTenant<Editor>,
    id: PhoneNumberId,
    patch: PhoneNumberPatch,
) -> Result<NumberRow, Problem> {
    let row = numbers::find(write.tx.conn(), tenant.id, id).await?;
    if patch.primary == Some(false) && row.is_primary {
        let wanted = "wanted true, of the number that is to be the primary one instead";
        return Err(Invalid::new("primary", wanted).into());
    }
    check_agent(write.tx.conn(), tenant.id, patch.agent_id.flatten()).await?;
    let wanted = bindings::wanted(patch.account_id, patch.bindings.as_deref(), &row.bindings)?;
    if let Some(wanted) = &wanted {
        wanted.check(write.tx.conn(), &tenant.principal, tenant.id, &row.bindings).await?;
        store::bindings::replace(write.tx.conn(), tenant.id, id, &wanted.bindings).await?;
    }
    let stored = row.fields();
    let fields = patch.over(stored.clone());
    if patch.primary == Some(true) {
        let is_routed = fields.status == "active" && matches!(row.lifecycle.as_str(), "active" | "porting");
        if !is_routed {
            return Err(Invalid::new("primary", "wanted of a number whose calls are routed").into());
        }
    }
    if fields != stored || wanted.is_some() {
        numbers::update(write.tx.conn(), tenant.id, id, &fields).await?;
    }
    if patch.primary == Some(true) {
        numbers::make_primary(write.tx.conn(), tenant.id, id).await?;
    }
    Ok(write.tx.record_number(tenant.id, id).await?)
}

/// Says which number is the primary one now, where it was this one and isn't any more.
fn telling_primary(
    mut answer: Response,
    id: PhoneNumberId,
    before: Option<PhoneNumberId>,
    after: Option<PhoneNumberId>,
) -> Response {
    if before == Some(id) && after != before {
        let name = after.map_or_else(|| "none".to_owned(), |after| after.to_string());
        if let Ok(name) = HeaderValue::from_str(&name) {
            answer.headers_mut().insert(PRIMARY, name);
        }
    }
    answer
}

/// How a phone number is deleted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeletionQuery {
    /// `now`: it doesn't rest, and what was set of it is forgotten. One that an account holds for the platform is given
    /// back by a job at once, and is nobody's to have until then.
    #[param(inline)]
    release: Option<Release>,
}

/// When a deleted number is released.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    /// At once.
    Now,
}

/// Delete a phone number: the tenant has it no more. It rests, for 30 days unless the platform is set otherwise, in which
/// the tenant gets it back as it was by creating it again; then it is released.
///
/// Where it was the primary one, the header `Dialplane-Primary` names the one that is now, or says `none`.
#[utoipa::path(delete, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path), DeletionQuery, WaitQuery),
    responses((status = 204)))]
pub async fn delete(
    State(api): State<Api>,
    tenant: InTenant<Editor>,
    PathId(id): PathId<PhoneNumberId>,
    order: Order<DeletionQuery>,
) -> Answered {
    let leaving = match order.query.release {
        Some(Release::Now) => Leaving::Release,
        None => Leaving::Quarantine(api.number_quarantine),
    };
    let mut write = api.write_routing(order).await?;
    let (before, after) = leave(&mut write, tenant.id, id, leaving).await?;
    Ok(telling_primary(write.no_content().await?, id, before, after))
}

/// Takes a number from its tenant, and tells the primary number before and after.
pub(super) async fn leave(
    write: &mut Write<'_>,
    tenant: TenantId,
    id: PhoneNumberId,
    leaving: Leaving,
) -> Result<(Option<PhoneNumberId>, Option<PhoneNumberId>), Stop> {
    tenants::lock(write.tx.conn(), tenant).await?;
    numbers::lock(write.tx.conn(), tenant, id).await?;
    write.expect(async |conn| numbers::find(conn, tenant, id).await.map(view)).await?;
    let before = numbers::primary(write.tx.conn(), tenant).await?;
    let address = pool::leave(write.tx.conn(), tenant, id, leaving).await?;
    write.tx.remove(address.key());
    Ok((before, numbers::primary(write.tx.conn(), tenant).await?))
}

/// Get where a phone number has been in its life while it was the tenant's, oldest first.
#[utoipa::path(get, path = "/tenants/{tenant_id}/phone-numbers/{phone_number_id}/history", tag = "Phone numbers",
    params(("tenant_id" = Uuid, Path), ("phone_number_id" = Uuid, Path)),
    responses((status = 200, body = Page<LifecycleStep>)))]
pub async fn history(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(id): PathId<PhoneNumberId>,
) -> Result<Json<Page<LifecycleStep>>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    let items = numbers::history(tx.conn(), Some(tenant.id), id).await?;
    if items.is_empty() { Err(Problem::not_found()) } else { Ok(Json(Page { items, next: None })) }
}
