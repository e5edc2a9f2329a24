//! The emulated providers judged with a plain client.
