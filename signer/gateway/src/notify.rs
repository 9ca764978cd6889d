//! Tells the service manager how it goes (`sd_notify(3)`): datagrams to the socket that `NOTIFY_SOCKET` names.

use crate::link::KeeperState;
use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Tells the service manager, if there is one. What it does not hear is not worth an end of service.
pub fn tell(state: &str) {
    if let Err(error) = send(state) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// Answers the service manager's watchdog for as long as the keeper lives. `None` where none asks.
#[must_use]
pub fn watchdog(mut keeper: watch::Receiver<KeeperState>) -> Option<JoinHandle<()>> {
    let of_ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid.parse() == Ok(std::process::id()));
    let limit: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    let period = Duration::from_micros(limit / 2);
    if !of_ours || period.is_zero() {
        return None;
    }
    Some(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(period);
        loop {
            tokio::select! {
                _ = ticks.tick() => tell("WATCHDOG=1"),
                _ = keeper.wait_for(|state| *state == KeeperState::Gone) => return,
            }
        }
    }))
}

fn send(state: &str) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}
