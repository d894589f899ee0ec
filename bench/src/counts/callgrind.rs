//! Instructions of a step, counted by valgrind's callgrind in a process of its own. Source: the manual of Valgrind,
//! chapter 6, "Callgrind".

use std::process::Command;

use super::RUNS;
use super::steps::Measure;
use crate::system::{TempDir, program};

/// Runs the one step of this name.
pub struct Executed<'a>(pub &'a str);

impl Measure for Executed<'_> {
    fn step(&mut self, name: &'static str, mut run: impl FnMut()) {
        if name != self.0 {
            return;
        }
        // What is done once, and by whoever comes first, isn't counted.
        (0..RUNS).for_each(|_| run());
        (0..RUNS).for_each(|_| counted_by_callgrind(&mut run));
    }
}

/// Callgrind counts within this function, which it knows by its name.
#[inline(never)]
fn counted_by_callgrind(run: &mut impl FnMut()) {
    run();
}

/// Whether there is a valgrind to count with.
pub fn is_installed() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Instructions of one run of a step, of `runs`.
///
/// # Errors
/// When the step fails under it.
pub fn instructions(step: &str, runs: u64) -> Result<f64, String> {
    let dir = TempDir::new();
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--toggle-collect=*counted_by_callgrind*"]);
    valgrind.arg(format!("--callgrind-out-file={}", dir.path("callgrind.out").display()));
    valgrind.arg(program("dialplane-bench")).args(["counts", "--step", step]);
    let output = valgrind.output();
    let output =
        output.map_err(|error| format!("run valgrind: {error}; install it, or: --only-allocations"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected =
        said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse::<f64>().ok());
    match collected {
        Some(total) if output.status.success() && total > 0.0 => Ok(total / runs as f64),
        _ => Err(format!("count the instructions of {step}: {said}")),
    }
}
