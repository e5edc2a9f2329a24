//! The pacer under a simulated Discord.
