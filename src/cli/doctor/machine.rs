//! What else runs on this machine: whether the admin address is free, or a bot answers there.

use std::net::{SocketAddr, TcpListener};

use super::Finding;
use crate::cli::{failure::Failure, health};

const CHECK: &str = "admin address";

pub(super) async fn admin_address(address: SocketAddr) -> Result<Option<Finding>, Failure> {
    let finding = match TcpListener::bind(address) {
        Ok(_) => Finding::pass(CHECK, "free"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            match health::ask(health::reachable(address)).await? {
                Ok(200) => Finding::pass(CHECK, "a bot runs and is alive"),
                Ok(_) | Err(_) => Finding::fail(
                    CHECK,
                    "another program listens there",
                    "set ADMIN_ADDR to a free address, or stop that program",
                ),
            }
        }
        Err(error) => Finding::fail(
            CHECK,
            format!("cannot be listened on ({})", error.kind()),
            "set ADMIN_ADDR to an address of this machine",
        ),
    };
    Ok(Some(finding.of(address.to_string())))
}
