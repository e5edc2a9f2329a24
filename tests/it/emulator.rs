//! The emulated Discord judged by itself: plain HTTP and websocket frames, no Discord library.

mod attending;
pub(crate) mod client;
mod control;
mod forums;
mod gateway;
mod gateway_rules;
mod guard;
mod interactions;
mod messages;
mod reactions;
mod threads;
