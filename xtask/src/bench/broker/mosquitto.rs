//! mosquitto as a bare relay: the measure that we are held against. Called by the bench.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::{
    ours::Certificate,
    server::{self, Server},
};
use crate::shell;

/// Starts it with all that makes it fast, no persistence, no log, and no limit that drops.
///
/// # Errors
/// It is not installed, or doesn't start.
pub(crate) fn start(folder: &Path, certificate: Option<&Certificate>) -> Result<Server> {
    let program = shell::installed("mosquitto").context("mosquitto is not installed")?;
    let address = server::free_address()?;
    let mut settings = format!(
        "listener {} {}\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 0\n\
         persistence false\nlog_dest none\n",
        address.port(),
        address.ip()
    );
    let door = server::free_address()?;
    if let Some(certificate) = certificate {
        // The one who may read the key; started by anybody but root it stays who it is anyhow.
        settings += &format!(
            "user root\nlistener {} {}\ncertfile {}\nkeyfile {}\n",
            door.port(),
            door.ip(),
            certificate.server.display(),
            certificate.key.display()
        );
    }
    let path = folder.join("mosquitto.conf");
    fs::write(&path, settings).with_context(|| format!("can't write {}", path.display()))?;
    let mut command = Command::new(program);
    command
        .arg("-c")
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut server = Server::start(&mut command, address, None)?;
    if let Some(certificate) = certificate {
        server.move_to(door, &certificate.ca)?;
    }
    Ok(server)
}

/// Its name and version.
pub(crate) fn version() -> String {
    let output = shell::installed("mosquitto")
        .and_then(|program| Command::new(program).arg("-h").output().ok());
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().map_or_else(
        || "mosquitto".to_owned(),
        |line| line.replace(" version", ""),
    )
}
