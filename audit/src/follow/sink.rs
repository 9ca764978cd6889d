//! Where entries go.

use super::event;
use crate::error::AuditError;
use chancery_reqlog::{Decision, Leaf, durable};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What hangs for longer counts as broken, and is tried again later.
const TIMEOUT: Duration = Duration::from_secs(10);
const JOURNALD: &str = "/run/systemd/journal/socket";
/// Facility 13 of RFC 5424: log audit.
const AUDIT: u8 = 13;

/// A target on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    Standard,
    File(PathBuf),
    Journald,
    Syslog(String),
}

impl std::str::FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "-" => Ok(Self::Standard),
            None if text == "journald" => Ok(Self::Journald),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("syslog", address)) if !address.is_empty() => Ok(Self::Syslog(address.to_owned())),
            _ => Err("expected -, file:PATH, journald, syslog:HOST:PORT or syslog:PATH".to_owned()),
        }
    }
}

pub(super) enum Sink {
    Lines(BufWriter<Box<dyn Write>>, Option<PathBuf>),
    Journald(UnixDatagram),
    Udp(UdpSocket, String),
    Unix(UnixDatagram, String),
}

impl Sink {
    pub(super) fn open(to: &To) -> Result<Self, AuditError> {
        let failed = |target: &str| {
            let target = target.to_owned();
            move |source| AuditError::Sink { target, source }
        };
        let datagram = |path: &str| {
            let open = || {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(TIMEOUT))?;
                socket.connect(path)?;
                Ok(socket)
            };
            open().map_err(failed(path))
        };
        match to {
            To::Standard => Ok(Self::Lines(BufWriter::new(Box::new(io::stdout())), None)),
            To::File(path) => {
                let file = File::options().create(true).append(true).open(path).map_err(failed(&path.display().to_string()))?;
                Ok(Self::Lines(BufWriter::new(Box::new(file)), Some(path.clone())))
            }
            To::Journald => Ok(Self::Journald(datagram(JOURNALD)?)),
            To::Syslog(path) if path.starts_with('/') => Ok(Self::Unix(datagram(path)?, path.clone())),
            To::Syslog(address) => {
                let open = || {
                    let to = address.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("no such host"))?;
                    let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
                    socket.connect(to)?;
                    Ok(socket)
                };
                Ok(Self::Udp(open().map_err(failed(address))?, address.clone()))
            }
        }
    }

    pub(super) fn write(&mut self, origin: &str, index: u64, bytes: &[u8]) -> Result<(), AuditError> {
        let event = event(origin, index, bytes);
        let leaf = Leaf::parse(bytes).ok();
        let failed = |target: &str| {
            let target = target.to_owned();
            move |source| AuditError::Sink { target, source }
        };
        match self {
            Self::Lines(out, path) => {
                let name = path.as_deref().map_or_else(|| "standard output".into(), Path::to_string_lossy);
                writeln!(out, "{event}").map_err(failed(&name))
            }
            Self::Journald(socket) => {
                let kind = leaf.as_ref().map_or("unknown", |l| l.kind.as_str());
                let message = format!(
                    "MESSAGE={event}\nPRIORITY={}\nSYSLOG_IDENTIFIER=chancery-audit\nCHANCERY_ID={origin}#{index}\nCHANCERY_KIND={kind}\n",
                    severity(leaf.as_ref())
                );
                socket.send(message.as_bytes()).map(drop).map_err(failed(JOURNALD))
            }
            Self::Udp(socket, name) => socket.send(rfc5424(leaf.as_ref(), &event.to_string()).as_bytes()).map(drop).map_err(failed(name)),
            Self::Unix(socket, name) => socket.send(rfc5424(leaf.as_ref(), &event.to_string()).as_bytes()).map(drop).map_err(failed(name)),
        }
    }

    /// Everything that was written has left this process, and is on the disk where it goes to a file.
    pub(super) fn flush(&mut self) -> Result<(), AuditError> {
        let Self::Lines(out, path) = self else { return Ok(()) };
        let name = path.as_deref().map_or_else(|| "standard output".into(), Path::to_string_lossy).into_owned();
        out.flush().map_err(|source| AuditError::Sink { target: name, source })?;
        path.as_deref().map_or(Ok(()), durable::sync_file).map_err(AuditError::Save)
    }
}

/// Severities of RFC 5424: refusals are warnings, all else is information.
fn severity(leaf: Option<&Leaf>) -> u8 {
    match leaf {
        Some(leaf) if leaf.decision == Decision::Deny => 4,
        Some(leaf) if leaf.kind.as_str() == "clock" => 4,
        Some(_) => 6,
        None => 4,
    }
}

/// One message: the time is the entry's.
fn rfc5424(leaf: Option<&Leaf>, event: &str) -> String {
    let priority = u32::from(AUDIT).saturating_mul(8).saturating_add(u32::from(severity(leaf)));
    let time = leaf.map_or_else(|| "-".to_owned(), |l| crate::time::show(l.time));
    let kind = leaf.map_or("unknown", |l| l.kind.as_str());
    // The byte order mark says that the message is UTF-8.
    format!("<{priority}>1 {time} - chancery-audit - {} - \u{feff}{event}", kind.chars().take(32).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_reqlog::Token;

    #[test]
    fn targets_are_named_and_nothing_else_is_taken() {
        assert_eq!("-".parse(), Ok(To::Standard));
        assert_eq!("file:/x".parse(), Ok(To::File("/x".into())));
        assert_eq!("syslog:localhost:514".parse(), Ok(To::Syslog("localhost:514".into())));
        for wrong in ["", "file:", "syslog:", "kafka:x", "stdout"] {
            assert!(wrong.parse::<To>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn syslog_messages_have_the_form_of_rfc_5424() {
        let deny = Leaf::event(Token::DENY, Decision::Deny, 1_700_000_000_123);
        assert_eq!(rfc5424(Some(&deny), "{}"), "<108>1 2023-11-14T22:13:20.123Z - chancery-audit - deny - \u{feff}{}");
        assert_eq!(rfc5424(None, "{}"), "<108>1 - - chancery-audit - unknown - \u{feff}{}");
        let start = Leaf::event(Token::START, Decision::None, 0);
        assert!(rfc5424(Some(&start), "").starts_with("<110>1 1970-01-01T00:00:00.000Z "));
    }
}
