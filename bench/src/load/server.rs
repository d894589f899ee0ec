//! A server under test: a command's process with all that it starts, on one core, at an address.

use std::fs;
use std::net::SocketAddr;

use super::client;
use super::traffic::Traffic;
use crate::cores::{CLIENT, SERVER, keep_on};
use crate::system::Process;

/// One server under test. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    process: Process,
    /// Where it is asked.
    pub address: SocketAddr,
    /// What each connection's first answer has to contain.
    expected: &'static str,
    /// Processes that work for it and that it didn't start: the backends of its database.
    helpers: Vec<u32>,
    /// Bytes that its numbers take elsewhere: their table in the database.
    elsewhere_bytes: u64,
}

/// One run of one server.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Answers a second.
    pub requests_per_s: f64,
    /// Processor time of the server a request, in microseconds.
    pub cpu_us: f64,
    /// The same of the router's workers alone; zero for other servers.
    pub workers_us: f64,
    /// Answers.
    pub requests: u64,
    /// How long all but a hundredth of them took at most, in microseconds; zero where that isn't measured.
    pub p99_us: f64,
}

impl Server {
    /// Puts a running process under test.
    #[must_use]
    pub fn new(process: Process, address: SocketAddr, expected: &'static str) -> Self {
        let server = Self { process, address, expected, helpers: Vec::new(), elsewhere_bytes: 0 };
        server.pin();
        server
    }

    /// Counts processes that work for it as its own, and what its numbers take there.
    #[must_use]
    pub fn with_helpers(mut self, helpers: Vec<u32>, elsewhere_bytes: u64) -> Self {
        (self.helpers, self.elsewhere_bytes) = (helpers, elsewhere_bytes);
        self.pin();
        self
    }

    fn pin(&self) {
        self.keep_on(SERVER);
    }

    /// Asks it for the time that the traffic says, and takes its processor time before and after.
    ///
    /// # Errors
    /// When it answers anything else than expected.
    pub fn measure(&self, traffic: &Traffic) -> Result<Run, String> {
        self.measure_for(traffic, self.expected)
    }

    /// The same, with something else expected of each connection's first answer.
    ///
    /// # Errors
    /// When it answers anything else than expected.
    pub fn measure_for(&self, traffic: &Traffic, expected: &'static str) -> Result<Run, String> {
        let times = || Ok::<_, String>((self.cpu_us()?, cpu_us(&self.processes(), "worker-")?));
        let before = times()?;
        let Traffic { requests, connections, duration } = traffic;
        let done = client::keep_busy(self.address, requests, expected, *connections, *duration)?;
        let after = times()?;
        let a_request = |us: f64| us / done.count as f64;
        Ok(Run {
            requests_per_s: done.count as f64 / done.seconds,
            cpu_us: a_request(after.0 - before.0),
            workers_us: a_request(after.1 - before.1),
            requests: done.count,
            p99_us: done.latencies_us.percentile(0.99) as f64,
        })
    }

    /// User and system time of all its processes, in microseconds.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn cpu_us(&self) -> Result<f64, String> {
        cpu_us(&self.processes(), "")
    }

    /// Puts its processes on another core.
    pub fn keep_on(&self, core: &str) {
        for pid in self.processes() {
            keep_on(core, pid);
        }
    }

    /// Memory of its own processes in bytes, what several share counted once, and what its numbers take elsewhere.
    /// Source: proc(5), `Pss`.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let of = |pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        tree(vec![self.process.id()]).into_iter().filter_map(of).sum::<u64>() * 1024 + self.elsewhere_bytes
    }

    fn processes(&self) -> Vec<u32> {
        let mut roots = vec![self.process.id()];
        roots.extend(&self.helpers);
        tree(roots)
    }
}

/// User and system time of those threads of processes whose names begin so, in microseconds. Source: proc(5), schedstat
/// counts nanoseconds per thread.
///
/// # Errors
/// When one of them has ended.
pub fn cpu_us(processes: &[u32], named: &str) -> Result<f64, String> {
    let failed = |error: std::io::Error| format!("read a process's CPU time: {error}");
    let mut total_ns = 0.0;
    for pid in processes {
        for task in fs::read_dir(format!("/proc/{pid}/task")).map_err(failed)? {
            let task = task.map_err(failed)?.path();
            if !fs::read_to_string(task.join("comm")).map_err(failed)?.starts_with(named) {
                continue;
            }
            let text = fs::read_to_string(task.join("schedstat")).map_err(failed)?;
            total_ns += text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default();
        }
    }
    Ok(total_ns / 1e3)
}

/// Processes with all that they started.
fn tree(mut found: Vec<u32>) -> Vec<u32> {
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children(*pid));
        next += 1;
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.flat_map(|task| of(task).split_whitespace().map(str::parse).collect::<Vec<_>>()).flatten().collect()
}

/// Keeps this process, which is the client, away from the server's core.
pub fn pin_client() {
    keep_on(CLIENT, std::process::id());
}
