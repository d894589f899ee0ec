//! A router with nothing but its snapshot file.

use dialplane_bench::operator::Salon;
use dialplane_bench::snapshot_file::{Source, write};
use dialplane_bench::system::{FEED_KEY, Router, TempDir};
use dialplane_bench::workload::{ACCOUNT, location};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::Record;

/// A router with nothing but its snapshot file, and the first salon in it.
pub struct Alone {
    pub router: Router,
    pub salon: Salon,
    _dir: TempDir,
}

/// Where the salon's agent listens.
pub const STREAM: &str = "wss://voice.example.com/agents/0";

impl Alone {
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let file = dir.path("snapshot").display().to_string();
        let salon = snapshot_file(&file);
        let settings: Vec<_> =
            [("ROUTER_SNAPSHOT_FILE", &*file)].into_iter().chain(settings.iter().copied()).collect();
        Self { router: Router::start(&settings), salon, _dir: dir }
    }
}

/// Writes a snapshot of ten numbers of one tenant.
pub fn snapshot_file(path: &str) -> Salon {
    let (account_sid, auth_token) = (format!("AC{:032x}", 1), "a-token-for-tests");
    let keys = Keyring::feed(FEED_KEY).expect("a long key");
    write(&Source::Count(10), &account_sid, auth_token, &keys, path.as_ref()).expect("the file is written");
    let first = location(0).expect("there is a first number");
    let Record::Number(number, record) = first.number_record(ACCOUNT) else { panic!("a number's record") };
    Salon {
        tenant: record.tenant_id.to_string(),
        account: ACCOUNT.to_string(),
        account_sid,
        auth_token: auth_token.into(),
        agent: first.agent_id().to_string(),
        phone: record.id.to_string(),
        number: number.to_string(),
    }
}
