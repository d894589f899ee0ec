//! A Redis in memory, on virtual time: the planes' own client talks to it over a stream in memory.
//!
//! [`wire`] reads and writes the protocol, [`keyspace`] holds keys and knows the commands, [`scripts`] knows the scripts,
//! [`server`] takes connections; what is late on one, and what is lost, is decided in `connection`.

mod connection;
mod glob;
pub mod held;
pub mod keyspace;
pub mod scripts;
pub mod server;
pub mod wire;
