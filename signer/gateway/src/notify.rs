//! Tells the service manager how it goes (`sd_notify(3)`): datagrams to the socket that `NOTIFY_SOCKET` names.

use crate::link::KeeperState;
use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The way to the service manager, if there is one.
#[derive(Debug)]
pub struct Notifier(Option<UnixDatagram>);

impl Notifier {
    /// Connects; to be called before the process enters its cell, in which it can make no socket.
    #[must_use]
    pub fn open() -> Arc<Self> {
        let socket = connect().unwrap_or_else(|error| {
            tracing::warn!(%error, "the service manager cannot be told anything");
            None
        });
        Arc::new(Self(socket))
    }

    /// Tells it. What it does not hear is not worth an end of service.
    pub fn tell(&self, state: &str) {
        if let Some(Err(error)) = self.0.as_ref().map(|socket| socket.send(state.as_bytes())) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }

    /// That a reload begins; `READY=1` ends it. It wants to know when by its own clock.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        let micros = seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0).div_euclid(1000));
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// Answers the service manager's watchdog for as long as the keeper lives. `None` where none asks.
    #[must_use]
    pub fn watchdog(notifier: &Arc<Self>, mut keeper: watch::Receiver<KeeperState>) -> Option<JoinHandle<()>> {
        let of_ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid.parse() == Ok(std::process::id()));
        let limit: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
        let period = Duration::from_micros(limit.div_euclid(2));
        if !of_ours || period.is_zero() {
            return None;
        }
        let notifier = Arc::clone(notifier);
        Some(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(period);
            loop {
                tokio::select! {
                    _ = ticks.tick() => notifier.tell("WATCHDOG=1"),
                    _ = keeper.wait_for(|state| *state == KeeperState::Gone) => return,
                }
            }
        }))
    }
}

fn connect() -> io::Result<Option<UnixDatagram>> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(None) };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that hangs is not waited for.
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(Some(socket))
}
