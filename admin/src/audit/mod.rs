//! The audit log: who changed what, when and from where, in an order that can be proven.
//!
//! Triggers write an entry for each changed row in the transaction that changes it (migration 0011), and take no lock for
//! it. [`sealer`] numbers the entries afterwards and chains them by hash ([`chain`]); [`verify`] is the command that walks
//! the chain. Refused: chaining in the transaction, where each writer would wait for the one before it to commit.
//!
//! What the chain proves: nothing sealed was altered, removed or put elsewhere since. Whoever owns the database could
//! alter an entry in the moment before it is sealed, or write a whole chain anew; against that, keep its head elsewhere
//! and give it to `verify`.

pub mod chain;
pub mod sealer;
pub mod verify;
