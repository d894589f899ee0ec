//! Medians, and ratios in the same round.

use std::fmt::Write;

use super::{
    FULL_HANDSHAKES, KINDS, Kind, Options, PLAIN_CONNECTIONS, PLAIN_REQUESTS, RESUMED_HANDSHAKES,
    TLS_REQUESTS,
};
use crate::load::server::Run;
use crate::stats::median;

/// The runs of one kind of one server, one a round.
pub struct Series {
    server: &'static str,
    kind: Kind,
    runs: Vec<Run>,
}

/// Adds a run.
pub fn add(series: &mut Vec<Series>, server: &'static str, kind: Kind, run: Run) {
    match series.iter_mut().find(|series| series.server == server && series.kind == kind) {
        Some(series) => series.runs.push(run),
        None => series.push(Series { server, kind, runs: vec![run] }),
    }
}

fn of<'a>(series: &'a [Series], server: &str, kind: Kind) -> Option<&'a [Run]> {
    let found = series.iter().find(|series| series.server == server && series.kind == kind)?;
    Some(&found.runs)
}

/// The median of what two runs of the same round give.
fn paired(a: Option<&[Run]>, b: Option<&[Run]>, value: impl Fn(f64, f64) -> f64) -> Option<f64> {
    let values: Vec<_> = a?.iter().zip(b?).map(|(a, b)| value(a.cpu_us, b.cpu_us)).collect();
    Some(median(&values))
}

/// The result.
pub fn text(options: &Options, series: &[Series]) -> String {
    let mut out = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{line}");
    };
    line(format_args!(
        "\n{} connections at a time, {} numbers, medians of {} runs; ECDSA P-256, X25519, AES-128-GCM, TLS 1.3\n\n\
         | server | what | a second | CPU each | CPU to the router's |\n| --- | --- | --- | --- | --- |",
        options.connections, options.numbers, options.runs
    ));
    let mut servers: Vec<_> = series.iter().map(|series| series.server).collect();
    servers.sort_unstable();
    servers.dedup();
    for kind in KINDS {
        let own = of(series, "router", kind);
        for server in &servers {
            let Some(runs) = of(series, server, kind) else { continue };
            let rate = median(&runs.iter().map(|run| run.requests_per_s).collect::<Vec<_>>());
            let cpu = median(&runs.iter().map(|run| run.cpu_us).collect::<Vec<_>>());
            let ratio = paired(Some(runs), own, |other, own| other / own).unwrap_or_default();
            line(format_args!("| {server} | {} | {rate:.0} | {cpu:.2} us | {ratio:.3} |", kind.name));
        }
    }
    line(format_args!(
        "\n| server | TLS adds to a request | full handshake | resumed handshake |\n| --- | --- | --- | --- |"
    ));
    for server in &servers {
        let run = |kind| of(series, server, kind);
        let more = |kind, than| paired(run(kind), run(than), |more, less| more - less);
        let (Some(request), Some(full), Some(resumed)) = (
            more(TLS_REQUESTS, PLAIN_REQUESTS),
            more(FULL_HANDSHAKES, PLAIN_CONNECTIONS),
            more(RESUMED_HANDSHAKES, PLAIN_CONNECTIONS),
        ) else {
            continue;
        };
        line(format_args!("| {server} | {request:.2} us | {full:.1} us | {resumed:.1} us |"));
    }
    let with = of(series, "router", PLAIN_REQUESTS);
    let without = of(series, "router without TLS", PLAIN_REQUESTS);
    let ratio = paired(without, with, |without, with| without / with).unwrap_or_default();
    line(format_args!(
        "\nplain requests, CPU without the port for TLS to CPU with it: {ratio:.3} (wanted: 1)"
    ));
    out
}
