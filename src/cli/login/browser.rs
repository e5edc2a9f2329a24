//! Opening the person's browser.

use std::{process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};
use url::Url;

/// What opens an address with the program that the person chose for it.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// How long it may take to say that it cannot.
const SAYS_SO: Duration = Duration::from_millis(800);

/// Whether a browser seems to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    /// The opener was started and did not fail at once.
    Begun,
    /// There is none, or it failed.
    Not,
}

/// Opens an address. One argument to one program: no shell reads it.
pub(super) async fn open(address: &Url) -> Opened {
    let opener = Command::new(OPENER)
        .arg(address.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut opener) = opener else { return Opened::Not };
    match timeout(SAYS_SO, opener.wait()).await {
        Ok(Ok(status)) if !status.success() => Opened::Not,
        // Some stay as long as the browser does.
        Ok(Ok(_) | Err(_)) | Err(_) => Opened::Begun,
    }
}
