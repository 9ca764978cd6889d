//! What crosses the network: connections, their faults, and trying again.

mod endpoint;
mod probe;
mod refusal;
mod retry;
mod trouble;

pub(crate) use endpoint::{Line, Lines, dial};
pub(crate) use refusal::{from_status, from_wire};
pub use retry::{Backoff, Notice, Notify};
pub(crate) use retry::{Failure, Patience};
pub use trouble::Trouble;
