//! The cell: what a process of the key host gives up before it serves, so that whoever takes it over finds little to take.
//!
//! A [`Plan`] says what the process needs; [`enter`] takes everything else away, for good and for every thread that begins later. It is
//! done by the process itself and needs no privilege, so it holds with and without a service manager. What the kernel cannot do is either
//! accepted by name or an error: a [`Report`] never says more than is in force.

mod calls;
mod fence;
mod harden;
mod namespace;
mod report;

pub use harden::{HardenError, harden};
pub use report::{Accepted, Layer, Missing, Report, UnknownLayer};

use std::path::PathBuf;

/// What a process needs while it serves. Everything else is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Files, and directories with all that is below them, that may be read. What does not exist is left out.
    pub read: Vec<PathBuf>,
    /// Directories below which files may be read, written, made, renamed and removed. They must exist.
    pub write: Vec<PathBuf>,
    /// The network.
    pub network: Network,
    /// Children that were started before: they may be waited for and killed. No other process may be signalled.
    pub children: Vec<u32>,
    /// It loads a library of somebody else while it is in the cell: files that it can read may be mapped as code, though never where they can
    /// be written at the same time. It is killed when the process that started it ends.
    pub hosts_library: bool,
}

/// What a process may do on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// Nothing: it keeps the sockets that it has, makes none but pairs, and gets a network namespace of its own.
    None,
    /// As `None`, but it takes connections on a socket on which it listens already.
    Door,
    /// Listens on sockets that were bound before, and connects as said. It binds none.
    Serving(Connect),
}

/// Where TCP connections may be made to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connect {
    /// Nowhere; no socket can be made then either.
    Nowhere,
    /// To these ports of any host. Names can be looked up.
    Ports(Vec<u16>),
    /// To any port of any host.
    Anywhere,
}

impl Network {
    const fn connects(&self) -> bool {
        matches!(self, Self::Serving(Connect::Ports(_) | Connect::Anywhere))
    }
}

/// Why the process is not in its cell. It must not serve then.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// A measure that every kernel has was refused.
    #[error(transparent)]
    Harden(#[from] HardenError),
    /// A layer is not to be had, and nobody accepted that.
    #[error(
        "not started: the sandbox has no {layer}, since {why}. Run it on a kernel that has it; or, to do without, write into signer.toml:\n  \
         [sandbox]\n  accept_missing = {}", Accepted::line(accepted, *layer)
    )]
    Missing {
        /// Which one.
        layer: Layer,
        /// What the kernel said.
        why: String,
        /// What was accepted before.
        accepted: Accepted,
    },
    /// A directory of the plan is not there.
    #[error("the sandbox cannot let the process use {}; see that it is there, and can be opened", path.display())]
    Path {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A fault of ours: threads that exist already would stay outside.
    #[error("the sandbox was entered with {0} threads running; this is a fault, please report it")]
    Threads(usize),
}

/// Enters the cell. To be called while the process has one thread, and before it reads what strangers send.
///
/// # Errors
/// [`CellError`]; some layers may be in force then, so the process can only end.
pub fn enter(plan: &Plan, accepted: &Accepted) -> Result<Report, CellError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads != 1 {
        return Err(CellError::Threads(threads));
    }
    // It is read from /proc the first time, and remembered; there is no /proc in the cell.
    let _ = rustix::param::page_size();
    harden()?;
    let mut report = Report::hardened();
    if matches!(plan.network, Network::None | Network::Door) {
        note(&mut report, accepted, Layer::NetworkNamespace, namespace::enter())?;
    }
    if plan.hosts_library {
        // Not sooner: a new name space takes it back. Not later: the call is not on the list.
        let told = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        told.map_err(|e| HardenError::new("end the process with its parent", e.into()))?;
    }
    match fence::raise(plan)? {
        Ok(abi) => report.landlock(abi),
        Err(why) => note(&mut report, accepted, Layer::Landlock, Err(why))?,
    }
    note(&mut report, accepted, Layer::Seccomp, calls::restrict(plan))?;
    Ok(report)
}

fn note(report: &mut Report, accepted: &Accepted, layer: Layer, done: Result<(), String>) -> Result<(), CellError> {
    match done {
        Ok(()) => report.add(layer),
        Err(why) if accepted.contains(layer) => report.lacks(layer, why),
        Err(why) => return Err(CellError::Missing { layer, why, accepted: accepted.clone() }),
    }
    Ok(())
}
