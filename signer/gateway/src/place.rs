//! Where clients connect to: an address of ours, or a socket of the service manager.

use crate::config::Gateway;
use listenfd::ListenFd;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel holds for us until we take them.
const BACKLOG: u32 = 1024;

/// Why nobody can connect.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; choose another listen in signer.toml, or stop what listens there")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What the service manager passes is no socket that listens.
    #[error("the socket that the service manager passes cannot be used; pass one that listens on TCP (ListenStream=)")]
    Given(#[source] io::Error),
}

/// Where clients connect to.
pub enum Place {
    /// Nowhere here: they come through relays.
    Nowhere,
    /// An address of ours, on which nobody listens yet.
    Reserved(SocketAddr, TcpSocket),
    /// A socket that listens. One of the service manager goes on while we are started again.
    Listening(SocketAddr, std::net::TcpListener),
}

impl Place {
    /// The socket that the service manager passes, or the address of the configuration, which is taken without listening on it.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn take(config: &Gateway) -> Result<Self, PlaceError> {
        let given = || -> io::Result<Option<Self>> {
            let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? else { return Ok(None) };
            listener.set_nonblocking(true)?;
            Ok(Some(Self::Listening(listener.local_addr()?, listener)))
        };
        match (given().map_err(PlaceError::Given)?, config.listen) {
            (Some(given), _) => Ok(given),
            (None, Some(address)) => Ok(Self::Reserved(address, reserve(address)?)),
            (None, None) => Ok(Self::Nowhere),
        }
    }

    /// Listens, if that is wanted. All listeners that this gives take connections from one queue.
    ///
    /// # Errors
    /// [`PlaceError::Listen`].
    pub fn listener(&mut self) -> Result<Option<TcpListener>, PlaceError> {
        let (address, listener) = match std::mem::replace(self, Self::Nowhere) {
            Self::Nowhere => return Ok(None),
            Self::Reserved(address, socket) => (address, socket.listen(BACKLOG).and_then(TcpListener::into_std)),
            Self::Listening(address, listener) => (address, Ok(listener)),
        };
        let listen = |source| PlaceError::Listen { address, source };
        let listener = listener.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let copy = listener.try_clone().and_then(TcpListener::from_std).map_err(listen)?;
        *self = Self::Listening(address, listener);
        Ok(Some(copy))
    }

    /// Where the key host is to be reached, in words.
    #[must_use]
    pub fn words(&self, config: &Gateway) -> String {
        match self {
            Self::Nowhere => format!("through {}", config.dial.join(", ")),
            Self::Reserved(address, _) | Self::Listening(address, _) => format!("on {address}"),
        }
    }
}

fn reserve(address: SocketAddr) -> Result<TcpSocket, PlaceError> {
    let listen = |source| PlaceError::Listen { address, source };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(listen)?;
    socket.set_reuseaddr(true).map_err(listen)?;
    socket.bind(address).map_err(listen)?;
    Ok(socket)
}
