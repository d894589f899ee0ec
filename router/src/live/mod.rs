//! Calls under way, of tenants and numbers that have a limit, counted together by all routers.
//!
//! A call begins with its routing decision and ends with the provider's word for that, at whatever router it arrives, or
//! once no sign of life came for as long as a call may last. [`counts`](LiveCallCounts) holds what this router knows, its own
//! calls and others' alike, so that a decision is one look; [`sync`] tells the others, and hears from them, through Redis:
//! a beginning or an end is published within [`sync::PUBLISH_EVERY`], and [`compare`] finds what a lost message left.
//!
//! A decision takes a place and counts it in one go, so that one router never lets in a call too many. Several together may,
//! by what comes to the others until they hear of it.

mod compare;
mod counts;
mod expire;
mod limited;
pub mod sync;
mod unsent;
mod view;

pub use counts::{Heard, LiveCallCounts};
pub use expire::expire;
pub use limited::{Limited, Limits, Reached};
pub use view::view;
