//! The simulated providers over HTTP, as their customers meet them.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bandwidth;
mod calls;
mod elevenlabs;
mod faults;
mod harness;
mod livekit;
mod plivo;
mod published;
mod retell;
mod signalwire;
mod state;
mod telnyx;
mod twilio;
mod vapi;
mod vonage;
mod webhooks;
