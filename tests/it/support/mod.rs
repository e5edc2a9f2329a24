//! Scaffolding that several subjects share.

pub(crate) mod bench;
pub(crate) mod binary;
pub(crate) mod bot;
pub(crate) mod browser;
pub(crate) mod contract;
#[cfg(feature = "hub")]
pub(crate) mod hub;
pub(crate) mod memory;
pub(crate) mod pool;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod running;
pub(crate) mod samples;
pub(crate) mod talk;
pub(crate) mod talking;
pub(crate) mod upstream;
pub(crate) mod vendors;
