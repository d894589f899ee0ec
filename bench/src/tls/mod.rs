//! TLS: certificates to test and to measure with.

pub mod authority;
