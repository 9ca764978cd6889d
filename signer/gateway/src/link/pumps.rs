//! The two tasks behind a link: one writes what callers put, one hands out the answers.

use super::{KeeperState, OUTGOING_MAX, Shared};
use chancery_channel::{FrameError, FromKeeper, ReadBuffer, split};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::OwnedReadHalf;

/// Writes until the link hangs up or the keeper is gone. Dropping the socket then tells the keeper that nothing more comes.
pub(super) async fn write(shared: Arc<Shared>) {
    let mut batch = Vec::new();
    loop {
        let socket = {
            let mut state = shared.lock();
            if state.gone || (state.outgoing.is_empty() && state.hanging_up) {
                state.socket = None;
                break;
            }
            std::mem::swap(&mut batch, &mut state.outgoing);
            // It lies there: only this task takes it away, and it put it back.
            if batch.is_empty() { None } else { state.socket.take() }
        };
        let Some(mut socket) = socket else {
            shared.more.notified().await;
            // The task that woke us is one of many that are ready to put something: let them, so that one write takes all of it.
            tokio::task::yield_now().await;
            continue;
        };
        shared.room.notify_waiters();
        if let Err(error) = socket.write_all(&batch).await {
            tracing::error!(%error, "the keeper does not take requests any more");
            break;
        }
        batch.clear();
        batch.shrink_to(OUTGOING_MAX);
        shared.lock().socket = Some(socket);
    }
}

/// Reads until the keeper closes the channel.
pub(super) async fn read(mut socket: OwnedReadHalf, mut incoming: ReadBuffer, shared: Arc<Shared>) {
    loop {
        if let Err(error) = take_all(&mut incoming, &shared) {
            tracing::error!(%error, "the keeper sent what is not a message of the channel");
            break;
        }
        match fill(&mut incoming, &mut socket).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the channel to the keeper broke");
                break;
            }
        }
    }
    shared.close();
}

/// Reads once; 0 at the end of the stream.
pub(super) async fn fill(buffer: &mut ReadBuffer, socket: &mut OwnedReadHalf) -> io::Result<usize> {
    let n = socket.read(buffer.room()).await?;
    buffer.filled(n);
    Ok(n)
}

fn take_all(incoming: &mut ReadBuffer, shared: &Shared) -> Result<(), FrameError> {
    let mut answers = Vec::new();
    while let Some((message, used)) = split::<FromKeeper>(incoming.unread())? {
        incoming.consume(used);
        match message {
            FromKeeper::Answer { id, answer } => answers.push((id, answer)),
            FromKeeper::ReadOnly(why) => drop(shared.keeper.send_replace(KeeperState::ReadOnly(why))),
            FromKeeper::Signing => drop(shared.keeper.send_replace(KeeperState::Signing)),
            FromKeeper::Keys(keys) => drop(shared.keys.send_replace(keys)),
            FromKeeper::WitnessWanted => shared.witness_wanted.send_modify(|n| *n = n.wrapping_add(1)),
            FromKeeper::Ready(_) | FromKeeper::Locked => {}
        }
    }
    let mut state = shared.lock();
    let waiting: Vec<_> = answers.into_iter().filter_map(|(id, answer)| Some((state.waiting.remove(&id)?, answer))).collect();
    drop(state);
    waiting.into_iter().for_each(|(take, answer)| take(Ok(answer)));
    Ok(())
}
