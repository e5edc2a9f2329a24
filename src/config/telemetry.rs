//! Logs and the admin endpoint.

use std::net::SocketAddr;

use super::reader::Reader;
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

impl TelemetrySettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        Self {
            admin_addr: reader.parsed(
                "ADMIN_ADDR",
                default.admin_addr,
                "expected an address and a port, such as 127.0.0.1:9464, or 0.0.0.0:9464 to be reached from elsewhere",
            ),
            log_format: reader.choice(
                "LOG_FORMAT",
                default.log_format,
                &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)],
            ),
            directives: reader.text("RUST_LOG").unwrap_or(default.directives),
        }
    }
}
