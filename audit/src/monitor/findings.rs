//! What was found, and whom it is told.

use crate::error::AuditError;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// One thing that is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(super) time: String,
    pub(super) log: String,
    pub(super) index: Option<u64>,
    pub(super) rule: &'static str,
    pub(super) severity: &'static str,
    pub(super) message: String,
    pub(super) key: Option<String>,
    pub(super) tbs: Option<String>,
    pub(super) decision: Option<String>,
    /// How many entries the log had.
    pub(super) entries: u64,
}

impl Finding {
    /// The log itself misbehaves.
    pub(super) fn of_error(log: &str, error: &AuditError) -> Self {
        Self {
            time: crate::time::show(crate::time::now().unsigned_abs()),
            log: log.to_owned(),
            index: None,
            rule: "log-misbehaved",
            severity: "critical",
            message: error.text(),
            key: None,
            tbs: None,
            decision: None,
            entries: 0,
        }
    }
}

/// Starts the program with the finding on its standard input, and waits for it: a finding is told before the next one.
pub(super) fn run_hook(program: &Path, finding: &Finding) -> Result<(), AuditError> {
    let failed = |source| AuditError::Sink { target: program.display().to_string(), source };
    let mut child = Command::new(program).stdin(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read it has heard enough.
        let _ = writeln!(input, "{}", finding.json());
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(failed(std::io::Error::other(format!("it ended with {status}")))) }
}

pub(super) fn prometheus(path: &Path, counts: &BTreeMap<String, u64>, next: u64, reached: bool) -> Result<(), AuditError> {
    let mut text = String::from("# HELP chancery_audit_findings_total What was off.\n# TYPE chancery_audit_findings_total counter\n");
    for (rule, count) in counts {
        let _ = writeln!(text, "chancery_audit_findings_total{{rule=\"{rule}\"}} {count}");
    }
    let now = crate::time::now().div_euclid(1000);
    let _ = write!(
        text,
        "# HELP chancery_audit_judged_entries Entries that were judged.\n# TYPE chancery_audit_judged_entries counter\n\
         chancery_audit_judged_entries {next}\n\
         # HELP chancery_audit_reached Whether the log could be read and verified.\n# TYPE chancery_audit_reached gauge\n\
         chancery_audit_reached {}\n\
         # HELP chancery_audit_looked_timestamp_seconds When it was last tried.\n# TYPE chancery_audit_looked_timestamp_seconds gauge\n\
         chancery_audit_looked_timestamp_seconds {now}\n",
        u8::from(reached)
    );
    chancery_reqlog::durable::write_atomic(path, text.as_bytes(), 0o644).map_err(AuditError::Save)
}
