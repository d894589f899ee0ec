//! Which processor core a process runs on.

use std::process::Command;

/// The core of the server that is measured.
pub const SERVER: &str = "0";
/// The core of the client, and of all that isn't measured.
pub const CLIENT: &str = "1";
/// Both, for what is measured with several workers.
pub const BOTH: &str = "0,1";

/// Keeps a process and its threads on one core; what it starts later inherits that. Where it isn't allowed, runs are
/// only noisier.
pub fn keep_on(core: &str, pid: u32) {
    let _ = Command::new("taskset").args(["-a", "-c", "-p", core, &pid.to_string()]).output();
}
