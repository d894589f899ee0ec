//! HAProxy, as one process with one thread.

use std::process::Command;

use super::{Absent, Setup, free_port, listening, program};
use crate::load::server::Server;

/// The number by a map file.
pub fn map(setup: &Setup) -> Result<Server, Absent> {
    start(setup, "haproxy/map.cfg")
}

/// The signature before it, its text made in Lua.
pub fn lua(setup: &Setup) -> Result<Server, Absent> {
    setup.fill("haproxy/text.lua", 0)?;
    start(setup, "haproxy/lua.cfg")
}

fn start(setup: &Setup, configuration: &str) -> Result<Server, Absent> {
    let haproxy = program("haproxy", "apt-get install --no-install-recommends haproxy")?;
    let port = free_port();
    let file = setup.fill(configuration, port)?;
    let mut command = Command::new(haproxy);
    command.arg("-f").arg(file);
    listening(command, port)
}
