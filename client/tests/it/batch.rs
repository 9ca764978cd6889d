//! Many signatures over one stream.

use crate::support::{FakeHost, Fault, KEY, Publisher, block_on};
use chancery::{Error, HashAlgorithm, Request, StateStore};

fn requests(count: u8) -> Vec<Request> {
    let request = |n| Request::sshsig(KEY, "tool", "file", HashAlgorithm::Sha256, &[n; 32]).unwrap();
    (0..count).map(request).collect()
}

#[test]
fn many_files_go_over_one_stream() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    let names: Vec<_> = (0..40).map(|n| format!("file{n}")).collect();
    names.iter().for_each(|name| publisher.write(name, name.as_bytes(), 0o644));
    let mut arguments = vec!["sign", "--key", KEY, "--as", "sshsig"];
    arguments.extend(names.iter().map(String::as_str));
    let ran = publisher.chancery(&arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    {
        let state = host.state();
        assert_eq!((state.streams, state.asked.len()), (1, 40));
    }
    assert_eq!(ran.out.lines().count(), 40);
    assert_eq!(publisher.made().iter().filter(|n| n.ends_with(".tlog-proof")).count(), 40);
}

#[test]
fn a_broken_stream_goes_on_with_what_has_no_reply_and_the_same_ids() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    host.state().lose = 2;
    let requests = requests(20);
    let results = block_on(async { publisher.client(StateStore::Memory).await.sign_batch(&requests).await.unwrap() });
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let state = host.state();
    assert_eq!(state.streams, 3);
    let mut ids: Vec<_> = state.asked.clone();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20, "a request keeps its id");
    assert_eq!(state.log.size(), 21, "each request has one entry");
}

#[test]
fn one_refusal_does_not_hinder_the_others() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    host.misbehave(Fault::RefuseEverySecond);
    let requests = requests(6);
    let results = block_on(async { publisher.client(StateStore::Memory).await.sign_batch(&requests).await.unwrap() });
    for (n, result) in results.iter().enumerate() {
        match result {
            Ok(_) => assert_eq!(n % 2, 1),
            Err(Error::Refused(refusal)) => assert_eq!((n % 2, refusal.reason.as_str()), (0, "ref-not-granted")),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn the_command_says_which_files_were_refused() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    host.misbehave(Fault::RefuseEverySecond);
    for name in ["a", "b"] {
        publisher.write(name, name.as_bytes(), 0o644);
    }
    let ran = publisher.chancery(&["sign", "a", "b", "--key", KEY, "--as", "sshsig"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("signed b -> b.sig"), "{ran:?}");
    assert!(ran.err.contains("warning: a is not signed\n") && ran.err.ends_with("error: 1 of 2 files were not signed\n"), "{ran:?}");
    assert!(!publisher.made().contains(&"a.sig".to_owned()));
}

#[test]
fn a_group_that_stays_busy_is_given_up() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    host.misbehave(Fault::Busy);
    publisher.write("a", b"alpha", 0o644);
    publisher.write("b", b"beta", 0o644);
    let ran = publisher.chancery(&["sign", "a", "b", "--key", KEY, "--as", "sshsig", "--timeout=0.3"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err.matches("reason busy, may succeed later").count(), 2, "{ran:?}");
}
