//! Why a command failed, and with which exit code.

use chancery::ostree::{RepoError, WriteError};
use chancery::{Error, FramedError, Misbehaviour, ReceiptError, printable};
use chancery_formats::ContentError;
use chancery_formats::openpgp::{OpenpgpError, ValidityError};
use chancery_formats::sshsig::SshsigError;
use chancery_reqlog::durable::DurableError;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Client(#[from] Error),
    #[error(transparent)]
    Relay(#[from] chancery::RelayError),
    #[error(transparent)]
    Repo(#[from] RepoError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write the result")]
    Save(#[from] DurableError),
    #[error("{0}")]
    Usage(String),
    #[error("{} is not well signed", what)]
    Framed { what: String, source: FramedError },
    #[error("{} is not a certificate that can be used", path.display())]
    Certificate { path: PathBuf, source: OpenpgpError },
    #[error("{what} is signed, but by a key that was not good then")]
    Validity { what: String, source: ValidityError },
    #[error("{what} has no signature by {by}; it was changed after it was signed, or signed by somebody else")]
    NotSigned { what: String, by: String },
    #[error("the signatures in {} cannot be read", path.display())]
    Signatures { path: PathBuf, source: ContentError },
    #[error("the receipt does not belong to this signature")]
    Receipt(#[source] ReceiptError),
    #[error("the certificate request could not be made")]
    Request(#[source] rcgen::Error),
    #[error("the agent signs SSH signatures (`ssh-keygen -Y sign`) and nothing else, no login either")]
    NoSshSignature(#[source] SshsigError),
    #[error("the witness at {url} cannot be reached")]
    Witness { url: String, source: ureq::Error },
    #[error("cannot listen at {}", path.display())]
    Listen { path: PathBuf, source: io::Error },
    #[error("the process cannot be set up")]
    Runtime(#[source] io::Error),
    #[error("the result cannot be printed")]
    Print(#[source] io::Error),
    #[error("{endpoint} signs nothing just now: {why}. It goes on by itself once that is mended")]
    NotSigning { endpoint: String, why: String },
    /// Each of them was reported already.
    #[error("{failed} of {all} {what}")]
    Several { failed: usize, all: usize, what: &'static str, code: u8 },
}

impl CliError {
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Client(error) => error.exit_code(),
            Self::Witness { .. } => 3,
            Self::Several { code, .. } => *code,
            Self::Repo(RepoError::Damaged { .. } | RepoError::TooLarge { .. })
            | Self::Write(_)
            | Self::Save(_)
            | Self::Framed { .. }
            | Self::NotSigning { .. }
            | Self::NotSigned { .. }
            | Self::Validity { .. }
            | Self::Signatures { .. }
            | Self::Receipt(_)
            | Self::Request(_)
            | Self::Runtime(_)
            | Self::Print(_) => 1,
            Self::Repo(_)
            | Self::Relay(_)
            | Self::Read { .. }
            | Self::Certificate { .. }
            | Self::Listen { .. }
            | Self::NoSshSignature(_)
            | Self::Usage(_) => 2,
        }
    }

    /// Whether the key host or its log misbehaved.
    pub(crate) const fn is_misbehaviour(&self) -> bool {
        matches!(self, Self::Client(Error::Misbehaved(_)))
    }

    pub(crate) const fn misbehaviour(&self) -> Option<&Misbehaviour> {
        match self {
            Self::Client(Error::Misbehaved(m)) => Some(m),
            _ => None,
        }
    }

    /// The causes, each once.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(self);
        // A status repeats what was made of it already; it comes boxed and plain.
        while let Some(cause) = next.filter(|c| !c.is::<tonic::Status>() && !c.is::<Box<tonic::Status>>()) {
            causes.push(printable(&cause.to_string()));
            next = cause.source();
        }
        causes
    }

    pub(crate) fn json(&self) -> Value {
        let mut object = json!({ "exit": self.exit_code(), "message": self.to_string(), "causes": self.causes() });
        if let Self::Client(Error::Refused(refusal)) = self {
            add(&mut object, "reason", json!(refusal.reason));
            add(&mut object, "entry", json!(refusal.entry_index));
            add(&mut object, "retry", json!(refusal.retry));
        }
        if let Some(evidence) = self.misbehaviour().and_then(Misbehaviour::evidence) {
            add(&mut object, "evidence", json!({ "seen": evidence.seen, "shown": evidence.shown }));
        }
        object
    }
}

fn add(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(map) = object {
        map.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery::{Trouble, Unreachable};

    #[test]
    fn what_the_transport_says_in_its_own_terms_is_not_repeated_below_what_was_made_of_it() {
        let source = Some(Box::new(tonic::Status::unavailable("tcp connect error")));
        let error = Unreachable { endpoint: "https://signer".to_owned(), trouble: Trouble::ConnectionRefused, tries: 1, source };
        assert_eq!(CliError::from(Error::from(error)).causes(), Vec::<String>::new());
    }
}
