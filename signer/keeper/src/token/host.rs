//! The process of a token: `chancery-keeper token-host`. It has one library loaded, one token logged in, and one keeper to answer.

use super::error::HostError;
use super::leftover;
use super::message::{Fault, FaultKind, FromHost, SIGN_MAX, ToHost};
use super::module::{LoggedIn, Module};
use super::wire::{Wire, WireError};
use chancery_cell::{Accepted, Connect, Network, Plan, enter};
use nix::sys::signal::{SigSet, Signal};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// What C libraries read wherever they are: other libraries, and how to find and configure them.
const READ: [&str; 8] =
    ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/dev/urandom", "/dev/null"];

/// Where the process stands.
#[derive(Default)]
struct Host {
    module: Option<Module>,
    session: Option<LoggedIn>,
}

/// Serves the keeper at the other end of standard input, until that hangs up.
///
/// # Errors
/// [`HostError`]; the keeper sees that the process is gone.
pub fn host() -> Result<(), HostError> {
    // A stop of the key host is the keeper's affair, which hangs up.
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    signals.thread_block().map_err(|e| HostError::Process(e.into()))?;
    leftover::close().map_err(HostError::Process)?;
    let input: OwnedFd = io::stdin().as_fd().try_clone_to_owned().map_err(HostError::Keeper)?;
    rustix::net::sockopt::socket_peercred(&input).map_err(|e| HostError::Keeper(e.into()))?;
    let mut wire = Wire::new(UnixStream::from(input));
    let mut host = Host::default();
    loop {
        let frame = match wire.receive(None) {
            Ok(frame) => frame,
            Err(WireError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let answer = match frame.message()? {
            ToHost::Sign { id, len } => {
                let bytes = content(&mut wire, len)?;
                host.sign(id, &bytes)
            }
            asked => host.answer(asked)?,
        };
        drop(frame);
        wire.send(&answer.unwrap_or_else(FromHost::Failed), None)?;
    }
}

/// What is to be signed, in as many chunks as it comes.
pub(super) fn content(wire: &mut Wire, len: u64) -> Result<Vec<u8>, WireError> {
    let len = usize::try_from(len).ok().filter(|len| *len <= SIGN_MAX).ok_or(WireError::Unexpected)?;
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let frame = wire.receive(None)?;
        match frame.message()? {
            ToHost::Chunk(more) if !more.is_empty() && more.len() <= len.saturating_sub(bytes.len()) => bytes.extend_from_slice(more),
            _ => return Err(WireError::Unexpected),
        }
    }
    Ok(bytes)
}

impl Host {
    /// The answer to a question. An error is one that has no place here: the keeper is of another version, or no keeper.
    fn answer(&mut self, asked: ToHost<'_>) -> Result<Result<FromHost, Fault>, WireError> {
        match (asked, &self.module, &self.session) {
            (ToHost::Load { module, label, read, write, network, accept_missing }, None, None) => {
                let plan = plan(Path::new(module), &read, &write, network);
                Ok(self.load(&plan, module, label, &accept_missing))
            }
            (ToHost::Login { pin, to_write }, Some(module), None) => Ok(module.login(pin, to_write).and_then(|session| {
                let objects = session.objects();
                self.session = Some(session);
                objects.map(FromHost::Objects)
            })),
            (ToHost::Generate { label, id }, _, Some(session)) => Ok(session.generate(label, id).map(|made| FromHost::Objects(vec![made]))),
            (ToHost::Ping, _, Some(session)) => Ok(session.ping().map(|()| FromHost::Well)),
            _ => Err(WireError::Unexpected),
        }
    }

    /// The cell comes first: the library never runs outside of it, not even while it is loaded.
    fn load(&mut self, plan: &Plan, module: &str, label: &str, accept_missing: &[&str]) -> Result<FromHost, Fault> {
        let accepted = Accepted::parse(accept_missing.iter().copied()).map_err(|e| Fault::new(FaultKind::Cell, e))?;
        let cell = enter(plan, &accepted).map_err(|e| Fault::new(FaultKind::Cell, e))?;
        self.module = Some(Module::load(Path::new(module), label)?);
        Ok(FromHost::Loaded { cell: cell.to_string() })
    }

    fn sign(&mut self, id: &[u8], bytes: &[u8]) -> Result<FromHost, Fault> {
        let session = self.session.as_mut().ok_or_else(|| Fault::new(FaultKind::Other, "nobody is logged in"))?;
        session.sign(id, bytes).map(FromHost::Signature)
    }
}

fn plan(module: &Path, read: &[&str], write: &[&str], network: bool) -> Plan {
    // Its own folder, wherever a link leads: vendors put what belongs to it there.
    let beside = std::fs::canonicalize(module).ok().and_then(|path| path.parent().map(Path::to_owned));
    let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    Plan {
        read: [paths(&READ), paths(read), beside.into_iter().collect()].concat(),
        write: paths(write),
        network: if network { Network::Serving(Connect::Anywhere) } else { Network::None },
        children: Vec::new(),
        hosts_library: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_answered_before_its_time() {
        let mut host = Host::default();
        assert!(host.answer(ToHost::Ping).is_err());
        assert!(host.answer(ToHost::Login { pin: b"1234", to_write: false }).is_err());
        assert!(host.answer(ToHost::Generate { label: "a", id: b"b" }).is_err());
        assert!(host.answer(ToHost::Chunk(b"x")).is_err());
        assert!(host.sign(b"id", b"bytes").is_err());
    }

    #[test]
    fn what_is_to_be_signed_is_as_long_as_it_was_said_to_be() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut keeper, mut host) = (Wire::new(one), Wire::new(other));
        for chunk in [&b"abc"[..], b"de"] {
            keeper.send(&ToHost::Chunk(chunk), None).unwrap();
        }
        assert_eq!(content(&mut host, 5).unwrap(), b"abcde");
        keeper.send(&ToHost::Chunk(b"abc"), None).unwrap();
        assert!(content(&mut host, 2).is_err());
        keeper.send(&ToHost::Chunk(b""), None).unwrap();
        assert!(content(&mut host, 2).is_err());
        assert!(content(&mut host, u64::MAX).is_err());
        assert_eq!(content(&mut host, 0).unwrap(), b"");
    }
}
