//! The servers, each with the same certificate, with TLS on one port and without on another.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use super::authority::Authority;
use super::client::HOST;
use crate::calls::PUBLIC_URL;
use crate::load::server::Server;
use crate::system::{Process, Router, TempDir, free_port};

/// 300 bytes, as many as a usual answer has.
const ANSWER: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="wss://voice.example.com/agents/1">"#,
    r#"<Parameter name="call_id" value="CA00000000000000000000000000000000"/>"#,
    r#"<Parameter name="from" value="+15105550198"/><Parameter name="to" value="+12000000000"/>"#,
    r#"</Stream></Connect></Response>"#,
);

/// A server under test.
#[derive(Debug)]
pub struct Entrant {
    /// What it is called in the result.
    pub name: &'static str,
    /// Its process, and where it is asked without TLS.
    pub server: Server,
    /// Where it is asked with TLS.
    pub tls: Option<SocketAddr>,
}

/// A place for certificates and settings.
pub struct Setup {
    dir: TempDir,
}

impl Setup {
    /// Makes a certificate on ECDSA P-256, the same for all.
    ///
    /// # Errors
    /// When it can't be made or written.
    pub fn new() -> Result<Self, String> {
        let dir = TempDir::new();
        let issued = Authority::new().and_then(|authority| authority.issue(&[HOST], 2099));
        let issued = issued.map_err(|error| error.to_string())?;
        issued.write(&dir.path(""), "calls").map_err(|error| error.to_string())?;
        let both = [&*issued.certificate, &*issued.key].concat();
        fs::write(dir.path("calls.pem"), both).map_err(|error| error.to_string())?;
        Ok(Self { dir })
    }

    /// The router with both ports.
    #[must_use]
    pub fn router(&self, snapshot: &Path) -> Entrant {
        let folder = self.dir.path("").display().to_string();
        let tls = [("ROUTER_TLS_LISTEN", "127.0.0.1:0"), ("ROUTER_TLS_CERTIFICATES", &*folder)];
        router("router", snapshot, &tls)
    }

    /// The router with no port for TLS.
    #[must_use]
    pub fn plain_router(&self, snapshot: &Path) -> Entrant {
        router("router without TLS", snapshot, &[])
    }

    /// nginx.
    ///
    /// # Errors
    /// When it isn't installed, or doesn't start.
    pub fn nginx(&self) -> Result<Entrant, String> {
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-e", "stderr", "-p"]).arg(self.dir.path("")).arg("-c");
        self.other("nginx", include_str!("nginx.conf"), command)
    }

    /// HAProxy.
    ///
    /// # Errors
    /// As [`Setup::nginx`].
    pub fn haproxy(&self) -> Result<Entrant, String> {
        let mut command = Command::new("/usr/sbin/haproxy");
        command.arg("-f");
        self.other("HAProxy", include_str!("haproxy.cfg"), command)
    }

    /// Starts a command that takes its settings from a file, named last.
    fn other(&self, name: &'static str, settings: &str, mut command: Command) -> Result<Entrant, String> {
        if !Path::new(command.get_program()).is_file() {
            return Err(format!(
                "{name} isn't installed: apt-get install --no-install-recommends nginx haproxy"
            ));
        }
        let (port, tls_port) = (free_port(), free_port());
        let folder = self.dir.path("").display().to_string();
        let places = [
            ("@PORT@", &*port.to_string()),
            ("@TLS_PORT@", &tls_port.to_string()),
            ("@DIR@", folder.trim_end_matches('/')),
            ("@ANSWER@", ANSWER),
        ];
        let text = places.iter().fold(settings.to_owned(), |text, (place, value)| text.replace(place, value));
        let file = self.dir.path(&format!("{name}.settings"));
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        command.arg(file);
        let (process, address) = Process::listening(command, port)?;
        let tls = SocketAddr::from((Ipv4Addr::LOCALHOST, tls_port));
        Ok(Entrant { name, server: Server::new(process, address, "<Response>"), tls: Some(tls) })
    }
}

fn router(name: &'static str, snapshot: &Path, more: &[(&str, &str)]) -> Entrant {
    let snapshot = snapshot.to_string_lossy();
    let settings =
        [("ROUTER_SNAPSHOT_FILE", &*snapshot), ("PUBLIC_URLS", PUBLIC_URL), ("ROUTER_WORKERS", "1")];
    let Router { process, address, tls, .. } = Router::start(&[&settings[..], more].concat());
    Entrant { name, server: Server::new(process, address, "<Stream url="), tls }
}
