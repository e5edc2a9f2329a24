//! Files: the only place that writes them. Atomic replacement, locks between processes.
