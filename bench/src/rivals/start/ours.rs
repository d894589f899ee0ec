//! The programs of this workspace.

use std::process::Command;

use super::{Absent, Setup, free_port, listening};
use crate::load;
use crate::load::server::Server;
use crate::system::program;

/// The router, from a snapshot file.
pub fn router(setup: &Setup) -> Result<Server, Absent> {
    let file = setup.dir.path("snapshot");
    load::write_snapshot(setup.numbers, &file).map_err(Absent::Broken)?;
    Ok(load::start_router(&program("dialplane-router"), &file))
}

/// The bare hyper server.
pub fn hyper(_: &Setup) -> Result<Server, Absent> {
    Ok(load::start_bare())
}

/// One of [`super::super::servers`].
pub fn rival(name: &str, setup: &Setup) -> Result<Server, Absent> {
    let port = free_port();
    let mut command = Command::new(program("dialplane-bench"));
    command.args(["rival", name, "--listen", &format!("127.0.0.1:{port}"), "--numbers"]).arg(&setup.map);
    listening(command, port)
}

/// The one that needs a kernel which allows it.
pub fn io_uring(setup: &Setup) -> Result<Server, Absent> {
    let refused = |error| Absent::Missing(format!("this system refuses io_uring: {error}"));
    io_uring::IoUring::new(1).map_err(refused)?;
    rival("io-uring", setup)
}
