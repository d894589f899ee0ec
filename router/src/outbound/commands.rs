//! Commands to providers' APIs: sent in order, repeated where that can help. Each says itself that it is to be done
//! once, so a repeated one does no harm; late ones do, as the call goes on.

use std::time::Duration;

use dialplane_common::provider::reply::Command;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use tokio::time::Instant;

use super::client::{Client, Post};
use super::failure::Failure;
use super::target::Target;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);

/// How long to wait before each further try.
pub const BACKOFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(600)];

/// A provider's API with the account that commands are for.
#[derive(Debug)]
pub struct Recipient {
    /// Its base URL, without a slash at the end.
    pub base: String,
    /// Whether an operator set it, so that any address is right.
    pub trusted: bool,
    /// The `Authorization` header's value.
    pub authorization: String,
}

/// Sends one command, up to once more than there are `pauses`.
///
/// # Errors
/// Why the last try failed.
pub async fn send(
    client: &Client,
    to: &Recipient,
    command: Command,
    pauses: &[Duration],
) -> Result<(), Failure> {
    let target = Target::parse(&format!("{}{}", to.base, command.path)).ok_or(Failure::Url)?;
    let mut authorization = HeaderValue::from_str(&to.authorization).map_err(|_| Failure::Url)?;
    authorization.set_sensitive(true);
    let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
    let post = Post { target, trusted: to.trusted, headers, body: command.body.into() };
    let mut pauses = pauses.iter();
    loop {
        let failure = match client.post(&post, Instant::now() + TRY).await {
            // It is done, whatever the answer says.
            Ok(_) | Err(Failure::TooLarge) => return Ok(()),
            Err(failure) => failure,
        };
        match pauses.next() {
            Some(pause) if may_pass(failure) => tokio::time::sleep(*pause).await,
            _ => return Err(failure),
        }
    }
}

/// Whether another try may do better. After a timeout the call is elsewhere.
const fn may_pass(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Resolve
            | Failure::Connect
            | Failure::Tls
            | Failure::Lost
            | Failure::Throttled
            | Failure::Server
    )
}
