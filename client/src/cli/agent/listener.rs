//! The socket: for its owner alone, and for so many bytes a connection.

use crate::cli::error::CliError;
use nix::sys::stat::{Mode, umask};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, Join, Take, join};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// How much a connection may send in all: thousands of requests. The library keeps what has come of a message, however long it says it is.
const MAX_SENT: u64 = 16 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Listener(UnixListener);

/// Listens. A socket that nobody listens at any more is taken away first; one that is in use is left alone.
pub(super) fn bind(path: &Path) -> Result<Listener, CliError> {
    let failed = |source| CliError::Listen { path: path.to_owned(), source };
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        if StdStream::connect(path).is_ok() {
            return Err(CliError::Usage(format!("an agent listens at {} already", path.display())));
        }
        std::fs::remove_file(path).map_err(failed)?;
    }
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    bound.map(Listener).map_err(failed)
}

#[ssh_agent_lib::async_trait]
impl ssh_agent_lib::agent::ListeningSocket for Listener {
    type Stream = Join<Take<OwnedReadHalf>, OwnedWriteHalf>;

    #[allow(clippy::disallowed_methods, reason = "no event says that there are file descriptors again")]
    async fn accept(&mut self) -> io::Result<Self::Stream> {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) => {
                    let (reader, writer) = stream.into_split();
                    return Ok(join(reader.take(MAX_SENT), writer));
                }
                // Such as too many open files: it passes when others hang up.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}
