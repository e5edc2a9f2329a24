//! `/live` and `/ready` for whoever supervises the process.
