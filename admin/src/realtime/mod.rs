//! Changes as they happen: what the audit log has sealed, as events on channels.
//!
//! The log's order is the events' order and an entry's place its event's id, which has no hole: whoever says the last id
//! that it saw gets all that came behind, once each. [`tail`] reads what is sealed once for all readers of this process and
//! [`hub`] hands it out; [`reader`] joins that to the log for one of them. [`relay`] publishes the same events in Redis,
//! from the process that seals.

pub mod channel;
pub mod event;
pub mod hub;
pub mod reader;
pub mod relay;
pub mod slots;
pub mod tail;
