//! Builds every room in order, runs them, drains them.
