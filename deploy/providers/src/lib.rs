//! The providers, simulated: their REST APIs with a ledger of what was bought, and calls that reach webhooks signed as each
//! provider signs them. Nothing here knows the rest of Dialplane: it is the other side of the wire, read from the
//! providers' own pages.
//!
//! A request's way: [`server`] takes it, finds the `api` of its first path segment and that API's route, draws a
//! fault (`faults`) and lets the route's handler change the `world` (accounts, numbers, things, the `ledger`). A
//! handler is a function of world and request: it waits for nothing, so that what a fault means is said in one place.
//! Only `calls` ask others: our webhooks. `control` is how tests and people look at all that and interfere.
//!
//! A provider is one folder and its lines in `api::APIS` and `calls::place`.

mod account;
mod api;
mod calls;
mod clock;
mod control;
mod draw;
mod faults;
mod http_client;
mod ledger;
mod money;
mod number;
mod reply;
mod request;
mod secrets;
pub mod server;
pub mod settings;
pub mod simulator;
mod stock;
mod thing;
mod turn;
mod world;

mod bandwidth;
mod elevenlabs;
mod livekit;
mod plivo;
mod retell;
mod signalwire;
mod telnyx;
mod twilio;
mod vapi;
mod vonage;
