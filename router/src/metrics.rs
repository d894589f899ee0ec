//! Every metric of the router. Labels are small, fixed sets; every series starts at zero.

use dialplane_common::feed::frame::Kind as RecordKind;
use dialplane_common::provider::PROVIDERS;
use dialplane_common::time::UnixSeconds;
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::events::metrics::EventMetrics;
use crate::outbound::failure::Failure;
use crate::outcome::Outcome;
use crate::snapshot::Snapshot;

/// An answer takes microseconds; the upper buckets tell a machine in trouble from one that is busy.
const ANSWER_BUCKETS_S: [f64; 15] =
    [1e-6, 2e-6, 3e-6, 5e-6, 7e-6, 1e-5, 1.5e-5, 2e-5, 3e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 1e-1];

/// A worker's turn takes less than a millisecond, and timers are as coarse; requests are refused from
/// `ROUTER_LAG_MAX_MS` on.
const LAG_BUCKETS_S: [f64; 11] = [1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1.0, 10.0];

/// From commit to served takes a millisecond or two; with Redis away, as long as it is away.
const DELAY_BUCKETS_S: [f64; 14] =
    [5e-4, 1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 1e-1, 2.5e-1, 1.0, 10.0, 60.0];

/// A tenant's server answers within the pause that a caller bears, or at its time limit.
const TOOL_BUCKETS_S: [f64; 12] = [5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Why a connection isn't served.
#[derive(Clone, Copy, Debug)]
pub enum Refused {
    /// As many are open as may be.
    Full,
    /// As many are open from this address as may be.
    Peer,
    /// The system had no socket for it.
    System,
    /// More comes than can be answered in time.
    Overloaded,
}

/// How a TLS handshake ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handshake {
    /// With a certificate shown.
    Full,
    /// With a ticket of an earlier one.
    Resumed,
    /// What came wasn't TLS, or the two have nothing in common.
    Failed,
    /// It wasn't done in time.
    TooSlow,
}

impl Handshake {
    const ALL: [Self; 4] = [Self::Full, Self::Resumed, Self::Failed, Self::TooSlow];

    const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Failed => "failed",
            Self::TooSlow => "too_slow",
        }
    }
}

/// The metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    kinds: Vec<Vec<KindMetrics>>,
    /// Requests to paths that name nothing.
    pub paths_unknown: IntCounter,
    /// Webhooks answered though unproven.
    pub signatures_unproven: IntCounterVec,
    /// Status callbacks.
    pub call_statuses: IntCounterVec,
    /// Tool calls.
    pub tool_calls: IntCounterVec,
    /// Requests of the router's own API.
    pub api_requests: IntCounterVec,
    /// Requests that were read and wait for their turn.
    pub requests_waiting: IntGauge,
    /// Open connections.
    pub connections: IntGauge,
    connections_refused: IntCounterVec,
    /// What is noted of calls.
    pub events: EventMetrics,
    /// TLS.
    pub tls: TlsMetrics,
    /// How long what is ready waits for a worker's turn.
    pub lag: Histogram,
    revision: IntGauge,
    records: IntGaugeVec,
    records_unreadable: IntGauge,
    /// Whether Redis answers.
    pub redis_connected: IntGauge,
    /// Deltas applied.
    pub deltas_applied: IntCounter,
    /// Commit to served.
    pub delta_delay: Histogram,
    /// Checkpoints loaded, by reason.
    pub reloads: IntCounterVec,
    /// Digests that differed.
    pub digest_mismatches: IntCounter,
    /// Whether the digest differs again after a reload.
    pub digest_alarm: IntGauge,
    /// Messages that weren't signed.
    pub messages_rejected: IntCounter,
    /// Calls that are known.
    pub live_calls: IntGauge,
    /// Calls that a comparison with Redis put right.
    pub live_healed: IntCounter,
    /// Snapshot files written.
    pub file_writes: IntCounterVec,
    /// The revision of the last file.
    pub file_revision: IntGauge,
    /// When the last file was written.
    pub file_written: Gauge,
}

/// The metrics of one kind of webhook, found without hashing a label.
#[derive(Debug)]
pub struct KindMetrics {
    outcomes: Vec<IntCounter>,
    /// Time to answer.
    pub duration: Histogram,
}

impl KindMetrics {
    /// Counts a webhook that ended.
    pub fn ended(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].inc();
    }
}

/// The metrics of the requests that this program makes.
#[derive(Clone, Debug)]
pub struct OutboundMetrics {
    tool_forwards: IntCounterVec,
    /// Time that tenants' servers took.
    pub tool_forward_duration: Histogram,
    /// Commands to providers' APIs.
    pub commands: IntCounterVec,
}

impl OutboundMetrics {
    /// Makes all.
    ///
    /// # Errors
    /// When a name or label is none: a mistake of this file.
    pub fn new() -> prometheus::Result<Self> {
        let counters =
            |name: &str, help: &str| IntCounterVec::new(Opts::new(prefixed(name), help), &["outcome"]);
        let durations = HistogramOpts::new(
            prefixed("tool_forward_duration_seconds"),
            "Time from a tool call to what its tenant's server made of it.",
        );
        let metrics = Self {
            tool_forwards: counters(
                "tool_forwards_total",
                "Tool calls for tenants' servers: ok, tool_error (the server's own words for why not), or why there was \
                 no answer.",
            )?,
            tool_forward_duration: Histogram::with_opts(durations.buckets(TOOL_BUCKETS_S.to_vec()))?,
            commands: counters(
                "commands_total",
                "Commands to providers' APIs: sent, dropped (too many waited), or why the last try failed.",
            )?,
        };
        for failure in Failure::ALL.map(Failure::label) {
            metrics.tool_forwards.with_label_values(&[failure]);
            metrics.commands.with_label_values(&[failure]);
        }
        for outcome in ["ok", "tool_error"] {
            metrics.tool_forwards.with_label_values(&[outcome]);
        }
        for outcome in ["sent", "dropped"] {
            metrics.commands.with_label_values(&[outcome]);
        }
        Ok(metrics)
    }

    /// Counts a tool call that ended.
    pub fn tool_forwarded(&self, outcome: &str) {
        self.tool_forwards.with_label_values(&[outcome]).inc();
    }
}

/// The metrics of TLS.
#[derive(Clone, Debug)]
pub struct TlsMetrics {
    handshakes: Vec<IntCounter>,
    loads: IntCounterVec,
    not_after: IntGaugeVec,
}

impl TlsMetrics {
    fn new(register: &Register<'_>) -> prometheus::Result<Self> {
        let handshakes = register.counters(
            "tls_handshakes_total",
            "TLS handshakes, by how they ended: full, resumed (with a ticket), failed, too_slow.",
            &["result"],
        )?;
        let loads = register.counters(
            "tls_certificate_loads_total",
            "Changes of the certificates' files: ok, or error where one can't be used and the one before is kept.",
            &["result"],
        )?;
        for result in ["ok", "error"] {
            loads.with_label_values(&[result]);
        }
        let not_after = register.gauges(
            "tls_certificate_not_after_seconds",
            "Until when a certificate holds, by its file's name, in seconds since 1970.",
            &["name"],
        )?;
        let of = |ended: Handshake| handshakes.with_label_values(&[ended.label()]);
        Ok(Self { handshakes: Handshake::ALL.map(of).to_vec(), loads, not_after })
    }

    /// Counts a handshake.
    pub fn handshake(&self, ended: Handshake) {
        self.handshakes[ended as usize].inc();
    }

    /// Counts a change of files.
    pub fn loaded(&self, ok: bool) {
        self.loads.with_label_values(&[if ok { "ok" } else { "error" }]).inc();
    }

    /// Notes a certificate that is shown from now on.
    pub fn shown(&self, name: &str, not_after: UnixSeconds) {
        self.not_after.with_label_values(&[name]).set(not_after.0);
    }

    /// Forgets a certificate that is shown no more.
    pub fn forget(&self, name: &str) {
        // An error says that it wasn't known.
        let _ = self.not_after.remove_label_values(&[name]);
    }
}

impl Metrics {
    /// Makes and registers all, and registers those of the requests that this program makes.
    ///
    /// # Errors
    /// When two have the same name: a mistake of this file.
    pub fn new(outbound: Option<&OutboundMetrics>) -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let register = Register(&registry);
        if let Some(outbound) = outbound {
            register.add(outbound.tool_forwards.clone())?;
            register.add(outbound.tool_forward_duration.clone())?;
            register.add(outbound.commands.clone())?;
        }
        let answered = register.counters(
            "webhooks_total",
            "Webhooks, by provider, kind and how they ended.",
            &["provider", "kind", "outcome"],
        )?;
        let buckets = ANSWER_BUCKETS_S.to_vec();
        let durations = HistogramOpts::new(
            "dialplane_router_answer_duration_seconds",
            "Time from a webhook's whole body to its rendered answer.",
        );
        let durations =
            register.add(HistogramVec::new(durations.buckets(buckets), &["provider", "kind"])?)?;
        let kinds = PROVIDERS.iter().map(|provider| {
            let kinds = provider.kinds().iter().map(|kind| KindMetrics {
                outcomes: Outcome::ALL
                    .iter()
                    .map(|outcome| answered.with_label_values(&[provider.name(), kind.name, outcome.label()]))
                    .collect(),
                duration: durations.with_label_values(&[provider.name(), kind.name]),
            });
            kinds.collect()
        });
        let connections_refused = register.counters(
            "connections_refused_total",
            "Connections closed at once: as many open as may be (full), as many from one address (peer), no socket \
             left (system), more than can be answered in time (overloaded).",
            &["reason"],
        )?;
        let reloads = register.counters(
            "checkpoint_loads_total",
            "Whole states loaded from Redis, by reason: start, epoch, gap, digest.",
            &["reason"],
        )?;
        let delay = HistogramOpts::new(
            "dialplane_router_delta_delay_seconds",
            "Time from a change's commit, by the admin machine's clock, to its being served.",
        );
        let lag = HistogramOpts::new(
            "dialplane_router_lag_seconds",
            "How long what is ready waits for a worker's turn, looked at fifty times a second by each worker.",
        );
        let metrics = Self {
            kinds: kinds.collect(),
            paths_unknown: register
                .counter("unknown_paths_total", "Requests to paths that name no webhook.")?,
            signatures_unproven: register.counters(
                "signatures_unproven_total",
                "Webhooks answered without a right signature, as their account's policy is observe.",
                &["reason"],
            )?,
            tool_calls: register.counters(
                "tool_calls_total",
                "Things that agents wanted done during calls, by who does them: built_in, forwarded (to the tenant's \
                 server), unknown (nobody).",
                &["by"],
            )?,
            api_requests: register.counters(
                "api_requests_total",
                "Requests of the router's own API, by resource (route, config) and status (2xx, 4xx, 5xx).",
                &["resource", "status"],
            )?,
            call_statuses: register.counters(
                "call_statuses_total",
                "Status callbacks, by provider and the call's status.",
                &["provider", "status"],
            )?,
            connections: register.gauge("connections", "Open webhook connections.")?,
            requests_waiting: register
                .gauge("requests_waiting", "Requests that were read and wait for their turn to be answered.")?,
            connections_refused,
            events: EventMetrics::new(&registry)?,
            tls: TlsMetrics::new(&register)?,
            lag: register.add(Histogram::with_opts(lag.buckets(LAG_BUCKETS_S.to_vec()))?)?,
            revision: register
                .gauge("snapshot_revision", "The revision that is served; 0 before the first.")?,
            records: register.gauges("snapshot_records", "Records that are served, by kind.", &["kind"])?,
            records_unreadable: register.gauge(
                "snapshot_unreadable_records",
                "Records that this program can't read; it serves their last good state.",
            )?,
            redis_connected: register.gauge("redis_connected", "1 while Redis answers, else 0.")?,
            deltas_applied: register.counter("deltas_applied_total", "Changes applied from the feed.")?,
            delta_delay: register.add(Histogram::with_opts(delay.buckets(DELAY_BUCKETS_S.to_vec()))?)?,
            reloads,
            digest_mismatches: register.counter(
                "digest_mismatches_total",
                "States whose records did not add up to what the feed says.",
            )?,
            digest_alarm: register.gauge(
                "digest_alarm",
                "1 while the state differs from the feed's even after a reload, else 0.",
            )?,
            messages_rejected: register.counter(
                "feed_messages_rejected_total",
                "Messages in Redis that aren't signed with one of the keys in FEED_KEY, or are malformed.",
            )?,
            live_calls: register.gauge(
                "live_calls",
                "Calls under way, at all routers, of tenants and numbers with a limit; those that ended lately included.",
            )?,
            live_healed: register.counter(
                "live_healed_total",
                "Calls under way whose beginning or end was found by a comparison with Redis: after a start or an outage, \
                 or where a message was lost.",
            )?,
            file_writes: register.counters(
                "snapshot_file_writes_total",
                "Snapshot files written, by result: ok, error.",
                &["result"],
            )?,
            file_revision: register.gauge("snapshot_file_revision", "The revision in the snapshot file.")?,
            file_written: register.add(Gauge::new(
                prefixed("snapshot_file_written_timestamp_seconds"),
                "When the snapshot file was written.",
            )?)?,
            registry,
        };
        metrics.start_at_zero();
        Ok(metrics)
    }

    fn start_at_zero(&self) {
        for refused in [Refused::Full, Refused::Peer, Refused::System, Refused::Overloaded] {
            self.connections_refused.with_label_values(&[label(refused)]);
        }
        for reason in ["start", "epoch", "gap", "digest"] {
            self.reloads.with_label_values(&[reason]);
        }
        for reason in ["missing", "mismatch", "unknown_key"] {
            self.signatures_unproven.with_label_values(&[reason]);
        }
        for result in ["ok", "error"] {
            self.file_writes.with_label_values(&[result]);
        }
        for kind in RecordKind::ALL {
            self.records.with_label_values(&[kind.label()]);
        }
    }

    /// The metrics of a provider's kind, by their places in [`PROVIDERS`] and the provider's list.
    #[must_use]
    pub fn of_kind(&self, provider: usize, kind: usize) -> &KindMetrics {
        &self.kinds[provider][kind]
    }

    /// Counts a connection that isn't served.
    pub fn refused(&self, reason: Refused) {
        self.connections_refused.with_label_values(&[label(reason)]).inc();
    }

    /// Notes what is served from now on.
    pub fn serving(&self, snapshot: &Snapshot) {
        self.revision.set(i64::try_from(snapshot.serving().revision.0).unwrap_or(i64::MAX));
        self.records_unreadable.set(i64::try_from(snapshot.unreadable_records()).unwrap_or(i64::MAX));
        for (kind, count) in snapshot.record_counts() {
            self.records.with_label_values(&[kind]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// All metrics in Prometheus's text format.
    ///
    /// # Errors
    /// When a metric can't be encoded: a mistake of this file.
    pub fn encode(&self) -> prometheus::Result<String> {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

const fn label(refused: Refused) -> &'static str {
    match refused {
        Refused::Full => "full",
        Refused::Peer => "peer",
        Refused::System => "system",
        Refused::Overloaded => "overloaded",
    }
}

pub(crate) fn prefixed(name: &str) -> String {
    format!("dialplane_router_{name}")
}

struct Register<'a>(&'a Registry);

impl Register<'_> {
    fn add<C: Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.add(IntCounter::new(prefixed(name), help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.add(IntCounterVec::new(Opts::new(prefixed(name), help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.add(IntGauge::new(prefixed(name), help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(Opts::new(prefixed(name), help), labels)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_there_from_the_start_at_its_own_place() {
        let metrics = Metrics::new(Some(&OutboundMetrics::new().unwrap())).unwrap();
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
        metrics.of_kind(0, 0).ended(Outcome::SignatureWrong);
        let text = metrics.encode().unwrap();
        let (provider, kind) = (PROVIDERS[0].name(), PROVIDERS[0].kinds()[0].name);
        let series = |outcome: &str, count: u64| {
            format!(
                "dialplane_router_webhooks_total{{kind=\"{kind}\",outcome=\"{outcome}\",provider=\"{provider}\"}} \
                 {count}\n"
            )
        };
        for outcome in Outcome::ALL {
            let count = u64::from(outcome == Outcome::SignatureWrong);
            assert!(text.contains(&series(outcome.label(), count)), "{}", outcome.label());
        }
        for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
            let name = line.split(' ').nth(2).unwrap();
            assert!(text.contains(&format!("# HELP {name} ")), "{name} has a help text");
        }
    }
}
