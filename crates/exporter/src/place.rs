//! Where numbers are to be had: always on this machine, and for it alone.

use std::fmt;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// What stands before the path of a socket.
const UNIX: &str = "unix:";
/// The owner of a socket and its group may ask.
const MODE: u32 = 0o660;
/// More than all numbers of a program are, in bytes.
const MAX: u64 = 16 << 20;
/// Longer than the program itself takes at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// An address that only this machine reaches, or a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsAt {
    /// A loopback address.
    Address(SocketAddr),
    /// A socket in the file system; who may open it may read the numbers.
    Socket(PathBuf),
}

/// Who listens there.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl FromStr for MetricsAt {
    type Err = &'static str;

    /// `127.0.0.1:9464`, or `unix:/run/chancery/metrics.sock`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let advice = "write an address of this machine alone, such as \"127.0.0.1:9464\", or \"unix:/run/chancery/metrics.sock\": metrics are not encrypted";
        if let Some(path) = text.strip_prefix(UNIX) {
            return if Path::new(path).is_absolute() { Ok(Self::Socket(path.into())) } else { Err(advice) };
        }
        let address: SocketAddr = text.parse().map_err(|_| advice)?;
        if address.ip().is_loopback() { Ok(Self::Address(address)) } else { Err(advice) }
    }
}

impl fmt::Display for MetricsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl MetricsAt {
    /// Listens, and says where: port 0 takes any free one.
    pub(crate) fn listen(&self) -> io::Result<(Listener, Self)> {
        match self {
            Self::Address(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                Ok((Listener::Tcp(listener), Self::Address(address)))
            }
            Self::Socket(path) => {
                // One that a program before us left. What is no socket is left alone, and in the way.
                if std::fs::symlink_metadata(path).is_ok_and(|at| at.file_type().is_socket()) {
                    std::fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
                listener.set_nonblocking(true)?;
                Ok((Listener::Unix(listener), self.clone()))
            }
        }
    }

    /// Asks whoever listens there for its numbers.
    ///
    /// # Errors
    /// Nobody answers, or not with numbers.
    pub fn fetch(&self) -> io::Result<String> {
        match self {
            Self::Address(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                ask(stream)
            }
            Self::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                ask(stream)
            }
        }
    }
}

/// One question of HTTP/1.1 whose answer ends with the connection, as ours do.
fn ask(mut stream: impl io::Read + io::Write) -> io::Result<String> {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    let _ = stream.take(MAX).read_to_string(&mut answer)?;
    let other = || io::Error::new(io::ErrorKind::InvalidData, "what answers there has no numbers");
    let (head, text) = answer.split_once("\r\n\r\n").ok_or_else(other)?;
    if !head.starts_with("HTTP/1.1 200 ") || !text.ends_with("# EOF\n") {
        return Err(other());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at its first fault")]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_this_machine_alone() {
        for good in ["127.0.0.1:9464", "127.1.2.3:0", "[::1]:9464", "unix:/run/metrics.sock"] {
            assert_eq!(good.parse::<MetricsAt>().unwrap().to_string(), good);
        }
        for bad in
            ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "[::ffff:127.0.0.1]:9464", "unix:metrics.sock", "unix:", "localhost:1", ""]
        {
            assert!(bad.parse::<MetricsAt>().is_err(), "{bad}");
        }
    }
}
