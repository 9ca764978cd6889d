//! Why an audit ended with a failure, and with which exit code.

use crate::web::WebError;
use crate::witness::WitnessError;
use chancery_reqlog::durable::DurableError;
use chancery_reqlog::{MirrorError, StaticLogError};
use chancery_tlog::{CheckpointError, KeyError};
use serde_json::{Value, json};
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
    #[error("{} cannot be locked", path.display())]
    Lock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0:?} is neither an index, nor a range such as 10..20, nor a request id in hex")]
    Range(String),
    #[error("{0}")]
    Usage(String),
    #[error("no entry of the log has the request id {0}")]
    NoRequest(String),
    #[error("{} cannot be used as an index; name another file, or, if it was an index, delete it, and it is made again", path.display())]
    Index {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("{} is an index of another log, or of another version of this program; name another file, or delete it", path.display())]
    OtherIndex { path: PathBuf },
    #[error("the index says something else of entry {index} than the log: it was changed; delete it, and it is made again")]
    IndexDiffers { index: u64 },
    #[error("line {line} of {}: {why}", path.display())]
    Disclosure { path: PathBuf, line: u64, why: String },
    #[error("line {line} of {} is not what `chancery verify --json` prints of a signature: key_id and tbs_sha256 are missing", path.display())]
    Published { path: PathBuf, line: u64 },
    #[error("{missing} published signatures have no entry, {unpublished} entries have no published signature")]
    Reconcile { missing: u64, unpublished: usize },
    #[error("entries cannot be handed on to {target}; they are kept and tried again the next time")]
    Sink {
        target: String,
        #[source]
        source: io::Error,
    },
    #[error("{} is not a file of rules: {why}", path.display())]
    Rules { path: PathBuf, why: String },
    #[error("{0} findings")]
    Findings(usize),
    #[error("the copy could not be made")]
    Mirror(#[source] MirrorError),
    #[error("the log has {size} entries, numbered from 0")]
    Beyond { size: u64 },
    #[error("the log did not stand the check")]
    Log {
        #[source]
        source: StaticLogError,
        /// The checkpoint that was verified before, where the present one contradicts it.
        seen: Option<String>,
    },
    #[error("there is no log here: no file named checkpoint; name the directory or URL that has checkpoint and tile/ in it")]
    NoLog,
    #[error("the log's files could not be read")]
    Unreadable(#[source] StaticLogError),
    #[error("the result could not be written")]
    Save(#[source] DurableError),
    #[error(transparent)]
    Web(#[from] WebError),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error("the logs do not belong together: {0}")]
    NotBound(&'static str),
    #[error("the result could not be printed")]
    Output(#[source] io::Error),
}

impl AuditError {
    /// 1 failed, 2 usage, 3 unreachable, 4 the log misbehaved.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Key(_) | Self::Range(_) | Self::Beyond { .. } | Self::Read { .. } | Self::State { .. } => 2,
            Self::Web(error) => {
                if matches!(error, WebError::Setup(_)) {
                    1
                } else {
                    2
                }
            }
            Self::Witness(WitnessError::Name { .. } | WitnessError::Twice(_))
            | Self::Usage(_)
            | Self::Rules { .. }
            | Self::Published { .. }
            | Self::OtherIndex { .. } => 2,
            Self::NoLog | Self::Unreadable(_) => 3,
            Self::Mirror(MirrorError::Log(error)) if error.is_misbehaviour() => 4,
            Self::Log { .. } | Self::NotBound(_) => 4,
            Self::NoRequest(_) | Self::Index { .. } | Self::IndexDiffers { .. } | Self::Disclosure { .. } | Self::Reconcile { .. } => 1,
            Self::Witness(_) | Self::Sink { .. } | Self::Mirror(_) | Self::Findings(_) => 1,
            Self::Save(_) | Self::Output(_) | Self::Lock { .. } => 1,
        }
    }

    /// Sorts what the log misbehaved in from what was out of reach. `seen` is the checkpoint that was verified before.
    pub(crate) fn of_log(source: StaticLogError, seen: Option<&str>) -> Self {
        match source {
            StaticLogError::Missing { path } if path == "checkpoint" => Self::NoLog,
            source if source.is_misbehaviour() => Self::Log { source, seen: seen.map(str::to_owned) },
            source => Self::Unreadable(source),
        }
    }

    /// For people: the error, its causes, and the checkpoints that contradict each other.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("chancery-audit: {self}\n");
        for cause in self.causes() {
            text.push_str(&format!("  because: {cause}\n"));
        }
        if let Some((seen, shown)) = self.evidence() {
            text.push_str(&format!("keep these two checkpoints as evidence; verified before:\n\n{seen}\nshown now:\n\n{shown}\n"));
        }
        text
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        let evidence = self.evidence().map(|(seen, shown)| json!({ "seen": seen, "shown": shown }));
        json!({ "error": { "exit": self.exit_code(), "message": self.to_string(), "causes": self.causes(), "evidence": evidence } })
    }

    fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }

    fn evidence(&self) -> Option<(&str, &str)> {
        match self {
            Self::Log { source: StaticLogError::Rollback { note, .. } | StaticLogError::Fork { note, .. }, seen: Some(seen) } => {
                Some((seen, note))
            }
            _ => None,
        }
    }
}
