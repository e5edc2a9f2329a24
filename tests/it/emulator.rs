//! The emulated Discord judged by itself: plain HTTP and websocket frames, no Discord library.

pub(crate) mod client;
mod control;
mod gateway;
mod interactions;
mod messages;
