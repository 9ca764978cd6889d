//! The client side: hands each client a key host, and carries what they say to each other.

use super::clients::{Client, ClientError, begins_tls};
use super::counted::Counted;
use super::pool::Goal;
use super::{BACKOFF, House, Outer, prepare};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// What is held of each direction of a connection, in bytes.
const BUFFER: usize = 64 * 1024;

/// A connection of somebody who said nothing yet.
struct Stranger {
    tcp: TcpStream,
    from: SocketAddr,
    counted: Client,
    turn: OwnedSemaphorePermit,
}

/// Takes clients in until told to stop.
pub(super) async fn take(listener: TcpListener, goal: Goal, house: Arc<House>, mut stopped: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = accept(&listener, &house) => accepted,
        };
        let Some(stranger) = accepted else { continue };
        let (house, goal, mut stopped) = (Arc::clone(&house), goal.clone(), stopped.clone());
        tokio::spawn(async move {
            let welcomed = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                welcomed = welcome(stranger, &house) => welcomed,
            };
            if let Some((client, from, _counted, _place)) = welcomed {
                carry(client, &goal, &house, from).await;
            }
        });
    }
}

async fn accept(listener: &TcpListener, house: &House) -> Option<Stranger> {
    // Waiting for a turn before accepting leaves the rest in the kernel's queue.
    let turn = Arc::clone(&house.strangers).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((tcp, from)) => match house.addresses.enter(from.ip()) {
            Ok(counted) => Some(Stranger { tcp, from, counted, turn }),
            Err(error) => {
                turn_away(&error, from, house);
                None
            }
        },
        Err(error) => {
            house.cannot_accept(&error);
            // The system says nothing when it has file descriptors again.
            drop(timeout(BACKOFF, std::future::pending::<()>()).await);
            None
        }
    }
}

/// Gives a place among the clients to who speaks TLS.
async fn welcome(stranger: Stranger, house: &House) -> Option<(TcpStream, SocketAddr, Client, OwnedSemaphorePermit)> {
    let Stranger { tcp, from, counted, turn } = stranger;
    prepare(&tcp);
    if let Err(error) = begins_tls(&tcp).await {
        turn_away(&error, from, house);
        return None;
    }
    let place = Arc::clone(&house.clients).acquire_owned().await.ok()?;
    drop(turn);
    Some((tcp, from, counted, place))
}

fn turn_away(error: &ClientError, from: SocketAddr, house: &House) {
    house.metrics.turned_away(error.why());
    match error {
        // So does whatever looks whether the port is open.
        ClientError::Left | ClientError::Io(_) => tracing::debug!(%from, %error, "a client was turned away"),
        _ if house.quiet.says(error.why(), from, Instant::now().into_std()) => {
            tracing::warn!(%from, %error, reason = error.why(), "a client was turned away");
        }
        _ => {}
    }
}

async fn carry(mut client: TcpStream, goal: &Goal, house: &House, from: SocketAddr) {
    house.metrics.waiting.inc();
    let found = find(goal, house).await;
    house.metrics.waiting.dec();
    let Some(mut signer) = found else {
        let key_host = &*goal.label;
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
        Ok((sent, received)) => tracing::debug!(%from, sent, received, "a client is done"),
        Err(error) => tracing::debug!(%from, %error, "a client's connection broke"),
    }
}

/// Closes so that the client sees an end, and not a reset, which would say nothing of the relay: what it sent is read first.
async fn send_away(mut client: TcpStream, house: &House) {
    let mut unheard = [0; 4096];
    drop(timeout(house.answer_timeout, client.read(&mut unheard)).await);
    drop(client.shutdown().await);
}

/// A connection to a key host that answered just now.
async fn find(goal: &Goal, house: &House) -> Option<Outer> {
    let deadline = Instant::now().checked_add(house.wait)?;
    let mut arrivals = house.pool.arrivals();
    loop {
        let Some(ask) = house.pool.take(goal) else {
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
