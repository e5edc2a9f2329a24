//! The emulated Discord judged by itself: plain HTTP and websocket frames, no Discord library.

mod client;
mod gateway;
mod interactions;
mod messages;
