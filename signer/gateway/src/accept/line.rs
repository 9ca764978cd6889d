//! What a client's TLS comes over: a socket that was accepted, or a connection that was parked at a relay.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client;

/// Bytes of a client.
pub(super) enum Line {
    /// It connected to us.
    Accepted(TcpStream),
    /// A relay gave it a connection of ours.
    Relayed(Box<client::TlsStream<TcpStream>>),
}

impl Line {
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Accepted(tcp) => tcp,
            Self::Relayed(tls) => tls.get_ref().0,
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Accepted(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Relayed(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Accepted(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Relayed(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Accepted(tcp) => Pin::new(tcp).poll_write_vectored(context, bytes),
            Self::Relayed(tls) => Pin::new(tls).poll_write_vectored(context, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Accepted(tcp) => tcp.is_write_vectored(),
            Self::Relayed(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Accepted(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Relayed(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Accepted(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Relayed(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
