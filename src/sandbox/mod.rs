//! An emulated Discord and emulated providers, over real sockets. Shares no code with the bot's Discord side, so that
//! one mistake cannot hide in both; imports leaves only.

pub mod vendor;
