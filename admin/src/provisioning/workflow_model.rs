//! All that can happen to a job, walked to the end: each step with each answer of a provider, a crash before each commit,
//! purchases that come about late or twice, and somebody who calls it off at any moment.

use std::collections::{BTreeMap, HashMap, VecDeque};

use dialplane_common::rest::Fault;
use uuid::Uuid;

use super::workflow::{Course, Outcome, Progress, Stage, State};

/// What a purchase's row says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Row {
    Recorded,
    Sent,
    Owned,
    Refused,
    Lost,
}

/// A purchase: its row here, and what the provider has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Purchase {
    row: Row,
    /// How many numbers carry its tag.
    landed: u8,
    /// It may still come about.
    is_late: bool,
}

/// A job as its row says, and the world around it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    progress: Progress,
    purchases: BTreeMap<u128, Purchase>,
    /// Numbers that the job holds here.
    held: u8,
    /// Agents that it made at the provider.
    agents: u8,
    is_linked: bool,
    is_canceled: bool,
    /// How many mishaps are to come at most.
    mishaps: u8,
    /// So many strategies have something to sell.
    strategies: usize,
}

impl World {
    fn new(course: Course, strategies: usize, mishaps: u8) -> Self {
        Self {
            progress: Progress::begin(course, course == Course::Number),
            purchases: BTreeMap::new(),
            held: 0,
            agents: 0,
            is_linked: false,
            is_canceled: false,
            mishaps,
            strategies,
        }
    }

    /// With one mishap less to come; `None`: it had all.
    fn mishap(&self) -> Option<Self> {
        self.mishaps.checked_sub(1).map(|mishaps| Self { mishaps, ..self.clone() })
    }

    /// Once this outcome is committed.
    fn then(mut self, outcome: &Outcome) -> Self {
        self.progress = self.progress.advance(outcome, self.is_canceled).progress;
        self
    }

    fn purchase(&mut self) -> &mut Purchase {
        let id = self.progress.purchase.map_or(0, |id| id.as_u128());
        self.purchases.get_mut(&id).unwrap_or_else(|| panic!("no purchase"))
    }

    /// All that may come next.
    fn nexts(&self) -> Vec<Self> {
        let mut nexts = Vec::new();
        for (id, purchase) in &self.purchases {
            if purchase.is_late {
                let mut landed = self.clone();
                landed
                    .purchases
                    .insert(*id, Purchase { landed: purchase.landed + 1, is_late: false, ..*purchase });
                nexts.push(landed);
            }
        }
        if self.progress.rests() {
            return nexts;
        }
        if !self.is_canceled {
            nexts.extend(self.mishap().map(|world| Self { is_canceled: true, ..world }));
        }
        match self.progress.stage {
            Stage::Choose => self.choose(&mut nexts),
            Stage::Buy => self.buy(&mut nexts),
            Stage::Look => self.look(&mut nexts),
            _ => self.perform(&mut nexts),
        }
        nexts
    }

    fn choose(&self, nexts: &mut Vec<Self>) {
        if self.progress.strategy >= self.strategies {
            nexts.push(self.clone().then(&Outcome::Exhausted));
            return;
        }
        let mut recorded = self.clone();
        let id = self.purchases.len() as u128 + 1;
        recorded.purchases.insert(id, Purchase { row: Row::Recorded, landed: 0, is_late: false });
        nexts.push(recorded.then(&Outcome::Recorded(Uuid::from_u128(id))));
        nexts.push(self.clone().then(&Outcome::Nothing));
        nexts.push(self.clone().then(&Outcome::Person));
        let mut reserved = self.clone();
        reserved.held += 1;
        nexts.push(reserved.then(&Outcome::Reserved));
        self.faults(nexts);
    }

    /// First the job is marked as looking, then it is sent.
    fn buy(&self, nexts: &mut Vec<Self>) {
        let mut marked = self.clone();
        marked.purchase().row = Row::Sent;
        let crashed = |world: &Self| {
            let look = Progress { stage: Stage::Look, tries: 0, ..self.progress.clone() };
            world.mishap().map(|world| Self { progress: look, ..world })
        };
        nexts.extend(crashed(&marked));
        for (landed, is_late) in [(0, false), (1, false), (2, false), (0, true), (1, true)] {
            let mut sent = marked.clone();
            *sent.purchase() = Purchase { row: Row::Sent, landed, is_late };
            nexts.extend(crashed(&sent));
            // The answer was lost.
            nexts.extend(sent.mishap().map(|world| world.then(&Outcome::Fault(Fault::unclear("")))));
            if landed > 0 {
                nexts.push(sent.clone().owned(&Outcome::Done));
                nexts.push(sent.owned(&Outcome::Pending));
            }
        }
        for (fault, row) in [
            (Fault::elsewhere("", ""), Row::Refused),
            (Fault::stop("", ""), Row::Refused),
            (Fault::retry(""), Row::Recorded),
        ] {
            let mut refused = marked.clone();
            refused.purchase().row = row;
            nexts.push(refused.then(&Outcome::Fault(fault)));
        }
    }

    fn look(&self, nexts: &mut Vec<Self>) {
        let mut found = self.clone();
        if found.purchase().landed > 0 {
            nexts.extend(self.mishap());
            nexts.push(found.clone().owned(&Outcome::Done));
            nexts.push(found.owned(&Outcome::Pending));
        } else {
            let before = self.progress.purchase;
            let mut absent = self.clone().then(&Outcome::Absent);
            if absent.progress.purchase.is_none()
                && let Some(id) = before
                && let Some(purchase) = absent.purchases.get_mut(&id.as_u128())
            {
                purchase.row = Row::Lost;
            }
            nexts.push(absent);
        }
        self.faults(nexts);
    }

    /// A purchase that is there is taken in.
    fn owned(mut self, outcome: &Outcome) -> Self {
        self.purchase().row = Row::Owned;
        self.held += 1;
        self.then(outcome)
    }

    /// Any other stage: done, done with nobody to tell, or not done.
    fn perform(&self, nexts: &mut Vec<Self>) {
        let mut done = self.clone();
        match self.progress.stage {
            // Agents are looked for by their name before they are made.
            Stage::MakeAgent => done.agents = 1,
            Stage::UnmakeAgent => done.agents = 0,
            Stage::Link => done.is_linked = true,
            Stage::Unlink => done.is_linked = false,
            Stage::PutBack | Stage::GiveBack => done.held = done.held.saturating_sub(1),
            Stage::Wait => nexts.push(self.clone().then(&Outcome::Pending)),
            _ => {}
        }
        // What is changed here is changed by the commit; what is changed there, at once.
        let crashed = Self { held: self.held, ..done.clone() };
        nexts.extend(crashed.mishap());
        nexts.push(done.then(&Outcome::Done));
        self.faults(nexts);
    }

    fn faults(&self, nexts: &mut Vec<Self>) {
        let faults = [
            Fault::retry(""),
            Fault::unclear(""),
            Fault::elsewhere("", ""),
            Fault::gone(""),
            Fault::stop("", ""),
        ];
        for fault in faults {
            nexts.extend(self.mishap().map(|world| world.then(&Outcome::Fault(fault))));
        }
    }

    /// What holds at every moment.
    fn check(&self) {
        assert!(self.held <= 1, "two numbers are held: {self:?}");
        assert_eq!(self.held == 1, self.progress.has_number, "the job doesn't know what it holds: {self:?}");
        for purchase in self.purchases.values() {
            let came = purchase.landed > 0 || purchase.is_late;
            let is_findable = matches!(purchase.row, Row::Sent | Row::Owned | Row::Lost);
            assert!(!came || is_findable, "what was bought isn't known here: {self:?}");
        }
        if !self.progress.rests() {
            return;
        }
        let in_doubt = self.purchases.values().filter(|purchase| purchase.row == Row::Sent).count();
        match self.progress.state {
            State::Done => {
                assert_eq!(self.held, 1, "done without a number: {self:?}");
                assert_eq!(in_doubt, 0, "done with a purchase in doubt: {self:?}");
            }
            State::Canceled | State::Failed => {
                assert_eq!((self.held, in_doubt), (0, 0), "ended with something left: {self:?}");
                assert!(!self.is_linked && self.agents == 0, "ended with something left: {self:?}");
            }
            // A person goes on where it is: what is in doubt stays looked for.
            State::Manual => {
                assert!(in_doubt == 0 || self.progress.stage == Stage::Look, "nobody looks: {self:?}");
            }
            State::Running | State::Confirming => {}
        }
    }
}

/// Walks everything that may follow from `begin`; tells how many different states there are.
fn walk(begin: World) -> usize {
    let mut after: HashMap<World, Vec<usize>> = HashMap::new();
    let mut numbered: HashMap<World, usize> = HashMap::new();
    let mut queue = VecDeque::from([begin.clone()]);
    numbered.insert(begin, 0);
    let mut rests = Vec::new();
    while let Some(world) = queue.pop_front() {
        world.check();
        if world.progress.rests() {
            rests.push(numbered[&world]);
        }
        let nexts: Vec<usize> = world
            .nexts()
            .into_iter()
            .map(|next| {
                let count = numbered.len();
                *numbered.entry(next.clone()).or_insert_with(|| {
                    queue.push_back(next);
                    count
                })
            })
            .collect();
        after.insert(world, nexts);
    }
    // Backwards from where jobs rest: everything is on a way there.
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); numbered.len()];
    for (world, nexts) in &after {
        nexts.iter().for_each(|next| before[*next].push(numbered[world]));
    }
    let mut leads = vec![false; numbered.len()];
    while let Some(at) = rests.pop() {
        if !std::mem::replace(&mut leads[at], true) {
            rests.extend(&before[at]);
        }
    }
    assert!(leads.iter().all(|leads| *leads), "some job never rests");
    numbered.len()
}

#[test]
fn whatever_happens_one_number_is_kept_and_none_is_forgotten() {
    let states = walk(World::new(Course::Number, 2, 1)) + walk(World::new(Course::Number, 1, 2));
    assert!(states > 100_000, "only {states} states were walked");
}

#[test]
fn the_pool_is_filled_by_the_same_rules() {
    let states = walk(World::new(Course::Refill, 1, 2));
    assert!(states > 1_000, "only {states} states were walked");
}

/// Whatever happens: such a job is done, rests with a person or is called off, and undoes nothing.
#[test]
fn what_is_in_use_is_left_as_it_is_by_a_job_that_fails() {
    let undoing = [Stage::Unlink, Stage::PutBack, Stage::GiveBack, Stage::UnmakeAgent];
    for course in [Course::Configure, Course::Relink, Course::Update, Course::Subaccount] {
        let outcomes = [
            Outcome::Done,
            Outcome::Fault(Fault::retry("")),
            Outcome::Fault(Fault::unclear("")),
            Outcome::Fault(Fault::elsewhere("", "")),
            Outcome::Fault(Fault::gone("")),
            Outcome::Fault(Fault::stop("", "")),
        ];
        let (mut queue, mut known) = (vec![Progress::begin(course, false)], Vec::new());
        while let Some(progress) = queue.pop() {
            assert!(!undoing.contains(&progress.stage), "{progress:?}");
            let nexts = outcomes.iter().flat_map(|outcome| {
                [false, true].map(|is_canceled| progress.advance(outcome, is_canceled).progress)
            });
            let nexts: Vec<Progress> = if progress.rests() { Vec::new() } else { nexts.collect() };
            queue.extend(nexts.into_iter().filter(|next| !known.contains(next)));
            known.push(progress);
        }
        for state in [State::Done, State::Manual, State::Canceled] {
            assert!(known.iter().any(|progress| progress.state == state), "{course:?} never is {state:?}");
        }
    }
}
