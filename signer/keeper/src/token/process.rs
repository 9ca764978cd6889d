//! The keeper's end: starts the process of a token, asks it, and makes an end of it when it does not answer.

use super::error::TokenError;
use super::message::{FromHost, Object, SIGN_MAX, ToHost};
use super::wire::{CHUNK, Wire, WireError};
use crate::text::chain;
use chancery_channel::KeyName;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Loading a library, logging in and making keys may take this long, whatever the timeout for signatures is.
const START: Duration = Duration::from_secs(30);
/// A process that was told to end may take this long.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is known of a token, apart from its PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The library that talks to it.
    pub module: String,
    /// Its label.
    pub label: String,
    /// What the library may read, besides what every library may.
    pub read: Vec<String>,
    /// Below which directories it may write.
    pub write: Vec<String>,
    /// Whether it may connect to others.
    pub network: bool,
    /// A signature takes no longer.
    pub timeout: Duration,
}

/// A process for a token, which has nothing loaded yet.
pub struct Process {
    token: KeyName,
    child: Child,
    wire: Wire,
}

/// A token, in service or not.
pub struct Token {
    name: KeyName,
    timeout: Duration,
    /// Its Ed25519 keys when it was opened.
    objects: Vec<Object>,
    process: Mutex<Option<Process>>,
    /// Why it is not in service any more, once it is not.
    lost: OnceLock<String>,
}

impl Process {
    /// Starts the process. To be called before the keeper enters its cell, in which it can start no program.
    ///
    /// # Errors
    /// [`TokenError::Start`].
    pub fn start(token: &KeyName) -> Result<Self, TokenError> {
        let failed = |e: std::io::Error| TokenError::Start { token: token.clone(), why: e.to_string() };
        let (ours, its) = UnixStream::pair().map_err(failed)?;
        // The very program that runs, also when another version was installed since.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("chancery-keeper").args(["token-host", token.as_str()]);
        let child = command.stdin(Stdio::from(OwnedFd::from(its))).stdout(Stdio::null()).spawn().map_err(failed)?;
        Ok(Self { token: token.clone(), child, wire: Wire::new(ours) })
    }

    /// The name of its token.
    #[must_use]
    pub const fn token(&self) -> &KeyName {
        &self.token
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it load the library and log in. `accept_missing` names the layers of the cell that may be missing; `to_write` is for making keys.
    ///
    /// # Errors
    /// [`TokenError`]; the process is gone then.
    pub fn open(mut self, settings: &Settings, accept_missing: &[&str], pin: &[u8], to_write: bool) -> Result<Token, TokenError> {
        match self.log_in(settings, accept_missing, pin, to_write) {
            Ok(objects) => Ok(Token {
                name: self.token.clone(),
                timeout: settings.timeout,
                objects,
                process: Mutex::new(Some(self)),
                lost: OnceLock::new(),
            }),
            Err(error) => {
                let error = self.error(error);
                self.end();
                Err(error)
            }
        }
    }

    fn log_in(&mut self, settings: &Settings, accept_missing: &[&str], pin: &[u8], to_write: bool) -> Result<Vec<Object>, Failed> {
        let by = Instant::now().checked_add(START);
        let texts = |texts: &'_ [String]| -> Vec<String> { texts.to_vec() };
        let (read, write) = (texts(&settings.read), texts(&settings.write));
        let load = ToHost::Load {
            module: &settings.module,
            label: &settings.label,
            read: read.iter().map(String::as_str).collect(),
            write: write.iter().map(String::as_str).collect(),
            network: settings.network,
            accept_missing: accept_missing.to_vec(),
        };
        match self.ask(&load, by)? {
            FromHost::Loaded { cell } => tracing::debug!(token = %self.token, cell, "the token's library is loaded"),
            _ => return Err(WireError::Unexpected.into()),
        }
        match self.ask(&ToHost::Login { pin, to_write }, by)? {
            FromHost::Objects(objects) => Ok(objects),
            _ => Err(WireError::Unexpected.into()),
        }
    }

    fn ask(&mut self, question: &ToHost<'_>, by: Option<Instant>) -> Result<FromHost, Failed> {
        self.wire.send(question, by)?;
        self.answer(by)
    }

    fn answer(&mut self, by: Option<Instant>) -> Result<FromHost, Failed> {
        match self.wire.receive(by)?.message()? {
            FromHost::Failed(fault) => Err(Failed::Fault(fault.cut())),
            answer => Ok(answer),
        }
    }

    fn sign(&mut self, id: &[u8], bytes: &[u8], by: Option<Instant>) -> Result<[u8; 64], Failed> {
        self.wire.send(&ToHost::Sign { id, len: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }, by)?;
        for chunk in bytes.chunks(CHUNK) {
            self.wire.send(&ToHost::Chunk(chunk), by)?;
        }
        match self.answer(by)? {
            FromHost::Signature(signature) => signature.try_into().map_err(|_| WireError::Unexpected.into()),
            _ => Err(WireError::Unexpected.into()),
        }
    }

    fn error(&self, failed: Failed) -> TokenError {
        match failed {
            Failed::Fault(fault) => TokenError::Refused { token: self.token.clone(), fault },
            Failed::Wire(error) => TokenError::Lost { token: self.token.clone(), why: chain(&error) },
        }
    }

    /// Ends it at once. A process that hangs in the kernel is not waited for here: it may take for ever.
    fn end(mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let waiting = std::thread::Builder::new().name("token's end".to_owned()).spawn(move || self.child.wait());
        if let Err(error) = waiting {
            tracing::warn!(%error, "the end of a token's process is not waited for");
        }
    }

    /// Lets the library go in order, which takes a moment.
    fn let_go(mut self) {
        self.wire.hang_up();
        // Whatever comes, it is the end.
        let _ = self.wire.receive(Instant::now().checked_add(FAREWELL));
        let _ = self.child.kill();
        let _ = self.child.try_wait();
    }
}

/// What came instead of an answer.
enum Failed {
    Fault(super::message::Fault),
    Wire(WireError),
}

impl From<WireError> for Failed {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl Token {
    /// A token that was never in service.
    #[must_use]
    pub fn absent(name: KeyName, why: &TokenError) -> Self {
        let why = match why {
            TokenError::Refused { fault, .. } => fault.to_string(),
            other => other.to_string(),
        };
        Self { name, timeout: START, objects: Vec::new(), process: Mutex::new(None), lost: OnceLock::from(why) }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its Ed25519 keys, as they were when it was opened.
    #[must_use]
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// Whether it is in service.
    #[must_use]
    pub fn is_in_service(&self) -> bool {
        self.lost.get().is_none()
    }

    /// The number of its process.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.lock().as_ref().map(Process::id)
    }

    /// Makes a key pair.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn generate(&self, label: &str, id: &[u8]) -> Result<Object, TokenError> {
        let made = self.with(START, |process, by| match process.ask(&ToHost::Generate { label, id }, by)? {
            FromHost::Objects(mut made) => made.pop().ok_or(Failed::Wire(WireError::Unexpected)),
            _ => Err(WireError::Unexpected.into()),
        })?;
        Ok(made)
    }

    /// Signs. What comes out is not to be believed before it is verified.
    ///
    /// # Errors
    /// [`TokenError`]; after [`TokenError::Lost`], the token is out of service.
    pub fn sign(&self, id: &[u8], bytes: &[u8]) -> Result<[u8; 64], TokenError> {
        if bytes.len() > SIGN_MAX {
            return Err(TokenError::TooLong { token: self.name.clone(), len: bytes.len(), max: SIGN_MAX });
        }
        let signed = self.with(self.timeout, |process, by| process.sign(id, bytes, by));
        if matches!(signed, Err(TokenError::Refused { .. })) {
            // Whether it is about this signature, or about all that follow.
            self.ping()?;
        }
        signed
    }

    /// Asks whether it is still there; one that is not is out of service.
    ///
    /// # Errors
    /// [`TokenError::Lost`].
    pub fn ping(&self) -> Result<(), TokenError> {
        let answer = self.with(self.timeout, |process, by| match process.ask(&ToHost::Ping, by)? {
            FromHost::Well => Ok(()),
            _ => Err(WireError::Unexpected.into()),
        });
        match answer {
            Err(TokenError::Refused { fault, .. }) => Err(self.lose(&mut self.lock(), fault.to_string())),
            answer => answer,
        }
    }

    fn with<T>(&self, patience: Duration, ask: impl FnOnce(&mut Process, Option<Instant>) -> Result<T, Failed>) -> Result<T, TokenError> {
        let mut process = self.lock();
        let Some(asked) = process.as_mut() else { return Err(self.lose(&mut process, "its process ended".to_owned())) };
        match ask(asked, Instant::now().checked_add(patience)) {
            Ok(answer) => Ok(answer),
            Err(Failed::Fault(fault)) => Err(TokenError::Refused { token: self.name.clone(), fault }),
            Err(Failed::Wire(error)) => Err(self.lose(&mut process, chain(&error))),
        }
    }

    /// Takes it out of service for good: a late answer to one question must never be taken for the answer to the next.
    fn lose(&self, process: &mut Option<Process>, why: String) -> TokenError {
        if let Some(process) = process.take() {
            process.end();
        }
        let why = self.lost.get_or_init(|| why).clone();
        TokenError::Lost { token: self.name.clone(), why }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Token {
    /// A token whose process is a thread that signs with `sign`, and hangs when that gives nothing.
    pub(crate) fn for_tests(timeout: Duration, sign: impl Fn(&[u8], &[u8]) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let (ours, its) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut wire = Wire::new(its);
            while let Ok(frame) = wire.receive(None) {
                let ToHost::Sign { id, len } = frame.message().unwrap() else { panic!("only signatures are asked for") };
                let bytes = super::host::content(&mut wire, len).unwrap();
                match sign(id, &bytes) {
                    Some(signature) => wire.send(&FromHost::Signature(signature), None).unwrap(),
                    None => drop(wire.receive(None)),
                }
            }
        });
        let name = KeyName::new("hsm").unwrap();
        let child = Command::new("true").spawn().unwrap();
        let process = Process { token: name.clone(), child, wire: Wire::new(ours) };
        Self { name, timeout, objects: Vec::new(), process: Mutex::new(Some(process)), lost: OnceLock::new() }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if let Some(process) = self.lock().take() {
            process.let_go();
        }
    }
}
