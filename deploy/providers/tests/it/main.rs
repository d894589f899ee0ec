//! The simulated providers over HTTP, as their customers meet them.

mod calls;
mod faults;
mod harness;
mod state;
mod twilio;
mod vapi;
mod webhooks;
