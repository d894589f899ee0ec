//! Log lines: a sentence and its fields, for people or for programs, on standard error.

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How to log.
pub struct LogSettings {
    /// For people or for programs.
    pub format: LogFormat,
    /// Which lines.
    pub filter: tracing_subscriber::EnvFilter,
}

/// Starts logging. A second call changes nothing.
pub fn start(settings: LogSettings) {
    let lines = tracing_subscriber::fmt().with_env_filter(settings.filter).with_writer(std::io::stderr);
    // Only tests start twice in one process, and there the first is as good.
    let _started = match settings.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
