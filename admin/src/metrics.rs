//! Every metric of the admin plane. The documentation of each is its help text.

use std::time::Duration;

use dialplane_common::provider::PROVIDERS;
use dialplane_common::rest::Fault;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::calls::storing::Stored;
use crate::calls::stream::Lag;
use crate::provisioning::reconcile::finding::Kind;
use crate::store::audit::Backlog;
use crate::store::holdings::FreeNumbers;
use uuid::Uuid;

/// From a fraction of a millisecond, which a read from a warm Postgres takes, to the request's own limit.
const DURATION_BUCKETS_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 40.0];

/// From what a provider takes that is near, to how long a purchase is waited for.
const PROVIDER_BUCKETS_S: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0];

/// All metrics of one process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    is_publishing: IntGauge,
    published_revision: IntGauge,
    checkpoint_revision: IntGauge,
    backlog: IntGauge,
    published_deltas: IntCounter,
    publish_failures: IntCounterVec,
    epochs: IntCounterVec,
    refused: IntCounterVec,
    oidc_fetches: IntCounterVec,
    findings: IntGaugeVec,
    reconciled_at: Gauge,
    live_routers: IntGauge,
    is_sealing: IntGauge,
    audit_unsealed: IntGauge,
    audit_lag: Gauge,
    audit_sealed: IntCounter,
    events_unsent: IntCounter,
    event_streams: IntGauge,
    events_stored: IntCounterVec,
    event_batches: IntCounterVec,
    events_transaction: Histogram,
    events_waiting: IntGauge,
    events_lag: Gauge,
    calls_under_way: IntGauge,
    calls_under_way_by_tenant: IntGaugeVec,
    provider_requests: IntCounterVec,
    provider_request: HistogramVec,
    provider_waits: IntCounterVec,
    provisioning_steps: IntCounterVec,
    provisioning_jobs: IntGaugeVec,
    provisioning_spent: Gauge,
    provisioning_spend_limit: Gauge,
    free_numbers: IntGaugeVec,
    free_numbers_limit: IntGaugeVec,
    database_connections: IntGauge,
    database_connections_idle: IntGauge,
}

/// How provisioning stands.
pub struct ProvisioningGauges<'a> {
    /// How many jobs there are in each state that isn't an end.
    pub jobs: &'a [(String, i64)],
    /// The free numbers of the accounts that have, or could have, any.
    pub free: &'a [FreeNumbers],
    /// How many of them an account may have.
    pub free_limit: i64,
    /// What was spent this month.
    pub spent: f64,
    /// What may be.
    pub spend_limit: f64,
}

/// What the publisher failed at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublishFailure {
    /// Postgres was away or refused.
    Postgres,
    /// Redis was away or refused.
    Redis,
}

impl PublishFailure {
    const ALL: [Self; 2] = [Self::Postgres, Self::Redis];

    const fn label(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

/// The provider whose operation it is: `twilio` of `twilio.numbers.buy`.
fn provider(operation: &str) -> &str {
    operation.split_once('.').map_or(operation, |(provider, _)| provider)
}

const fn fetch_label(is_good: bool) -> &'static str {
    if is_good { "ok" } else { "failed" }
}

/// Why somebody wasn't let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// A key or a token that isn't good.
    Unauthorized,
    /// Too many of those from one address.
    Address,
    /// A principal asks too often.
    Principal,
}

impl Refused {
    const ALL: [Self; 3] = [Self::Unauthorized, Self::Address, Self::Principal];

    const fn label(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Address => "address_limited",
            Self::Principal => "principal_limited",
        }
    }
}

impl Metrics {
    /// Registers all metrics, each series that is known at zero.
    ///
    /// # Errors
    /// When a name is given twice or is none: a mistake of this file, which any start shows.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("dialplane_admin".into()), None)?;
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let amount = |name: &str, help: &str| -> prometheus::Result<Gauge> {
            let amount = Gauge::new(name, help)?;
            registry.register(Box::new(amount.clone()))?;
            Ok(amount)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntGaugeVec> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let request_duration = HistogramVec::new(
            HistogramOpts::new(
                "http_request_duration_seconds",
                "Time from a request's head to its answer's.",
            )
            .buckets(DURATION_BUCKETS_S.to_vec()),
            &["method", "route"],
        )?;
        registry.register(Box::new(request_duration.clone()))?;
        let provider_request = HistogramVec::new(
            HistogramOpts::new(
                "provider_request_seconds",
                "Time from a request's first byte to a provider's REST API to its answer's last, or to its timeout.",
            )
            .buckets(PROVIDER_BUCKETS_S.to_vec()),
            &["provider"],
        )?;
        registry.register(Box::new(provider_request.clone()))?;
        let events_transaction = Histogram::with_opts(
            HistogramOpts::new(
                "call_events_transaction_seconds",
                "Time that a transaction took which stores events of calls, with its repetitions where others were in its way.",
            )
            .buckets(DURATION_BUCKETS_S.to_vec()),
        )?;
        registry.register(Box::new(events_transaction.clone()))?;
        let findings = IntGaugeVec::new(
            Opts::new(
                "reconciliation_findings",
                "What the last reconciliation over all accounts found, by kind, whichever process made it.",
            ),
            &["kind"],
        )?;
        registry.register(Box::new(findings.clone()))?;
        let reconciled_at = Gauge::new(
            "reconciliation_timestamp_seconds",
            "When the last reconciliation over all accounts ended, in seconds since 1970; 0: there was none.",
        )?;
        registry.register(Box::new(reconciled_at.clone()))?;
        let metrics = Self {
            requests: counters("http_requests_total", "Requests answered.", &["method", "route", "status"])?,
            request_duration,
            is_publishing: gauge(
                "publisher_is_publishing",
                "1 in the one process that publishes the feed, else 0.",
            )?,
            published_revision: gauge(
                "publisher_published_revision",
                "Newest revision in Redis, where this process publishes.",
            )?,
            checkpoint_revision: gauge(
                "publisher_checkpoint_revision",
                "Revision of the newest complete checkpoint in Redis, where this process publishes.",
            )?,
            backlog: gauge(
                "publisher_backlog_revisions",
                "Revisions committed and not yet in Redis, where this process publishes.",
            )?,
            published_deltas: counter("published_deltas_total", "Deltas appended to the stream in Redis.")?,
            publish_failures: counters(
                "publisher_failures_total",
                "Rounds of the publisher that failed, by what they failed at.",
                &["at"],
            )?,
            epochs: counters(
                "publisher_epochs_total",
                "New epochs of the feed, by what made one necessary.",
                &["reason"],
            )?,
            refused: counters(
                "refused_total",
                "Requests that weren't let in: a key or token that isn't good, too many of those from one address, or a \
                 principal that asks too often.",
                &["why"],
            )?,
            oidc_fetches: counters(
                "oidc_fetches_total",
                "Fetches of the OIDC issuer's keys in the background.",
                &["outcome"],
            )?,
            findings,
            reconciled_at,
            live_routers: gauge("live_routers", "Routers that have reported lately.")?,
            is_sealing: gauge("audit_is_sealing", "1 in the one process that seals the audit log, else 0.")?,
            audit_unsealed: gauge(
                "audit_unsealed_entries",
                "Entries of the audit log that aren't sealed yet, where this process seals.",
            )?,
            audit_lag: amount(
                "audit_seal_lag_seconds",
                "Since the oldest change that isn't sealed yet began, where this process seals; 0 when all is.",
            )?,
            audit_sealed: counter("audit_sealed_entries_total", "Entries of the audit log sealed.")?,
            events_unsent: counter(
                "events_unsent_total",
                "Events not published in Redis, as it was away or too slow; they are over REST.",
            )?,
            event_streams: gauge("event_streams", "Streams of events that are open.")?,
            events_stored: counters(
                "call_events_total",
                "Events of calls stored, by what they tell; unreadable: passed over, as this version can't read them.",
                &["kind"],
            )?,
            event_batches: counters(
                "call_event_batches_total",
                "Batches of events of calls: stored, repeated (stored before), dead (put aside, as they can't be read or \
                 stored).",
                &["outcome"],
            )?,
            events_transaction,
            events_waiting: gauge(
                "call_events_waiting_entries",
                "Entries of the stream of events that aren't stored yet, told by the process that publishes.",
            )?,
            events_lag: amount(
                "call_events_lag_seconds",
                "The age of the oldest of them; 0 when all is stored.",
            )?,
            calls_under_way: gauge(
                "calls_under_way",
                "Calls under way, told by the process that publishes.",
            )?,
            calls_under_way_by_tenant: gauges(
                "calls_under_way_by_tenant",
                "Calls under way of the ten tenants that have the most.",
                &["tenant"],
            )?,
            provider_requests: counters(
                "provider_requests_total",
                "Requests sent to providers' REST APIs, each repetition included, by what they do and what came of them.",
                &["provider", "operation", "outcome"],
            )?,
            provider_request,
            provider_waits: counters(
                "provider_waits_total",
                "Requests that waited as the provider takes only so many of an account, or asked for a pause.",
                &["provider"],
            )?,
            provisioning_steps: counters(
                "provisioning_steps_total",
                "Steps of provisioning jobs, by what was done and what came of it.",
                &["stage", "outcome"],
            )?,
            provisioning_jobs: gauges(
                "provisioning_jobs",
                "Provisioning jobs that aren't over, by state, told by the process that publishes.",
                &["state"],
            )?,
            provisioning_spent: amount(
                "provisioning_spent",
                "Spent on numbers in this calendar month (UTC), in PROVISIONING_CURRENCY, told by the process that \
                 publishes.",
            )?,
            provisioning_spend_limit: amount(
                "provisioning_spend_limit",
                "What may be spent on numbers in a calendar month, told by the process that publishes.",
            )?,
            free_numbers: gauges(
                "free_numbers",
                "Free numbers of an account of the platform's, told by the process that publishes.",
                &["account"],
            )?,
            free_numbers_limit: gauges(
                "free_numbers_limit",
                "How many free numbers the account may have, told by the process that publishes.",
                &["account"],
            )?,
            database_connections: gauge("database_connections", "Connections of the pool.")?,
            database_connections_idle: gauge(
                "database_connections_idle",
                "Connections of the pool that nobody uses.",
            )?,
            registry,
        };
        for failure in PublishFailure::ALL {
            metrics.publish_failures.with_label_values(&[failure.label()]);
        }
        for kind in ["offered", "continued", "reported", "message", "refused", "unreadable"] {
            metrics.events_stored.with_label_values(&[kind]);
        }
        for outcome in ["stored", "repeated", "dead"] {
            metrics.event_batches.with_label_values(&[outcome]);
        }
        for why in Refused::ALL {
            metrics.refused.with_label_values(&[why.label()]);
        }
        for is_good in [true, false] {
            metrics.oidc_fetches.with_label_values(&[fetch_label(is_good)]);
        }
        for provider in PROVIDERS {
            if provider.numbers().is_some() || provider.agents().is_some() {
                metrics.provider_request.with_label_values(&[provider.name()]);
                metrics.provider_waits.with_label_values(&[provider.name()]);
            }
        }
        for kind in Kind::ALL {
            metrics.findings.with_label_values(&[kind.name()]);
        }
        for reason in crate::publisher::decide::EpochReason::ALL {
            metrics.epochs.with_label_values(&[reason.label()]);
        }
        Ok(metrics)
    }

    /// Counts a request. `route` is the path's pattern: never a path as sent, which would be a series each.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[method, route, status.to_string().as_str()]).inc();
        self.request_duration.with_label_values(&[method, route]).observe(took.as_secs_f64());
    }

    /// Whether this process publishes.
    pub fn publishing(&self, is_publishing: bool) {
        self.is_publishing.set(i64::from(is_publishing));
    }

    /// How far the publisher is.
    pub fn published(&self, revision: u64, checkpoint: u64, backlog: u64) {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.published_revision.set(signed(revision));
        self.checkpoint_revision.set(signed(checkpoint));
        self.backlog.set(signed(backlog));
    }

    /// Deltas were appended.
    pub fn appended(&self, deltas: u64) {
        self.published_deltas.inc_by(deltas);
    }

    /// A round of the publisher failed.
    pub fn publish_failed(&self, at: PublishFailure) {
        self.publish_failures.with_label_values(&[at.label()]).inc();
    }

    /// A new epoch began.
    pub fn epoch_drawn(&self, reason: crate::publisher::decide::EpochReason) {
        self.epochs.with_label_values(&[reason.label()]).inc();
    }

    /// Somebody wasn't let in.
    pub fn refused(&self, why: Refused) {
        self.refused.with_label_values(&[why.label()]).inc();
    }

    /// The issuer's keys were fetched, or couldn't be.
    pub fn oidc_fetched(&self, is_good: bool) {
        self.oidc_fetches.with_label_values(&[fetch_label(is_good)]).inc();
    }

    /// The last reconciliation found so many.
    pub fn found(&self, kind: Kind, findings: i64) {
        self.findings.with_label_values(&[kind.name()]).set(findings);
    }

    /// When the last reconciliation ended, in seconds since 1970.
    pub fn reconciled(&self, at_s: f64) {
        self.reconciled_at.set(at_s);
    }

    /// How many routers are live.
    pub fn routers(&self, live: usize) {
        self.live_routers.set(i64::try_from(live).unwrap_or(i64::MAX));
    }

    /// Whether this process seals the audit log.
    pub fn sealing(&self, is_sealing: bool) {
        self.is_sealing.set(i64::from(is_sealing));
        if !is_sealing {
            self.unsealed(Backlog::default());
        }
    }

    /// What isn't sealed yet.
    pub fn unsealed(&self, backlog: Backlog) {
        self.audit_unsealed.set(backlog.rows);
        self.audit_lag.set(backlog.oldest_s);
    }

    /// Entries were sealed.
    pub fn sealed(&self, entries: u64) {
        self.audit_sealed.inc_by(entries);
    }

    /// Events weren't published in Redis.
    pub fn events_unsent(&self, events: u64) {
        self.events_unsent.inc_by(events);
    }

    /// How many streams of events are open.
    pub fn event_streams(&self, open: usize) {
        self.event_streams.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Batches of events of calls were stored.
    pub fn events_stored(&self, stored: &Stored) {
        for (kind, events) in &stored.events {
            self.events_stored.with_label_values(&[kind]).inc_by(*events);
        }
        self.events_stored.with_label_values(&["unreadable"]).inc_by(stored.unreadable);
        self.event_batches.with_label_values(&["stored"]).inc_by(stored.batches);
        self.event_batches.with_label_values(&["repeated"]).inc_by(stored.repeats);
    }

    /// Batches of events of calls were put aside.
    pub fn events_dead(&self, batches: u64) {
        self.event_batches.with_label_values(&["dead"]).inc_by(batches);
    }

    /// A transaction that stored events took so long.
    pub fn events_transaction(&self, took: Duration) {
        self.events_transaction.observe(took.as_secs_f64());
    }

    /// How far behind storing events is; absent: another process tells.
    pub fn events_lag(&self, lag: Option<Lag>) {
        let lag = lag.unwrap_or_default();
        self.events_waiting.set(i64::try_from(lag.entries).unwrap_or(i64::MAX));
        self.events_lag.set(Duration::from_millis(lag.oldest_ms).as_secs_f64());
    }

    /// How many calls are under way, and of which tenants the most; absent: another process tells.
    pub fn calls_under_way(&self, calls: Option<(i64, &[(Uuid, i64)])>) {
        self.calls_under_way_by_tenant.reset();
        let (all, most) = calls.unwrap_or_default();
        self.calls_under_way.set(all);
        for (tenant, calls) in most {
            self.calls_under_way_by_tenant.with_label_values(&[&tenant.to_string()]).set(*calls);
        }
    }

    /// A request was sent to a provider; `operation` begins with the provider's name.
    pub fn provider_asked(&self, operation: &str, fault: Option<&Fault>) {
        let outcome = fault.map_or("done", Fault::label);
        self.provider_requests.with_label_values(&[provider(operation), operation, outcome]).inc();
    }

    /// So long a provider took to answer, or didn't.
    pub fn provider_took(&self, operation: &str, took: Duration) {
        self.provider_request.with_label_values(&[provider(operation)]).observe(took.as_secs_f64());
    }

    /// A request to a provider had to wait for its turn.
    pub fn provider_waited(&self, operation: &str) {
        self.provider_waits.with_label_values(&[provider(operation)]).inc();
    }

    /// A step of a provisioning job was committed.
    pub fn provisioning_step(&self, stage: &str, outcome: &str) {
        self.provisioning_steps.with_label_values(&[stage, outcome]).inc();
    }

    /// How provisioning stands; absent: another process tells.
    pub fn provisioning(&self, gauges: Option<&ProvisioningGauges<'_>>) {
        self.free_numbers.reset();
        self.free_numbers_limit.reset();
        self.provisioning_jobs.reset();
        self.provisioning_spent.set(gauges.map_or(0.0, |gauges| gauges.spent));
        self.provisioning_spend_limit.set(gauges.map_or(0.0, |gauges| gauges.spend_limit));
        let Some(gauges) = gauges else { return };
        for state in ["pending", "running", "confirming", "manual"] {
            let jobs = gauges.jobs.iter().find(|(name, _)| name == state).map_or(0, |(_, jobs)| *jobs);
            self.provisioning_jobs.with_label_values(&[state]).set(jobs);
        }
        for account in gauges.free {
            let id = account.account_id.to_string();
            self.free_numbers.with_label_values(&[&id]).set(account.total);
            self.free_numbers_limit.with_label_values(&[&id]).set(gauges.free_limit);
        }
    }

    /// All metrics as Prometheus's text; the pool's are read now.
    ///
    /// # Errors
    /// When a metric can't be written.
    pub fn text(&self, pool: &sqlx::PgPool) -> prometheus::Result<String> {
        self.database_connections.set(i64::from(pool.size()));
        self.database_connections_idle.set(i64::try_from(pool.num_idle()).unwrap_or(i64::MAX));
        let mut families = self.registry.gather();
        // The process's own, by their usual names.
        families.extend(prometheus::gather());
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
