use super::*;
use chancery_channel::{Cell, Checkpoint, FromKeeper, KeyDescription, split};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);

/// The keeper's end of a channel, played by hand.
struct Keeper {
    socket: UnixStream,
    bytes: Vec<u8>,
}

/// What came to the keeper, as far as these tests care.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Question(u64),
    Chunk(u64, usize),
    Cancel(u64),
}

impl Keeper {
    async fn with_link() -> (Self, Link) {
        let (ours, its) = UnixStream::pair().unwrap();
        let mut keeper = Self { socket: its, bytes: Vec::new() };
        keeper.say(&[FromKeeper::Ready(greeting())]).await;
        let (link, ready) = Link::open(ours).await.unwrap();
        assert_eq!(ready, greeting());
        (keeper, link)
    }

    async fn say(&mut self, messages: &[FromKeeper]) {
        let mut out = Vec::new();
        messages.iter().for_each(|message| encode(message, &mut out).unwrap());
        self.socket.write_all(&out).await.unwrap();
    }

    async fn next(&mut self) -> Option<Got> {
        loop {
            if let Some((message, used)) = split::<ToKeeper<'_>>(&self.bytes).unwrap() {
                let got = match message {
                    ToKeeper::Checkpoint { id } => Got::Question(id),
                    ToKeeper::Chunk { id, bytes, .. } => Got::Chunk(id, bytes.len()),
                    ToKeeper::Cancel { id } => Got::Cancel(id),
                    other => panic!("nobody asked {other:?}"),
                };
                self.bytes.drain(..used);
                return Some(got);
            }
            let mut more = vec![0; 1 << 16];
            match timeout(LONG, self.socket.read(&mut more)).await.expect("nothing comes").unwrap() {
                0 => return None,
                n => self.bytes.extend_from_slice(&more[..n]),
            }
        }
    }

    async fn question(&mut self) -> u64 {
        match self.next().await {
            Some(Got::Question(id)) => id,
            other => panic!("expected a question: {other:?}"),
        }
    }
}

fn greeting() -> Ready {
    Ready { log_vkey: "example.org/log+00000000+AAAA".into(), keys: Vec::<KeyDescription>::new(), read_only: None, cell: Cell::default() }
}

fn answer(id: u64) -> FromKeeper {
    FromKeeper::Answer { id, answer: note(id) }
}

fn note(id: u64) -> Answer {
    Answer::Checkpoint(Checkpoint { note: format!("answer to {id}") })
}

fn ask(link: &Link) -> Call {
    link.call(|id| ToKeeper::Checkpoint { id }).unwrap()
}

#[tokio::test]
async fn each_answer_finds_its_call_in_whatever_order_and_pieces_it_comes() {
    let (mut keeper, link) = Keeper::with_link().await;
    let mut calls: Vec<Call> = (0..100).map(|_| ask(&link)).collect();
    let mut ids = VecDeque::new();
    for _ in &calls {
        ids.push_front(keeper.question().await);
    }
    let mut out = Vec::new();
    ids.iter().for_each(|id| encode(&answer(*id), &mut out).unwrap());
    let (first, rest) = out.split_at(out.len() / 2 + 3);
    keeper.socket.write_all(first).await.unwrap();
    assert_eq!(calls.pop().unwrap().answer().await.unwrap(), note(ids[0]), "what is there is handed out before the rest comes");
    keeper.socket.write_all(rest).await.unwrap();
    for (call, id) in calls.iter_mut().rev().zip(ids.iter().skip(1)) {
        assert_eq!(call.answer().await.unwrap(), note(*id));
    }
}

#[tokio::test]
async fn a_call_alone_reaches_the_keeper_without_another_task() {
    let (mut keeper, link) = Keeper::with_link().await;
    let mut first = ask(&link);
    let id = keeper.question().await;
    keeper.say(&[answer(id)]).await;
    first.answer().await.unwrap();
    let _second = ask(&link);
    let mut bytes = [0; 64];
    // Nothing was awaited since, so no other task ran.
    let n = rustix::io::read(&keeper.socket, &mut bytes).expect("the question is not there yet");
    assert!(matches!(split::<ToKeeper<'_>>(&bytes[..n]).unwrap(), Some((ToKeeper::Checkpoint { .. }, _))));
}

#[tokio::test]
async fn what_did_not_fit_at_once_comes_before_what_was_put_later() {
    let (mut keeper, link) = Keeper::with_link().await;
    let mut first = ask(&link);
    let id = keeper.question().await;
    keeper.say(&[answer(id)]).await;
    first.answer().await.unwrap();
    for _ in 0..3 {
        let large = vec![1; 1 << 20];
        let id = link.begin(|id| ToKeeper::Checkpoint { id }, Some(&large), drop).unwrap();
        let later: Vec<Call> = (0..10).map(|_| ask(&link)).collect();
        assert_eq!(keeper.question().await, id);
        assert_eq!(keeper.next().await, Some(Got::Chunk(id, large.len())));
        for call in &later {
            assert_eq!(keeper.question().await, call.id);
        }
        let ids = later.iter().map(|call| call.id).chain([id]);
        keeper.say(&ids.map(answer).collect::<Vec<_>>()).await;
        for mut call in later {
            call.answer().await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_buffer_arrives_whole() {
    let (mut keeper, link) = Keeper::with_link().await;
    let mut call = ask(&link);
    let id = keeper.question().await;
    let large = Answer::Tile(vec![7; 1 << 20]);
    let messages = [answer(999), FromKeeper::Answer { id, answer: large.clone() }];
    let (said, answered) = tokio::join!(keeper.say(&messages), call.answer());
    assert_eq!(((), answered.unwrap()), (said, large));
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_cancelled_once() {
    let (mut keeper, link) = Keeper::with_link().await;
    let abandoned = ask(&link);
    let id = keeper.question().await;
    drop(abandoned);
    assert_eq!(keeper.next().await, Some(Got::Cancel(id)));
    let mut kept = ask(&link);
    let id = keeper.question().await;
    keeper.say(&[answer(id)]).await;
    kept.answer().await.unwrap();
    drop(kept);
    link.hang_up();
    assert_eq!(keeper.next().await, None, "an answered call is not cancelled");
}

#[tokio::test]
async fn when_the_keeper_is_gone_each_call_is_told() {
    let (mut keeper, link) = Keeper::with_link().await;
    let mut waiting = ask(&link);
    let (told, hears) = oneshot::channel();
    link.begin(|id| ToKeeper::Checkpoint { id }, None, move |answer| told.send(answer.is_err()).unwrap()).unwrap();
    keeper.question().await;
    drop(keeper);
    assert!(matches!(timeout(LONG, waiting.answer()).await.unwrap(), Err(LinkError::Gone)));
    assert!(timeout(LONG, hears).await.unwrap().unwrap());
    link.keeper().wait_for(|state| *state == KeeperState::Gone).await.unwrap();
    assert!(matches!(link.call(|id| ToKeeper::Checkpoint { id }), Err(LinkError::Gone)));
}

#[tokio::test]
async fn a_keeper_that_talks_nonsense_is_gone() {
    let (mut keeper, link) = Keeper::with_link().await;
    let mut waiting = ask(&link);
    keeper.socket.write_all(&[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).await.unwrap();
    assert!(matches!(timeout(LONG, waiting.answer()).await.unwrap(), Err(LinkError::Gone)));
}

#[tokio::test]
async fn content_waits_while_the_keeper_does_not_read() {
    const CHUNKS: usize = 40;
    let (mut keeper, link) = Keeper::with_link().await;
    let call = ask(&link);
    let sent = Arc::new(AtomicU64::new(0));
    let sending = tokio::spawn({
        let sent = Arc::clone(&sent);
        async move {
            for _ in 0..CHUNKS {
                call.chunk(&[1; 1 << 20], false).await.unwrap();
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    // On the one thread of this test: every other task has come as far as it can.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let held = sent.load(Ordering::Relaxed);
    assert!((4..=12).contains(&held), "{held} chunks of 1 MiB are held");
    let id = keeper.question().await;
    for _ in 0..CHUNKS {
        assert_eq!(keeper.next().await, Some(Got::Chunk(id, 1 << 20)));
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn a_message_over_a_frame_is_refused_and_the_channel_goes_on() {
    let (mut keeper, link) = Keeper::with_link().await;
    let path = "x".repeat(chancery_channel::MAX_FRAME);
    assert!(matches!(link.call(|id| ToKeeper::Tile { id, path }), Err(LinkError::Frame(_))));
    let content = vec![0; chancery_channel::MAX_FRAME + 1];
    let begun = link.begin(|id| ToKeeper::Checkpoint { id }, Some(&content), |_| panic!("not to be called"));
    assert!(matches!(begun, Err(LinkError::Frame(_))));
    let mut call = ask(&link);
    let id = keeper.question().await;
    keeper.say(&[answer(id)]).await;
    assert_eq!(call.answer().await.unwrap(), note(id));
}

#[tokio::test]
async fn hanging_up_sends_what_was_put_and_still_takes_answers() {
    let (mut keeper, link) = Keeper::with_link().await;
    let mut call = ask(&link);
    link.hang_up();
    let id = keeper.question().await;
    assert_eq!(keeper.next().await, None);
    keeper.say(&[FromKeeper::ReadOnly("the disk is full".into()), answer(id)]).await;
    assert_eq!(call.answer().await.unwrap(), note(id));
    assert_eq!(*link.keeper().borrow(), KeeperState::ReadOnly("the disk is full".into()));
}

#[tokio::test]
async fn a_greeting_of_another_kind_is_refused() {
    for (first, ended) in [(Some(answer(1)), false), (None, true)] {
        let (ours, its) = UnixStream::pair().unwrap();
        let mut keeper = Keeper { socket: its, bytes: Vec::new() };
        keeper.say(first.as_slice()).await;
        drop(keeper);
        let refused = Link::open(ours).await.err().unwrap();
        assert_eq!(matches!(refused, GreetingError::Ended), ended, "{refused}");
    }
}
