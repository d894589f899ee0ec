//! Which certificate is shown, and how it changes.

use std::fs;
use std::os::unix::fs::symlink;

use dialplane_bench::system::{Router, wait_for};

use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{HOST, Secure};
use crate::{alone, ops};

impl Secure {
    /// The certificate that a client is shown for a host; `None` when it refuses it.
    fn shown(&self, host: &str) -> Option<CertificateDer<'static>> {
        Some(self.client().connect(self.address, host).ok()?.certificate())
    }
}

#[test]
fn the_host_that_is_asked_for_chooses() {
    let secure = Secure::start();
    let issue = |hosts: &[&str], name: &str| {
        let issued = secure.authority.issue(hosts, 2099).expect("a certificate");
        issued.write(&secure.folder, name).expect("written");
        issued.der
    };
    let any = issue(&["*.salon.example"], "any");
    let other = issue(&["other.example", "calls.other.example"], "other");
    secure.alone.router.process.signal("HUP");
    wait_for("the certificates", || secure.loads("ok") > 0.0 && secure.shown("other.example").is_some());
    for (host, expected) in [
        (HOST, &secure.issued.der),
        ("x.salon.example", &any),
        ("Other.Example", &other),
        ("calls.other.example", &other),
    ] {
        assert_eq!(secure.shown(host).as_ref(), Some(expected), "{host}");
    }
    // A star stands for one label: who has none of its own is shown the first file's, and can refuse it.
    let failed = secure.handshakes("failed");
    assert_eq!(secure.shown("a.b.salon.example"), None);
    wait_for("it to be counted", || secure.handshakes("failed") == failed + 1.0);
}

#[test]
fn what_changes_is_shown_to_the_next_and_disturbs_nobody() {
    let secure = Secure::start();
    let mut old = secure.client().connect(secure.address, HOST).expect("a handshake");
    let renewed = secure.authority.issue(&[HOST], 2098).expect("a certificate");
    renewed.write(&secure.folder, "calls").expect("written");
    wait_for("the new certificate", || secure.shown(HOST).as_ref() == Some(&renewed.der));
    assert_eq!((old.certificate(), old.ring(&secure.alone.salon).status), (secure.issued.der.clone(), 200));
    let series = "router_tls_certificate_not_after_seconds{name=\"calls\"}";
    wait_for("the metric", || ops::metric(secure.alone.router.ops, series) == 4_070_822_400.0);
}

#[test]
fn links_that_are_swapped_are_seen() {
    let secure = Secure::start();
    // As in a secret that Kubernetes mounts: the files lead through a link to the folder of now.
    let data = secure.folder.join("..data");
    for (folder, year) in [("..1", 2097), ("..2", 2096)] {
        let folder = secure.folder.join(folder);
        fs::create_dir(&folder).expect("a folder");
        let issued = secure.authority.issue(&[HOST, "tls.example"], year).expect("a certificate");
        issued.write(&folder, "tls").expect("written");
        fs::write(folder.join("ca.crt"), "nobody reads this").expect("written");
    }
    symlink("..1", &data).expect("a link");
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        symlink(format!("..data/{name}"), secure.folder.join(name)).expect("a link");
    }
    let series = "router_tls_certificate_not_after_seconds{name=\"tls\"}";
    let not_after = || {
        ops::get(secure.alone.router.ops, "/metrics").body.lines().find_map(|line| {
            line.strip_prefix("dialplane_")?.strip_prefix(series)?.trim().parse::<f64>().ok()
        })
    };
    secure.alone.router.process.signal("HUP");
    wait_for("the certificate", || not_after() == Some(4_039_286_400.0));
    symlink("..2", secure.folder.join("..next")).expect("a link");
    fs::rename(secure.folder.join("..next"), &data).expect("swapped");
    wait_for("the next certificate", || not_after() == Some(4_007_750_400.0));
    for name in ["tls.crt", "tls.key"] {
        fs::remove_file(secure.folder.join(name)).expect("removed");
    }
    wait_for("it to be forgotten", || not_after().is_none());
    assert_eq!(secure.shown(HOST).as_ref(), Some(&secure.issued.der));
    assert_eq!(secure.loads("error"), 0.0);
}

#[test]
fn a_bad_pair_keeps_its_old_one_and_no_other() {
    let secure = Secure::start();
    let other = secure.authority.issue(&["other.example"], 2099).expect("a certificate");
    fs::write(secure.folder.join("calls.key"), &other.key).expect("written");
    other.write(&secure.folder, "other").expect("written");
    secure.alone.router.process.signal("HUP");
    wait_for("the good pair", || secure.shown("other.example").as_ref() == Some(&other.der));
    assert_eq!(secure.shown(HOST).as_ref(), Some(&secure.issued.der));
    assert_eq!((secure.loads("ok"), secure.loads("error")), (1.0, 1.0));
    assert!(secure.alone.router.process.log().contains("calls.key"), "{}", secure.alone.router.process.log());

    fs::remove_dir_all(&secure.folder).expect("removed");
    secure.alone.router.process.signal("HUP");
    wait_for("the folder to be missed", || secure.loads("error") == 2.0);
    assert_eq!(secure.shown(HOST).as_ref(), Some(&secure.issued.der));
}

#[test]
fn one_that_has_expired_is_shown_and_told_of() {
    let secure = Secure::start();
    let expired = secure.authority.issue(&["old.example"], 2020).expect("a certificate");
    expired.write(&secure.folder, "old").expect("written");
    secure.alone.router.process.signal("HUP");
    let series = "router_tls_certificate_not_after_seconds{name=\"old\"} 1609372800\n";
    wait_for("the metric", || ops::get(secure.alone.router.ops, "/metrics").body.contains(series));
    wait_for("the warning", || secure.alone.router.process.log().contains("expired"));
    assert_eq!(secure.shown("old.example"), None, "its client refuses it");
}

#[test]
fn what_can_not_be_used_stops_the_start() {
    let secure = Secure::start();
    let dir = dialplane_bench::system::TempDir::new();
    let file = dir.path("snapshot").display().to_string();
    let _ = alone::snapshot_file(&file);
    let folder = secure.folder.display().to_string();
    let check = |certificates: &str, said: &[&str]| {
        let settings = [
            ("ROUTER_SNAPSHOT_FILE", &*file),
            ("ROUTER_TLS_LISTEN", "127.0.0.1:0"),
            ("ROUTER_TLS_CERTIFICATES", certificates),
        ];
        let (status, line) = Router::fail(&settings);
        assert!(line.lines().count() == 1 && line.contains("ROUTER_TLS_CERTIFICATES"), "{line}");
        for text in said {
            assert!(line.contains(text), "{certificates}: {line}");
        }
        assert!(status.is_some_and(|status| status != 0), "{certificates}: {status:?}");
    };
    check("", &["wanted a folder"]);
    check("/nowhere", &["=\"/nowhere", "wanted a folder"]);
    check(&dir.path("").display().to_string(), &["wanted a folder", ".key"]);
    let other = secure.authority.issue(&[HOST], 2099).expect("a certificate");
    fs::write(secure.folder.join("calls.key"), &other.key).expect("written");
    check(&folder, &["calls.key", "another's"]);
    fs::write(secure.folder.join("calls.key"), "-----BEGIN ENCRYPTED PRIVATE KEY-----").expect("written");
    check(&folder, &["calls.key", "not encrypted"]);
    fs::write(secure.folder.join("calls.crt"), &other.key).expect("written");
    check(&folder, &["calls.crt", "wanted certificates in PEM"]);
    fs::remove_file(secure.folder.join("calls.crt")).expect("removed");
    check(&folder, &["calls.crt", "wanted a file"]);
}
