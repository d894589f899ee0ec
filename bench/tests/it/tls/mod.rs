//! Webhooks over TLS: who is shown what, certificates that change, and those who don't speak it.

mod certificates;
mod client;
mod http2;
mod serving;
mod strangers;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use dialplane_bench::system::TempDir;
use dialplane_bench::tls::authority::{Authority, Issued};

use crate::alone::{Alone, STREAM};
use crate::call::{stream, twiml};
use crate::ops;
use client::Client;

/// The host that the certificate `calls` is for.
const HOST: &str = "calls.salon.example";

/// A router with TLS, and a certificate for [`HOST`].
struct Secure {
    alone: Alone,
    authority: Authority,
    issued: Issued,
    folder: PathBuf,
    address: SocketAddr,
    _dir: TempDir,
}

impl Secure {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(settings: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let folder = dir.path("certificates");
        fs::create_dir(&folder).expect("a folder");
        let authority = Authority::new().expect("an authority");
        let issued = authority.issue(&[HOST], 2099).expect("a certificate");
        issued.write(&folder, "calls").expect("written");
        let path = folder.display().to_string();
        let tls = [("ROUTER_TLS_LISTEN", "127.0.0.1:0"), ("ROUTER_TLS_CERTIFICATES", &*path)];
        let alone = Alone::start(&[&tls[..], settings].concat());
        let address = alone.router.tls.expect("the router says where TLS is");
        Self { alone, authority, issued, folder, address, _dir: dir }
    }

    fn client(&self) -> Client {
        Client::trusting(&self.authority)
    }

    /// What answers a call to the salon.
    fn document(&self) -> String {
        twiml(&format!("<Connect>{}</Connect>", stream(&self.alone.salon, STREAM)))
    }

    fn handshakes(&self, result: &str) -> f64 {
        let series = format!("router_tls_handshakes_total{{result=\"{result}\"}}");
        ops::metric(self.alone.router.ops, &series)
    }

    fn loads(&self, result: &str) -> f64 {
        let series = format!("router_tls_certificate_loads_total{{result=\"{result}\"}}");
        ops::metric(self.alone.router.ops, &series)
    }
}
