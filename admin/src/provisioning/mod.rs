//! Numbers and agents at providers: had, configured and given back.

pub mod client;
