//! What is counted of events. Every series starts at zero.

use dialplane_common::calls::event::What;
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::queue::Counts;
use crate::metrics::prefixed;

/// What an event tells: a metric's label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A call came in and was routed.
    Offered,
    /// The next step of a chain was taken.
    Continued,
    /// What the provider tells of a call.
    Reported,
    /// A text message.
    Message,
    /// A call that wasn't routed.
    Refused,
}

impl Kind {
    /// All, each at its own place.
    pub const ALL: [Self; 5] = [Self::Offered, Self::Continued, Self::Reported, Self::Message, Self::Refused];

    /// What an event tells.
    #[must_use]
    pub const fn of(what: &What<'_>) -> Self {
        match what {
            What::Offered(_) => Self::Offered,
            What::Continued(_) => Self::Continued,
            What::Reported(_) => Self::Reported,
            What::Message => Self::Message,
            What::Refused(_) => Self::Refused,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Continued => "continued",
            Self::Reported => "reported",
            Self::Message => "message",
            Self::Refused => "refused",
        }
    }
}

/// Why events are lost: a metric's label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// A worker's buffer was full: the writer didn't come by in time.
    QueueFull,
    /// Longer than an event may be.
    TooLong,
    /// As much waits in memory as may, and there is no folder for more.
    MemoryFull,
    /// As much waits in memory and in files as may.
    FileFull,
    /// As much waits in memory as may, and no file can be written; or one couldn't be read back.
    FileError,
    /// The router ended with nowhere to put them.
    Stopped,
}

impl Dropped {
    const ALL: [Self; 6] =
        [Self::QueueFull, Self::TooLong, Self::MemoryFull, Self::FileFull, Self::FileError, Self::Stopped];

    /// The metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLong => "too_long",
            Self::MemoryFull => "memory_full",
            Self::FileFull => "file_full",
            Self::FileError => "file_error",
            Self::Stopped => "stopped",
        }
    }
}

/// What is counted of events.
#[derive(Debug)]
pub struct EventMetrics {
    events: Vec<IntCounter>,
    dropped: Vec<IntCounter>,
    sent: IntCounter,
    resent: IntCounter,
    memory_bytes: IntGauge,
    file_bytes: IntGauge,
    /// How long the oldest batch that isn't stored has been waiting, in seconds.
    pub unstored_age: Gauge,
    /// Whether the stream holds as much as it may.
    pub stream_full: IntGauge,
    /// Failures of Redis.
    pub redis_errors: IntCounter,
    /// Files whose end was cut off, or of which something can't be read.
    pub files_torn: IntCounter,
}

impl EventMetrics {
    /// Makes and registers all.
    ///
    /// # Errors
    /// When two have the same name: a mistake of this file.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(prefixed(name), help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(prefixed(name), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let events = counters("call_events_total", "What was noted of calls and text messages.", "kind")?;
        let dropped = counters(
            "call_events_dropped_total",
            "Events that are lost, by why: queue_full, too_long, memory_full, file_full, file_error, stopped.",
            "reason",
        )?;
        let batches =
            counters("call_event_batches_total", "Batches of events put in Redis: sent, resent.", "result")?;
        let bytes = IntGaugeVec::new(
            Opts::new(
                prefixed("call_event_bytes"),
                "Events that aren't stored yet, in bytes, by where they wait.",
            ),
            &["place"],
        )?;
        let age = Gauge::new(
            prefixed("call_events_unstored_age_seconds"),
            "How long the oldest batch that the admin plane hasn't stored has been waiting.",
        )?;
        let full = IntGauge::new(
            prefixed("call_events_stream_full"),
            "1 while the stream in Redis holds ROUTER_EVENTS_STREAM_MAX batches that nobody stored, else 0.",
        )?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(age.clone()))?;
        registry.register(Box::new(full.clone()))?;
        Ok(Self {
            events: Kind::ALL.iter().map(|kind| events.with_label_values(&[kind.label()])).collect(),
            dropped: Dropped::ALL.iter().map(|why| dropped.with_label_values(&[why.label()])).collect(),
            sent: batches.with_label_values(&["sent"]),
            resent: batches.with_label_values(&["resent"]),
            memory_bytes: bytes.with_label_values(&["memory"]),
            file_bytes: bytes.with_label_values(&["file"]),
            unstored_age: age,
            stream_full: full,
            redis_errors: counter("call_events_redis_errors_total", "Failures of Redis to take events.")?,
            files_torn: counter(
                "call_event_files_torn_total",
                "Files of events whose end was cut off, or of which something can't be read.",
            )?,
        })
    }

    /// Counts what workers offered.
    pub fn offered(&self, counts: &Counts) {
        for (counter, count) in self.events.iter().zip(counts.kinds) {
            counter.inc_by(count);
        }
        self.dropped(Dropped::QueueFull, counts.full);
        self.dropped(Dropped::TooLong, counts.too_long);
    }

    /// Counts events that are lost.
    pub fn dropped(&self, why: Dropped, events: u64) {
        self.dropped[why as usize].inc_by(events);
    }

    /// How many events were lost, for whatever reason.
    #[must_use]
    pub fn dropped_sum(&self) -> u64 {
        self.dropped.iter().map(IntCounter::get).sum()
    }

    /// Counts a batch that Redis has taken.
    pub fn sent(&self, again: bool) {
        if again { self.resent.inc() } else { self.sent.inc() }
    }

    /// Notes how much waits.
    pub fn waiting(&self, memory_bytes: usize, file_bytes: u64) {
        self.memory_bytes.set(i64::try_from(memory_bytes).unwrap_or(i64::MAX));
        self.file_bytes.set(i64::try_from(file_bytes).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_series_is_there_at_its_own_place() {
        let registry = Registry::new();
        let metrics = EventMetrics::new(&registry).unwrap();
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
        for (index, why) in Dropped::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, index);
            metrics.dropped(why, 1 << index);
            let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            let series = format!(
                "dialplane_router_call_events_dropped_total{{reason=\"{}\"}} {}\n",
                why.label(),
                1 << index
            );
            assert!(text.contains(&series), "{series}");
        }
        assert_eq!(metrics.dropped_sum(), (1 << Dropped::ALL.len()) - 1);
    }
}
