//! What the process gives up before it touches anything: nobody can trace it, it leaves no core dump, and no file it makes is for others.

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask};
use rustix::thread::set_no_new_privs;
use std::io;

/// The kernel refused a measure of protection. Nothing is done without it.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refuses to {measure}; nothing is opened without it")]
pub struct HardenError {
    measure: &'static str,
    #[source]
    source: io::Error,
}

impl HardenError {
    pub(crate) const fn new(measure: &'static str, source: io::Error) -> Self {
        Self { measure, source }
    }
}

/// Takes all measures. To be called before anything else.
///
/// # Errors
/// [`HardenError`] names the measure that the kernel refused.
pub fn harden() -> Result<(), HardenError> {
    let step = |measure, done: rustix::io::Result<()>| done.map_err(|e| HardenError { measure, source: e.into() });
    umask(Mode::RWXG | Mode::RWXO);
    step("forbid core dumps", setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }))?;
    step("forbid tracing", set_dumpable_behavior(DumpableBehavior::NotDumpable))?;
    step("forbid new privileges", set_no_new_privs(true))
}
