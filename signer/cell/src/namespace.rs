//! A network namespace of one's own: no interface of the host is in it, and its loopback is down.

use nix::sched::{CloneFlags, unshare};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// Moves the process into a new network namespace; gives what the kernel says when it refuses.
///
/// Without privileges that takes a user namespace too. No user is mapped into it: the process keeps the files that it may use, only
/// sees every owner as nobody, and the rights that it gets inside are dropped again.
pub(crate) fn enter() -> Result<(), String> {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return Ok(());
    }
    let refused = |error: &dyn std::fmt::Display| format!("the kernel refuses one to a process without privileges ({error})");
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(|e| refused(&e.desc()))?;
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, none).map_err(|e| refused(&std::io::Error::from(e)))
}
