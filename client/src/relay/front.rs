//! The client side: hands each client a key host, and carries what they say to each other.

use super::counted::Counted;
use super::{BACKOFF, House, Outer, prepare};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// What is held of each direction of a connection, in bytes.
const BUFFER: usize = 64 * 1024;

/// Takes clients in until told to stop.
pub(super) async fn take(listener: TcpListener, key_host: Option<Arc<str>>, house: Arc<House>, mut stopped: watch::Receiver<bool>) {
    loop {
        // Waiting for a place before accepting leaves the rest in the kernel's queue.
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = async {
                let place = Arc::clone(&house.clients).acquire_owned().await.ok()?;
                Some((place, listener.accept().await))
            } => accepted,
        };
        match accepted {
            Some((place, Ok((client, from)))) => {
                let (house, key_host) = (Arc::clone(&house), key_host.clone());
                tokio::spawn(async move {
                    carry(client, key_host.as_deref(), &house, from).await;
                    drop(place);
                });
            }
            Some((_, Err(error))) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // The system says nothing when it has file descriptors again.
                drop(timeout(BACKOFF, std::future::pending::<()>()).await);
            }
            None => return,
        }
    }
}

async fn carry(mut client: TcpStream, key_host: Option<&str>, house: &House, from: std::net::SocketAddr) {
    prepare(&client);
    house.metrics.waiting.inc();
    let found = find(key_host, house).await;
    house.metrics.waiting.dec();
    let Some(mut signer) = found else {
        let key_host = key_host.unwrap_or("any");
        house.metrics.sent_away(key_host);
        if house.quiet.says("no-key-host-parked", from, Instant::now().into_std()) {
            tracing::warn!(%from, key_host, "no key host is parked: a client was sent away; look whether chanceryd serves with --dial");
        }
        return send_away(client, house).await;
    };
    house.metrics.connected.inc();
    let mut counted = Counted { client: &mut client, metrics: &house.metrics };
    let carried = copy_bidirectional_with_sizes(&mut counted, &mut signer, BUFFER, BUFFER).await;
    house.metrics.connected.dec();
    match carried {
        Ok((sent, received)) => tracing::info!(%from, sent, received, "a client is done"),
        Err(error) => tracing::info!(%from, %error, "a client's connection broke"),
    }
}

/// Closes so that the client sees an end, and not a reset, which would say nothing of the relay: what it sent is read first.
async fn send_away(mut client: TcpStream, house: &House) {
    let mut unheard = [0; 4096];
    drop(timeout(house.answer_timeout, client.read(&mut unheard)).await);
    drop(client.shutdown().await);
}

/// A connection to a key host that answered just now.
async fn find(key_host: Option<&str>, house: &House) -> Option<Outer> {
    let deadline = Instant::now().checked_add(house.wait)?;
    let mut arrivals = house.pool.arrivals();
    loop {
        let Some(ask) = house.pool.take(key_host) else {
            timeout_at(deadline, arrivals.changed()).await.ok()?.ok()?;
            continue;
        };
        let (to, handed) = oneshot::channel();
        if ask.send(to).is_ok()
            && let Ok(stream) = timeout_at(deadline, handed).await.ok()?
        {
            return Some(stream);
        }
    }
}
