//! Lines beside what is there: whom they name, and what each comes to.
//!
//! The same plan is made twice: when a file is validated, of what is there then; and when a piece of it is applied, of
//! rows that are held until it is.

use std::collections::{HashMap, HashSet};

use dialplane_common::ids::{AgentId, PhoneNumberId, TenantId};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::line::{self, Line, bad};
use super::numbers::{self, AccountsRef, AgentRef, NumberChange, NumberLine};
use super::settings::{self, SettingsChange, SettingsLine};
use super::tenants::{self, TenantChange, TenantLine};
use super::{Format, Kind};
use crate::invalid::Invalid;
use crate::people::ServicesDocument;
use crate::store::bindings::Binding;
use crate::store::bulk::{self, Documents, Hold, SettingWrite};
use crate::store::imports::{BadLine, Piece};
use crate::store::numbers::{Address, NumberRow};
use crate::store::settings::{self as documents, Owner};
use crate::store::tenants::Tenant;
use crate::store::{StoreError, plans, pool};

/// Whose a line is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TenantRef {
    /// The import's tenant's.
    Own,
    /// By its id.
    Id(TenantId),
    /// By its name elsewhere.
    External(String),
}

/// Why a line can't be applied beside what is there.
#[derive(Debug)]
pub struct Refusal {
    code: &'static str,
    invalid: Invalid,
}

/// Lines checked by themselves.
#[derive(Debug)]
pub enum Changes {
    /// Of numbers.
    Numbers(Vec<Line<NumberChange>>),
    /// Of tenants.
    Tenants(Vec<Line<TenantChange>>),
    /// Of settings.
    Settings(Vec<Line<SettingsChange>>),
}

/// What lines come to.
#[derive(Default)]
pub struct Plan {
    /// Tenants that aren't there.
    pub new_tenants: Vec<Tenant>,
    /// Tenants as they shall be.
    pub changed_tenants: Vec<Tenant>,
    /// Numbers that aren't there, with their bindings.
    pub new_numbers: Vec<NumberRow>,
    /// Numbers as they shall be.
    pub changed_numbers: Vec<NumberRow>,
    /// Those of them whose bindings differ.
    pub rebound_numbers: Vec<NumberRow>,
    /// Numbers that are their tenants' primary ones from now on, by their tenants: of several, the last.
    pub primaries: HashMap<Uuid, Uuid>,
    /// Numbers' settings to write.
    pub settings: Vec<SettingWrite>,
    /// The numbers whose settings are written.
    pub set_numbers: Vec<NumberRow>,
    /// Tenants' defaults to write.
    pub defaults: Vec<(TenantId, documents::Kind, Option<Value>)>,
    /// Lines that create something.
    pub created: i64,
    /// Lines that change something.
    pub changed: i64,
    /// Lines that say what is there.
    pub kept: i64,
    /// Lines that are refused.
    pub bad: Vec<BadLine>,
}

impl Plan {
    /// The numbers that are to be primary, with their tenants.
    #[must_use]
    pub fn primaries(&self) -> Vec<(Uuid, Uuid)> {
        self.primaries.iter().map(|(tenant, number)| (*tenant, *number)).collect()
    }

    /// Adds what other lines come to.
    pub fn append(&mut self, mut other: Self) {
        self.new_tenants.append(&mut other.new_tenants);
        self.changed_tenants.append(&mut other.changed_tenants);
        self.new_numbers.append(&mut other.new_numbers);
        self.changed_numbers.append(&mut other.changed_numbers);
        self.rebound_numbers.append(&mut other.rebound_numbers);
        self.primaries.extend(other.primaries);
        self.settings.append(&mut other.settings);
        self.set_numbers.append(&mut other.set_numbers);
        self.defaults.append(&mut other.defaults);
        self.created += other.created;
        self.changed += other.changed;
        self.kept += other.kept;
        self.bad.append(&mut other.bad);
    }
}

impl TenantRef {
    /// Whom a line names.
    ///
    /// # Errors
    /// When it names two.
    pub fn new(id: Option<TenantId>, external_id: Option<String>) -> Result<Self, Invalid> {
        match (id, external_id) {
            (None, None) => Ok(Self::Own),
            (Some(id), None) => Ok(Self::Id(id)),
            (None, Some(name)) => Ok(Self::External(name)),
            (Some(_), Some(_)) => {
                Err(Invalid::new("tenant_external_id", "wanted tenant_id or tenant_external_id, not both"))
            }
        }
    }
}

impl Refusal {
    /// A code, the field, and what is wanted.
    pub fn new(code: &'static str, field: &str, wanted: impl Into<String>) -> Self {
        Self { code, invalid: Invalid::new(field, wanted) }
    }

    /// As a bad line.
    #[must_use]
    pub fn at(self, line: i64) -> BadLine {
        bad(line, self.code, self.invalid)
    }
}

impl Changes {
    /// Reads a piece and checks its lines by themselves; those that validation refused are left out.
    #[must_use]
    pub fn read(
        kind: Kind,
        format: Format,
        header: Option<&csv::StringRecord>,
        piece: &Piece,
    ) -> (Self, Vec<BadLine>) {
        match kind {
            Kind::Numbers => {
                let (lines, bad) = checked(format, header, piece, NumberLine::check);
                (Self::Numbers(lines), bad)
            }
            Kind::Tenants => {
                let (lines, bad) = checked(format, header, piece, TenantLine::check);
                (Self::Tenants(lines), bad)
            }
            Kind::Settings => {
                let (lines, bad) = checked(format, header, piece, SettingsLine::check);
                (Self::Settings(lines), bad)
            }
        }
    }

    /// How many lines.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Numbers(lines) => lines.len(),
            Self::Tenants(lines) => lines.len(),
            Self::Settings(lines) => lines.len(),
        }
    }

    /// Takes out lines about what an earlier line of the file is about; `seen` holds those.
    pub fn take_repeated(&mut self, seen: &mut HashMap<u128, i64>) -> Vec<BadLine> {
        match self {
            Self::Numbers(lines) => repeated(lines, seen, "phone_number", NumberChange::key),
            Self::Tenants(lines) => repeated(lines, seen, "external_id", TenantChange::key),
            Self::Settings(lines) => repeated(lines, seen, "phone_number", SettingsChange::key),
        }
    }

    /// Each line by itself.
    #[must_use]
    pub fn one_by_one(self) -> Vec<(i64, Self)> {
        fn each<T>(lines: Vec<Line<T>>, of: impl Fn(Vec<Line<T>>) -> Changes) -> Vec<(i64, Changes)> {
            lines.into_iter().map(|line| (line.number, of(vec![line]))).collect()
        }
        match self {
            Self::Numbers(lines) => each(lines, Self::Numbers),
            Self::Tenants(lines) => each(lines, Self::Tenants),
            Self::Settings(lines) => each(lines, Self::Settings),
        }
    }

    /// What the lines come to. `own` is the import's tenant.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn plan(
        &self,
        conn: &mut PgConnection,
        own: Option<TenantId>,
        hold: Hold,
    ) -> Result<Plan, StoreError> {
        match self {
            Self::Numbers(lines) => plan_numbers(conn, own, lines, hold).await,
            Self::Tenants(lines) => plan_tenants(conn, own, lines, hold).await,
            Self::Settings(lines) => plan_settings(conn, own, lines, hold).await,
        }
    }
}

fn checked<L: DeserializeOwned, T>(
    format: Format,
    header: Option<&csv::StringRecord>,
    piece: &Piece,
    check: impl Fn(L) -> Result<T, Invalid>,
) -> (Vec<Line<T>>, Vec<BadLine>) {
    let refused: HashSet<i64> = piece.bad_lines.iter().copied().collect();
    let (read, mut bad_lines) = line::read::<L>(format, header, &piece.bytes, piece.first_line);
    let mut lines = Vec::with_capacity(read.len());
    for Line { number, item } in read {
        if refused.contains(&number) {
            continue;
        }
        match check(item) {
            Ok(item) => lines.push(Line { number, item }),
            Err(invalid) => bad_lines.push(bad(number, "invalid_field", invalid)),
        }
    }
    bad_lines.retain(|bad| !refused.contains(&bad.line));
    (lines, bad_lines)
}

fn repeated<T>(
    lines: &mut Vec<Line<T>>,
    seen: &mut HashMap<u128, i64>,
    field: &str,
    key: impl Fn(&T) -> u128,
) -> Vec<BadLine> {
    let mut bad_lines = Vec::new();
    lines.retain(|line| {
        let first = *seen.entry(key(&line.item)).or_insert(line.number);
        if first != line.number {
            bad_lines
                .push(Refusal::new("repeated", field, format!("line {first} is about it")).at(line.number));
        }
        first == line.number
    });
    bad_lines
}

/// Whom lines name.
#[derive(Default)]
pub struct References {
    own: Option<TenantId>,
    tenants: HashSet<Uuid>,
    by_external_id: HashMap<String, Uuid>,
    agents: HashSet<(Uuid, Uuid)>,
    agents_by_name: HashMap<(Uuid, String), Vec<Uuid>>,
    accounts: HashMap<Uuid, Vec<(Uuid, Option<String>)>>,
}

impl References {
    async fn load(
        conn: &mut PgConnection,
        own: Option<TenantId>,
        wanted: &[&TenantRef],
        agents: &[&AgentRef],
        with_accounts: bool,
    ) -> Result<Self, StoreError> {
        let mut references = Self { own, ..Self::default() };
        let (mut ids, mut external_ids): (HashSet<Uuid>, HashSet<String>) = Default::default();
        for tenant in wanted {
            match tenant {
                TenantRef::Own => ids.extend(own.map(|own| own.0)),
                TenantRef::Id(id) => drop(ids.insert(id.0)),
                TenantRef::External(name) => drop(external_ids.insert(name.clone())),
            }
        }
        let (ids, external_ids): (Vec<_>, Vec<_>) =
            (ids.into_iter().collect(), external_ids.into_iter().collect());
        for (id, external_id) in bulk::tenants(conn, &ids, &external_ids).await? {
            references.tenants.insert(id);
            references.by_external_id.extend(external_id.map(|name| (name, id)));
        }
        let tenants: Vec<Uuid> = references.tenants.iter().copied().collect();
        references.load_agents(conn, &tenants, agents).await?;
        if with_accounts {
            for (tenant, account, label) in bulk::accounts(conn, &tenants).await? {
                references.accounts.entry(tenant).or_default().push((account, label));
            }
        }
        Ok(references)
    }

    async fn load_agents(
        &mut self,
        conn: &mut PgConnection,
        tenants: &[Uuid],
        wanted: &[&AgentRef],
    ) -> Result<(), StoreError> {
        let (mut ids, mut names): (HashSet<AgentId>, HashSet<String>) = Default::default();
        for agent in wanted {
            match agent {
                AgentRef::Id(id) => drop(ids.insert(*id)),
                AgentRef::Name(name) => drop(names.insert(name.clone())),
            }
        }
        if ids.is_empty() && names.is_empty() {
            return Ok(());
        }
        let (ids, names): (Vec<_>, Vec<_>) = (ids.into_iter().collect(), names.into_iter().collect());
        for (id, tenant, name) in bulk::agents(conn, &ids, tenants, &names).await? {
            self.agents.insert((tenant, id));
            self.agents_by_name.entry((tenant, name)).or_default().push(id);
        }
        Ok(())
    }

    /// The tenant that a line is about.
    ///
    /// # Errors
    /// There is none such, or it isn't the import's.
    pub fn tenant(&self, wanted: &TenantRef) -> Result<TenantId, Refusal> {
        let (field, found) = match wanted {
            TenantRef::Own => {
                let wanted = "wanted tenant_id or tenant_external_id";
                return self.own.ok_or_else(|| Refusal::new("invalid_field", "tenant_id", wanted));
            }
            TenantRef::Id(id) => ("tenant_id", self.tenants.contains(&id.0).then_some(id.0)),
            TenantRef::External(name) => ("tenant_external_id", self.by_external_id.get(name).copied()),
        };
        match (self.own, found) {
            (Some(own), found) if found != Some(own.0) => {
                Err(Refusal::new("other_tenant", field, "wanted the tenant that the import is for"))
            }
            (_, Some(found)) => Ok(TenantId(found)),
            (_, None) => Err(Refusal::new("unknown_tenant", field, "there is no such tenant")),
        }
    }

    /// Holds what lines of settings go by until the transaction ends: the agents that they name, then the tenants whose
    /// defaults they are. Numbers come behind.
    async fn hold(
        &self,
        conn: &mut PgConnection,
        changes: impl Iterator<Item = &SettingsChange> + Clone,
    ) -> Result<(), StoreError> {
        let agents: Vec<_> = changes.clone().flat_map(|change| &change.agents).map(|(id, _)| *id).collect();
        let tenants: Vec<_> = self.tenants.iter().copied().collect();
        if !agents.is_empty() {
            bulk::hold_agents(conn, &agents, &tenants).await?;
        }
        let owners: Vec<_> = changes
            .filter(|change| change.address.is_none())
            .filter_map(|change| Some(self.tenant(&change.tenant).ok()?.0))
            .collect();
        bulk::lock_tenants(conn, &owners).await
    }

    /// The agent that a line of a tenant names.
    ///
    /// # Errors
    /// The tenant has none such, or several of that name.
    pub fn agent(&self, tenant: TenantId, wanted: &AgentRef) -> Result<AgentId, Refusal> {
        match wanted {
            AgentRef::Id(id) if self.agents.contains(&(tenant.0, id.0)) => Ok(*id),
            AgentRef::Id(_) => {
                Err(Refusal::new("unknown_agent", "agent_id", "wanted an agent of this tenant"))
            }
            AgentRef::Name(name) => {
                match self.agents_by_name.get(&(tenant.0, name.clone())).map(Vec::as_slice) {
                    Some([only]) => Ok(AgentId(*only)),
                    Some(_) => Err(Refusal::new(
                        "ambiguous_agent",
                        "agent",
                        "several agents have this name: wanted agent_id",
                    )),
                    None => Err(Refusal::new("unknown_agent", "agent", "wanted an agent of this tenant")),
                }
            }
        }
    }

    /// The bindings that a line of a tenant wants, in the order of their accounts.
    ///
    /// # Errors
    /// The tenant may not use one of the accounts, or several have that label.
    pub fn bindings(&self, tenant: TenantId, wanted: &AccountsRef) -> Result<Vec<Binding>, Refusal> {
        let usable = self.accounts.get(&tenant.0).map(Vec::as_slice).unwrap_or_default();
        let unknown = |field| {
            Refusal::new("unknown_account", field, "wanted an account of this tenant, or one granted to it")
        };
        let carrier = |account_id| vec![Binding { account_id, role: "carrier".to_owned(), number_id: None }];
        let is_usable = |id: Uuid| usable.iter().any(|(account, _)| *account == id);
        match wanted {
            AccountsRef::Id(id) if is_usable(id.0) => Ok(carrier(id.0)),
            AccountsRef::Id(_) => Err(unknown("account_id")),
            AccountsRef::Label(label) => {
                let mut found = usable.iter().filter(|(_, known)| known.as_ref() == Some(label));
                match (found.next(), found.next()) {
                    (Some((id, _)), None) => Ok(carrier(*id)),
                    (Some(_), Some(_)) => {
                        let wanted = "several accounts have this label: wanted account_id";
                        Err(Refusal::new("ambiguous_account", "account", wanted))
                    }
                    (None, _) => Err(unknown("account")),
                }
            }
            AccountsRef::List(list) if list.iter().all(|binding| is_usable(binding.account_id)) => {
                Ok(list.clone())
            }
            AccountsRef::List(_) => Err(unknown("bindings")),
        }
    }
}

fn digits(addresses: impl Iterator<Item = Address>) -> Vec<String> {
    addresses.map(|address| address.to_string()).collect()
}

async fn existing(
    conn: &mut PgConnection,
    addresses: impl Iterator<Item = Address>,
    hold: Hold,
) -> Result<HashMap<u128, NumberRow>, StoreError> {
    let rows = bulk::numbers(conn, &digits(addresses), hold).await?;
    rows.into_iter().map(|row| Ok((numbers::key(row.address()?), row))).collect()
}

/// What lines meet of what is there.
struct Met {
    /// Numbers that came again while they rested.
    taken_back: HashSet<u128>,
    /// Whether there may be any that a tenant has. One that is created from now on is refused as taken when it is written.
    any_held: bool,
}

/// Locks the tenants whose primary numbers lines may change, and gives back the numbers that come again while they rest:
/// those are theirs then, as they left them.
async fn meet(
    conn: &mut PgConnection,
    lines: &[Line<NumberChange>],
    references: &References,
) -> Result<Met, StoreError> {
    let wanted: HashMap<(Uuid, String, bool), Address> = lines
        .iter()
        .filter_map(|line| {
            let (tenant, address) = (references.tenant(&line.item.tenant).ok()?, line.item.address);
            Some(((tenant.0, address.to_string(), address.is_range()), address))
        })
        .collect();
    let digits = digits(lines.iter().map(|line| line.item.address));
    let former = bulk::former(conn, &digits).await?;
    let resting: Vec<_> = former.iter().filter_map(|place| Some((place.0, *wanted.get(place)?))).collect();
    let makes_primary = lines.iter().any(|line| line.item.makes_primary());
    let sets_status = lines.iter().any(|line| line.item.sets_status());
    let any_held = !resting.is_empty() || bulk::any_held(conn, &digits).await?;
    if makes_primary || !resting.is_empty() || (sets_status && any_held) {
        let tenants: HashSet<Uuid> = wanted.keys().map(|(tenant, ..)| *tenant).collect();
        bulk::lock_tenants(conn, &tenants.into_iter().collect::<Vec<_>>()).await?;
    }
    let mut taken_back = HashSet::new();
    for (tenant, address) in resting {
        if pool::take_back(conn, TenantId(tenant), address).await?.is_some() {
            taken_back.insert(numbers::key(address));
        }
    }
    Ok(Met { taken_back, any_held })
}

async fn plan_numbers(
    conn: &mut PgConnection,
    own: Option<TenantId>,
    lines: &[Line<NumberChange>],
    hold: Hold,
) -> Result<Plan, StoreError> {
    let changes = || lines.iter().map(|line| &line.item);
    let tenants: Vec<_> = changes().map(|change| &change.tenant).collect();
    let agents: Vec<_> = changes().filter_map(|change| change.agent.as_ref()?.as_ref()).collect();
    let with_accounts = changes().any(|change| matches!(change.accounts, Some(Some(_))));
    let references = References::load(conn, own, &tenants, &agents, with_accounts).await?;
    let Met { taken_back, any_held } = match hold {
        Hold::Yes => meet(conn, lines, &references).await?,
        Hold::No => Met { taken_back: HashSet::new(), any_held: true },
    };
    let existing = match any_held {
        true => existing(conn, changes().map(|change| change.address), hold).await?,
        false => HashMap::new(),
    };
    let unheld = unheld(conn, changes().map(|change| change.address)).await?;
    let mut plan = Plan::default();
    let mut created = Vec::new();
    for Line { number, item } in lines {
        let decision = numbers::decide(item, existing.get(&item.key()), &references);
        if let (Ok(numbers::Decision::Create(row)), Some(returns_to)) = (&decision, unheld.get(&item.key())) {
            if hold == Hold::Yes || *returns_to != Some(row.tenant_id) {
                plan.bad.push(taken(item.address).at(*number));
            }
            continue;
        }
        match decision {
            Ok(numbers::Decision::Create(row)) => {
                created.push((*number, item.address));
                if row.is_primary {
                    plan.primaries.insert(row.tenant_id, row.id);
                }
                plan.new_numbers.push(row);
            }
            Ok(numbers::Decision::Change(row, rebound)) => {
                plan.changed += 1;
                if row.is_primary && existing.get(&item.key()).is_some_and(|before| !before.is_primary) {
                    plan.primaries.insert(row.tenant_id, row.id);
                }
                if rebound {
                    plan.rebound_numbers.push(row.clone());
                }
                plan.changed_numbers.push(row);
            }
            // As it was left: routers have to hear of it all the same.
            Ok(numbers::Decision::Keep) if taken_back.contains(&item.key()) => {
                plan.changed += 1;
                plan.changed_numbers.extend(existing.get(&item.key()).cloned());
            }
            Ok(numbers::Decision::Keep) => plan.kept += 1,
            Err(refusal) => plan.bad.push(refusal.at(*number)),
        }
    }
    refuse_overlapping(conn, &mut plan, created).await?;
    plan.created = count(plan.new_numbers.len());
    Ok(plan)
}

/// A number that isn't to be had.
fn taken(address: Address) -> Refusal {
    Refusal::new("phone_number_taken", numbers::field(address), numbers::TAKEN)
}

/// Addresses that no tenant has, each with the tenant to whom it comes back, if it comes again.
async fn unheld(
    conn: &mut PgConnection,
    addresses: impl Iterator<Item = Address> + Clone,
) -> Result<HashMap<u128, Option<Uuid>>, StoreError> {
    let rows = bulk::unheld(conn, &digits(addresses.clone())).await?;
    let rows: HashMap<(String, bool), Option<Uuid>> =
        rows.into_iter().map(|(digits, is_range, tenant)| ((digits, is_range), tenant)).collect();
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let found = |address: Address| {
        let tenant = rows.get(&(address.to_string(), address.is_range()))?;
        Some((numbers::key(address), *tenant))
    };
    Ok(addresses.filter_map(found).collect())
}

/// Takes out new numbers that would overlap another tenant's. `lines` are those of `new_numbers`.
async fn refuse_overlapping(
    conn: &mut PgConnection,
    plan: &mut Plan,
    lines: Vec<(i64, Address)>,
) -> Result<(), StoreError> {
    let any_range = plan.new_numbers.iter().any(|row| row.is_range);
    if !any_range && !bulk::has_ranges(conn).await? {
        return Ok(());
    }
    let wanted: Vec<_> =
        plan.new_numbers.iter().map(|row| (row.phone_number.clone(), row.is_range, row.tenant_id)).collect();
    let overlapping: HashSet<i64> = bulk::overlapping(conn, &wanted).await?.into_iter().collect();
    let mut place = -1;
    plan.new_numbers.retain(|_| {
        place += 1;
        !overlapping.contains(&place)
    });
    for (place, (line, address)) in (0..).zip(lines) {
        if overlapping.contains(&place) {
            let wanted = "it overlaps what is another tenant's";
            plan.bad.push(Refusal::new("phone_number_overlaps", numbers::field(address), wanted).at(line));
        }
    }
    Ok(())
}

async fn plan_tenants(
    conn: &mut PgConnection,
    own: Option<TenantId>,
    lines: &[Line<TenantChange>],
    hold: Hold,
) -> Result<Plan, StoreError> {
    let changes = || lines.iter().map(|line| &line.item);
    let ids: Vec<Uuid> = changes().filter_map(|change| Some(change.id?.0)).collect();
    let external_ids: Vec<String> = changes().filter_map(|change| change.external_id.clone()?).collect();
    // Before their tenants, as everybody does.
    let named: Vec<String> = changes().filter_map(|change| change.plan.clone()?).collect();
    let plans = plans::known(conn, &named, hold).await?;
    let found = bulk::whole_tenants(conn, &ids, &external_ids, hold).await?;
    let numbers = existing(conn, changes().filter_map(|change| change.number), hold).await?;
    let unheld = unheld(conn, changes().filter_map(|change| change.number)).await?;
    let by_id: HashMap<Uuid, &Tenant> = found.iter().map(|row| (row.id, row)).collect();
    let by_external_id: HashMap<&str, &Tenant> =
        found.iter().filter_map(|row| Some((row.external_id.as_deref()?, row))).collect();
    let mut plan = Plan::default();
    let mut created = Vec::new();
    for Line { number, item } in lines {
        let named = item.external_id.iter().flatten().next().and_then(|name| by_external_id.get(&**name));
        let existing = match item.id {
            Some(id) => by_id.get(&id.0).copied(),
            None => named.copied(),
        };
        if let (Some(id), Some(named)) = (item.id, named)
            && named.id != id.0
        {
            plan.bad
                .push(Refusal::new("external_id_taken", "external_id", "another tenant has it").at(*number));
            continue;
        }
        if own.is_some() {
            plan.bad.push(
                Refusal::new("operator_only", "line", "only operators' imports hold tenants").at(*number),
            );
            continue;
        }
        let decision = match tenants::decide(item, existing, &plans) {
            Ok(decision) => decision,
            Err(refusal) => {
                plan.bad.push(refusal.at(*number));
                continue;
            }
        };
        let (id, name) = match &decision {
            tenants::Decision::Create(row) | tenants::Decision::Change(row) => {
                (TenantId(row.id), row.name.as_str())
            }
            tenants::Decision::Keep(id) => (*id, existing.map_or("", |row| row.name.as_str())),
        };
        let mut gains_number = false;
        if let Some(address) = item.number {
            match numbers.get(&numbers::key(address)) {
                None if unheld.contains_key(&numbers::key(address)) => {
                    plan.bad.push(taken(address).at(*number));
                    continue;
                }
                None => {
                    let mut row = numbers::blank(id, address);
                    row.display_name = name.to_owned();
                    created.push((*number, address));
                    plan.new_numbers.push(row);
                    gains_number = true;
                }
                Some(row) if row.tenant_id == id.0 => {}
                Some(_) => {
                    plan.bad.push(taken(address).at(*number));
                    continue;
                }
            }
        }
        match decision {
            tenants::Decision::Create(row) => {
                plan.created += 1;
                plan.new_tenants.push(row);
            }
            tenants::Decision::Change(row) => {
                plan.changed += 1;
                plan.changed_tenants.push(row);
            }
            tenants::Decision::Keep(_) if gains_number => plan.changed += 1,
            tenants::Decision::Keep(_) => plan.kept += 1,
        }
    }
    refuse_overlapping(conn, &mut plan, created).await?;
    Ok(plan)
}

async fn plan_settings(
    conn: &mut PgConnection,
    own: Option<TenantId>,
    lines: &[Line<SettingsChange>],
    hold: Hold,
) -> Result<Plan, StoreError> {
    let changes = || lines.iter().map(|line| &line.item);
    let named: Vec<AgentRef> =
        changes().flat_map(|change| &change.agents).map(|(id, _)| AgentRef::Id(*id)).collect();
    let numbers = existing(conn, changes().filter_map(|change| change.address), Hold::No).await?;
    // A line about a number needn't name its tenant.
    let owners: HashSet<TenantRef> =
        numbers.values().map(|row| TenantRef::Id(TenantId(row.tenant_id))).collect();
    let tenants: Vec<_> = changes().map(|change| &change.tenant).chain(&owners).collect();
    let references = References::load(conn, own, &tenants, &named.iter().collect::<Vec<_>>(), false).await?;
    let numbers = match hold {
        Hold::No => numbers,
        Hold::Yes => {
            references.hold(conn, changes()).await?;
            existing(conn, changes().filter_map(|change| change.address), hold).await?
        }
    };
    let ids: Vec<Uuid> = numbers.values().map(|row| row.id).collect();
    let stored = bulk::documents(conn, &ids).await?;
    let owners: Vec<Uuid> = changes()
        .filter(|change| change.address.is_none())
        .filter_map(|change| Some(references.tenant(&change.tenant).ok()?.0))
        .collect();
    let defaults = bulk::defaults(conn, &owners).await?;
    let mut plan = Plan::default();
    let nothing = Documents::new();
    for Line { number, item } in lines {
        let owner = match owner_of(item, &numbers, &references) {
            Ok(owner) => owner,
            Err(refusal) => {
                plan.bad.push(refusal.at(*number));
                continue;
            }
        };
        let (tenant, row) = owner;
        let before = match row {
            Some(row) => stored.get(&row.id),
            None => defaults.get(&tenant.0),
        };
        let before = before.unwrap_or(&nothing);
        if let Some(refusal) = refuse_settings(conn, item, tenant, row, &references).await? {
            plan.bad.push(refusal.at(*number));
            continue;
        }
        let stored = |(kind, value): &(documents::Kind, Option<Value>)| {
            let before = before.get(kind.name());
            let value = match row {
                Some(_) => value.clone(),
                None => value.clone().map(|value| settings::identified(*kind, value, before)),
            };
            (value.as_ref() != before).then_some((*kind, value))
        };
        let differing: Vec<_> = item.documents.iter().filter_map(stored).collect();
        if differing.is_empty() {
            plan.kept += 1;
            continue;
        }
        plan.changed += 1;
        match row {
            Some(row) => {
                let of_number =
                    |(kind, value)| SettingWrite { tenant, number: PhoneNumberId(row.id), kind, value };
                plan.settings.extend(differing.into_iter().map(of_number));
                plan.set_numbers.push(row.clone());
            }
            None => plan.defaults.extend(differing.into_iter().map(|(kind, value)| (tenant, kind, value))),
        }
    }
    Ok(plan)
}

fn owner_of<'a>(
    change: &SettingsChange,
    numbers: &'a HashMap<u128, NumberRow>,
    references: &References,
) -> Result<(TenantId, Option<&'a NumberRow>), Refusal> {
    let Some(address) = change.address else { return Ok((references.tenant(&change.tenant)?, None)) };
    let field = numbers::field(address);
    let row = numbers.get(&numbers::key(address));
    let row = row.ok_or_else(|| Refusal::new("unknown_number", field, "there is no such number"))?;
    let tenant = match &change.tenant {
        TenantRef::Own => references.own,
        named => Some(references.tenant(named)?),
    };
    match tenant {
        Some(tenant) if tenant.0 != row.tenant_id => {
            Err(Refusal::new("phone_number_taken", field, numbers::TAKEN))
        }
        _ => Ok((TenantId(row.tenant_id), Some(row))),
    }
}

/// Refuses agents that aren't the tenant's, and people who give what isn't offered there.
async fn refuse_settings(
    conn: &mut PgConnection,
    change: &SettingsChange,
    tenant: TenantId,
    row: Option<&NumberRow>,
    references: &References,
) -> Result<Option<Refusal>, StoreError> {
    for (agent, place) in &change.agents {
        if references.agent(tenant, &AgentRef::Id(*agent)).is_err() {
            return Ok(Some(Refusal::new("unknown_agent", place, "wanted an agent of this tenant")));
        }
    }
    let Some(staff) = &change.staff else { return Ok(None) };
    let own = change.documents.iter().find(|(kind, _)| *kind == documents::Kind::Services);
    let mut offered: Option<ServicesDocument> = None;
    let mut owners = vec![Owner::Tenant(tenant), Owner::Platform];
    match (own, row) {
        (Some((_, Some(value))), _) => {
            offered = serde_json::from_value(value.clone()).ok();
            owners.clear();
        }
        (None, Some(row)) => owners.insert(0, Owner::Number(tenant, PhoneNumberId(row.id))),
        // The line unsets what its tenant offers.
        (Some((_, None)), None) => drop(owners.remove(0)),
        _ => {}
    }
    for owner in owners {
        if offered.is_none() {
            offered = documents::get(conn, owner, documents::Kind::Services).await?;
        }
    }
    let refused = offered.and_then(|offered| staff.check_offered(&offered).err());
    Ok(refused
        .map(|invalid| Refusal::new("invalid_field", &format!("staff.{}", invalid.field), invalid.wanted)))
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}
