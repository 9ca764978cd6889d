//! Takes connections in: so many and no more, each with a deadline for its handshake.

use crate::identity::{IdentityError, Peer, principal};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Bounds of what is taken in.
#[derive(Debug, Clone, Copy)]
pub struct AcceptLimits {
    /// Connections that may be open at once.
    pub connections: usize,
    /// A handshake takes no longer than this.
    pub handshake_timeout: Duration,
    /// How long to wait when the system has no more file descriptors.
    pub backoff: Duration,
}

/// A connection whose handshake is done.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

/// Accepts until the receiving end is dropped.
pub fn accept(listener: TcpListener, acceptor: TlsAcceptor, limits: AcceptLimits) -> ReceiverStream<io::Result<Connection>> {
    let (ready, connections) = mpsc::channel(16);
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(limits.connections));
        loop {
            // Waiting for a place before accepting leaves the rest in the kernel's queue, at no cost to us.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
            let (tcp, address) = tokio::select! {
                () = ready.closed() => break,
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::select! {
                            () = ready.closed() => break,
                            () = after(limits.backoff) => continue,
                        }
                    }
                },
            };
            tokio::spawn(greet(tcp, address, acceptor.clone(), limits.handshake_timeout, place, ready.clone()));
        }
    });
    ReceiverStream::new(connections)
}

#[expect(clippy::disallowed_methods, reason = "the system is out of file descriptors, and says nothing when it has some again")]
async fn after(time: Duration) {
    tokio::time::sleep(time).await;
}

async fn greet(
    tcp: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    timeout: Duration,
    place: OwnedSemaphorePermit,
    ready: mpsc::Sender<io::Result<Connection>>,
) {
    // tonic sets this on sockets that it accepts itself only; without it a small call takes 40 ms.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%address, %error, "TCP_NODELAY could not be set");
    }
    match tokio::time::timeout(timeout, acceptor.accept(tcp)).await {
        Err(_) => tracing::info!(%address, "a handshake took too long"),
        Ok(Err(error)) => tracing::info!(%address, %error, "a handshake failed"),
        Ok(Ok(stream)) => {
            let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let principal = leaf.map_or(Err(IdentityError::Unreadable), |leaf| principal(leaf));
            match &principal {
                Ok(principal) => tracing::debug!(%address, %principal, "connected"),
                Err(error) => tracing::warn!(%address, %error, "connected, but names no principal"),
            }
            // The receiver is gone when the gateway stops.
            drop(ready.send(Ok(Connection { stream, peer: Peer { address, principal }, _place: place })).await);
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;
    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
