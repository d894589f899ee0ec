//! nginx, as one process.

use std::path::Path;
use std::process::Command;

use super::{Absent, Setup, free_port, listening, missing, program};
use crate::load::server::Server;

const LUA: &str = "/usr/lib/nginx/modules/ngx_http_lua_module.so";

/// A constant.
pub fn constant(setup: &Setup) -> Result<Server, Absent> {
    start(setup, "nginx/constant.conf", "apt-get install --no-install-recommends nginx")
}

/// Signature and number in Lua, numbers in a shared dictionary.
pub fn lua(setup: &Setup) -> Result<Server, Absent> {
    let install = "apt-get install --no-install-recommends nginx libnginx-mod-http-lua";
    if !Path::new(LUA).is_file() {
        return Err(missing(install));
    }
    setup.fill("nginx/load.lua", 0)?;
    setup.fill("nginx/voice.lua", 0)?;
    start(setup, "nginx/lua.conf", install)
}

fn start(setup: &Setup, configuration: &str, install: &str) -> Result<Server, Absent> {
    let nginx = program("nginx", install)?;
    let port = free_port();
    let file = setup.fill(configuration, port)?;
    let mut command = Command::new(nginx);
    command.args(["-e", "stderr", "-p"]).arg(setup.dir.path("")).arg("-c").arg(file);
    listening(command, port)
}
