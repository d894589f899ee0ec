//! What the two planes agree on. Pure: no socket, no clock, no runtime.
//!
//! Read in the order of a call: [`provider`] turns a webhook's bytes into an [`call::InboundCall`] and an answer
//! back into bytes; [`route`] decides what is done with the call, from records that [`feed`] carries from the
//! admin plane to every router; [`location`] is what a voice agent is told of the place that is called.

pub mod call;
pub mod calls;
pub mod country;
pub mod e164;
pub mod explain;
pub mod feed;
pub mod form;
pub mod ids;
pub mod live;
pub mod location;
pub mod provider;
pub mod public_address;
pub mod rest;
pub mod route;
pub mod secret;
pub mod sip;
pub mod time;
pub mod tools;
pub mod wire;
