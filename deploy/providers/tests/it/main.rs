//! The simulated providers over HTTP, as their customers meet them.

mod calls;
mod faults;
mod harness;
mod plivo;
mod signalwire;
mod state;
mod telnyx;
mod twilio;
mod vapi;
mod webhooks;
