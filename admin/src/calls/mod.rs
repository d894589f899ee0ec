//! Records of calls: what routers tell in events, folded into one record a call.
//!
//! A record is all that was told of a call, leg by leg ([`leg`]), each thing in a register that keeps one of several values
//! by a rule that asks for no order ([`register`]): joining is idempotent, commutative and associative. So an event that
//! comes twice, late, or by another process changes nothing that it shouldn't, and what a list shows ([`record`]) is worked
//! out from the whole, never counted up. [`fold`] finds which events belong to one call; [`consumer`] reads them from the
//! stream and stores them; [`live`] hands out what changed; [`upkeep`] looks after partitions.

pub mod amount;
pub mod consumer;
pub mod fold;
pub mod gauges;
pub mod leg;
pub mod live;
pub mod names;
pub mod porting;
pub mod record;
pub mod register;
#[cfg(test)]
mod samples;
pub mod storing;
pub mod stream;
pub mod upkeep;
pub mod words;
