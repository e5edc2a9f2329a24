//! Logs and the admin endpoint.

use std::net::SocketAddr;

use crate::telemetry::LogFormat;

/// Logs and the admin endpoint.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// `ADMIN_ADDR`.
    pub admin_addr: SocketAddr,
    /// `LOG_FORMAT`.
    pub log_format: LogFormat,
    /// `RUST_LOG`.
    pub directives: String,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            admin_addr: SocketAddr::from(([127, 0, 0, 1], 9464)),
            log_format: LogFormat::Pretty,
            directives: "info".to_owned(),
        }
    }
}
