//! `chancery-keeper run`: opens what the keeper needs, and serves.

use super::{CliError, Options, policy};
use crate::config::Config;
use crate::door::Door;
use crate::key::{self, KeyError, Keyring};
use crate::passphrase::{Passphrase, Source};
use crate::record::Recorder;
use crate::serve::{House, HouseLog, Limits, Settings, serve};
use crate::token::{Process, Token};
use chancery_cell::{Layer, Network, Plan, Report, enter};
use chancery_journal::{Journal, one_line};
use chancery_reqlog::durable::create_dir_all;
use chancery_reqlog::{Log, LogConfig, OpenError, Witnesses};
use nix::sys::signal::{SigSet, Signal};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Serves the gateway at the other end of standard input.
///
/// `door` is where the passphrase is brought, if it is to be waited for.
pub(super) fn run(options: &Options, from_socket_unit: bool, door: Option<&Path>) -> Result<(), CliError> {
    let socket = gateway(from_socket_unit)?;
    let config = options.config()?;
    let journal = Journal::start(&config.journal);
    let policy = policy::read(&config.policy)?;
    let source = options.source();
    if source == Source::Descriptor(0) {
        let what = "--passphrase-fd 0 is the channel to the gateway".to_owned();
        return Err(CliError::Usage { what, instead: "pass the passphrase on another descriptor".to_owned() });
    }
    let passphrase = match door {
        Some(path) => Err(Door::open(path)?),
        None => Ok(Passphrase::existing(&source)?),
    };
    // Asked before the cell hides what a control group allows.
    let signers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let tokens = start_tokens(&config)?;
    let mut cell = enter_cell(&config, &options.dir, passphrase.is_err(), tokens.iter().map(Process::id).collect())?;
    let mut keyring = match passphrase {
        Ok(passphrase) => Keyring::open(&config.keys, &passphrase)?,
        Err(door) => door.wait(&socket, &config.keys)?,
    };
    open_tokens(&mut keyring, tokens, &config)?;
    let keys = keyring.open_keys()?;
    cell.add(if keyring.in_secret_memory() { Layer::SecretMemory } else { Layer::LockedMemory });
    tracing::info!("cell: {cell}");
    for warning in policy.warnings().iter().chain(&policy.check_keys(&keys.descriptions())) {
        tracing::warn!("{}", one_line(&warning.to_string()));
    }
    leave_signals_to_the_gateway()?;
    let opened = open_log(&config, &keyring)?;
    drop(keyring);
    let limits = Limits { max_content: config.limits.max_content, spool: config.limits.spool, in_flight: config.limits.in_flight };
    let settings = Settings { dir: options.dir.clone(), running: config, journal };
    Ok(serve(socket, House { policy, settings, keys, log: opened, limits, cell, signers })?)
}

/// Starts a process for each token, while programs can be started. It knows nothing yet.
fn start_tokens(config: &Config) -> Result<Vec<Process>, CliError> {
    // Without a keyring there is nothing to be opened either, which is told then.
    let names = key::token_names(&config.keys).unwrap_or_default();
    names.iter().map(|name| Ok(Process::start(name).map_err(KeyError::from)?)).collect()
}

/// Opens all tokens at once: one that does not answer costs the others nothing but its time. Its keys cannot sign; all others can.
fn open_tokens(keyring: &mut Keyring, processes: Vec<Process>, config: &Config) -> Result<(), CliError> {
    let accepted = config.sandbox.names();
    let ring = &*keyring;
    let open = |process: Process| {
        let name = process.token().clone();
        match ring.open_token(process, &accepted, false) {
            Err(KeyError::Token(error)) => {
                tracing::error!(token = %name, %error, "a token cannot be used, so its keys sign nothing until the key host is started anew");
                Ok(Token::absent(name, &error))
            }
            opened => opened,
        }
    };
    let opened: Vec<Result<Token, KeyError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = processes.into_iter().map(|process| scope.spawn(|| open(process))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    opened.into_iter().try_for_each(|token| token.map(|token| keyring.attach(token)))?;
    Ok(())
}

/// Gives up everything but the log's directory, the sealed keys, and the directories of policy and configuration, which are read again on a
/// reload and may be replaced as a whole until then. The network is the gateway's.
fn enter_cell(config: &Config, dir: &Path, has_door: bool, children: Vec<u32>) -> Result<Report, CliError> {
    create_dir_all(&config.log, 0o755).map_err(OpenError::from)?;
    // Somebody may have put a part of the log on another disk, and a link in its place.
    let parts = ["wal", "public", "staging", "witness"].map(|name| config.log.join(name)).into_iter().filter(|part| part.exists());
    let write = parts.chain([config.log.clone()]).collect();
    let read =
        [Some(config.keys.clone()), config.policy.parent().map(Path::to_owned), Some(dir.to_owned())].into_iter().flatten().collect();
    let network = if has_door { Network::Door } else { Network::None };
    let plan = Plan { read, write, network, children, hosts_library: false };
    Ok(enter(&plan, &config.sandbox)?)
}

/// A Ctrl-C at a terminal, or a stop by systemd, goes to gateway and keeper alike. What is under way would be lost if the keeper heeded
/// it: the gateway does, and closes the channel when it has drained. To be called before the first thread, which inherits it.
fn leave_signals_to_the_gateway() -> Result<(), CliError> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    signals.thread_block().map_err(|e| CliError::Signals { source: e.into() })
}

/// A log that contradicts itself or what others hold is not written any more; what is published is still served.
fn open_log(config: &Config, keyring: &Keyring) -> Result<HouseLog, CliError> {
    let key = keyring.log_key()?;
    let vkey = key.verifier_key().clone();
    let log_config = LogConfig {
        segment_bytes: config.limits.segment,
        publish_interval: config.limits.publish_interval,
        remember_requests: config.limits.remember_requests,
        ..LogConfig::new(&config.log, &config.origin)
    };
    let remember = usize::try_from(config.limits.remember_requests).unwrap_or(usize::MAX);
    match Log::open(log_config, Box::new(key), vkey.clone()) {
        Ok((log, recovery)) => {
            if recovery.dropped_bytes > 0 {
                tracing::warn!(bytes = recovery.dropped_bytes, "a record that was never acknowledged was cut off, and is dropped");
            }
            let reader = log.reader();
            let (witnesses, max_unwitnessed, cosigned_first) = match &config.witness {
                Some(w) => (Some(Witnesses::open(&config.log, reader.clone(), w.keys.clone())?), w.max_unwitnessed, w.required),
                None => (None, None, false),
            };
            let recorder = Recorder::new(log, remember)?.witnessed_within(max_unwitnessed);
            Ok(HouseLog { recorder, reader, vkey: vkey.to_string(), dropped_bytes: recovery.dropped_bytes, witnesses, cosigned_first })
        }
        Err(refused) if misbehaves(&refused) => {
            super::report(super::NAME, &refused);
            tracing::error!("nothing will be signed; only reads are served");
            let Ok(reader) = Log::open_read_only(&config.log, &vkey) else { return Err(refused.into()) };
            let recorder = Recorder::closed(refused.to_string(), reader.clone());
            Ok(HouseLog { recorder, reader, vkey: vkey.to_string(), dropped_bytes: 0, witnesses: None, cosigned_first: false })
        }
        Err(other) => Err(other.into()),
    }
}

/// Whether the log itself is at fault, and not the configuration, the disk or another process.
pub(super) const fn misbehaves(error: &OpenError) -> bool {
    use OpenError as E;
    !matches!(error, E::Locked { .. } | E::Origin { .. } | E::KeyMismatch { .. } | E::Full { .. } | E::Io { .. } | E::Durable(_))
}

/// The socket on standard input; the other end must belong to the same user or to root, unless the service manager let it in. A user name
/// space of the unit hides other users from the kernel's answer, so that only the socket's owner and mode can tell.
fn gateway(from_socket_unit: bool) -> Result<UnixStream, CliError> {
    let not_ours = |source| CliError::Gateway { source };
    let input: OwnedFd = io::stdin().as_fd().try_clone_to_owned().map_err(not_ours)?;
    let peer = rustix::net::sockopt::socket_peercred(&input).map_err(|e| not_ours(e.into()))?;
    if !from_socket_unit && peer.uid != rustix::process::geteuid() && !peer.uid.is_root() {
        return Err(not_ours(io::Error::from(io::ErrorKind::PermissionDenied)));
    }
    Ok(UnixStream::from(input))
}
