//! Why an audit ended with a failure, and with which exit code.

use chancery_reqlog::StaticLogError;
use chancery_reqlog::durable::DurableError;
use chancery_tlog::{CheckpointError, KeyError};
use std::io;
use std::path::PathBuf;

/// Why an audit failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    #[error("this is not a log's verification key; `chanceryd log vkey` on the key host prints it")]
    Key(#[source] KeyError),
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} does not hold a checkpoint of this log; it was made for another log, or changed", path.display())]
    State {
        path: PathBuf,
        #[source]
        source: CheckpointError,
    },
    #[error("{0:?} is neither an index nor a range such as 10..20")]
    Range(String),
    #[error("the log has {size} entries; the last one is {}", size.saturating_sub(1))]
    Beyond { size: u64 },
    #[error("the log did not stand the check")]
    Log(#[source] StaticLogError),
    #[error("the log's files could not be read")]
    Unreadable(#[source] StaticLogError),
    #[error("the verified checkpoint could not be saved")]
    Save(#[source] DurableError),
    #[error("the result could not be printed")]
    Output(#[source] io::Error),
}

impl AuditError {
    /// 1 failed, 2 usage, 3 unreachable, 4 the log misbehaved.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Key(_) | Self::Range(_) | Self::Beyond { .. } | Self::Read { .. } | Self::State { .. } => 2,
            Self::Unreadable(_) => 3,
            Self::Log(_) => 4,
            Self::Save(_) | Self::Output(_) => 1,
        }
    }
}

impl From<StaticLogError> for AuditError {
    fn from(error: StaticLogError) -> Self {
        if error.is_misbehaviour() { Self::Log(error) } else { Self::Unreadable(error) }
    }
}
