//! Scaffolding that several subjects share.

pub(crate) mod vendors;
