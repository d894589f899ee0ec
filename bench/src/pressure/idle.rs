//! Connections that say nothing, or next to nothing: what each takes of memory, and all of others' time.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Options, arrivals, capacity};
use crate::load::client::Connection;
use crate::stats::{median, percentile};
use crate::system::Router;

/// The share of what the router can answer at which others' answers are timed.
const LOAD: f64 = 0.3;

/// Connections of the others.
const OTHERS: usize = 64;

/// How long it is waited between opening the silent connections and measuring.
const SETTLE: Duration = Duration::from_millis(500);

/// Measures others' times with and without such connections, in turn, and the router's memory with them.
///
/// # Errors
/// When connections can't be opened.
pub fn measure(options: &Options, router: &Router, requests: &Arc<[Vec<u8>]>) -> Result<String, String> {
    let duration = Duration::from_secs(options.seconds);
    let rate = LOAD * capacity(router.address, requests, duration / 2)?;
    let p99 = || -> Result<f64, String> {
        let outcome = arrivals::send(router.address, requests, OTHERS, rate, duration)?;
        Ok(percentile(&outcome.answered_ms, 0.99))
    };
    let (mut without, mut with, mut idle_bytes, mut slow_bytes) = (vec![], vec![], vec![], vec![]);
    for _ in 0..options.runs {
        without.push(p99()?);
        let before = rss_bytes(router.process.id())?;
        let idle = Silent::open(router.address, options.idle, 0, &requests[0])?;
        let with_idle = rss_bytes(router.process.id())?;
        let slow = Silent::open(router.address, 0, options.slow, &requests[0])?;
        let with_both = rss_bytes(router.process.id())?;
        idle_bytes.push((with_idle - before) / options.idle.max(1) as f64);
        slow_bytes.push((with_both - with_idle) / options.slow.max(1) as f64);
        with.push(p99()?);
        drop((idle, slow));
    }
    let mut text = String::new();
    let ratio = median(&with.iter().zip(&without).map(|(with, without)| with / without).collect::<Vec<_>>());
    let _ = writeln!(
        text,
        "\n{} connections that were answered once and say nothing, {} that send a byte a second; {} runs, medians:\n\
         memory a connection (first run): idle {:.1} KiB, slow {:.1} KiB; resident at the end {:.0} MiB\n\
         others' p99 at {rate:.0}/s: {:.2} ms without, {:.2} ms with them, ratio {ratio:.2}",
        options.idle,
        options.slow,
        options.runs,
        idle_bytes.first().copied().unwrap_or_default() / 1024.0,
        slow_bytes.first().copied().unwrap_or_default() / 1024.0,
        rss_bytes(router.process.id())? / f64::from(1 << 20),
        median(&without),
        median(&with),
    );
    Ok(text)
}

/// Connections held open by a thread's runtime; dropping it closes them.
struct Silent {
    _runtime: tokio::runtime::Runtime,
}

impl Silent {
    fn open(address: SocketAddr, idle: usize, slow: usize, request: &[u8]) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            for _ in 0..idle {
                let mut connection = Connection::open(address).await?;
                connection.ask(request).await?;
                tokio::spawn(async move {
                    let _held = connection;
                    std::future::pending::<()>().await;
                });
            }
            for _ in 0..slow {
                let stream =
                    TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
                tokio::spawn(trickle(stream, request.to_vec()));
            }
            tokio::time::sleep(SETTLE).await;
            Ok::<_, String>(())
        })?;
        Ok(Self { _runtime: runtime })
    }
}

/// Sends a byte a second.
async fn trickle(mut stream: TcpStream, request: Vec<u8>) {
    for byte in request {
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Memory that a process has in use. Source: proc(5).
fn rss_bytes(pid: u32) -> Result<f64, String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| "read a process's memory".to_owned())
}
