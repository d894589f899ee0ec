//! Requests to providers' REST APIs, held against the descriptions that the providers publish (`bench/providers/`):
//! that path and method exist, and that all parameters and fields exist, have the right types and are there where
//! they have to be.

#![expect(clippy::unwrap_used, reason = "all of it is a test, its helpers as well")]

mod description;
mod schema;
mod twilio;
mod vapi;

use std::fmt::Debug;

use description::Description;
use dialplane_common::rest::{Exchange, Fault, Reply, Step};

/// Holds a conversation, comparing each request; the replies are given in turn, and the last one ends it.
#[track_caller]
fn hold<T: Debug + 'static>(
    description: &Description,
    exchange: Result<Exchange<T>, Fault>,
    replies: &[(u16, &str)],
) {
    let mut exchange = exchange.unwrap();
    for (turn, (status, body)) in replies.iter().enumerate() {
        let errors = description.errors(&exchange.request);
        assert!(errors.is_empty(), "{:?}: {errors:#?}", exchange.request);
        let is_last = turn + 1 == replies.len();
        match exchange.read(Reply::new(*status, *body)).unwrap() {
            Step::Done(_) => return assert!(is_last, "it ended before the last reply"),
            Step::Next(next) | Step::Later(_, next) => exchange = next,
        }
    }
    panic!("it goes on with {:?}", exchange.request);
}
