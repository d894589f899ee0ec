//! The admin plane's REST API beside PostGraphile on the same PostgreSQL, the same rows and the same role with row-level
//! security; and its writes that routers see beside pgbench with the same transaction and the same locked row.
//!
//! Both servers are given the same kept-open connections and give the same columns, and each number with its bindings.
//! Rounds are interleaved. The backends that serve a server count as its own and share its
//! core; the client has the other. Beside pgbench, PostgreSQL has a core, and whoever asks it the other.

mod pgbench;
mod postgraphile;
mod requests;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use self::requests::{CASES, Case};
use self::rows::Rows;
use crate::cores::{CLIENT, SERVER, keep_on};
use crate::load::server::{Run, Server, pin_client};
use crate::load::traffic::Traffic;
use crate::report::say;
use crate::stats::median;
use crate::system::{Admin, Database, Redis};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Tenants, each with a key and a connection of its own.
    #[arg(long, default_value_t = 16)]
    tenants: usize,
    /// Numbers of each tenant; a page has 50.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(50..=1000))]
    numbers: u16,
    /// Seconds of one run.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Runs of each, in turn. The median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only what holds this text beside PostGraphile: `page`, `write`.
    #[arg(long)]
    only: Option<String>,
    /// Only the writes that routers see.
    #[arg(long, conflicts_with = "only")]
    pgbench: bool,
}

/// Measures and prints.
///
/// # Errors
/// When a server doesn't start or answers anything else than wanted, or a write left no entry in the audit log.
pub fn run(options: &Options) -> Result<(), String> {
    pin_client();
    let (redis, database) = (Redis::start(), Database::create());
    let url = database.url_as("admin");
    let settings = [("DATABASE_URL", &*url), ("ADMIN_RATE_LIMIT", "0"), ("ADMIN_FAILURE_LIMIT", "0")];
    let Admin { process, address, .. } = Admin::start_with(&database, &redis, &settings);
    let rows = Rows::create(address, options.tenants, usize::from(options.numbers));
    let contest = Contest { options, database: &database, rows: &rows };
    let admin = Server::new(process, address, "");
    contest.head();
    if !options.pgbench {
        contest.beside_postgraphile(&admin)?;
    }
    if options.only.is_some() { Ok(()) } else { contest.beside_pgbench(&admin) }
}

struct Contest<'a> {
    options: &'a Options,
    database: &'a Database,
    rows: &'a Rows,
}

impl Contest<'_> {
    fn head(&self) {
        let Options { tenants, numbers, seconds, runs, .. } = self.options;
        let setting = |name: &str| format!("{name} {}", self.database.query(&format!("SHOW {name}")));
        say(&format!(
            "{tenants} tenants with {numbers} numbers each, {tenants} connections; medians of {runs} interleaved runs of \
             {seconds} s; PostgreSQL {}, {}, {}",
            self.database.query("SHOW server_version"),
            setting("fsync"),
            setting("synchronous_commit"),
        ));
    }

    fn traffic(&self, requests: Arc<[Vec<u8>]>) -> Traffic {
        let duration = Duration::from_secs(self.options.seconds);
        Traffic { requests, connections: self.options.tenants, duration }
    }

    fn beside_postgraphile(&self, admin: &Server) -> Result<(), String> {
        let other = postgraphile::start(&self.database.url_as("postgraphile"), self.rows)?;
        say(
            "\n| | admin plane | | PostgreSQL's part | PostGraphile | | PostgreSQL's part | ratio by rate | by CPU |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        );
        let only = self.options.only.as_deref().unwrap_or_default();
        for case in CASES.iter().filter(|case| case.what.contains(only)) {
            self.case(case, admin, &other)?;
        }
        Ok(())
    }

    fn case(&self, case: &Case, admin: &Server, other: &Server) -> Result<(), String> {
        let to_admin = self.traffic(case.to_admin(self.rows));
        let to_other = self.traffic(case.to_other(self.rows));
        // Opens connections, prepares statements.
        let warm_up = |traffic: &Traffic| Traffic { duration: Duration::from_secs(1), ..traffic.clone() };
        admin.measure_for(&warm_up(&to_admin), case.admin_expects)?;
        other.measure_for(&warm_up(&to_other), case.other_expects)?;
        let (own, others) =
            (Backends::of(self.database, "admin"), Backends::of(self.database, "postgraphile"));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.options.runs {
            ours.push(self.one(case, &own, || admin.measure_for(&to_admin, case.admin_expects))?);
            theirs.push(self.one(case, &others, || other.measure_for(&to_other, case.other_expects))?);
        }
        let of = |runs: &[Both], value: fn(&Both) -> f64| median(&runs.iter().map(value).collect::<Vec<_>>());
        let ratio = |value: fn(&Both, &Both) -> f64| {
            median(&ours.iter().zip(&theirs).map(|(own, other)| value(own, other)).collect::<Vec<_>>())
        };
        let columns = |runs: &[Both]| {
            let (rate, server) = (of(runs, |both| both.run.requests_per_s), of(runs, |both| both.run.cpu_us));
            format!("{rate:.0}/s | {server:.0} µs | {:.0} µs", of(runs, |both| both.postgres_us))
        };
        say(&format!(
            "| {} | {} | {} | {:.2} | {:.2} |",
            case.what,
            columns(&ours),
            columns(&theirs),
            ratio(|own, other| own.run.requests_per_s / other.run.requests_per_s),
            ratio(|own, other| {
                (other.run.cpu_us + other.postgres_us) / (own.run.cpu_us + own.postgres_us)
            }),
        ));
        Ok(())
    }

    /// One run, with its backends' part, and what it left in the audit log compared with what it was to leave.
    fn one(
        &self,
        case: &Case,
        backends: &Backends,
        measure: impl FnOnce() -> Result<Run, String>,
    ) -> Result<Both, String> {
        let (entries, before) = (self.audited(), backends.cpu_us()?);
        let run = measure()?;
        let postgres_us = (backends.cpu_us()? - before) / run.requests as f64;
        let written = self.audited() - entries;
        let wanted = if case.is_write { run.requests } else { 0 };
        if written != wanted {
            return Err(format!("{}: wanted {wanted} entries in the audit log, got {written}", case.what));
        }
        Ok(Both { run, postgres_us })
    }

    fn audited(&self) -> u64 {
        let count = "SET ROLE dialplane_operator; SELECT count(*) FROM audit_log";
        self.database.query(count).parse().unwrap_or_default()
    }

    fn beside_pgbench(&self, admin: &Server) -> Result<(), String> {
        let Options { tenants, seconds, runs, .. } = *self.options;
        let traffic = self.traffic(requests::changes_of_numbers(self.rows));
        admin.keep_on(CLIENT);
        let expected = "\"display_name\":\"Salon ";
        admin.measure_for(&Traffic { duration: Duration::from_secs(1), ..traffic.clone() }, expected)?;
        Backends::of(self.database, "admin").keep_on(SERVER);
        pgbench::prepare(self.database, self.rows);
        pgbench::run(self.database, tenants, 1)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            ours.push(admin.measure_for(&traffic, expected)?.requests_per_s);
            theirs.push(pgbench::run(self.database, tenants, seconds)?);
        }
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(own, other)| own / other).collect();
        say(&format!(
            "\n| writes that routers see | rate |\n| --- | ---: |\n| admin plane | {:.0}/s |\n| pgbench | {:.0}/s |\n\n\
             ratio {:.2} (wanted: 0.8)",
            median(&ours),
            median(&theirs),
            median(&ratios),
        ));
        Ok(())
    }
}

/// A run, with its backends' processor time a request.
struct Both {
    run: Run,
    postgres_us: f64,
}

/// The backends of one server's connections.
struct Backends(Vec<u32>);

impl Backends {
    /// Those that there are now, on the server's core.
    fn of(database: &Database, name: &str) -> Self {
        let backends = Self(database.backends(name));
        backends.keep_on(SERVER);
        backends
    }

    fn keep_on(&self, core: &str) {
        self.0.iter().for_each(|pid| keep_on(core, *pid));
    }

    fn cpu_us(&self) -> Result<f64, String> {
        crate::load::server::cpu_us(&self.0, "")
    }
}
