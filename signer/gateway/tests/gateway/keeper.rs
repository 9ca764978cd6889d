//! Plays the keeper: says what it got, and answers as the name of the key says.

use chancery_channel::{
    Answer, Cell, Checkpoint, ConsistencyProof, Entries, FromKeeper, KeyDescription, KeyName, KeyState, Leaf, Payload, Ready, Refusal,
    RefusalKind, SignRequest, Signed, ToKeeper, encode, split,
};
use std::collections::HashMap;
use std::mem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// What came to the keeper.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Sign(Box<SignRequest>),
    /// Length, and whether it was the last.
    Chunk(usize, bool),
    Cancel,
    Read,
    /// The gateway closed the channel.
    End,
}

/// The keeper's end of the channel.
pub(crate) struct FakeKeeper {
    pub(crate) got: UnboundedReceiver<Got>,
    task: JoinHandle<()>,
}

struct Player {
    socket: UnixStream,
    got: UnboundedSender<Got>,
    open: HashMap<u64, (SignRequest, Vec<u8>)>,
    held: Vec<u64>,
    hung: bool,
}

pub(crate) fn ready() -> Ready {
    let key = |name: &str, state| KeyDescription {
        name: KeyName::new(name).unwrap(),
        version: 3,
        public_key: [7; 32],
        constructions: vec!["sshsig".parse().unwrap()],
        created: 1_700_000_000,
        retires: None,
        state,
    };
    Ready {
        log_vkey: "example.org/log+00000000+AAAA".into(),
        keys: vec![key("release", KeyState::Open), key("sealed", KeyState::Locked)],
        read_only: None,
        cell: Cell::default(),
    }
}

impl FakeKeeper {
    pub(crate) fn start() -> (Self, UnixStream) {
        let (ours, its) = UnixStream::pair().unwrap();
        (Self::on(its), ours)
    }

    pub(crate) fn on(socket: UnixStream) -> Self {
        let (sender, got) = unbounded_channel();
        let player = Player { socket, got: sender, open: HashMap::new(), held: Vec::new(), hung: false };
        Self { got, task: tokio::spawn(player.play()) }
    }

    /// Goes away without a word.
    pub(crate) fn die(&self) {
        self.task.abort();
    }

    /// The next thing that came, leaving aside questions for signs of life.
    pub(crate) async fn next(&mut self) -> Got {
        loop {
            match self.got.recv().await.unwrap() {
                Got::Read => {}
                other => return other,
            }
        }
    }

    pub(crate) async fn ended(self) {
        self.task.await.unwrap();
    }
}

impl Player {
    async fn play(mut self) {
        self.say(&FromKeeper::Ready(ready())).await;
        let (mut bytes, mut chunk) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            let n = self.socket.read(&mut chunk).await.unwrap_or(0);
            if n == 0 {
                let _ = self.got.send(Got::End);
                return;
            }
            bytes.extend_from_slice(&chunk[..n]);
            let mut at = 0;
            while let Some((message, used)) = split::<ToKeeper<'_>>(&bytes[at..]).unwrap() {
                at += used;
                if !self.take(message).await {
                    return;
                }
            }
            bytes.drain(..at);
        }
    }

    async fn take(&mut self, message: ToKeeper<'_>) -> bool {
        match message {
            ToKeeper::Sign { id, request, .. } => {
                let _ = self.got.send(Got::Sign(Box::new(request.clone())));
                if request.key.as_str() == "die" {
                    return false;
                }
                if request.key.as_str() == "early" {
                    self.answer(id, refused(RefusalKind::NotFound, "key-unknown")).await;
                } else if matches!(request.payload, Payload::Digest { .. }) {
                    self.sign(id, request, Vec::new()).await;
                } else {
                    self.open.insert(id, (request, Vec::new()));
                }
            }
            ToKeeper::Chunk { id, last, bytes } => {
                let _ = self.got.send(Got::Chunk(bytes.len(), last));
                let Some((_, content)) = self.open.get_mut(&id) else { return true };
                content.extend_from_slice(bytes);
                if last {
                    let (request, content) = self.open.remove(&id).unwrap();
                    self.sign(id, request, content).await;
                }
            }
            ToKeeper::Cancel { id } => {
                self.open.remove(&id);
                let _ = self.got.send(Got::Cancel);
            }
            read => self.read(read).await,
        }
        true
    }

    async fn sign(&mut self, id: u64, request: SignRequest, content: Vec<u8>) {
        match request.key.as_str() {
            "denied" => self.answer(id, refused(RefusalKind::Denied, "ref-not-granted")).await,
            "silent" => {}
            "hang" => self.hung = true,
            // Answers come in the opposite order, once the request for "go" is there.
            "hold" => self.held.push(id),
            _ => {
                for id in mem::take(&mut self.held).into_iter().rev() {
                    self.answer(id, signed(&[])).await;
                }
                self.answer(id, signed(&content)).await;
            }
        }
    }

    async fn read(&mut self, message: ToKeeper<'_>) {
        let _ = self.got.send(Got::Read);
        if self.hung {
            return;
        }
        match message {
            ToKeeper::Keys { id } => self.answer(id, Answer::Keys(ready().keys)).await,
            ToKeeper::Checkpoint { id } => self.answer(id, Answer::Checkpoint(Checkpoint { note: "a note".into() })).await,
            ToKeeper::Consistency { id, old, new } => {
                let hashes = vec![[u8::try_from(old).unwrap(); 32], [u8::try_from(new).unwrap(); 32]];
                self.answer(id, Answer::Consistency(ConsistencyProof { hashes, checkpoint: "a note".into() })).await;
            }
            ToKeeper::Tile { id, path } if path == "tile/0/000" => self.answer(id, Answer::Tile(vec![1, 2, 3])).await,
            ToKeeper::Tile { id, .. } => self.answer(id, refused(RefusalKind::NotFound, "not-found")).await,
            ToKeeper::Entries { id, start, count } => {
                let leaves = (0..count).map(|n| Leaf(vec![u8::try_from(n).unwrap()])).collect();
                self.answer(id, Answer::Entries(Entries { start, leaves })).await;
            }
            ToKeeper::Stats { .. }
            | ToKeeper::Settings { .. }
            | ToKeeper::Reload { .. }
            | ToKeeper::WitnessRequest { .. }
            | ToKeeper::WitnessAnswer { .. } => unreachable!("nobody asks here"),
            ToKeeper::Sign { .. } | ToKeeper::Chunk { .. } | ToKeeper::Cancel { .. } => unreachable!(),
        }
    }

    async fn answer(&mut self, id: u64, answer: Answer) {
        self.say(&FromKeeper::Answer { id, answer }).await;
    }

    async fn say(&mut self, message: &FromKeeper) {
        let mut out = Vec::new();
        encode(message, &mut out).unwrap();
        let _ = self.socket.write_all(&out).await;
    }
}

/// Signs by giving the content back, or its length where it does not fit into a frame.
fn signed(content: &[u8]) -> Answer {
    let signature = if content.len() > 1 << 19 { format!("{} bytes", content.len()).into_bytes() } else { content.to_vec() };
    Answer::Signed(Signed { signature, key_version: 3, tbs_sha256: [9; 32], entry_index: 17, receipt: b"receipt".to_vec() })
}

fn refused(kind: RefusalKind, reason: &str) -> Answer {
    Answer::Refused(Refusal { kind, reason: reason.into(), message: "because".into(), entry_index: Some(18), receipt: b"receipt".to_vec() })
}
