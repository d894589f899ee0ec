//! Provisioning jobs: how they are asked for, looked at and steered.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use dialplane_common::e164::E164;
use dialplane_common::ids::{AccountId, AgentId, TenantId};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::auth::{Admin, InTenant, JobId, Operator, PathId, Principal, Viewer};
use super::body::Body;
use super::error::Problem;
use super::order::{Order, WaitQuery};
use super::page::{List, Page, PageQuery};
use super::writes::{Answered, Stop, Write};
use crate::business::provisioning::Strategy;
use crate::invalid::{self, Invalid};
use crate::numbering;
use crate::provisioning::request::{Hosted, JobRequest, Kind, Wish};
use crate::provisioning::workflow::{Course, Progress, Stage, State as JobState};
use crate::role::Role;
use crate::store::agents::{self, Agent};
use crate::store::jobs::{self, Job, JobFilter, NewJob, StepRow};
use crate::store::{Scope, StoreError, accounts, tenants};

/// How often progress is looked at.
const PROGRESS_INTERVAL: std::time::Duration = std::time::Duration::from_millis(250);
const BATCH_MAX: usize = 10_000;

/// Which number is wanted. What is absent, the tenant's `provisioning` says, else the platform's settings.
///
/// Where it stands among other fields of a body, they are named there one by one: flattened, what is wrong in them would
/// be refused without its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWish {
    /// ISO 3166-1 alpha-2.
    pub(super) country: Option<String>,
    /// What it begins with behind the country's code: 2 to 5 digits. A preference, unless it is required.
    pub(super) area_code: Option<String>,
    /// Whether none is better than one with another area code.
    pub(super) area_code_required: Option<bool>,
    /// What it has somewhere: 2 to 10 digits.
    pub(super) contains: Option<String>,
    /// What kind it is; absent: `local`.
    #[schema(inline)]
    pub(super) number_type: Option<Kind>,
    /// Whether it takes text messages, too.
    pub(super) sms: Option<bool>,
    /// Where it may come from: in this order, each once.
    #[schema(inline)]
    pub(super) strategies: Option<Vec<Strategy>>,
    /// The most that it may cost, at once and a month together, without anybody being asked: a decimal such as `2.00`.
    pub(super) cost_max: Option<String>,
}

impl NewWish {
    /// Refuses a wish where none is granted: it goes `with` something else alone.
    ///
    /// # Errors
    /// The first field that is set.
    pub fn refuse_any(&self, with: &str) -> Result<(), Invalid> {
        let set = [
            ("country", self.country.is_some()),
            ("area_code", self.area_code.is_some()),
            ("area_code_required", self.area_code_required.is_some()),
            ("contains", self.contains.is_some()),
            ("number_type", self.number_type.is_some()),
            ("sms", self.sms.is_some()),
            ("strategies", self.strategies.is_some()),
            ("cost_max", self.cost_max.is_some()),
        ];
        match set.into_iter().find(|(_, is_set)| *is_set) {
            Some((field, _)) => Err(Invalid::new(field, format!("wanted with {with} alone"))),
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<(), Invalid> {
        let digits = |field: &str, text: &Option<String>, most: usize| match text {
            Some(text) if !((2..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())) => {
                Err(Invalid::new(field, format!("wanted 2 to {most} digits")))
            }
            _ => Ok(()),
        };
        if let Some(country) = &self.country {
            numbering::country("country", country)?;
        }
        digits("area_code", &self.area_code, 5)?;
        digits("contains", &self.contains, 10)?;
        if let Some(strategies) = &self.strategies {
            let is_once = (1..strategies.len()).all(|at| !strategies[..at].contains(&strategies[at]));
            if strategies.is_empty() || !is_once {
                return Err(Invalid::new("strategies", "wanted one at least, each once"));
            }
        }
        self.cost_max.as_deref().map_or(Ok(()), |text| invalid::amount("cost_max", text))
    }
}

/// What is known of a number beforehand.
#[derive(Default)]
pub(super) struct Place {
    /// The account to be asked.
    pub account: Option<AccountId>,
    /// The number.
    pub number: Option<E164>,
    /// The location's name.
    pub display_name: Option<String>,
    /// The location's time zone.
    pub timezone: Option<String>,
}

/// Refuses who may not spend.
///
/// # Errors
/// `forbidden`.
pub(super) fn admin_only(principal: &Principal) -> Result<(), Problem> {
    if principal.role >= Role::Admin {
        return Ok(());
    }
    let detail = "this key's role doesn't allow it: what may cost something takes an admin";
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
}

/// Whether to ask for something or only what would come of it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// Only say what a job would do now, as a plan (200): searches are asked of providers, nothing is written or bought.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// Writes a job of a resolved request for a tenant.
pub(super) async fn ask(
    write: &mut Write<'_>,
    tenant: TenantId,
    kind: &str,
    agent: Option<&Agent>,
    request: &JobRequest,
) -> Result<Job, Stop> {
    let origin = write.origin().clone();
    let job = insert(write.tx.conn(), tenant, kind, agent, request, None, &origin).await?;
    write.ring();
    Ok(job)
}

/// Says what a job of a resolved request would do, in place of writing it.
pub(super) async fn plan(
    write: Write<'_>,
    tenant: TenantId,
    agent: Option<&Agent>,
    request: &JobRequest,
) -> Answered {
    let is_operator = write.is_operator();
    let api = write.abandon()?;
    let plan = api.provisioner.plan(tenant, agent, request, is_operator).await?;
    Ok(Json(plan).into_response())
}

/// Refuses to delete an agent that a job is making at its provider: it would stay there, nobody knowing of it.
pub(super) async fn expect_no_making(write: &mut Write<'_>, agent: AgentId) -> Result<(), Stop> {
    if jobs::is_making(write.tx.conn(), agent.0).await? {
        let detail = "a job is making this agent at its provider: wait until it is done, or call it off, then delete it";
        return Err(Problem::new(StatusCode::CONFLICT, "agent_in_making", detail).into());
    }
    Ok(())
}

/// Writes a job that deletes an agent at its provider, which we made there.
pub(super) async fn forget_agent(write: &mut Write<'_>, agent: &Agent) -> Result<(), Stop> {
    let hosted = agent.target.as_ref().and_then(|target| target.0.id.clone()).zip(agent.account_id);
    let (Some((id, account_id)), true) = (hosted, agent.is_made) else { return Ok(()) };
    let request = JobRequest { hosted: Some(Hosted { account_id, id }), ..JobRequest::default() };
    let (origin, progress) = (write.origin().clone(), Progress::begin(Course::Forget, false));
    let new = NewJob {
        tenant: agent.tenant_id.map(TenantId),
        kind: "agent",
        request: &request,
        progress: &progress,
        phone_number: None,
        agent: Some(agent.id),
        batch: None,
        origin: &origin,
    };
    jobs::insert(write.tx.conn(), &new).await?;
    write.ring();
    Ok(())
}

/// What is asked for, with what the tenant and the platform prefer where it says nothing.
pub(super) async fn resolve_request(
    write: &mut Write<'_>,
    tenant: TenantId,
    kind: &str,
    wish: NewWish,
    place: Place,
) -> Result<JobRequest, Stop> {
    wish.check()?;
    if let Some(name) = &place.display_name {
        invalid::name("display_name", name)?;
    }
    let timezone = place.timezone.map(|zone| invalid::timezone("timezone", &zone)).transpose()?;
    if kind != "number" && kind != "agent" {
        wish.refuse_any("source provision")?;
        if place.number.is_none() {
            return Err(Invalid::new("phone_number", "wanted: which number").into());
        }
    } else if place.number.is_some() {
        let wanted = "wanted nothing here with source provision: say area_code or contains";
        return Err(Invalid::new("phone_number", wanted).into());
    }
    if kind == "import" && place.account.is_none() {
        return Err(Invalid::new("account_id", "wanted: the account that has the number").into());
    }
    if let Some(account) = place.account
        && !accounts::is_usable(write.tx.conn(), tenant, account).await?
    {
        return Err(Invalid::new("account_id", "wanted an account that this tenant may use").into());
    }
    let preferred = tenants::find(write.tx.conn(), tenant).await?.provisioning.0;
    let settings = write.provisioning();
    Ok(JobRequest {
        wish: Wish {
            country: wish.country.or(preferred.country).unwrap_or_else(|| settings.country.clone()),
            area_code: wish.area_code.or(preferred.area_code),
            area_code_required: wish.area_code_required.or(preferred.area_code_required).unwrap_or_default(),
            contains: wish.contains,
            number_type: wish.number_type.unwrap_or_default(),
            sms: wish.sms.unwrap_or_default(),
        },
        strategies: wish.strategies.or(preferred.strategies).unwrap_or_else(|| settings.strategies.clone()),
        agent_mode: preferred.agent_mode,
        account_id: place.account.map(|account| account.0),
        phone_number: place.number.map(|number| number.to_string()),
        display_name: place.display_name,
        timezone,
        cost_max: wish.cost_max,
        ..JobRequest::default()
    })
}

async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    kind: &str,
    agent: Option<&Agent>,
    request: &JobRequest,
    batch: Option<Uuid>,
    origin: &crate::store::Origin,
) -> Result<Job, StoreError> {
    let course = match kind {
        "agent" => Course::Agent,
        "import" => Course::Import,
        "port_in" => Course::PortIn,
        _ => Course::Number,
    };
    let progress = Progress::begin(course, agent.is_some_and(|agent| agent.target.is_none()));
    let new = NewJob {
        tenant: Some(tenant),
        kind,
        request,
        progress: &progress,
        phone_number: None,
        agent: agent.map(|agent| agent.id),
        batch,
        origin,
    };
    jobs::insert(conn, &new).await
}

/// A job and what it did.
#[derive(Serialize, ToSchema)]
pub struct JobWhole {
    #[serde(flatten)]
    job: Job,
    /// What it did, in order.
    steps: Vec<StepRow>,
}

/// Which jobs.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    /// Those of this state.
    #[param(inline)]
    state: Option<JobStateName>,
    /// Those of this tenant.
    tenant_id: Option<Uuid>,
    /// Those that were asked for together.
    batch_id: Option<Uuid>,
}

/// Which of a tenant's jobs.
#[derive(Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TenantJobQuery {
    /// Those of this state.
    #[param(inline)]
    state: Option<JobStateName>,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStateName {
    /// Nobody has taken it on.
    Pending,
    /// It goes on.
    Running,
    /// Somebody has to agree to the price.
    Confirming,
    /// A person has to see to it.
    Manual,
    /// It did what was asked.
    Done,
    /// It couldn't be done.
    Failed,
    /// Somebody called it off.
    Canceled,
}

impl JobStateName {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => JobState::Running.name(),
            Self::Confirming => JobState::Confirming.name(),
            Self::Manual => JobState::Manual.name(),
            Self::Done => JobState::Done.name(),
            Self::Failed => JobState::Failed.name(),
            Self::Canceled => JobState::Canceled.name(),
        }
    }
}

/// List provisioning jobs; `state=manual` is the queue of those that want a person. Operators only.
#[utoipa::path(get, path = "/provisioning", tag = "Provisioning", params(PageQuery, JobQuery),
    responses((status = 200, body = Page<Job>)))]
pub async fn list(
    State(api): State<Api>,
    _operator: Operator,
    list: List<JobQuery>,
) -> Result<Json<Page<Job>>, Problem> {
    let filter = JobFilter {
        tenant: list.filter.tenant_id,
        state: list.filter.state.map(JobStateName::name),
        batch: list.filter.batch_id,
        ..JobFilter::default()
    };
    let mut tx = api.store.read(Scope::Operator).await?;
    let rows = jobs::list(tx.conn(), &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |job| job.id, |job| job)))
}

/// List a tenant's provisioning jobs.
#[utoipa::path(get, path = "/tenants/{tenant_id}/provisioning", tag = "Provisioning",
    params(("tenant_id" = Uuid, Path), PageQuery, TenantJobQuery), responses((status = 200, body = Page<Job>)))]
pub async fn list_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    list: List<TenantJobQuery>,
) -> Result<Json<Page<Job>>, Problem> {
    let filter = JobFilter {
        tenant: Some(tenant.id.0),
        state: list.filter.state.map(JobStateName::name),
        ..JobFilter::default()
    };
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    let rows = jobs::list(tx.conn(), &filter, list.window.after, list.window.rows()).await?;
    Ok(Json(list.window.page(rows, |job| job.id, |job| job)))
}

/// Get a provisioning job and what it did. Operators only.
#[utoipa::path(get, path = "/provisioning/{job_id}", tag = "Provisioning", params(("job_id" = Uuid, Path)),
    responses((status = 200, body = JobWhole)))]
pub async fn get(
    State(api): State<Api>,
    _operator: Operator,
    PathId(JobId(id)): PathId<JobId>,
) -> Result<Json<JobWhole>, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    Ok(Json(whole(tx.conn(), None, id).await?))
}

/// Get a tenant's provisioning job and what it did.
#[utoipa::path(get, path = "/tenants/{tenant_id}/provisioning/{job_id}", tag = "Provisioning",
    params(("tenant_id" = Uuid, Path), ("job_id" = Uuid, Path)), responses((status = 200, body = JobWhole)))]
pub async fn get_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    PathId(JobId(id)): PathId<JobId>,
) -> Result<Json<JobWhole>, Problem> {
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    Ok(Json(whole(tx.conn(), Some(tenant.id), id).await?))
}

async fn whole(conn: &mut PgConnection, tenant: Option<TenantId>, id: Uuid) -> Result<JobWhole, StoreError> {
    let job = of(jobs::find(conn, id).await?, tenant)?;
    Ok(JobWhole { steps: jobs::steps(conn, id).await?, job })
}

/// A job, where it is the tenant's that is asked for.
fn of(job: Job, tenant: Option<TenantId>) -> Result<Job, StoreError> {
    if tenant.is_some_and(|tenant| job.tenant() != Some(tenant)) {
        Err(StoreError::NotFound)
    } else {
        Ok(job)
    }
}

/// Call a provisioning job off: what it did is undone, and it ends as `canceled`. Operators only.
///
/// A purchase whose outcome isn't known is settled first. What a person is to see to is undone as well.
#[utoipa::path(post, path = "/provisioning/{job_id}/cancel", tag = "Provisioning",
    params(("job_id" = Uuid, Path), WaitQuery), responses((status = 200, body = Job)))]
pub async fn cancel(
    State(api): State<Api>,
    _operator: Operator,
    PathId(JobId(id)): PathId<JobId>,
    order: Order,
) -> Answered {
    call_off(&api, None, id, order).await
}

/// Call a tenant's provisioning job off: what it did is undone.
#[utoipa::path(post, path = "/tenants/{tenant_id}/provisioning/{job_id}/cancel", tag = "Provisioning",
    params(("tenant_id" = Uuid, Path), ("job_id" = Uuid, Path), WaitQuery), responses((status = 200, body = Job)))]
pub async fn cancel_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    PathId(JobId(id)): PathId<JobId>,
    order: Order,
) -> Answered {
    call_off(&api, Some(tenant.id), id, order).await
}

async fn call_off(api: &Api, tenant: Option<TenantId>, id: Uuid, order: Order) -> Answered {
    let mut write = api.write(order).await?;
    let job = of(jobs::lock(write.tx.conn(), id).await?, tenant)?;
    if job.is_over() {
        return Err(over(&job).into());
    }
    jobs::ask_to_cancel(write.tx.conn(), id).await?;
    if job.progress.rests() {
        // Nobody works on it: it goes on to undo what it did, or to settle what has to be settled first.
        match job.progress.cancel() {
            Some(progress) if progress.stage == Stage::End => {
                jobs::end(write.tx.conn(), id, &progress).await?;
                return answer(write, id).await;
            }
            Some(progress) => jobs::resume(write.tx.conn(), id, &progress.again(), &job.request).await?,
            None => jobs::resume(write.tx.conn(), id, &job.progress.again(), &job.request).await?,
        }
        jobs::ask_to_cancel(write.tx.conn(), id).await?;
    }
    answer(write, id).await
}

/// Agree to what a job's number costs. Operators only.
#[utoipa::path(post, path = "/provisioning/{job_id}/confirm", tag = "Provisioning",
    params(("job_id" = Uuid, Path), WaitQuery), responses((status = 200, body = Job)))]
pub async fn confirm(
    State(api): State<Api>,
    _operator: Operator,
    PathId(JobId(id)): PathId<JobId>,
    order: Order,
) -> Answered {
    agree(&api, None, id, order).await
}

/// Agree to what a tenant's job's number costs.
#[utoipa::path(post, path = "/tenants/{tenant_id}/provisioning/{job_id}/confirm", tag = "Provisioning",
    params(("tenant_id" = Uuid, Path), ("job_id" = Uuid, Path), WaitQuery), responses((status = 200, body = Job)))]
pub async fn confirm_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Admin>,
    PathId(JobId(id)): PathId<JobId>,
    order: Order,
) -> Answered {
    agree(&api, Some(tenant.id), id, order).await
}

async fn agree(api: &Api, tenant: Option<TenantId>, id: Uuid, order: Order) -> Answered {
    let mut write = api.write(order).await?;
    let job = of(jobs::lock(write.tx.conn(), id).await?, tenant)?;
    if job.progress.state != JobState::Confirming {
        return Err(not_in(&job, "confirming").into());
    }
    let request = JobRequest { is_confirmed: true, ..job.request.0.clone() };
    jobs::resume(write.tx.conn(), id, &job.progress.again(), &request).await?;
    answer(write, id).await
}

/// Try a job again that a person had to see to, or that came to nothing, from where it is. Operators only.
#[utoipa::path(post, path = "/provisioning/{job_id}/retry", tag = "Provisioning",
    params(("job_id" = Uuid, Path), WaitQuery), responses((status = 200, body = Job)))]
pub async fn retry(
    State(api): State<Api>,
    _operator: Operator,
    PathId(JobId(id)): PathId<JobId>,
    order: Order,
) -> Answered {
    let mut write = api.write(order).await?;
    let job = jobs::lock(write.tx.conn(), id).await?;
    if !matches!(job.progress.state, JobState::Manual | JobState::Failed) {
        return Err(not_in(&job, "manual or failed").into());
    }
    jobs::resume(write.tx.conn(), id, &job.progress.again(), &job.request).await?;
    answer(write, id).await
}

/// What a person did for a job.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// The number that the account holds now: it is taken over, configured and given to the tenant.
    phone_number: Option<String>,
    /// The account that holds it: the tenant's own, or the platform's.
    #[schema(value_type = Uuid)]
    account_id: AccountId,
}

/// Tell a job what a person did for it: which account holds the number now. Operators only.
#[utoipa::path(post, path = "/provisioning/{job_id}/resolve", tag = "Provisioning",
    params(("job_id" = Uuid, Path), WaitQuery), request_body = Resolution, responses((status = 200, body = Job)))]
pub async fn resolve(
    State(api): State<Api>,
    _operator: Operator,
    PathId(JobId(id)): PathId<JobId>,
    order: Order,
    Body(resolution): Body<Resolution>,
) -> Answered {
    let number =
        resolution.phone_number.map(|text| numbering::possible("phone_number", &text)).transpose()?;
    let mut write = api.write(order).await?;
    let job = jobs::lock(write.tx.conn(), id).await?;
    let is_waiting = job.progress.state == JobState::Manual && job.phone_number_id.is_none();
    let Some(tenant) = job.tenant().filter(|_| is_waiting) else {
        return Err(not_in(&job, "manual, without a number").into());
    };
    let is_there = accounts::is_usable(write.tx.conn(), tenant, resolution.account_id).await?
        || accounts::find(write.tx.conn(), None, resolution.account_id).await.is_ok();
    if !is_there {
        return Err(
            Invalid::new("account_id", "wanted an account of the tenant's or of the platform's").into()
        );
    }
    let number = number.map(|number| number.to_string()).or_else(|| job.request.phone_number.clone());
    let Some(number) = number else {
        return Err(Invalid::new("phone_number", "wanted: which number").into());
    };
    let request = JobRequest {
        phone_number: Some(number),
        account_id: Some(resolution.account_id.0),
        ..job.request.0.clone()
    };
    let is_ported = job.progress.course == Course::PortIn;
    let taking_over =
        Progress { has_agent: job.progress.has_agent, ..Progress::begin(Course::Import, false) };
    let progress = if is_ported { taking_over.ported() } else { taking_over };
    jobs::resume(write.tx.conn(), id, &progress, &request).await?;
    answer(write, id).await
}

async fn answer(mut write: Write<'_>, id: Uuid) -> Answered {
    let job = jobs::find(write.tx.conn(), id).await?;
    write.ring();
    write.answer(StatusCode::OK, &job).await
}

fn over(job: &Job) -> Problem {
    let detail = format!("the job is over: {}", job.state);
    Problem::new(StatusCode::CONFLICT, "job_over", detail)
}

fn not_in(job: &Job, wanted: &str) -> Problem {
    let detail = format!("wanted a job that is {wanted}; it is {}", job.state);
    Problem::new(StatusCode::CONFLICT, "job_state", detail)
}

/// Numbers for many at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBatch {
    /// For whom: 1 to 10,000. What happens for one has nothing to do with the others.
    #[schema(min_items = 1, max_items = 10_000)]
    items: Vec<BatchItem>,
    /// Which numbers; absent: as each tenant's `provisioning` says, else the platform's settings.
    #[serde(default)]
    wish: NewWish,
}

/// Who gets a number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchItem {
    /// The tenant.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// The agent that answers it.
    #[schema(value_type = Option<Uuid>)]
    agent_id: Option<AgentId>,
    /// The location's name.
    display_name: Option<String>,
}

/// Jobs that were asked for together.
#[derive(Serialize, ToSchema)]
pub struct Batch {
    /// What they are listed by: `/provisioning?batch_id=`.
    pub(super) batch_id: Uuid,
    /// How many there are.
    pub(super) jobs: usize,
}

/// Give numbers to many tenants or agents at once: a job each, at the providers' rate limits. Operators only.
///
/// Nothing is asked for unless every item names a tenant and an agent that it may use. With an `Idempotency-Key`, a
/// repetition asks for nothing more.
#[utoipa::path(post, path = "/provisioning", tag = "Provisioning", params(WaitQuery), request_body = NewBatch,
    responses((status = 202, body = Batch)))]
pub async fn create_batch(
    State(api): State<Api>,
    _operator: Operator,
    order: Order,
    Body(new): Body<NewBatch>,
) -> Answered {
    if new.items.is_empty() || new.items.len() > BATCH_MAX {
        return Err(Invalid::new("items", format!("wanted 1 to {BATCH_MAX}")).into());
    }
    let mut write = api.write(order).await?;
    let batch = Uuid::now_v7();
    let origin = write.origin().clone();
    for (index, item) in new.items.iter().enumerate() {
        let at = |field: &str, wanted: &str| Invalid::new(format!("items[{index}].{field}"), wanted);
        let agent = match item.agent_id {
            None => None,
            Some(id) => match agents::find(write.tx.conn(), item.tenant_id, id).await {
                Ok(agent) => Some(agent),
                Err(StoreError::NotFound) => {
                    return Err(at("agent_id", "wanted an agent that the tenant may use").into());
                }
                Err(error) => return Err(error.into()),
            },
        };
        if let Err(StoreError::NotFound) = tenants::find(write.tx.conn(), item.tenant_id).await {
            return Err(at("tenant_id", "there is no such tenant").into());
        }
        let place = Place { display_name: item.display_name.clone(), ..Place::default() };
        let request = resolve_request(&mut write, item.tenant_id, "number", new.wish.clone(), place).await?;
        insert(write.tx.conn(), item.tenant_id, "number", agent.as_ref(), &request, Some(batch), &origin)
            .await?;
    }
    write.ring();
    let location = format!("{}/provisioning?batch_id={batch}", super::BASE);
    write.accepted(location, &Batch { batch_id: batch, jobs: new.items.len() }).await
}

/// Follow a provisioning job: an event `progress` with the job and its steps whenever it went on, the last once it rests.
/// Operators only.
#[utoipa::path(get, path = "/provisioning/{job_id}/events", tag = "Provisioning", params(("job_id" = Uuid, Path)),
    responses((status = 200, content((String = "text/event-stream",
        example = json!("event: progress\ndata: {\"state\":\"done\",...}\n\n"))))))]
pub async fn events(
    State(api): State<Api>,
    _operator: Operator,
    PathId(JobId(id)): PathId<JobId>,
) -> Result<impl IntoResponse, Problem> {
    let mut tx = api.store.read(Scope::Operator).await?;
    jobs::find(tx.conn(), id).await?;
    drop(tx);
    Ok(Sse::new(progress(api, id)).keep_alive(KeepAlive::default()))
}

fn progress(api: Api, id: Uuid) -> impl Stream<Item = Result<Event, axum::Error>> {
    struct Follower {
        api: Api,
        told: Option<Vec<u8>>,
        is_over: bool,
    }
    let follower = Follower { api, told: None, is_over: false };
    futures_util::stream::unfold(follower, move |mut follower| async move {
        while !follower.is_over {
            let mut tx = follower.api.store.read(Scope::Operator).await.ok()?;
            let job = whole(tx.conn(), None, id).await.ok()?;
            drop(tx);
            let shown = serde_json::to_vec(&job).ok()?;
            if follower.told.as_ref() != Some(&shown) {
                follower.is_over = job.job.progress.rests();
                let event = Event::default().event("progress").json_data(&job);
                follower.told = Some(shown);
                return Some((event, follower));
            }
            tokio::select! {
                () = tokio::time::sleep(PROGRESS_INTERVAL) => {}
                () = follower.api.realtime.stops() => return None,
            }
        }
        None
    })
}
